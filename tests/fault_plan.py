"""How a gateway of the tests misbehaves, the truth of what it made, and its pictures."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# name -> is the prediction created all the same?
CREATE_FAULTS = {
    "429": False,
    "503": False,
    "504 before": False,
    "reset before": False,
    "500 after": True,
    "502 after": True,
    "504 after": True,
    "stall after": True,
    "cut after": True,
    "cut before the id": True,
    "reset after": True,
    "503 with a time after": True,
    "408 after": True,
    "409 after": True,
    "303 after": True,
    "200 page after": True,
    "503 page after": True,
}
# Refusals for good; only by name, never by chance. So is "slow", which answers late and well.
REFUSALS = {
    "422": (422, "num_outputs: must be less than or equal to 4"),
    "sensitive": (422, "The input was flagged as sensitive."),
    "402": (402, "You have insufficient credit to run this model."),
}
# How a gateway may echo an input that it was sent; each is harmless.
ECHOES: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (
    lambda sent: {**sent, "prompt": f"  {sent['prompt']}\r\n"},
    lambda sent: {**sent, "seed": str(sent.get("seed", 0))},
    lambda sent: {**sent, "disable_safety_checker": False, "hf_token": None},
    lambda sent: {name: value for name, value in sent.items() if value is not False},
)
# What a gateway may say beside what matters; some of it no calendar and no number knows.
ODDITIES: tuple[dict[str, Any], ...] = (
    {"created_at": "9999-12-31T23:59:59Z"},
    {"created_at": "0001-01-01T00:00:00+14:00"},
    {"metrics": {"predict_time": 1e308, "image_count": -(10**40)}},
    {"logs": "\ud800", "version": ["x"], "urls": None},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the gateway behaves: shares are from 0 to 1, times in seconds.

    `script` names the fault of each create to come ("" for none), before chance rules. `born_done` is the share of
    predictions that have ended when their create is answered; the others run `run_s`. `lag_s` is how long a prediction
    is missing in the list, `busy_s` the time that a 429 or 503 names, `files` the answer to downloads ("", "500",
    "404"). `looks_404` looks to come find nothing, `hollow_looks` find a success without its output. `oddities` is the
    share of predictions that are echoed in another form or with odd values.

    `holds`: whether `Prefer: wait` is honoured; a held answer is given as Replicate does, "processing" beside its
    outputs. A hold takes `overtime_s` longer than was asked for; with `proxy_s` something answers 504 after so long.
    The list takes `list_s`, a cancel `cancel_s`.
    """

    creates: float = 0.0
    looks: float = 0.0
    script: tuple[str, ...] = ()
    born_done: float = 0.0
    run_s: float = 0.2
    stall_s: float = 2.0
    lag_s: float = 0.0
    busy_s: float = 0.0
    files: str = ""
    looks_404: int = 0
    hollow_looks: int = 0
    has_cancel: bool = True
    oddities: float = 0.0
    holds: bool = False
    overtime_s: float = 0.0
    proxy_s: float = 0.0
    list_s: float = 0.0
    cancel_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Made:
    """One prediction of the truth; `created_s` and `ends_s` are on the wall clock."""

    id: str
    model: str
    input: dict[str, Any]
    created_s: float
    ends_s: float
    canceled_s: float = 0.0
    owner: str = ""
    odd: dict[str, Any] = field(default_factory=dict[str, Any])

    def status(self, now: float) -> str:
        if self.canceled_s:
            return "canceled"
        return "succeeded" if now >= self.ends_s else "processing"


@dataclass(slots=True)
class Truth:
    """What was made, asked and misdone.

    `creates` counts the creates on the wire, also those that were refused; `cancels` and `looks` name predictions.
    `processor_s` is what its own process has taken, once it is asked over HTTP.
    """

    predictions: list[Made] = field(default_factory=list[Made])
    creates: int = 0
    cancels: list[str] = field(default_factory=list[str])
    faults: dict[str, int] = field(default_factory=dict[str, int])
    looks: list[str] = field(default_factory=list[str])
    create_headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    lists: int = 0
    most_held: int = 0
    processor_s: float = 0.0

    @property
    def prompts(self) -> list[str]:
        """In order of creation."""
        return [str(made.input["prompt"]) for made in self.predictions]


def picture(name: str) -> bytes:
    """A PNG of one pixel that is like no other: its name stands in it."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0" + zlib.crc32(name.encode()).to_bytes(4)[:3])
    chunks = ((b"IHDR", header), (b"tEXt", b"Title\0" + name.encode()), (b"IDAT", pixel), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
