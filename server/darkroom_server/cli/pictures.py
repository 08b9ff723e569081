"""Looking at images: in the system's viewer, or in the terminal where that can draw them."""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from darkroom_server.cli.screen import note

_MOST_OPENED = 10


def open_in_viewer(paths: Sequence[str]) -> None:
    """Open the images, ten at most, with what the system opens them with. A failure is only told."""
    for path in paths[:_MOST_OPENED]:
        if not Path(path).is_file() or typer.launch(path):
            note(f"{path} could not be opened.")
    if len(paths) > _MOST_OPENED:
        note(f"{_MOST_OPENED} of {len(paths)} images were opened.")


def draw(paths: Sequence[str]) -> None:
    """Draw the images into the terminal by kitty's protocol or as sixels; say so where that is not possible."""
    if not sys.stdout.isatty():
        return
    try:
        from textual_image.renderable import Image as best
        from textual_image.renderable import SixelImage, TGPImage
    except ImportError:
        note("To see pictures in the terminal install the extra: uv tool install 'darkroom-mcp[terminal]'.")
        return
    if best not in (SixelImage, TGPImage):
        note("This terminal draws no pictures (kitty's protocol and sixels are known).")
        return
    from rich.console import Console

    for path in paths:
        try:
            Console().print(best(path, width="auto", height="auto"))
        except (OSError, ValueError) as error:  # an SVG, or a file that has gone
            note(f"{path} cannot be drawn ({error}).")
