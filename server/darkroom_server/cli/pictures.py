"""Looking at images: in the system's viewer, or in the terminal where that can draw them."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from darkroom.darkroom import Darkroom
from darkroom.journal import Intent
from darkroom_server.cli.screen import note

_MOST_OPENED = 10
_LONGEST_PX = 768


def open_in_viewer(paths: Sequence[str]) -> None:
    """Open the images, ten at most, with what the system opens them with. A failure is only told."""
    for path in paths[:_MOST_OPENED]:
        if not Path(path).is_file() or typer.launch(path):
            note(f"{path} could not be opened.")
    if len(paths) > _MOST_OPENED:
        note(f"{_MOST_OPENED} of {len(paths)} images were opened.")


async def draw(darkroom: Darkroom, intents: Sequence[Intent]) -> None:
    """Draw the saved images into the terminal, by kitty's protocol or as sixels; say so where that is not possible.

    Several come as one numbered sheet. They were decoded in the process that is made for that, not here.
    """
    if not sys.stdout.isatty():
        return
    try:
        from textual_image.renderable import Image as Best
        from textual_image.renderable import SixelImage, TGPImage
    except ImportError:
        note("To see pictures in the terminal install the extra: uv tool install 'darkroom-mcp[terminal]'.")
        return
    if Best not in (SixelImage, TGPImage):
        note("This terminal draws no pictures (kitty's protocol and sixels are known).")
        return
    files = [image.file for intent in intents for image in intent.images if image.file]
    shown = await darkroom.preview(dict(enumerate(files, start=1)), _LONGEST_PX)
    for problem in shown.problems:
        note(f"Image {problem.number} is not drawn: {problem.reason}")
    if shown.preview:
        from rich.console import Console

        Console().print(Best(io.BytesIO(shown.preview.data), width="auto", height="auto"))
