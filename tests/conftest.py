"""What every test shares: one event loop, and no setting of the person who runs them."""

import asyncio
import compileall
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
import sniffio
from forking_program import share_forking_program
from hypothesis import HealthCheck, settings
from rounds import rounds

if TYPE_CHECKING:
    from gallery_browser import Stage
    from playwright.sync_api import Browser
    from postgres_server import PostgresServer

# Tests start hundreds of programs. Where Python keeps no byte-code, as in many containers, each of them would compile
# again all that it imports, which is half of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Nothing that a test writes must outlast it, and a folder in memory keeps no commit and no picture waiting for a disk.
_IN_MEMORY = Path("/dev/shm")
if os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > 2 * 1024**3:
    os.environ.setdefault("TMPDIR", str(_IN_MEMORY))
    tempfile.tempdir = None  # asked for again

_LONGEST = "test_crash_matrix.py"

# No test depends on how busy the machine is; who searches sets TEST_ROUNDS.
settings.register_profile(
    "darkroom", max_examples=rounds(40), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("darkroom")


def pytest_configure(config: pytest.Config) -> None:
    """Do once what all processes of the tests need.

    Decoder processes never write byte-code, so what they load is compiled before there are any.
    """
    if hasattr(config, "workerinput"):
        return
    if config.getoption("numprocesses", None):
        share_forking_program()
    for name in ("PIL", "resvg_py", "darkroom"):
        spec = find_spec(name)
        for folder in (spec and spec.submodule_search_locations) or ():
            compileall.compile_dir(folder, quiet=2)


def pytest_collectstart() -> None:
    """While thousands of tests are collected nothing is garbage; looking for some would take half of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What is here now stays to the end, and is never looked through again; for the rest that is done more rarely."""
    gc.freeze()
    gc.set_threshold(5000)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files come as by chance, but always alike, so that some compute while others wait; the longest is no last one."""
    items.sort(key=lambda item: (item.path.name != _LONGEST, crc32(item.path.name.encode())))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """All of darkroom runs on asyncio under anyio."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def kept_certificates() -> Iterator[None]:
    """Each HTTP client of a test would read all certificates anew, which takes 50 ms of processor and more."""
    import httpx
    import httpx2

    with pytest.MonkeyPatch.context() as patch:
        for library in (httpx, httpx2):
            place = f"{library.__name__}._transports.default.create_ssl_context"
            patch.setattr(place, _keeping(library.create_ssl_context))
        yield


def _keeping(create: Callable[..., Any]) -> Callable[..., Any]:
    @cache
    def created(verify: Any, cert: Any, trust_env: bool, places: tuple[str | None, ...]) -> Any:
        return create(verify, cert, trust_env)

    def kept(verify: Any = True, cert: Any = None, trust_env: bool = True) -> Any:
        places = tuple(map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))
        return created(verify, cert, trust_env, places)

    return kept


@pytest.fixture(scope="session", autouse=True)
def kept_tables() -> Iterator[None]:
    """Each test that opens a new journal would make all its tables anew; test_journal_file does."""
    from kept_tables import CREATE, create_with_tables

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CREATE, create_with_tables)
        yield


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """No key, gateway or folder of the person who runs the tests reaches one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("DARKROOM_") or name.endswith(("_API_KEY", "_API_TOKEN", "_KEY")):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_sandbox() -> Iterator[None]:
    """No test waits for the sandbox inside darkroom as long as a person does."""
    from quick_sandbox import EMBEDDED, quick

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EMBEDDED, quick)
        yield


@pytest.fixture(autouse=True)
def no_loop_runs() -> None:
    """A test that is not async may start one, though an async fixture of its file stands open in this thread."""
    sniffio.current_async_library_cvar.set(None)


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without anything in it, which is the working folder too; pictures are saved in `pictures`."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_PICTURES_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DARKROOM_OUTPUT_DIR", str(tmp_path / "pictures"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
async def kept_decoders(anyio_backend: str) -> AsyncGenerator[None]:
    """Decoder processes that all tests of a file share, as all calls of a server do."""
    from darkroom.outputs.decoders import decoders

    async with decoders().kept():
        yield


@pytest.fixture(scope="session")
def kept_browser() -> "Iterator[tuple[Browser, asyncio.AbstractEventLoop]]":
    """Chromium, started once for all tests of a process, and Playwright's loop, hidden from tests without a browser."""
    from gallery_browser import open_browser

    with open_browser() as opened:
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield opened, loop
        asyncio._set_running_loop(loop)


@pytest.fixture(scope="module")
def browser(kept_browser: "tuple[Browser, asyncio.AbstractEventLoop]") -> "Iterator[Browser]":
    """The same while the tests of a file run: Playwright's loop counts as running in this thread as long as that."""
    opened, loop = kept_browser
    asyncio._set_running_loop(loop)
    yield opened
    asyncio._set_running_loop(None)


@pytest.fixture
def stage(browser: "Browser", request: pytest.FixtureRequest) -> "Iterator[Stage]":
    """The gallery in its host; a test ends with a silent console and no request but for the pages and its pictures.

    `TIMED` above a test makes the page's clock its own.
    """
    from gallery_browser import PROGRAMS, open_stage

    with open_stage(browser, is_timed=getattr(request, "param", False)) as opened:
        yield opened
        assert opened.problems == []
        assert {url for url in opened.requests if url not in PROGRAMS} <= opened.pictures.keys()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> "Path | PostgresServer":
    """Where a journal is kept: every test of one runs on both databases."""
    return tmp_path if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture(scope="session")
def running_postgres() -> "Iterator[PostgresServer]":
    """One PostgreSQL for all tests of a process, migrated."""
    from postgres_server import postgres_server, programs

    if programs() is None:
        pytest.skip("needs PostgreSQL: Debian's package is called postgresql")
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
async def kept_pool(running_postgres: "PostgresServer") -> AsyncGenerator[None]:
    """Connections that all tests of a file share, as all calls of a replica do."""
    async with running_postgres.kept_pool():
        yield


@pytest.fixture
def postgres(running_postgres: "PostgresServer", kept_pool: None) -> "PostgresServer":
    """The same with empty tables."""
    running_postgres.empty()
    return running_postgres
