"""`-o`: a folder, a file, or a name with {index}, {seed}, {model}, {id} and {prompt} in it.

A folder is where darkroom saves. Under any other name a copy is written once the image is home; what lies there already
is never overwritten unasked.
"""

import os
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidRequest, OutputError
from darkroom.file_systems import trouble_on_windows
from darkroom.journal import Intent
from darkroom.outputs.naming import file_words
from darkroom.reports import PredictionReport
from darkroom.uris import is_url
from darkroom_server.batches.lines import Line

_FIELDS = ("index", "seed", "model", "id", "prompt")
_KNOWN_BEFORE = frozenset(("index", "prompt"))
_FORMATS = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".webp": "webp", ".svg": "svg"}
_ENDINGS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/svg+xml": ".svg"}
_MOST_NUMBERED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`template` is the name to copy to, "" for none; `folder` where darkroom itself shall save, "" for its own."""

    template: str = ""
    folder: str = ""
    may_overwrite: bool = False

    @classmethod
    def parse(cls, text: str, *, may_overwrite: bool) -> "Target":
        """Raises: InvalidRequest for a name whose {field} does not exist, or that this system cannot write."""
        if not text or is_url(text):
            return cls(folder=text)
        path = Path(text).expanduser().absolute()
        if os.name == "nt" and (trouble := trouble_on_windows(str(path))):
            raise InvalidRequest(f"-o {text!r} cannot be used: {trouble}. Nothing was sent.")
        fields = _fields(text)
        if not fields and (text.endswith(("/", os.sep)) or path.is_dir() or not path.suffix):
            return cls(folder=str(path))
        return cls(template=str(path), may_overwrite=may_overwrite)

    @property
    def output_format(self) -> str:
        """The format that the ending asks for; empty where it asks for none."""
        return _FORMATS.get(Path(self.template).suffix.lower(), "")

    def refuse_taken(self, lines: Sequence[Line]) -> None:
        """Raises: InvalidRequest where a name is taken or its folder cannot be made, as far as that is known before."""
        if not self.template:
            return
        self._refuse_closed_folder()
        if self.may_overwrite or not set(_fields(self.template)) <= _KNOWN_BEFORE:
            return
        for line in lines:
            facts = {"index": line.first_index, "prompt": _words(line.request.prompt)}
            if (path := Path(self.template.format_map(facts))).exists():
                raise InvalidRequest(
                    f"{path} is there already. Nothing was sent. Choose another name, or overwrite it with --force."
                )

    def _refuse_closed_folder(self) -> None:
        folder = Path(self.template.partition("{")[0] + "x").parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise InvalidRequest(f"{folder} cannot be made ({error}). Nothing was sent.") from error
        if not os.access(folder, os.W_OK):
            raise InvalidRequest(f"{folder} cannot be written. Nothing was sent.")

    async def place(self, darkroom: Darkroom, report: PredictionReport, first_index: int) -> tuple[str, ...]:
        """Copy the saved images of a report; gives their paths, none where they stay where they are.

        Raises: OutputError, which says that the image itself is safe.
        """
        if not self.template:
            return ()
        paths: list[str] = []
        images = [(intent, image) for intent in report.intents for image in intent.images]
        is_alone = len(images) == 1 or "index" in _fields(self.template)
        for number, (intent, image) in enumerate(images):
            if image.file:
                name = self._name(intent, first_index + number, _ENDINGS.get(image.file.mime_type, ""))
                if not is_alone:
                    name = name.with_name(f"{name.stem}-{number + 1}{name.suffix}")
                content = await darkroom.stores.read(image.file)
                paths.append(await anyio.to_thread.run_sync(self._write, name, content, image.file.location))
        return tuple(paths)

    def _name(self, intent: Intent, index: int, ending: str) -> Path:
        """With the image's real ending where the name has another one of an image, or none."""
        facts = {
            "index": index,
            "seed": intent.seed or 0,
            "model": _words(intent.model.rpartition("/")[2]),
            "id": _words(intent.prediction_id),
            "prompt": _words(str(intent.request.get("prompt", ""))),
        }
        path = Path(self.template.format_map(facts))
        wanted = _FORMATS.get(path.suffix.lower())
        if ending and wanted != _FORMATS[ending]:
            path = path.with_suffix(ending) if wanted else path.with_name(path.name + ending)
        return path

    def _write(self, path: Path, content: bytes, saved: str) -> str:
        """The path that it got: a taken name gets a number, unless it holds the very same."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.may_overwrite:
                path.write_bytes(content)
                return str(path)
            for number in range(1, _MOST_NUMBERED):
                free = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
                if not free.exists():
                    with free.open("xb") as file:
                        file.write(content)
                    return str(free)
                if free.is_file() and free.read_bytes() == content:
                    return str(free)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise OutputError(f"The image is saved as {saved}, but not as {path} ({why}).") from error
        raise OutputError(f"The image is saved as {saved}: {_MOST_NUMBERED} names like {path} are taken.")


def _fields(template: str) -> list[str]:
    """Raises: InvalidRequest for a field that does not exist."""
    words = f"-o {template!r} cannot be used. Between braces stand {', '.join(_FIELDS)}. Nothing was sent."
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        facts: dict[str, Any] = dict.fromkeys(_FIELDS, "x") | {"index": 1, "seed": 1}
        template.format_map(facts)
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise InvalidRequest(words) from error
    if not set(fields) <= set(_FIELDS):
        raise InvalidRequest(words)
    return fields


def _words(text: str) -> str:
    return file_words(text) or "image"
