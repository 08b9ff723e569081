"""The command line. It starts the stdio server without importing typer and rich, which only people's commands need."""

import os
import sys
from collections.abc import Sequence

_SERVE_WORDS = (["serve"], ["serve", "--transport", "stdio"], ["serve", "--transport=stdio"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command with the arguments of the process, or `argv`, and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    if arguments in _SERVE_WORDS or (not arguments and not is_terminal):
        import gc

        gc.disable()  # nothing that is imported on the way can be freed; stdio turns it on again
        # Else pydantic reads the metadata of everything installed, for plugins that nobody wants here.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        from darkroom.settings import Settings, is_completing

        if not is_completing():
            from darkroom_server.stdio import serve_stdio

            return serve_stdio(Settings.read_or_problem())
    from darkroom_server.cli.commands import run

    return run(arguments or ["--help"])
