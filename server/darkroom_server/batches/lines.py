"""The prompts of one command: its arguments, the lines of stdin (`-`) or of a file (`@file`), as text or JSON."""

import codecs
import hashlib
import json
import locale
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from darkroom.errors import InvalidRequest
from darkroom.file_systems import path_of_file_uri
from darkroom.registry import ImageRequest
from darkroom.request_ids import checked_request_id, fresh_request_id
from darkroom.uris import is_url, scheme_of
from darkroom_server.tool_arguments import as_meant

MOST_LINES = 10_000
_LARGEST_FILE = 64_000_000
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_REQUEST = TypeAdapter(ImageRequest)
_OF_THE_LINE = {"request_id": {"type": "string"}, "max_usd": {"type": "number"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One call. `name` says where it stands, `first_index` counts the images from 1 over all lines before it."""

    name: str
    request: ImageRequest
    request_id: str
    max_usd: float = 0.0
    first_index: int = 1


def is_batch(words: Sequence[str]) -> bool:
    """Whether these prompts are a batch, which can be taken up again, and not one call."""
    return len(words) > 1 or any(each == "-" or _file_of(each) for each in words)


def single_line(words: Sequence[str], base: ImageRequest, request_id: str, max_usd: float) -> Line:
    """Raises: InvalidInput for a request_id that could not be found again."""
    prompt = "".join(words)
    request = replace(base, prompt=prompt[1:] if prompt.startswith("@@") else prompt)
    return Line(
        name="", request=request, request_id=checked_request_id(request_id) or fresh_request_id(), max_usd=max_usd
    )


def batch_lines(words: Sequence[str], base: ImageRequest, origin: str, *, is_fresh: bool) -> list[Line]:
    """A line for each prompt, with `base` for what it does not say; `origin` is the gateway's address.

    A line's request_id is made of what it asks for, the content of its files included, and of how often that was
    asked for before it, so that the same batch pays only for what is missing. `is_fresh`: all are new.

    Raises: InvalidRequest where one cannot be read, or there is none.
    """
    _refuse_loose_words(words)
    lines: list[Line] = []
    seen: Counter[str] = Counter()
    index = 1
    for name, text in _texts(words):
        if len(lines) == MOST_LINES:
            raise InvalidRequest(f"There are more than {MOST_LINES:,} prompts. Nothing was sent. Split them.")
        request, given = _read(name, text, base)
        mark = _mark(request, origin)
        seen[mark] += 1
        made = fresh_request_id() if is_fresh else f"batch-{mark}-{seen[mark]}"
        request_id = checked_request_id(given.get("request_id", "")) or made
        line = Line(name=name, request=request, request_id=request_id, first_index=index)
        lines.append(replace(line, max_usd=given.get("max_usd", 0.0)))
        index += max(request.count, 1)
    if not lines:
        raise InvalidRequest(f"There is no prompt in {', '.join(words)}. Nothing was sent.")
    return lines


def reference(text: str) -> str:
    """A file that the person named becomes an absolute path; anything else stays."""
    if scheme_of(text) == "file":
        with suppress(ValueError):  # what is refused is refused later, in its own words
            path = Path(path_of_file_uri(text))
            return str(path) if path.is_absolute() else text
    is_no_path = is_url(text) or scheme_of(text) in ("data", "prediction", "upload") or not text
    return text if is_no_path else str(Path(text).expanduser().absolute())


def _refuse_loose_words(words: Sequence[str]) -> None:
    """A prompt without quotation marks would be as many pictures as it has words."""
    if len(words) > 1 and any(each.isascii() and each.isalnum() for each in words):
        raise InvalidRequest(
            f"{len(words)} prompts, or one without quotation marks? Nothing was sent. For one picture write "
            f'"{" ".join(words)[:80]}"; for several give a line each: generate @prompts.txt, or generate - for stdin.'
        )


def _file_of(word: str) -> str:
    return word[1:] if word.startswith("@") and not word.startswith("@@") else ""


def _texts(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each prompt and where it stands; empty lines are left out."""
    for number, word in enumerate(words, start=1):
        if word != "-" and not _file_of(word):
            yield f"prompt {number}", word[1:] if word.startswith("@@") else word
            continue
        source = "stdin" if word == "-" else Path(word[1:]).name
        content = sys.stdin.buffer.read() if word == "-" else _content(Path(word[1:]))
        for row, text in enumerate(_decoded(content, source).splitlines(), start=1):
            if text.strip():
                yield f"{source}, line {row}", text.strip()


def _content(path: Path) -> bytes:
    try:
        path = path.expanduser()
        if path.stat().st_size > _LARGEST_FILE:
            raise InvalidRequest(f"{path} is larger than {_LARGEST_FILE // 1_000_000} MB. Nothing was sent.")
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(
            f"The prompts in {path} cannot be read ({error.strerror}). Nothing was sent. A prompt that begins with @ "
            "is written with two: @@home."
        ) from error


def _decoded(content: bytes, source: str) -> str:
    """UTF-8, UTF-16 as PowerShell writes it, else what this system writes."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    for each in (encoding, locale.getencoding()):
        try:
            text = content.decode(each)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InvalidRequest(f"{source} is no text in UTF-8. Nothing was sent.")


def _read(name: str, text: str, base: ImageRequest) -> tuple[ImageRequest, dict[str, Any]]:
    """The request of one line, and what else it gives."""
    if not text.startswith("{"):
        return replace(base, prompt=text), {}
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{name} begins with {{ but is no JSON ({error}). Nothing was sent.") from error
    schemas = {"model_options" if key == "options" else key: each for key, each in _schemas().items()}
    given = as_meant(name, told, schemas | _OF_THE_LINE)
    extra = {key: given.pop(key) for key in _OF_THE_LINE if key in given}
    if not isinstance(extra.get("max_usd", 0.0), int | float) or not isinstance(extra.get("request_id", ""), str):
        raise InvalidRequest(f"{name}: max_usd is a number and request_id a text. Nothing was sent.")
    options = {**base.options, **given.pop("model_options", {})} if "model_options" in given else base.options
    merged = asdict(base) | given | {"options": options, "has_count": base.has_count or "count" in given}
    try:
        request = _REQUEST.validate_python(merged, strict=None)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        raise InvalidRequest(f"{name}: {wrong['loc'][0]}: {wrong['msg']}. Nothing was sent.") from error
    files = tuple(reference(each) for each in request.images)
    return replace(request, images=files, mask=reference(request.mask)), extra


def _schemas() -> dict[str, Any]:
    """Of the arguments that describe an image."""
    properties = _REQUEST.json_schema()["properties"]
    return {name: schema for name, schema in properties.items() if name != "has_count"}


def _mark(request: ImageRequest, origin: str) -> str:
    """20 characters for what is asked for and of which gateway."""
    told = asdict(request) | {"has_count": request.has_count}
    files = [_hash(each) for each in (*request.images, request.mask)]
    whole = json.dumps([told, files, origin], sort_keys=True, default=str)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _hash(name: str) -> str:
    """Of a file's content; empty for what is no file that can be read, which is refused later in better words."""
    try:
        with open(name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if Path(name).is_absolute() else ""
    except (OSError, ValueError):
        return ""
