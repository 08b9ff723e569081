"""The page as HTML: page.html with its style and script in it, the colours and icons of the MCP gallery, and data.

A hash names the one script and the one style that a browser may use, so that words of a prompt can never become one.
"""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from darkroom_server.gallery import gallery_html
from darkroom_server.page.guard import csp

_SCRIPTS = ("page.js", "large.js", "spending.js")
_ICONS = re.compile(r"<svg hidden.*?</svg>\n(?=<main)", re.DOTALL)
_COLOURS = re.compile(r":root \{.*?\n\}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What a team's page has besides: HTML for the bar of views and the views; style and script.

    `root` stands before the addresses of the data, such as `page/`.
    """

    root: str = ""
    buttons: str = ""
    views: str = ""
    style: str = ""
    script: str = ""


_NOTHING = Added()


def served_page(added: Added = _NOTHING) -> tuple[str, str]:
    """The HTML, and the policy that it is sent with."""
    html, hashes = _assembled("", added=added)
    policy = csp(img_src=["'self'", "data:"], connect_src=["'self'"], **hashes)
    return html, f"{policy}; frame-ancestors 'none'"


async def exported_page(entries: AsyncIterator[Mapping[str, JsonValue]], rest: Mapping[str, JsonValue]) -> str:
    """One file that needs no server. `entries` are pictures with `thumbnail`, a data URI; `rest` is the other data."""
    pictures: list[JsonValue] = [dict(each) async for each in entries]
    policy = csp(img_src=["data:"], **_assembled("")[1])
    return _assembled(policy, {**rest, "pictures": pictures})[0]


def _assembled(
    policy: str, data: Mapping[str, JsonValue] | None = None, added: Added = _NOTHING
) -> tuple[str, dict[str, list[str]]]:
    """The HTML, and the sources of its script and style."""
    icons = _ICONS.search(gallery_html())
    assert icons
    style = "\n".join(("", colours(), _text("page.css"), added.style))
    script = "\n" + "".join(map(_text, _SCRIPTS)) + added.script
    parts = {
        "policy": f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else "",
        "style": f"<style>{style}</style>",
        "icons": icons[0],
        "root": added.root,
        "buttons": added.buttons,
        "views": added.views,
        "data": f'<script id="data" type="application/json">{_inert(data)}</script>' if data else "",
        "script": f"<script>{script}</script>",
    }
    html = re.sub(r"<!-- (\w+) -->", lambda found: parts[found[1]], _text("page.html"))
    return html, {"script_src": [hash_of(script)], "style_src": [hash_of(style)]}


def colours() -> str:
    """The gallery's colours, light and dark, as CSS."""
    found = _COLOURS.search(gallery_html())
    assert found
    return found[0]


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def hash_of(text: str) -> str:
    """What a policy names this script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inert(data: Mapping[str, JsonValue]) -> str:
    """JSON in which nothing can end the element that it stands in."""
    return json.dumps(data).replace("<", "\\u003c")
