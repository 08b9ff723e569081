"""Runs the decoders on untrusted images, in a process of its own that `outputs.decoder_process` starts by this path.

It loads them once. A copy of it (a fork) waits on stdin for one request, puts a fence around itself, answers and ends;
then the next copy waits. So no picture meets what another has left in memory, all that a process may use is counted
anew, and no picture waits for a fork. Where there is none (Windows), the process answers itself.

Both have no key in their environment, a limit of memory and CPU time, and may write no file. While a raster image is
decoded, no file and no socket can be opened either. It ends with its stdin, when nothing was asked for a while, and
with a code other than 0 when a picture has killed a copy.
"""

import gc
import io
import os
import select
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from threading import Timer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Request = tuple[bytes, dict[str, Any], bytes]

MEMORY_BYTES = 1024**3
# resvg keeps a whole picture for each filter and mask that a document nests.
DRAWING_BYTES = 512 * 1024**2
CPU_S = 20
# How a copy ends that was asked nothing.
_WAS_IDLE = 3
_STDIN, _STDOUT = 0, 1
_READ_BYTES = 1024 * 1024
# All that a request may need: behind the fence nothing can be loaded any more.
NEEDED = (
    "copy",
    "darkroom.decoder.drawing",
    "darkroom.decoder.raster",
    "darkroom.decoder.sheet",
    "resvg_py",
    "PIL.ImageCms",
    "PIL.ImageDraw",
    "PIL.ImageFont",
    "PIL.ImageOps",
    "PIL.AvifImagePlugin",
    "PIL.GifImagePlugin",
    "PIL.MpoImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.WebPImagePlugin",
)


def limit_resources(**limits: int) -> None:
    """Set limits by their RLIMIT names, more narrowly each time; without such limits the parent's clock remains."""
    if sys.platform == "win32":
        return
    import resource

    for kind, limit in limits.items():
        with suppress(AttributeError, ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (limit, limit))


def main() -> int:
    """Answer requests. Arguments: seconds without one after which to end; folders of this package, Pillow and resvg."""
    gc.disable()  # what is loaded stays
    limit_resources(AS=MEMORY_BYTES, CPU=CPU_S, CORE=0)
    idle_s = float(sys.argv[1])
    sys.path += sys.argv[2:]
    for name in NEEDED:
        with suppress(ImportError):
            import_module(name)
    load_plugins()
    limit_resources(FSIZE=0)  # until here, byte-code could be written
    _widen_pipes()
    if sys.platform == "win32":
        gc.enable()  # elsewhere what answers ends after its picture
    code = 0
    while code == 0:
        code = _answer_next(idle_s) if sys.platform == "win32" else _copied(idle_s)
    return 0 if code == _WAS_IDLE else 1


def load_plugins() -> None:
    from PIL import Image, ImageFont

    Image.preinit()
    ImageFont.load_default(14)
    _rehearse()


def _rehearse() -> None:
    """Make a preview of a small picture, so that what this loads and writes to is there before somebody waits."""
    from darkroom.decoder.raster import answer

    answer({"operation": "small", "mime_type": "", "max_pixels": 4096, "max_bytes": 4096, "box": (48, 48)}, _example())


@cache
def _example() -> bytes:
    """A small picture, WebP."""
    from PIL import Image

    content = io.BytesIO()
    Image.new("RGB", (64, 64)).save(content, "WEBP")
    return content.getvalue()


def _widen_pipes() -> None:
    """Most pictures then go through at once; in small pieces both sides would wait for each other's turn."""
    if sys.platform != "linux":
        return
    from fcntl import F_SETPIPE_SZ, fcntl

    for pipe in (_STDIN, _STDOUT):
        with suppress(OSError):
            fcntl(pipe, F_SETPIPE_SZ, _READ_BYTES)


def _next_request(idle_s: float) -> "_Request | None":
    """Tag, JSON and image of the next one, None where there is none. Raises: ValueError for what is none."""
    from darkroom.decoder.frames import HEAD_SIZE, lengths, told

    if not (head := _awaited(HEAD_SIZE, idle_s)):
        return None
    found = lengths(head)
    about, content = _read(found.about), _read(found.content)
    return (found.tag, told(about), content) if len(content) == found.content else None


def _awaited(size: int, idle_s: float) -> bytes:
    """So many bytes of stdin, none where nothing comes for `idle_s`."""
    if os.name == "posix":
        return _read(size) if select.select([_STDIN], [], [], idle_s)[0] else b""
    # Windows cannot wait on a pipe for a time.
    end = Timer(idle_s, os._exit, (0,))
    end.start()
    found = _read(size)
    end.cancel()
    return found


def _read(size: int) -> bytes:
    """So many bytes of stdin, fewer at its end."""
    pieces: list[bytes] = []
    while size and (piece := os.read(_STDIN, min(size, _READ_BYTES))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _copied(idle_s: float) -> int:
    """How the copy for the next request ends: 0, _WAS_IDLE, or another code where a picture has killed it."""
    assert sys.platform != "win32"
    if copy := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
    code = 1
    try:
        if not select.select([_STDIN], [], [], 0)[0]:
            _rehearse()
        code = _answer_next(idle_s)
    finally:
        os._exit(code)


def _answer_next(idle_s: float) -> int:
    if not (request := _next_request(idle_s)):
        return _WAS_IDLE
    _answer(*request)
    return 0


def _answer(tag: bytes, request: dict[str, Any], content: bytes) -> None:
    from darkroom.decoder.frames import frame
    from darkroom.decoder.raster import answer

    if sys.platform != "win32":
        os.dup2(os.open(os.devnull, os.O_RDONLY), _STDIN)  # the next request is not for this copy
        _fence(request)
    left = memoryview(frame(tag, *answer(request, content)))
    while left:
        left = left[os.write(_STDOUT, left) :]


def _fence(request: dict[str, Any]) -> None:
    """Text of a drawing needs the fonts of this computer, so `drawing` closes files by itself."""
    limit_resources(**({"AS": DRAWING_BYTES} if request.get("mime_type") == "image/svg+xml" else {"NOFILE": 0}))


if __name__ == "__main__":
    sys.exit(main())
