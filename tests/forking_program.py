"""Python many times over, `darkroom-mcp` above all: one process that has loaded everything forks for each run.

A fork reads its environment, works and ends as every program does; loading would take most of its time. What loads
when is the matter of the tests that start an interpreter (`INTERPRETER`): test_house, test_stdio_leaving,
test_install_start, test_http. Where forks are not to be had, everything starts one.

The decoder processes of the forks are forks as well, of a second program that has loaded what these need; tests that
look at decoders start the true ones.

Run: python tests/forking_program.py SOCKET [pictures], a listening one; it loads at the first order and ends with its
stdin. A message there is the length of the order, with stdin, stdout and stderr beside it, and the order: folder,
number of words, words, environment, with a zero byte between. The answer is the fork's process id, and once it has
ended its exit code: four bytes each. Who hangs up kills it.
"""

import atexit
import gc
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import IO, NoReturn

_ADDRESS = "FORKING_PROGRAM"  # where a process above has started it
DECODERS = "pictures"  # the name of the socket beside it, and the word that makes a program fork decoder processes
# What the product loads late: where a fork would, it would for itself alone, and again in the next one.
_LOADED = (
    *("anyio._backends._asyncio", "encodings.idna", "encodings.utf_8_sig", "PIL.PngImagePlugin", "platformdirs"),
    *(
        f"platformdirs.{'macos' if sys.platform == 'darwin' else 'unix'}",
        "cryptography.hazmat.backends.openssl.backend",
    ),
    *("rich._emoji_codes", "rich.columns", "rich.console", "rich.logging", "rich.markdown", "rich.traceback"),
    *("typer._adapters", "typer._click.decorators", "typer.rich_utils", "uvicorn.loops.asyncio", "uvicorn.server"),
)
# An interpreter reads these once, where it begins. Where modules lie was read, too, but they are loaded.
_READ_AT_THE_START = ("PYTHON", "LANG", "LC_")
_HARMLESS = ("PYTHONPATH", "PYTHON_KEYRING_BACKEND", "PYTHONIOENCODING")  # a fork heeds the last one by itself

DARKROOM = ("-c", "import sys; from darkroom_server.cli import main; sys.exit(main())")
INTERPRETER = (sys.executable, *DARKROOM)


def darkroom_command(environ: Mapping[str, str], *words: str) -> list[str]:
    """The command that runs `darkroom-mcp` with these words; see `python_command`."""
    return python_command(environ, *DARKROOM, *words)


def python_command(environ: Mapping[str, str], *words: str) -> list[str]:
    """The command that runs Python with these words, `-c` or a file first, as quickly as can be in that environment.

    SIGKILL ends it a moment before its fork, which is killed then.
    """
    if not can_fork(environ):
        return [sys.executable, *words]
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("fork_shim.py")), _the_address(), *words]


