"""`/connect`: how to connect a host, a picture of a person's own computer for an assistant, and who is logged in.

`POST /uploads` keeps such a picture for a day, for its owner alone: `generate_image` takes it as `upload:ID`.
"""

from html import escape

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from darkroom.outputs.input_images import MAX_INPUT_BYTES
from darkroom.team_settings import TeamSettings
from darkroom.uris import data_uri
from darkroom_server.bodies import Take, whole_body
from darkroom_server.calls import ANSWER_WITHIN_S, Calls
from darkroom_server.install.remote import RemoteHost, remote_hosts
from darkroom_server.page.routes import answer
from darkroom_server.team.people.shell import pasted, shell_page, text_of, with_code
from darkroom_server.team.people.visitor import Visitor

_ADD = """<h2 id="add">Add a picture from your computer</h2>
<p class="soft">For an assistant that should edit or follow it. It is kept for a day, for you alone. What it says of
place and camera is dropped before it is sent to a model.</p>
<div id="drop" data-token="{token}" data-most="{most}">
  <label for="file">Drop or paste a picture here, or choose one</label>
  <input id="file" type="file" accept="image/*" multiple>
</div>
<p id="trouble" role="alert" hidden></p>
<p id="voice" class="soft" role="status"></p>
<ul id="added"></ul>
<template id="row"><li><img alt="">{paste}</li></template>"""
_WHO = """<h2>You</h2>
<p>Logged in as <code>{subject}</code> of <code>{issuer}</code>, in the team <code>{tenant}</code>.</p>
<form method="post" action="/logout"><input type="hidden" name="form_token" value="{token}">
<button class="push">Log out</button></form>"""


def connect_page(team: TeamSettings, visitor: Visitor) -> Response:
    """The page, made for this person."""
    person, token = visitor.principal, escape(visitor.form_token)
    hosts = "\n".join(map(_host, remote_hosts(team.resource)))
    body = "\n".join(
        [
            "<p>Give this address to the program in which you talk to your assistant, then log in there:</p>",
            pasted(team.resource),
            f'<h2 id="hosts">In each program</h2>\n{hosts}',
            _ADD.format(token=token, most=MAX_INPUT_BYTES, paste=pasted("")),
            _WHO.format(
                subject=escape(person.subject), issuer=escape(person.issuer), tenant=escape(person.tenant), token=token
            ),
        ]
    )
    return shell_page("Connect", body, at="/connect", script=text_of("connect.js"))


async def add_picture(request: Request, calls: Calls, take: Take) -> Response:
    """Keep the picture in the body of the request; the words that give it to an assistant.

    Raises: DarkroomError, TooMuchAtOnce.
    """
    if (content := await whole_body(request.stream(), MAX_INPUT_BYTES, take)) is None:
        words = f"The picture is larger than {MAX_INPUT_BYTES // 2**20} MiB, the most that is taken."
        return answer({"problem": words}, 413)
    uri = await anyio.to_thread.run_sync(data_uri, "image/png", content)  # it goes by the content alone
    added = await calls.in_darkroom(ANSWER_WITHIN_S, lambda darkroom: darkroom.add_picture(uri))
    if added is None:
        return answer({"problem": "The picture was not written down in time. Try again."}, 503)
    reference, shape = added
    return answer({"reference": reference, "shape": shape, "words": f"Use my picture {reference} ({shape})."}, 201)


def _host(host: RemoteHost) -> str:
    about = f" <span>({escape(host.about)})</span>" if host.about else ""
    link = f'<p><a class="push" href="{escape(host.link)}">Add to {escape(host.title)}</a></p>' if host.link else ""
    summary = f"<summary>{escape(host.title)}{about}</summary>"
    return f"<details>{summary}<div><p>{with_code(host.steps)}</p>{pasted(host.copy)}{link}</div></details>"
