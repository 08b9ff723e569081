"""Sentences that were written for an assistant, said to a person: no tool names, nobody to ask.

At a terminal commands stand in the place of tools, in a Python program its functions.
"""

import re
from collections.abc import Callable


def _at_the_start(found: re.Match[str]) -> str:
    return found[1] + found[2].upper()


# In this order: whole phrases first, then single words. `\1` takes over what stands in the group.
_Phrases = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
_FOR_ALL: _Phrases = (
    (r"(^|[.!?] )Tell the user that (\w)", _at_the_start),
    (r"\btell the user that ", ""),
    (r"Do not repeat it on your own: request_id '([^']*)' only", r"Do not simply repeat it: request_id '\1' only"),
    (r", so (?:use that )?only after the user accepts it", ""),
    (r"Next: ask the user before repeating it: a repeat costs again\.", "A repeat costs again."),
    (r"(?:; ask the user|, so ask) first\.", "."),
    (r": stop and ask the user\.", ": change something before you try again."),
    (r"( get_prediction with that id shows it); ask the user\.", r"\1."),
    (r"(,| Else|,? or) ask the user\.", r"\1 raise the limit."),
    (r"(^| )Else ask the user\.", r"\1Else raise the limit."),
    (r"(^| )Ask the user\.", r"\1Raise the limit, if you want it."),
    (r"(?i)\bif the user agrees to an unknown price", "if an unknown price is fine"),
    (r"(?i)\bunless the user asks for it", "unless you mean it"),
    (r"\bIf the user means it", "If you mean it"),
    (r"\bif the user means this one", "if you mean this one"),
    (r" or to set DARKROOM_OUTPUT_DIR", " or set DARKROOM_OUTPUT_DIR"),
    (r"(It|The work) goes on by itself\.", "The gateway goes on with it."),
    (r" It is sent in its turn\.", " It is not sent any more once this command has ended."),
    (r"[Cc]all get_prediction for it, then", "Fetch it with get_prediction, then"),
    (r"(?i)\bFor real ones the user sets", "For real ones set"),
    (r"(?i)\bthe user adds\b", "add"),
    (r"(^|[.:!?] )[Aa]sk the user to (\w)", _at_the_start),
    (r"[Aa]sk the user to (\w)", r"\1"),
    (r"\bthe user (accept|want)s\b", r"you \1"),
    (r"\bThe user's\b", "Your"),
    (r"\bthe user's\b", "your"),
    (r"\bThe user\b", "You"),
    (r"\bthe user\b", "you"),
    (r"[Cc]alling generate_image once more", "trying once more"),
)
_CALL = r"(?:\b[Cc]all |\bask )?"
# A tool as an assistant calls it, what a person writes at a terminal for that, and what in a program.
_TOOLS = (
    (
        _CALL + r"get_prediction with id '([^']*)'(?:, '[^']*')* and wait_seconds (\d+)",
        r"darkroom-mcp show \1 --wait \2",
        r"darkroom.get('\1', wait_seconds=\2)",
    ),
    (_CALL + r"get_prediction with id '([^']*)'", r"`darkroom-mcp show \1`", r"darkroom.get('\1')"),
    (_CALL + r"get_prediction\((?:id=)?'([^']*)'\)", r"`darkroom-mcp show \1`", r"darkroom.get('\1')"),
    (
        _CALL + r"get_prediction\((?:id=)?'?([^',)]*)'?, cancel=true\)",
        r"`darkroom-mcp cancel \1`",
        r"darkroom.cancel('\1')",
    ),
    (_CALL + r"\bget_prediction\b", "`darkroom-mcp show`", "darkroom.get()"),
    (r'list_models\(model="([^"]+)"\)', r"darkroom-mcp models \1", r'darkroom.models.get("\1")'),
    (r"\blist_models\(query='([^']*)'\)", r"`darkroom-mcp models '\1'`", r"darkroom.models.search('\1')"),
    (r"\blist_models\b", "`darkroom-mcp models`", "darkroom.models.search()"),
    (
        r"\b[Cc]all generate_image to make one",
        "darkroom-mcp generate 'a lighthouse' makes one",
        "darkroom.generate('a lighthouse') makes one",
    ),
    (r"\b[Cc]all generate_image\b", "run generate", "call generate()"),
    (r"\bgenerate_image's\b", "an", "an"),
    (r"\bgenerate_image\(", "generate(", "generate("),
    (r"\bgenerate_image\b", "generate", "generate()"),
)
_ARGUMENTS_AT_A_TERMINAL: _Phrases = (
    (r"\(pass them in `model_options`\)", "(give them as --option NAME=VALUE)"),
    (r"\b(?:outside of|beside) `?model_options`?", "by itself, not with --option"),
    (r"\bin `?model_options`?", "with --option NAME=VALUE"),
    (r"\bmodel_options\['([^']*)'\]", r"--option \1"),
    (r"\bmodel_options\b", "--option"),
    (r"\boutput_format='(\w+)'", r"--format \1"),
    (r"\bwait_seconds\b", "--wait"),
    (r"\brequest_id '([^']*)'", r"--request-id \1"),
    (r"\brequest_id\b", "--request-id"),
    (r"\bmax_usd is\b", "--max-usd is"),
    (r"\bmax_usd\b", "--max-usd"),
    (r"\bdry_run\b", "--dry-run"),
    (r"\b(?:Give )images \(or mask\) again beside like\b", "Give --image (or --mask) again beside --like"),
    (r"(?<![-\w])count=(\d+)", r"--count \1"),
)


def _compiled(phrases: _Phrases) -> tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]:
    return tuple((re.compile(pattern), said) for pattern, said in phrases)


_TERMINAL = _compiled(_FOR_ALL + tuple((tool, said) for tool, said, _ in _TOOLS) + _ARGUMENTS_AT_A_TERMINAL)
_PYTHON = _compiled(_FOR_ALL + tuple((tool, said) for tool, _, said in _TOOLS))


def for_person(text: str) -> str:
    """The same words at a terminal: commands in the place of tools and arguments."""
    for pattern, said in _TERMINAL:
        text = pattern.sub(said, text)
    return text


def for_program(text: str) -> str:
    """The same words for who writes a Python program: functions in the place of tools."""
    for pattern, said in _PYTHON:
        text = pattern.sub(said, text)
    return text
