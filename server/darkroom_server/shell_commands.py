"""The command that makes an image again, quoted so that the person's shell reads it as it is meant."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from darkroom.journal import Intent

FLAGS = {
    "model": "-m",
    "images": "--image",
    "mask": "--mask",
    "aspect_ratio": "--aspect-ratio",
    "width": "--width",
    "height": "--height",
    "seed": "--seed",
    "negative_prompt": "--negative-prompt",
    "output_format": "--format",
}
_NOT_GIVEN = (None, "", 0, "auto")


def command_for(arguments: Mapping[str, JsonValue]) -> str:
    """`generate` with these arguments of a request, those that say nothing left out."""
    words = ["generate"]
    prompt = str(arguments.get("prompt") or "")
    words += _flags(arguments)
    if prompt.startswith("-"):
        words.append("--")
    if prompt:
        words.append(f"@{prompt}" if prompt.startswith("@") else prompt)
    return shell_command(words)


def shell_command(words: Sequence[str]) -> str:
    """`darkroom-mcp` with these words, quoted for the shell of this system."""
    whole = ["darkroom-mcp", *words]
    return subprocess.list2cmdline(whole) if os.name == "nt" else shlex.join(whole)


def command_again(rows: Sequence[Intent]) -> str:
    """What makes the same images again, all parts of one request; empty where that is not known.

    An image that was given as data, and a secret, are not kept.
    """
    first = rows[0]
    text = json.dumps(dict(first.request))
    if not first.request or '"data:' in text or "***" in text:
        return ""
    seed = first.request.get("seed") if first.seed is None else first.seed
    return command_for({**first.request, "seed": seed})


def _flags(arguments: Mapping[str, JsonValue]) -> Iterator[str]:
    for name, flag in FLAGS.items():
        value = arguments.get(name)
        if name != "images" and value not in ((None, -1) if name == "seed" else _NOT_GIVEN):
            yield from (flag, str(value))
    for image in cast("Sequence[str]", arguments.get("images") or ()):
        yield from ("--image", image)
    count = arguments.get("count")
    if isinstance(count, int) and count > 1:
        yield from ("-n", str(count))
    options = arguments.get("options") or arguments.get("model_options") or {}
    for name, value in cast("Mapping[str, JsonValue]", options).items():
        yield from ("--option", f"{name}={json.dumps(value, ensure_ascii=False)}")
