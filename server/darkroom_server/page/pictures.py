"""What the page is told of one picture, out of a row of the journal or a sidecar.

A sidecar is a file that anybody may have put there, so that none of its types is believed.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from darkroom.images import DAMAGED, StoredFile
from darkroom.journal import Intent
from darkroom.reports.amounts import usd
from darkroom.reports.charge_words import charge_line
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import is_url
from darkroom_server.shell_commands import command_for, shell_command

_MOST_PROMPT, _MOST_VALUE = 8_000, 400
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# Told elsewhere, or nothing that the person has chosen.
_ELSEWHERE = frozenset({"prompt", "model", "seed", "options", "model_options"})
_DEFAULTS: tuple[JsonValue, ...] = ("", 0, "auto", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A saved image and how it was made. `at` is seconds since the epoch, `took_s` seconds, `cost` words.

    `options` is what was asked for beside prompt, model and seed; `command` makes it again in a terminal, `reference`
    is how an assistant names it (`prediction:ID/N`), "" where none knows it.
    """

    id: str
    at: float
    file: StoredFile
    prompt: str = ""
    model: str = ""
    seed: str = ""
    gateway: str = ""
    cost: str = ""
    took_s: float | None = None
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    command: str = ""
    reference: str = ""
    problem: str = ""

    def data(self, *, is_shared: bool = False) -> dict[str, JsonValue]:
        """As the page reads it; `is_shared` leaves out where the file lies on this computer."""
        file = self.file
        told: dict[str, JsonValue] = {
            "id": self.id,
            "at": self.at,
            "prompt": self.prompt[:_MOST_PROMPT],
            "is_cut": len(self.prompt) > _MOST_PROMPT,
            "model": self.model[:_MOST_VALUE],
            "seed": self.seed[:_MOST_VALUE],
            "gateway": self.gateway[:_MOST_VALUE],
            "cost": self.cost,
            "took_s": self.took_s,
            "options": dict(self.options),
            "width": file.width_px,
            "height": file.height_px,
            "type": file.mime_type.partition("/")[2].partition("+")[0].upper(),
            "size_bytes": file.size_bytes,
            "name": re.split(r"[/\\]", file.location)[-1],
            "problem": self.problem,
        }
        local: dict[str, JsonValue] = {
            "location": file.location,
            "can_reveal": not is_url(file.location),
            "command": self.command,
        }
        return told if is_shared else told | local

    def data_for_team(self) -> dict[str, JsonValue]:
        """For a person at another computer: no place of this one is in it, and what they can do there is."""
        # Other problems name the folder that an image had to go to.
        problem = self.problem if self.problem.startswith(DAMAGED) else ""
        return self.data(is_shared=True) | {"reference": self.reference, "problem": problem}


def pictures_of(intent: Intent) -> list[Picture]:
    """The saved images of a row, in order."""
    saved = [(image, image.file) for image in intent.images if image.file]
    request = intent.request
    prediction = intent.prediction
    metrics = prediction.metrics if prediction else None
    echoed = prediction.input if prediction else {}
    prompt, seed = _text(request.get("prompt") or echoed.get("prompt")), _text(intent.seed)
    is_sandbox = intent.gateway == "sandbox"
    return [
        Picture(
            id=f"{intent.key}-{image.index + 1}",
            at=intent.at,
            file=file,
            prompt=prompt,
            model=intent.model,
            seed=seed,
            gateway=intent.gateway,
            cost=_shared_cost(charge_line(intent.charge, is_sandbox=is_sandbox), len(intent.images)),
            took_s=_number((metrics.predict_s or metrics.total_s) if metrics else None),
            options=dict(_options(request)),
            command=_like(intent, image.index + 1) or _command(prompt, intent.model, seed),
            reference=f"prediction:{intent.prediction_id}/{image.index + 1}",
            problem=image.problem,
        )
        for image, file in saved
    ]


def picture_of(sidecar: Mapping[str, JsonValue], place: Path, id: str) -> Picture | None:
    """The picture that a sidecar in the folder `place` describes; None where it describes none that lies there."""
    about = _object(sidecar.get("file"))
    name = _text(about.get("name"))
    if not _text(about.get("sha256")) or Path(name).name != name or name.startswith(".") or "\0" in name:
        return None
    file = StoredFile(
        location=str(place / name),
        mime_type=_text(about.get("mime_type")),
        width_px=_whole(about.get("width_px")),
        height_px=_whole(about.get("height_px")),
        size_bytes=_whole(about.get("size_bytes")),
        sha256=_text(about.get("sha256")),
    )
    prompt, model, seed = (_text(sidecar.get(name)) for name in ("prompt", "model", "seed"))
    cost_usd = _number(sidecar.get("cost_usd"))
    return Picture(
        id=id,
        at=_moment(sidecar.get("created_at")) or 0.0,
        file=file,
        prompt=prompt,
        model=model,
        seed=seed,
        gateway=_text(sidecar.get("gateway")),
        cost="nothing (sandbox)" if sidecar.get("is_sandbox") is True else "" if cost_usd is None else usd(cost_usd),
        took_s=_number(sidecar.get("predict_s")) or _number(sidecar.get("total_s")),
        options=dict(_options(_object(sidecar.get("request")))),
        command=_command(prompt, model, seed),
    )


def _shared_cost(line: str, count: int) -> str:
    words = line.removeprefix("Charged: ").removesuffix(".")
    return f"{words}, for {count} pictures" if count > 1 and "$" in words else words


def _options(request: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """What was chosen, by its name, as text."""
    own = _object(request.get("options")) | _object(request.get("model_options"))
    plain = {name: value for name, value in request.items() if name not in _ELSEWHERE}
    for name, value in masked_secrets({**plain, **own}).items():
        is_default = value in _DEFAULTS or value == [] or value == {} or (name, value) == ("count", 1)
        if name in own or not (is_default and value is not False):
            yield name[:60], _text(value)[:_MOST_VALUE]


def _like(intent: Intent, number: int) -> str:
    """Only what was asked for through darkroom can be asked for again; another seed makes it another picture."""
    if not intent.request or not intent.prediction_id:
        return ""
    several = f"/{number}" if len(intent.images) > 1 else ""
    return shell_command(("generate", "--like", _plain(intent.prediction_id + several)))


def _command(prompt: str, model: str, seed: str) -> str:
    if not prompt:
        return ""
    number = int(seed) if re.fullmatch(r"[0-9]{1,20}", seed) else -1
    return command_for({"prompt": _plain(prompt), "model": _plain(model), "seed": number})


def _plain(text: str) -> str:
    """Without the characters by which a pasted text could steer the terminal."""
    return _UNSEEN.sub(" ", text).replace("\n", " ").replace("\t", " ")


def _object(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _text(value: JsonValue) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value[:50])
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(cast("object", value)) if isinstance(value, str | int | float | dict) else ""


def _number(value: JsonValue) -> float | None:
    """None for what is none, and for what JSON has no word for."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 and math.isfinite(value) else None


def _whole(value: JsonValue) -> int:
    return max(0, int(_number(value) or 0))


def _moment(value: JsonValue) -> float | None:
    try:
        return datetime.fromisoformat(_text(value)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
