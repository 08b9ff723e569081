"""The pages of the log-in and of connecting as HTML: one style, one script, and a policy that names both.

Every word that comes from elsewhere goes through `escape`.
"""

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path

from starlette.responses import HTMLResponse

from darkroom_server.page.document import colours, hash_of
from darkroom_server.page.guard import csp

_PAGES = {"/": "Pictures", "/connect": "Connect"}
_CODE = re.compile(r"`([^`]+)`")


def shell_page(title: str, body: str, *, at: str = "", script: str = "", status_code: int = 200) -> HTMLResponse:
    """A page with this HTML in it. `at` is its path where it is one of a session's."""
    style = _style()
    parts = {
        "title": escape(title),
        "style": style,
        "nav": _nav(at) if at else "",
        "body": body,
        "script": f"<script>{script}</script>" if script else "",
    }
    html = re.sub(r"<!-- (\w+) -->", lambda found: parts[found[1]], text_of("shell.html"))
    sources = {"style_src": [hash_of(style)], "img_src": ["data:", "blob:"], "form_action": ["'self'"]}
    if script:
        sources |= {"script_src": [hash_of(script)], "connect_src": ["'self'"]}
    headers = {"Content-Security-Policy": f"{csp(**sources)}; frame-ancestors 'none'"}
    return HTMLResponse(html, status_code, headers)


def words_page(title: str, words: str, links: Mapping[str, str], *, status_code: int = 200) -> HTMLResponse:
    """A page that says something, with links by their words."""
    shown = " ".join(f'<a class="push" href="{escape(path)}">{escape(said)}</a>' for said, path in links.items())
    return shell_page(title, f"<p>{escape(words)}</p>\n<p>{shown}</p>", status_code=status_code)


def with_code(words: str) -> str:
    """Words as HTML, what stands between backquotes as code."""
    return _CODE.sub(r"<code>\1</code>", escape(words))


def pasted(text: str) -> str:
    """A text with a button that copies it."""
    return f'<div class="paste"><pre>{escape(text)}</pre><button class="push copy" type="button">Copy</button></div>'


def text_of(name: str) -> str:
    """A file beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return f"{colours()}\n{text_of('shell.css')}"


def _nav(at: str) -> str:
    links = (
        f'<a href="{path}"{" aria-current=page" if path == at else ""}>{title}</a>' for path, title in _PAGES.items()
    )
    return f'<nav aria-label="Pages">{"".join(links)}</nav>'
