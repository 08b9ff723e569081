"""The page at `/`: pictures and spending as in the gallery, the person's own, and tenants for administrators."""

from functools import cache

from darkroom_server.page.document import Added, served_page
from darkroom_server.team.people.data_routes import ROOT
from darkroom_server.team.people.shell import text_of

_BUTTONS = """    <button id="to-tenant" type="button" data-view="tenant" aria-pressed="false" hidden>Team</button>
    <a href="/connect">Connect</a>"""


@cache
def pictures_page() -> tuple[str, str]:
    """The HTML and the policy that it is sent with."""
    return served_page(
        Added(
            root=ROOT,
            buttons=_BUTTONS,
            views=text_of("tenant.html"),
            style=text_of("tenant.css"),
            script=text_of("tenant.js"),
        )
    )
