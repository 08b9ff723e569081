"""Runs the decoders on one untrusted image, in a process of its own that `outputs.decoding` starts by this file's path.

It has no key in its environment, a limit of memory and CPU time, and may write no file. A request on stdin and the
answer on stdout have the shape of `frames`. The answer's JSON has `problem` where there is no image.
"""

import sys
from contextlib import suppress

MEMORY_BYTES = 1024**3
# resvg keeps a whole picture for each filter and mask that a document nests.
DRAWING_BYTES = 512 * 1024**2
CPU_S = 20


def limit_resources(memory_bytes: int = MEMORY_BYTES) -> None:
    """Bound memory, CPU time and files, more narrowly each time; without such limits the parent's clock remains."""
    if sys.platform == "win32":
        return
    import resource

    for kind, limit in (("AS", memory_bytes), ("CPU", CPU_S), ("FSIZE", 0), ("CORE", 0)):
        with suppress(AttributeError, ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (limit, limit))


def main() -> None:
    """Answer the one request on stdin. The arguments are the folders that hold this package, Pillow and resvg."""
    limit_resources()
    sys.path += sys.argv[1:]
    from darkroom.decoder.frames import frame, split_frame
    from darkroom.decoder.raster import answer

    request, content = split_frame(sys.stdin.buffer.read())
    if request.get("mime_type") == "image/svg+xml":
        limit_resources(DRAWING_BYTES)
    sys.stdout.buffer.write(frame(*answer(request, content)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
