"""`darkroom-mcp serve`: the MCP server. Only its help comes this way; serving itself goes by without typer."""

from typing import Annotated, Literal

import typer

from darkroom_server.settings import Settings
from darkroom_server.stdio import serve_stdio


def serve(
    transport: Annotated[Literal["stdio"], typer.Option(help="How the host talks to the server.")] = "stdio",
) -> None:
    """Serve MCP on stdin and stdout; this is also what happens without arguments when stdin is no terminal."""
    raise typer.Exit(serve_stdio(Settings.read_or_problem()))
