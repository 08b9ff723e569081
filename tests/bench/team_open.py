"""What one worker costs while an account has many open predictions, and how late it sees an end.

Run: python tests/bench/team_open.py [OPEN ...] [--seconds S] [--results FILE.json] [--plot FILE.svg].

Each prediction runs ten minutes on average, so of N open ones N / 600 end in a second; one in fifty fails. It exits
with 1 where a limit is passed.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

import anyio  # noqa: E402
from busy_gateway import Asked, BusyGateway, busy_gateway  # noqa: E402
from full_account import fill  # noqa: E402
from gateway_process import GatewayProcess  # noqa: E402
from log_plot import Curve, svg  # noqa: E402
from postgres_server import PostgresServer, postgres_server  # noqa: E402
from processor import own_processor_s, processor_s, resident_mib  # noqa: E402
from team_workers import Team  # noqa: E402

_RUN_S = 600.0
_WARM_WITHIN_S = 240.0
_PAGE = 100
_SEEN_WITHIN_S = 40.0
_MOST_LATE_S, _MOST_CORE = 5.0, 0.3
_CLI = "import sys; from darkroom_server.cli import main; sys.exit(main())"
_STATEMENTS = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements"


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is counted, at one moment."""

    at: float
    worker_s: float
    worker_tree_s: float
    postgres_s: float
    statements: int
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Shares are of one core; what is `each` is for one prediction that has ended."""

    open: int
    ended: int
    p50_s: float
    p95_s: float
    longest_s: float
    worker_share: float
    postgres_share: float
    gateway_share: float
    worker_ms_each: float
    postgres_ms_each: float
    requests_each: float
    statements_each: float
    memory_mib: float

    @property
    def is_met(self) -> bool:
        return self.p95_s <= _MOST_LATE_S and self.worker_share <= _MOST_CORE


class Bench:
    """One account with so many open predictions, and one worker."""

    def __init__(self, postgres: PostgresServer, gateway: BusyGateway, folder: Path) -> None:
        self._team = Team(postgres, GatewayProcess(gateway.base_url), folder)
        self._postgres = postgres
        self._gateway = gateway
        self._folder = folder

    async def run(self, count: int, seconds: float) -> Result:
        self._postgres.empty()
        self._team.found()
        rng = random.Random(7)
        spans = [(_RUN_S * (count - n) / count, rng.uniform(0, _RUN_S)) for n in range(count)]
        async with self._team.replica() as room_of:
            await fill(self._postgres, self._gateway, room_of, spans)
        environ = self._team.environ(self._postgres.worker) | {"HOME": str(self._folder)}
        worker = _worker(environ)
        try:
            await self._until_warm(count)
            before = self._reading(worker.pid)
            await anyio.sleep(seconds)
            after = self._reading(worker.pid)
            memory_mib = resident_mib(worker.pid)
            lags = await self._lags(before.at, after.at)
        finally:
            worker.terminate()
            worker.wait()
        return _result(count, before, after, lags, memory_mib)

    async def _until_warm(self, count: int) -> None:
        """Return when the whole list was read twice."""
        with anyio.fail_after(_WARM_WITHIN_S):
            while self._gateway.asked().lists < 2 * (count // _PAGE + 1):  # noqa: ASYNC110 - the worker is another process
                await anyio.sleep(0.5)

    def _reading(self, worker: int) -> Reading:
        postmaster = int((self._postgres.data / "postmaster.pid").read_text().split()[0])
        return Reading(
            at=time.time(),
            worker_s=own_processor_s(worker),
            worker_tree_s=processor_s(worker),
            postgres_s=processor_s(postmaster),
            statements=int(self._postgres.execute(_STATEMENTS)[0][0]),
            asked=self._gateway.asked(),
        )

    async def _lags(self, since: float, until: float) -> list[float]:
        """Seconds from the end at the gateway to the commit that knows of it, of those that ended in that time."""
        ends = {id: at for id, at in self._gateway.asked().ends.items() if since <= at < until}
        with anyio.move_on_after(_SEEN_WITHIN_S):
            while len(seen := self._seen(ends)) < len(ends):  # noqa: ASYNC110 - the worker is another process
                await anyio.sleep(1)
        seen = self._seen(ends)
        return sorted(seen.get(id, float("inf")) - at for id, at in ends.items())

    def _seen(self, ends: dict[str, float]) -> dict[str, float]:
        rows = self._postgres.execute("SELECT prediction_id, ended_at FROM intents WHERE ended_at IS NOT NULL")
        return {str(id): float(at) for id, at in rows if id in ends}


def _worker(environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _CLI, "worker"], env=environ, stdout=subprocess.DEVNULL)


def _result(count: int, before: Reading, after: Reading, lags: list[float], memory_mib: float) -> Result:
    took_s, ended = after.at - before.at, len(lags)
    worker_s, postgres_s = after.worker_tree_s - before.worker_tree_s, after.postgres_s - before.postgres_s
    was, now = before.asked, after.asked
    looks, lists, files = now.looks - was.looks, now.lists - was.lists, now.files - was.files
    own_s = after.worker_s - before.worker_s
    print(f"{count:,} open: {ended} ended in {took_s:.0f} s; {looks} looks, {lists} pages of the list, {files} files")
    print(f"  processor      {own_s:.1f} s of the worker's own process, {worker_s:.1f} s with its decoders")
    return Result(
        open=count,
        ended=ended,
        p50_s=_at(lags, 0.5),
        p95_s=_at(lags, 0.95),
        longest_s=lags[-1],
        worker_share=worker_s / took_s,
        postgres_share=postgres_s / took_s,
        gateway_share=(now.processor_s - was.processor_s) / took_s,
        worker_ms_each=1000 * worker_s / ended,
        postgres_ms_each=1000 * postgres_s / ended,
        requests_each=(looks + lists + files) / ended,
        statements_each=(after.statements - before.statements) / ended,
        memory_mib=memory_mib,
    )


def _at(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]


def tell(result: Result) -> None:
    print(f"  end -> seen    p50 {result.p50_s:.2f} s, p95 {result.p95_s:.2f} s, longest {result.longest_s:.2f} s")
    print(
        f"  of a core      worker {result.worker_share:.1%}, PostgreSQL {result.postgres_share:.1%}, "
        f"gateway {result.gateway_share:.1%}; the worker has {result.memory_mib:.0f} MiB"
    )
    print(
        f"  one prediction {result.worker_ms_each:.0f} ms of the worker, {result.postgres_ms_each:.0f} ms of "
        f"PostgreSQL, {result.requests_each:.1f} requests, {result.statements_each:.0f} statements"
    )
    verdict = "met" if result.is_met else "MISSED"
    print(f"  {verdict}: p95 within {_MOST_LATE_S:g} s at {_MOST_CORE:.0%} of a core at most", flush=True)


def plotted(results: list[Result]) -> str:
    curves = [
        Curve("statements", [each.statements_each for each in results]),
        Curve("worker, ms of processor", [each.worker_ms_each for each in results]),
        Curve("PostgreSQL, ms", [each.postgres_ms_each for each in results]),
        Curve("requests", [each.requests_each for each in results]),
    ]
    title = "What one prediction of ten minutes costs to follow and store"
    return svg(title, "open predictions of one account", [each.open for each in results], curves)


def with_statements_counted(postgres: PostgresServer) -> None:
    postgres.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'", database="postgres")
    postgres.restart("fast")
    postgres.execute("CREATE EXTENSION pg_stat_statements")


def main() -> int:
    parser = ArgumentParser()
    parser.add_argument("open", nargs="*", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    results: list[Result] = []
    with postgres_server(is_durable=True) as postgres, tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with_statements_counted(postgres)
        for count in given.open:
            with busy_gateway() as gateway:
                results.append(anyio.run(Bench(postgres, gateway, Path(folder)).run, count, given.seconds))
            tell(results[-1])
            if given.results:
                given.results.write_text(json.dumps([asdict(each) for each in results]))
    if given.plot:
        given.plot.write_text(plotted(results))
    return 0 if all(result.is_met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
