"""What a model does that is no model: it asks for a picture, follows the answers' advice, repeats what timed out.

Every driver hands over what its framework shows to the model after each call, and gets the next call.
"""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

# The server's command and its whole environment, as the runner gives them.
COMMAND: list[str] = json.loads(os.environ["FRAMEWORK_COMMAND"])
ENVIRON: dict[str, str] = json.loads(os.environ["FRAMEWORK_ENVIRON"])
_MOST_CALLS = 14
_ADVICE = re.compile(r"get_prediction with id \W+(\w+)\W+(?:and wait_seconds (\d+))?")


@dataclass
class Seen:
    """What the model sees of an answer: its text, how many images it can look at, whether the call itself failed."""

    text: str
    pictures: int = 0
    is_failed: bool = False


@dataclass
class Job:
    """One picture that is wanted. `next_call` gives tool and arguments, or None when it is done or given up."""

    prompt: str
    count: int = 1
    calls: int = 0
    failures: int = 0
    last: Seen = field(default_factory=lambda: Seen(""))
    call: tuple[str, dict[str, Any]] | None = None

    def next_call(self, seen: Seen | None) -> tuple[str, dict[str, Any]] | None:
        if seen is None:
            self.call = ("generate_image", {"prompt": self.prompt, "count": self.count})
        else:
            self.last = seen
            self.failures += seen.is_failed
            advice = _ADVICE.search(seen.text)
            if "Succeeded: " in seen.text or self.calls >= _MOST_CALLS:
                return None
            if advice and not seen.is_failed:
                self.call = ("get_prediction", {"id": advice[1], "wait_seconds": int(advice[2] or 20)})
        self.calls += 1
        return self.call

    def report(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "failures": self.failures,
            "pictures": self.last.pictures,
            "characters": len(self.last.text),
            "text": self.last.text[:4000],
        }


def connected() -> None:
    """Tell the runner that the server is up, so that it starts the next client."""
    print(json.dumps({"connected": True}), flush=True)


async def fulfil(call: Callable[[str, dict[str, Any]], Awaitable[Seen]]) -> None:
    """Both jobs through a client that a program calls itself; an exception is what a model is told of a failed call."""
    for name, job in jobs().items():
        seen = None
        while (wanted := job.next_call(seen)) is not None:
            try:
                seen = await call(*wanted)
            except Exception as error:  # whatever a framework raises
                seen = Seen(f"{type(error).__name__}: {error}", is_failed=True)
        finished(name, job)


def jobs() -> dict[str, Job]:
    """The long job first, so that other clients can start while it waits."""
    who = os.environ["FRAMEWORK_NAME"]
    return {
        "long": Job(f"sandbox:slow={os.environ['FRAMEWORK_LONG_S']} a lighthouse for {who}"),
        "quick": Job(f"two boats for {who}", count=2),
    }


def finished(name: str, job: Job) -> None:
    print(json.dumps({"job": name, **job.report()}), flush=True)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())
