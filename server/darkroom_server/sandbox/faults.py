"""Refusals and the four shapes in which gateways word them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from darkroom_server.sandbox.profiles import SandboxProfile
from darkroom_server.sandbox.weather import CONDITIONS

# HTTP statuses that a reseller answers itself; all others it passes on from the host behind it.
_OWN_STATUSES = (401, 403, 404, 429, 503)


@dataclass(eq=False)
class Fault(Exception):
    """A refusal before it is worded; `more` are further members of an RFC 7807 body."""

    status: int
    title: str
    detail: str
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def not_found(detail: str) -> Fault:
    return Fault(404, "Not Found", detail)


def bad_body(faults: Sequence[tuple[str, str, str]]) -> Fault:
    """From (kind, field, description); an empty field is the body itself."""
    lines = "".join(f"- {name}: {words}\n" if name else f"- {words}\n" for _, name, words in faults)
    fields = [{"type": kind, "field": name, "description": words} for kind, name, words in faults]
    return Fault(422, "Input validation failed", lines, {"invalid_fields": fields})


def of_weather(name: str, wait_s: float = 0.0) -> Fault:
    """The refusal that a weather asks for; `wait_s` is what 429 and 503 tell the client to wait."""
    condition = CONDITIONS[name]
    seconds = max(1, round(wait_s))
    more = {"status": 429, "retry_after": seconds} if name == "429" else {}
    headers = {"retry-after": str(seconds)} if name == "503" else {}
    return Fault(int(name), condition.title, condition.detail.format(seconds=seconds), more, headers)


def respond(fault: Fault, profile: SandboxProfile) -> Response:
    """The fault in the profile's own words."""
    status, headers = profile.remap.get(fault.status, fault.status), dict(fault.headers)
    if profile.errors == "problem":
        body = {"detail": fault.detail} | ({"title": fault.title, "status": status} if fault.title else {})
        return JSONResponse(body | dict(fault.more), status, headers, media_type="application/problem+json")
    mark = f"(request id: {uuid.uuid4().hex[:24]})"
    if profile.errors == "comet":
        code = "invalid_request" if fault.status in (400, 404, 422) else ""
        error = {"message": f"{fault.detail.strip()} {mark}", "type": "comet_api_error", "param": "", "code": code}
    elif fault.status in _OWN_STATUSES:
        error = {"message": f"{fault.detail} {mark}", "type": "new_api_error", "code": ""}
    else:
        about = {"param": str(fault.status), "code": "bad_response_status_code"}
        error = {"message": fault.detail, "type": "upstream_error", **about}
    return JSONResponse({"error": error}, status, headers)


def web_page(status: int = 200) -> Response:
    """What a single-page web site answers to a path it does not know."""
    page = "<!doctype html><html><head><title>Welcome</title></head><body><div id='root'></div></body></html>"
    return HTMLResponse(page, status)


def missing_endpoint(profile: SandboxProfile, request: Request) -> Response:
    """The answer of an endpoint that this gateway does not have."""
    if profile.missing == "redirect":
        return web_page() if request.method in ("GET", "HEAD") else RedirectResponse("/", 301)
    if profile.missing == "page":
        return web_page(404)
    return respond(not_found(f"Invalid URL ({request.method} {request.url.path})"), profile)
