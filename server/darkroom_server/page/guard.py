"""Who may ask: the page itself, and whoever opens its address. Every other request is told that there is nothing.

The port is open to each program and each web page on this computer, so three things must fit: the Host header (a name
of another site may be made to point here), the secret in the path, and where the browser says that the request is from.
"""

import secrets
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
UNLESS_SAID = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}


class Guard:
    """ASGI middleware: `app` sees the path behind the secret. `port` is that on 127.0.0.1.

    `address` is for the person, `opening_address` for the command line of a browser, which other people on this
    computer can read: it works once.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self._secret, self._once = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.address = f"http://{self._hosts[0]}/{self._secret}/"
        self.opening_address = f"http://{self._hosts[0]}/{self._once}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                for name, value in UNLESS_SAID.items():
                    headers.setdefault(name, value)
            await send(message)

        first, slash, rest = scope["path"].removeprefix("/").partition("/")
        answer: ASGIApp = PlainTextResponse("There is nothing here.\n", status_code=404)
        if not self._is_from_here(Headers(scope=scope), scope["method"]):
            pass
        elif slash and _is_same(first, self._secret):
            answer, scope = self._app, {**scope, "path": f"/{rest}", "root_path": ""}
        elif not slash and self._once and _is_same(first, self._once):
            self._once, answer = "", RedirectResponse(f"/{self._secret}/", status_code=303)
        await answer(scope, receive, send_guarded)

    def _is_from_here(self, headers: Headers, method: str) -> bool:
        """Whether nothing says that another site asks; a link from elsewhere may only open the page."""
        host = headers.get("host", "").lower()
        if host not in self._hosts or len(headers.getlist("host")) != 1:
            return False
        if method not in ("GET", "HEAD") and "origin" not in headers:
            return False
        if any(origin != f"http://{host}" for origin in headers.getlist("origin")):
            return False
        is_opening = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        return headers.get("sec-fetch-site", "none") in ("same-origin", "none") or (method == "GET" and is_opening)


def _is_same(given: str, secret: str) -> bool:
    """Compared in a time that says nothing about the secret."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def csp(**sources: Iterable[str]) -> str:
    """A policy that allows these sources and nothing else: `csp(img_src=["'self'"])`."""
    given = {**sources, "base_uri": ["'none'"], "form_action": sources.get("form_action", ["'none'"])}
    allowed = (f"{name.replace('_', '-')} {' '.join(values)}" for name, values in given.items())
    return "; ".join(["default-src 'none'", *allowed])