def run_darkroom(
    words: Sequence[str], environ: Mapping[str, str], folder: Path, *, stdin: bytes = b"", timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """`darkroom-mcp` with these words, as `subprocess.run` with captured text: a fork, or a new interpreter.

    Raises: subprocess.TimeoutExpired, after it was killed.
    """
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        if can_fork(environ):
            return _run([*DARKROOM, *words], environ, folder, given, timeout_s)
        return subprocess.run(
            [*INTERPRETER, *words],
            env=environ,
            cwd=folder,
            stdin=given,
            capture_output=True,
            encoding="utf-8",
            errors=_errors(environ),
            timeout=timeout_s,
            check=False,
        )


def share_forking_program() -> None:
    """Start it for this process and for those that it starts, where there are forks; it ends with this one."""
    if hasattr(os, "fork"):
        os.environ[_ADDRESS] = _the_address()


@cache
def _the_address() -> str:
    """The path of the socket of the program, which is started where no process above has done so."""
    if address := os.environ.get(_ADDRESS):
        return address
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    _serve(f"{folder.name}/{DECODERS}", DECODERS)
    _serve(address := f"{folder.name}/s")
    return address


def _serve(address: str, *words: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        command = [sys.executable, __file__, str(number := listener.fileno()), *words]
        process = subprocess.Popen(command, pass_fds=[number], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    atexit.register(process.communicate)  # closes its stdin and waits


def _run(
    words: Sequence[str], environ: Mapping[str, str], folder: Path, stdin: IO[bytes], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with captured UTF-8. Raises: subprocess.TimeoutExpired, after it was killed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with ordered(words, environ, folder, [each.fileno() for each in (stdin, out, err)]) as channel:
            pid = number_on(channel)
            channel.settimeout(timeout_s)
            try:
                code = number_on(channel)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                channel.settimeout(None)
                channel.recv(4)
                raise subprocess.TimeoutExpired(words, timeout_s) from None
        errors = _errors(environ)
        told = (
            os.pread(each.fileno(), os.fstat(each.fileno()).st_size, 0).decode(errors=errors) for each in (out, err)
        )
        return subprocess.CompletedProcess(words, code, *told)


def ordered(words: Sequence[str], environ: Mapping[str, str], folder: Path, streams: Sequence[int]) -> socket.socket:
    """The connection on which a fork with these streams is ordered: its process id comes on it, and its end."""
    parts = (str(folder.absolute()), str(len(words)), *words, *(part for pair in environ.items() for part in pair))
    order = b"\0".join(map(os.fsencode, parts))
    channel = socket.socket(socket.AF_UNIX)
    channel.connect(_the_address())
    socket.send_fds(channel, [len(order).to_bytes(4, "big")], streams)
    channel.sendall(order)
    return channel


def can_fork(environ: Mapping[str, str]) -> bool:
    """Whether a fork would be what a process of its own is."""
    names = [name for name in {*environ, *os.environ} - {*_HARMLESS} if name.startswith(_READ_AT_THE_START)]
    return hasattr(os, "fork") and all(environ.get(name) == os.environ.get(name) for name in names)


def _errors(environ: Mapping[str, str]) -> str:
    """How its words are read: in an encoding of its own they may not be UTF-8."""
    return "backslashreplace" if "PYTHONIOENCODING" in environ else "strict"


def number_on(channel: socket.socket) -> int:
    return int.from_bytes(channel.recv(4), "big", signed=True)


class _Forks:
    """The forks that run, each with the connection on which its end is told."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._running: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._ended, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        self._files = [self._ended, wakeup]
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wakeup)
        for file in (listener, self._ended, 0):
            self._selector.register(file, selectors.EVENT_READ)

    def wait(self) -> list[str]:
        """In a fork, once there is an order for it: its words. The first process leaves with its stdin."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == self._listener:
                    channel, _ = self._listener.accept()
                    message, files, _, _ = socket.recv_fds(channel, 4, 3)
                    order = channel.recv(int.from_bytes(message, "big"), socket.MSG_WAITALL)
                    if not order:  # whoever wanted to order was killed
                        self._close(channel, files)
                        continue
                    if not (pid := os.fork()):
                        self._leave(channel)
                        return _begin(order, files)
                    self._follow(pid, channel, files)
                elif key.fileobj == self._ended:
                    os.read(self._ended, 64)
                    self._tell()
                elif key.fileobj == 0:
                    for pid in self._running:
                        _kill(pid)
                    sys.exit()
                elif key.fd in (each.fileno() for each in self._running.values()):
                    _kill(key.data)
                    self._selector.unregister(key.fileobj)

    @staticmethod
    def _close(channel: socket.socket, files: list[int]) -> None:
        channel.close()
        for each in files:
            os.close(each)

    def _follow(self, pid: int, channel: socket.socket, files: list[int]) -> None:
        for each in files:
            os.close(each)
        self._running[pid] = channel
        self._selector.register(channel, selectors.EVENT_READ, pid)
        with suppress(OSError):
            channel.sendall(pid.to_bytes(4, "big"))

    def _tell(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            channel = self._running.pop(pid)
            with suppress(KeyError):
                self._selector.unregister(channel)
            with channel, suppress(OSError):
                channel.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))

    def _leave(self, *channels: socket.socket) -> None:
        """What belongs to the first process is closed in a fork."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell runs the tests behind its back
        self._selector.close()
        for each in (self._listener, *self._running.values(), *channels):
            each.close()
        for number in self._files:
            os.close(number)


def _kill(pid: int) -> None:
    """And the copies of a decoder process, which leads a session of its own."""
    os.killpg(pid, signal.SIGKILL) if os.getpgid(pid) == pid else os.kill(pid, signal.SIGKILL)


def _begin(order: bytes, streams: list[int]) -> list[str]:
    folder, count, *parts = (os.fsdecode(part) for part in order.split(b"\0"))
    words, pairs = parts[: int(count)], parts[int(count) :]
    environ = dict(zip(pairs[::2], pairs[1::2], strict=True))
    encoding = environ.get("PYTHONIOENCODING")
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        os.dup2(streams[number], number)
        os.close(streams[number])
        old, buffering = getattr(sys, name), 1 if name == "stderr" else -1
        errors = "strict" if encoding and name != "stderr" else old.errors
        new = open(number, mode, buffering, encoding=encoding or old.encoding, errors=errors, closefd=False)  # noqa: SIM115 - it stays
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    os.environ.clear()
    os.environ.update(environ)
    if hasattr(signal, "SIGHUP"):  # nohup above has it ignored, which is no matter of a program that is tested
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    time.tzset()
    os.chdir(folder)
    return words


def _become(words: list[str]) -> None:
    """Run `-c PROGRAM WORDS` or `FILE WORDS` as the main program; of the first kind is darkroom itself."""
    if words[0] == "-c":
        import kept_tables

        kept_tables.use_for_good()
        name, text, sys.argv, sys.path[0] = "<string>", words[1], ["-c", *words[2:]], ""
    else:
        name, text, sys.argv, sys.path[0] = words[0], Path(words[0]).read_bytes(), words, str(Path(words[0]).parent)
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__dict__.update({"__file__": name} if words[0] != "-c" else {})
    exec(compile(text, name, "exec"), main.__dict__)


def _end(code: str | int | None) -> NoReturn:
    """As an interpreter ends, but that it takes nothing apart: of all that is loaded here that takes 75 ms."""
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # or waits for threads
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]  # nothing else calls what was registered
    try:
        for each in (sys.stdout, sys.stderr):
            if not each.closed:
                each.flush()
    except OSError:
        sys.exit(code)  # which says so
    if isinstance(code, str):
        sys.exit(code)
    os._exit((code or 0) & 0xFF)


def _load_decoders() -> None:
    from darkroom.decoder import program

    for name in program.NEEDED:
        with suppress(ImportError):
            import_module(name)
    program.load_plugins()


def _load(decoders: str) -> None:
    import quick_sandbox
    from kept_tables import new_tables
    from PIL import Image

    import darkroom
    import darkroom_server.sandbox
    from darkroom.outputs import decoder_process
    from darkroom.registry import ModelRegistry
    from darkroom.settings import Settings
    from darkroom_server.tools import TOOLS

    for package in (darkroom, darkroom_server):
        for each in walk_packages(package.__path__, f"{package.__name__}."):
            if not each.name.endswith("__main__"):
                with suppress(ImportError):  # what an extra would bring
                    import_module(each.name)
    for name in _LOADED:
        import_module(name)
    darkroom_server.sandbox.embedded = quick_sandbox.quick
    decoder_process.decoder_command = partial(_forked_decoder, decoders, decoder_process.decoder_command)
    _read_tables()
    new_tables()
    Image.init()
    registry = ModelRegistry.load()
    for name in registry.names():  # each is read where it is asked for
        registry.get(name)
    for row in TOOLS:
        row.tool(Settings.read_or_problem({}))


def _forked_decoder(address: str, command: Callable[[float], list[str]], idle_s: float) -> list[str]:
    words = command(idle_s)
    [program] = [number for number, word in enumerate(words) if word.endswith(".py")]
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("fork_shim.py")), address, *words[program:]]


def _read_tables() -> None:
    """What darkroom reads once in each process out of its own files: functions without arguments that are cached."""
    for name, module in [*sys.modules.items()]:
        if name.startswith("darkroom"):
            for each in [*vars(module).values()]:
                is_cached = hasattr(each, "cache_info") and each.__module__ == name
                if is_cached and not signature(each).parameters:
                    each()


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        if listener not in select.select([listener, 0], [], [])[0]:
            sys.exit()  # nobody has ordered anything
        if is_for_decoders := DECODERS in sys.argv:
            _load_decoders()
        else:
            _load(str(Path(listener.getsockname()).with_name(DECODERS)))
        gc.freeze()
        words = _Forks(listener).wait()
    if is_for_decoders:
        os.setsid()  # as a true one, whose copies end with it
    ended: str | int | None = None
    try:
        _become(words)
    except SystemExit as error:
        ended = error.code
    _end(ended)
