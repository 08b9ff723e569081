"""What the command line prints is for a person: nothing that was written for an assistant comes through."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine

from darkroom.reports.for_people import for_person, for_program

TOOLS = Path(__file__).resolve().parent.parent / "tools" / "darkroom"
WORDS = TOOLS / "reports" / "for_people.py"
FOR_ASSISTANTS = re.compile(r"\b([Tt]he user|get_prediction|generate_image|list_models|model_options|wait_seconds)\b")


def said_in(path: Path) -> Iterator[str]:
    """Every text of a module that is a sentence: no docstring, no SQL; what is filled in stands as X."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped |= {id(value) for value in node.values}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def texts_of(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for each in value.values():  # pyright: ignore[reportUnknownVariableType]  # any TOML
                yield from texts_of(each)
        case str():
            yield value
        case _:
            return


@cache
def sentences() -> list[str]:
    modules = [text for path in sorted(TOOLS.rglob("*.py")) if path != WORDS for text in said_in(path)]
    files = [path for path in TOOLS.rglob("*.toml") if path.name in ("sentences.toml", "faults.toml")]
    tables = [text for path in files for text in texts_of(tomllib.loads(path.read_text(encoding="utf-8")))]
    return [text for text in (*modules, *tables) if " " in text and FOR_ASSISTANTS.search(text)]


def test_every_sentence_for_an_assistant_has_its_words_for_a_person() -> None:
    assert len(sentences()) > 50
    odd = re.compile(r"sk you|ell you|ask first|`\(|\)\(|[Yy]ou (?:want|accept|mean|add|set)s\b|[.!?] it\b")
    left = [said for each in sentences() if FOR_ASSISTANTS.search(said := for_person(each)) or odd.search(said)]
    assert not left
    tools = re.compile(r"\b([Tt]he user|get_prediction|generate_image|list_models)\b")
    assert not [said for each in sentences() if tools.search(said := for_program(each)) or odd.search(said)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Ask the user to check it; a retry will not help.", "Check it; a retry will not help."),
        ("Next: call get_prediction with id 'p1' and wait_seconds 25.", "Next: darkroom-mcp show p1 --wait 25."),
        ("Ask for fewer images or a cheaper model, or ask the user.", "or raise the limit."),
        ("Unknown model 'x'. list_models shows all 94.", "`darkroom-mcp models` shows all 94."),
        (
            "There is no list. Tell the user that it was possibly created and billed; a new one may pay a second "
            "time, so only after the user accepts it.",
            "There is no list. It was possibly created and billed; a new one may pay a second time.",
        ),
        ("if the user wants one, give output_format='svg'.", "if you want one, give --format svg."),
        ("There is no prediction yet. Call generate_image to make one.", "darkroom-mcp generate 'a lighthouse' makes"),
    ],
)
def test_the_words_for_a_person(words: str, said: str) -> None:
    assert said in for_person(words)


def test_the_words_for_a_program_are_calls_that_it_can_make() -> None:
    words = "Next: call get_prediction with id 'p1' and wait_seconds 25. Do not call generate_image again for it."
    assert for_program(words) == "Next: darkroom.get('p1', wait_seconds=25). Do not call generate() again for it."


@pytest.mark.parametrize(
    "words",
    [
        ("generate", "a fox", "--model", "flux-schnel"),
        ("generate", "a fox", "--option", "no_such_input=1"),
        ("generate", "a fox", "--option", "prompt=x"),
        ("generate", "sandbox:402 a fox"),
        ("generate", "sandbox:504 a fox", "--wait", "0"),
        ("generate", "sandbox:nsfw a fox"),
        ("show", "?"),
        ("show", "latest"),
        ("models", "flux-schnell"),
        ("models", "nothing like it"),
    ],
)
def test_no_command_speaks_of_tools_or_of_the_user(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = CommandLine(tmp_path).run(*words)
    assert not FOR_ASSISTANTS.search(done.stdout + done.stderr), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_of_any_encoding_shows_what_it_can_and_nothing_breaks(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    for encoding in ("cp1252", "ascii"):
        done = line.run("generate", "一只狐狸在雪地里", environ={"PYTHONIOENCODING": encoding})
        assert done.returncode == 0, done.stderr
        for command in (("history",), ("show", "latest"), ("history", "--csv")):
            told = line.run(*command, environ={"PYTHONIOENCODING": encoding})
            assert told.returncode == 0 and "Traceback" not in told.stderr, told.stderr
