"""Tool results as darkroom gives them, for tests of the gallery."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gallery_browser import PICTURES_URL, image_block, picture

PROMPT = "A lighthouse on a cliff above a calm sea at dusk"


def result(data: dict[str, Any], pictures: list[bytes] | None = None, text: str = "Some words.") -> dict[str, Any]:
    """A CallToolResult: the text, a preview for each of `pictures`, the report in `_meta`."""
    return {
        "content": [{"type": "text", "text": text}, *map(image_block, pictures or [])],
        "isError": data["outcome"] not in ("succeeded", "running"),
        "_meta": {"darkroom/report": data},
    }


def report(count: int = 1, size: tuple[int, int] = (1024, 1024), **changes: Any) -> dict[str, Any]:
    """A succeeded prediction with `count` images of `size`, all saved, their links good for 42 minutes and a half."""
    return {
        "outcome": "succeeded",
        "status": "succeeded",
        "id": "p0000000000000000000000001",
        "request_id": "auto-0123456789ab",
        "gateway": {"name": "replicate", "title": "Replicate", "is_sandbox": False},
        "model": "black-forest-labs/flux-schnell",
        "prompt": PROMPT,
        "request": {
            "prompt": PROMPT,
            "model": "black-forest-labs/flux-schnell",
            "images": [],
            "mask": "",
            "aspect_ratio": "1:1",
            "width": 0,
            "height": 0,
            "count": count,
            "seed": -1,
            "negative_prompt": "",
            "output_format": "auto",
            "options": {},
        },
        "seed": 1234567,
        "price_usd": 0.003 * count,
        "charged": {"verdict": "yes", "usd": 0.003 * count, "basis": "computed"},
        "waited_s": 2.4,
        "predictions": [part()],
        "images": [image(number, size) for number in range(1, count + 1)],
        "notes": [],
        "next": "",
        "error": None,
        **changes,
    }


def part(status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    return {
        "id": "p0000000000000000000000001",
        "key": "k1",
        "status": status,
        "seed": 1234567,
        "error": "",
        "percent": None,
        "created_at": None,
        "price_usd": 0.003,
        "metrics": {"predict_s": 1.84, "queue_s": 0.3, "total_s": 2.14, "image_count": 1},
        **changes,
    }


def image(number: int, size: tuple[int, int] = (1024, 1024), **changes: Any) -> dict[str, Any]:
    return {
        "n": number,
        "prediction_id": "p0000000000000000000000001",
        "index": number - 1,
        "url": f"{PICTURES_URL}{number}.png",
        "expires_at": in_minutes(42.5),
        "state": "stored",
        "problem": "",
        "path": f"/home/ada/Pictures/darkroom/lighthouse-{number}.png",
        "mime_type": "image/png",
        "width": size[0],
        "height": size[1],
        "size_bytes": 1_240_000,
        "sha256": "00",
        **changes,
    }


def in_minutes(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


def plain_pictures(count: int = 1, size: tuple[int, int] = (64, 64)) -> list[bytes]:
    colors = ("#4f7cac", "#c97b63", "#6b9080", "#b08968", "#7d6b91", "#d4a373")
    return [picture(*size, colors[number % len(colors)]) for number in range(count)]


def running(percent: float | None = None, **changes: Any) -> dict[str, Any]:
    """The same while it runs: no images yet."""
    data = report(0, outcome="running", status="processing", predictions=[part("processing", percent=percent)])
    return {**data, "price_usd": 0.003, **changes}


RECENT: dict[str, Any] = {
    "content": [{"type": "text", "text": "Recent: 1, newest first"}],
    "_meta": {
        "darkroom/report": {
            "outcome": "listed",
            "status": "listed",
            "images": [],
            "predictions": [
                {
                    "id": "p7",
                    "request_id": "auto-7",
                    "status": "succeeded",
                    "model": "black-forest-labs/flux-schnell",
                    "prompt": "A vase of tulips",
                    "created_at": "2026-11-25T14:02:00+01:00",
                    "charged": {"verdict": "yes", "usd": 0.003, "basis": "computed"},
                }
            ],
        }
    },
}
