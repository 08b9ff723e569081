"""Refusals and the four shapes in which gateways word them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from darkroom.registry import FieldFault
from darkroom_server.sandbox.profiles import SandboxProfile

_PROBLEM_TYPE = "application/problem+json"
# HTTP statuses that a reseller answers itself; all others it passes on from the host behind it.
_OWN_STATUSES = (401, 403, 404, 429, 503)


@dataclass(kw_only=True, eq=False)
class Fault(Exception):
    """A refusal before it is worded; `more` are further members of an RFC 7807 body."""

    status: int
    detail: str
    title: str = ""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def unauthenticated(*, is_given: bool) -> Fault:
    words = "You did not pass a valid authentication token" if is_given else "You did not pass an authentication token"
    return Fault(status=401, title="Unauthenticated", detail=words)


def not_found(detail: str) -> Fault:
    return Fault(status=404, title="Not Found", detail=detail)


def bad_version() -> Fault:
    words = "The specified version does not exist (or perhaps you don't have permission to use it?)"
    return Fault(status=422, title="Invalid version or not permitted", detail=words)


def bad_body(faults: Sequence[tuple[str, str, str]]) -> Fault:
    """From (kind, field, description); an empty field is the body itself."""
    lines = "".join(f"- {name}: {words}\n" if name else f"- {words}\n" for _, name, words in faults)
    fields = [{"type": kind, "field": name, "description": words} for kind, name, words in faults]
    return Fault(status=422, title="Input validation failed", detail=lines, more={"invalid_fields": fields})


def bad_input(faults: Sequence[FieldFault]) -> Fault:
    """What is missing or too much is said of the input as a whole, anything else of its field."""
    whole = ("required", "additional_property_not_allowed")
    return bad_body(
        [
            (fault.kind, "input" if fault.kind in whole else f"input.{fault.field}", fault.description)
            for fault in faults
        ]
    )


def throttled(seconds: float) -> Fault:
    whole = max(1, round(seconds))
    words = f"Request was throttled. Your rate limit resets in ~{whole}s."
    return Fault(status=429, detail=words, more={"status": 429, "retry_after": whole})


def overloaded(seconds: float) -> Fault:
    whole = max(1, round(seconds))
    words = "The service is overloaded right now. Nothing was created."
    return Fault(status=503, title="Service Unavailable", detail=words, headers={"retry-after": str(whole)})


def no_credit() -> Fault:
    words = "You have insufficient credit to run this model. (sandbox: nothing is ever billed here)"
    return Fault(status=402, title="Insufficient credit", detail=words)


def server_error(status: int, detail: str) -> Fault:
    title = {500: "Internal Server Error", 504: "Gateway Timeout"}.get(status, "Error")
    return Fault(status=status, title=title, detail=detail)


def respond(fault: Fault, profile: SandboxProfile, request_id: str) -> Response:
    """The fault in the profile's own words."""
    return _SHAPES[profile.errors](fault, profile.remap.get(fault.status, fault.status), request_id)


def _problem(fault: Fault, status: int, request_id: str) -> Response:
    body: dict[str, Any] = {"detail": fault.detail}
    if fault.title:
        body = {"title": fault.title, "detail": fault.detail, "status": status}
    return JSONResponse(body | dict(fault.more), status, dict(fault.headers), media_type=_PROBLEM_TYPE)


def _comet(fault: Fault, status: int, request_id: str) -> Response:
    code = "invalid_request" if fault.status in (400, 404, 422) else ""
    return _enveloped(fault, status, f"{fault.detail.strip()} (request id: {request_id})", "comet_api_error", "", code)


def _new_api(fault: Fault, status: int, request_id: str) -> Response:
    if fault.status in _OWN_STATUSES:
        return _enveloped(fault, status, f"{fault.detail} (request id: {request_id})", "new_api_error", None, "")
    return _enveloped(fault, status, fault.detail, "upstream_error", str(fault.status), "bad_response_status_code")


def _enveloped(fault: Fault, status: int, message: str, kind: str, param: str | None, code: str) -> Response:
    error: dict[str, Any] = {"message": message, "type": kind} | ({} if param is None else {"param": param})
    return JSONResponse({"error": error | {"code": code}}, status, dict(fault.headers))


_SHAPES: dict[str, Callable[[Fault, int, str], Response]] = {"problem": _problem, "comet": _comet, "new_api": _new_api}


def web_page(status: int = 200) -> Response:
    """What a single-page web site answers to a path it does not know."""
    page = "<!doctype html><html><head><title>Welcome</title></head><body><div id='root'></div></body></html>"
    return HTMLResponse(page, status)


def missing_endpoint(profile: SandboxProfile, method: str, path: str, request_id: str) -> Response:
    """The answer of an endpoint that this gateway does not have."""
    if profile.missing == "redirect":
        return web_page() if method in ("GET", "HEAD") else RedirectResponse("/", 301)
    if profile.missing == "page":
        return web_page(404)
    return respond(not_found(f"Invalid URL ({method} {path})"), profile, request_id)
