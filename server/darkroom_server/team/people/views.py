"""The page at `/`: pictures and spending as in the gallery, the person's own, and tenants for administrators."""

from functools import cache
from pathlib import Path

from darkroom_server.page.document import Added, served_page
from darkroom_server.team.people.data_routes import ROOT

_BUTTONS = """    <button id="to-tenant" type="button" data-view="tenant" aria-pressed="false" hidden>Team</button>
    <a href="/connect">Connect</a>"""


@cache
def pictures_page() -> tuple[str, str]:
    """The HTML and the policy that it is sent with."""
    return served_page(
        Added(
            root=ROOT,
            buttons=_BUTTONS,
            views=_text("tenant.html"),
            style=_text("tenant.css"),
            script=_text("tenant.js"),
        )
    )


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
