"""A gateway on loopback that misbehaves by plan and keeps the truth of what it made. Its outputs are real PNG files.

In this process: `async with FaultGateway() as gateway`. In gateway_process.py it is told over HTTP (`/plan`, `/truth`).
"""

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

from fault_plan import CREATE_FAULTS, ECHOES, ODDITIES, REFUSALS, Made, Plan, Truth, picture
from scripted_gateway import Answer, RecordedRequest, read_request

_PAGE = b"<!doctype html><html><head><title>wait</title></head><body>Please wait.</body></html>"
_PREFER = re.compile(r"wait(?:=(\d+))?")
_LONGEST_HOLD_S = 60
_LOOK_FAULTS = ("500", "reset", "cut")
_PAGE_LENGTH = 100
_SLOW_S, _CLOCK_STEP_S, _LOOK_EVERY_S = 0.25, 0.002, 0.01


class _Broken(Exception):
    """The connection ends here: the bytes that still leave, and if it ends by a reset."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__()
        self.content = content


class FaultGateway:
    """`plan` may be replaced at any time; `truth` only grows.

    `accounts` gives the account name of each key; while it is empty, everything is everybody's. What is in `odd` stands
    in every prediction that is made from now on.
    """

    def __init__(self, plan: Plan | None = None, *, seed: int = 7) -> None:
        self.plan = plan or Plan()
        self.truth = Truth()
        self.accounts: dict[str, str] = {}
        self.odd: dict[str, Any] = {}
        self._by_id: dict[str, Made] = {}
        self._rng = random.Random(seed)
        self._serving: set[asyncio.Task[None]] = set()
        self._holds: dict[str, asyncio.Event] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**20)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def serve_forever(self) -> None:
        await self._server.serve_forever()

    def forget(self, name: str) -> None:
        """From now on nobody has heard of it."""
        del self._by_id[name]

    def end_all(self) -> None:
        """What still runs has succeeded now."""
        for name, made in self._by_id.items():
            made.ends_s = min(made.ends_s, time.time())
            if name in self._holds:
                self._holds[name].set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                answer = await self._answer(await read_request(reader))
                writer.write(replace(answer, headers={**answer.headers, "date": formatdate(usegmt=True)}).encoded())
                await writer.drain()
        except _Broken as broken:
            writer.write(broken.content)
            if not broken.content:
                _reset(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, request: RecordedRequest) -> Answer:
        path, _, query = request.path.partition("?")
        if path == "/plan":
            self.plan = Plan(**request.json())
            return Answer(asdict(self.plan))
        if path == "/accounts":
            self.accounts = request.json()
            return Answer(self.accounts)
        if path == "/end":
            self.end_all()
            return Answer({})
        if path == "/until":
            name, _, count = query.partition("=")
            while len(getattr(self.truth, name)) < int(count):  # noqa: ASYNC110 - it grows at many places
                await asyncio.sleep(_LOOK_EVERY_S)
            return Answer({})
        if path == "/truth":
            self.truth.processor_s = time.process_time()
            return Answer(asdict(self.truth))
        owner = self.accounts.get(request.headers.get("authorization", "").removeprefix("Bearer "), "")
        if path == "/v1/account":
            return Answer({"type": "user", "username": owner}) if owner else Answer({"detail": "not here"}, 404)
        if request.method == "POST" and path.endswith("/cancel"):
            await asyncio.sleep(self.plan.cancel_s)
            return self._cancel(path.split("/")[-2])
        if request.method == "POST":
            return await self._create(request, path, owner)
        if path.startswith("/files/"):
            return self._file(path)
        if path == "/v1/predictions":
            await asyncio.sleep(self.plan.list_s)
        answer = self._look(path, query, owner)
        self._maybe_break(answer)
        return answer

    async def _create(self, request: RecordedRequest, path: str, owner: str) -> Answer:
        self.truth.creates += 1
        self.truth.create_headers.append(dict(request.headers))
        fault = self._next_fault()
        self._count(fault or "none")
        if fault in REFUSALS:
            status, words = REFUSALS[fault]
            return Answer({"title": "Refused", "detail": words, "status": status}, status)
        if not CREATE_FAULTS.get(fault, True):
            return self._not_created(fault)
        made = self._make(path, request.json(), owner)
        if self.plan.holds and (asked := _PREFER.fullmatch(request.headers.get("prefer", ""))):
            return await self._held(made, int(asked[1] or _LONGEST_HOLD_S), fault)
        return await self._answered(made, json.dumps(self._view(made)), fault)

    async def _held(self, made: Made, asked_s: int, fault: str) -> Answer:
        over = self._holds[made.id] = asyncio.Event()
        self.truth.most_held = max(self.truth.most_held, len(self._holds))
        hold_s = min(asked_s, max(0.0, made.ends_s - time.time()) + _CLOCK_STEP_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), min(hold_s + self.plan.overtime_s, self.plan.proxy_s or 1e9))
        del self._holds[made.id]
        if self.plan.proxy_s and self.plan.proxy_s < hold_s:
            return Answer(_PAGE, 504, {"content-type": "text/html"})
        body = self._view(made)
        if body["status"] == "succeeded":
            body |= {"status": "processing", "metrics": {}, "completed_at": None, "started_at": None}
        return await self._answered(made, json.dumps(body), fault)

    async def _answered(self, made: Made, body: str, fault: str) -> Answer:
        if fault == "stall after":
            await asyncio.sleep(self.plan.stall_s)
        if fault == "slow":
            await asyncio.sleep(_SLOW_S)
        if fault == "reset after":
            raise _Broken
        if fault.startswith("cut"):
            kept = body[: 8 if fault == "cut before the id" else len(body) // 2]
            raise _Broken(Answer(kept, 201, {"content-length": str(len(body))}).encoded())
        if "page" in fault:
            return Answer(_PAGE, int(fault[:3]), {"content-type": "text/html"})
        if fault[:3].isdigit():
            headers = {"retry-after": "1"} if "time" in fault else {"location": "/elsewhere"} if fault[0] == "3" else {}
            return Answer({"detail": "an error behind the create"}, int(fault[:3]), headers)
        return Answer(body, 201)

    def _count(self, fault: str) -> None:
        self.truth.faults[fault] = self.truth.faults.get(fault, 0) + 1

    def _next_fault(self) -> str:
        if self.plan.script:
            fault, *left = self.plan.script
            self.plan = replace(self.plan, script=tuple(left))
            return fault
        return self._rng.choice(list(CREATE_FAULTS)) if self._rng.random() < self.plan.creates else ""

    def _not_created(self, fault: str) -> Answer:
        if fault == "reset before":
            raise _Broken
        headers = {} if fault == "504 before" else {"retry-after": f"{self.plan.busy_s:g}"}
        return Answer({"detail": "not now"}, int(fault[:3]), headers)

    def _make(self, path: str, body: dict[str, Any], owner: str) -> Made:
        now = time.time()
        run_s = 0.0 if self._rng.random() < self.plan.born_done else self.plan.run_s
        made = Made(
            id=f"{len(self._by_id):07d}{self._rng.getrandbits(64):017x}"[:24],
            model="/".join(path.split("/")[3:5]) or str(body.get("version", "")),
            input=body["input"],
            created_s=now,
            ends_s=now + run_s,
            owner=owner,
            odd=self.odd,
        )
        if self._rng.random() < self.plan.oddities:
            made.odd = {**made.odd, **self._rng.choice(ODDITIES), "input": self._rng.choice(ECHOES)(made.input)}
        self.truth.predictions.append(made)
        self._by_id[made.id] = made
        return made

    def _look(self, path: str, query: str, owner: str) -> Answer:
        if path == "/v1/predictions":
            self.truth.lists += 1
            return Answer(self._page(query, owner))
        name = path.removeprefix("/v1/predictions/")
        self.truth.looks.append(name)
        made = self._by_id.get(name)
        if self.plan.looks_404:
            self.plan = replace(self.plan, looks_404=self.plan.looks_404 - 1)
            made = None
        if made and made.owner == owner:
            return Answer(self._view(made))
        return Answer({"title": "Not Found", "detail": "no such thing"}, 404)

    def _page(self, query: str, owner: str) -> dict[str, Any]:
        """Newest first; `next` names another host, as some gateways' does, which must never see the key."""
        until_s = time.time() - self.plan.lag_s
        start = int(query.removeprefix("cursor=") or 0)
        following = start + _PAGE_LENGTH
        made = [each for each in self.truth.predictions[::-1] if each.owner == owner]
        shown = [self._view(each) for each in made[start:following] if each.created_s <= until_s]
        link = f"https://elsewhere.invalid/v1/predictions?cursor={following}" if following < len(made) else None
        return {"results": shown, "next": link, "previous": None}

    def _cancel(self, name: str) -> Answer:
        if not self.plan.has_cancel:
            return Answer({"detail": "Not found"}, 404)
        self.truth.cancels.append(name)
        made = self._by_id[name]
        if made.status(time.time()) == "processing":
            made.canceled_s = time.time()
            if name in self._holds:
                self._holds[name].set()
        return Answer(self._view(made))

    def _file(self, path: str) -> Answer:
        if self.plan.files:
            return Answer(b"", int(self.plan.files))
        answer = Answer(picture(path.rpartition("/")[2]), 200, {"content-type": "image/png"})
        self._maybe_break(answer)
        return answer

    def _maybe_break(self, answer: Answer) -> None:
        if self._rng.random() >= self.plan.looks:
            return
        fault = self._rng.choice(_LOOK_FAULTS)
        self._count(f"look {fault}")
        encoded = Answer({"detail": "not now"}, 500).encoded() if fault == "500" else answer.encoded()
        raise _Broken(b"" if fault == "reset" else encoded if fault == "500" else encoded[:-10])

    def _view(self, made: Made) -> dict[str, Any]:
        status = made.status(time.time())
        has_succeeded = status == "succeeded"
        is_hollow = has_succeeded and self.plan.hollow_looks > 0
        self.plan = replace(self.plan, hollow_looks=self.plan.hollow_looks - is_hollow)
        names = [f"{made.id}-{number}.png" for number in range(made.input.get("num_outputs", 1))]
        run_s = made.ends_s - made.created_s
        return {
            "id": made.id,
            "model": made.model,
            "version": "hidden",
            "input": made.input,
            "status": status,
            "output": [f"{self.base_url}/files/{name}" for name in names] if has_succeeded and not is_hollow else None,
            "error": None,
            "logs": "",
            "metrics": {"predict_time": run_s, "total_time": run_s} if has_succeeded else {},
            "created_at": _stamp(made.created_s),
            "started_at": _stamp(made.created_s),
            "completed_at": _stamp(made.ends_s) if has_succeeded else None,
            "urls": {"get": f"https://elsewhere.invalid/v1/predictions/{made.id}"},
            **made.odd,
        }


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection by RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
