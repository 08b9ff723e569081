"""moto's S3 server on loopback, which can be told to treat preconditions as worse stores do."""

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import obstore
from obstore.store import ObjectStore, S3Store
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "pictures"
PREFIX = "team/darkroom"

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass
class S3Server:
    """`preconditions`: "kept", "ignored" or "refused" (HTTP 501). `hides_objects`: HEAD finds nothing, as in a race."""

    preconditions: str = "kept"
    hides_objects: bool = False
    address: str = ""
    puts: list[str] = field(default_factory=list[str])

    def store(self, bucket: str = BUCKET, prefix: str = PREFIX) -> ObjectStore:
        return S3Store(
            bucket,
            prefix=prefix,
            endpoint=self.address,
            access_key_id="test",
            secret_access_key="test",
            region="us-east-1",
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    def objects(self) -> dict[str, bytes]:
        """Name and content of every object under the prefix."""
        store = self.store()
        names = [entry["path"] for entry in cast("Any", obstore).list(store).collect()]
        return {name: bytes(obstore.get(store, name).bytes()) for name in names}

    def headers(self, name: str) -> dict[str, str]:
        """The attributes that were stored with an object."""
        return {str(key): str(value) for key, value in obstore.get(self.store(), name).attributes.items()}

    def answer(self, app: Any, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method == "PUT":
            self.puts.append(path)
            if self.preconditions == "ignored":
                environ.pop("HTTP_IF_NONE_MATCH", None)
            if self.preconditions == "refused" and "HTTP_IF_NONE_MATCH" in environ:
                body = b"<Error><Code>NotImplemented</Code><Message>No preconditions here.</Message></Error>"
                start_response("501 Not Implemented", [("Content-Type", "application/xml")])
                return [body]
        if method == "HEAD" and self.hides_objects:
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        return cast("Iterable[bytes]", app(environ, start_response))


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def running_s3() -> Generator[S3Server]:
    """A server with one empty bucket."""
    # It takes half a second to load, which only its tests are to wait for.
    from moto.moto_server.werkzeug_app import (  # pyright: ignore[reportMissingTypeStubs]  # moto has none
        DomainDispatcherApplication,
        create_backend_app,
    )

    server = S3Server()
    app = cast("Any", DomainDispatcherApplication)(create_backend_app)
    http = make_server(
        "127.0.0.1", 0, lambda environ, start: server.answer(app, environ, start), threaded=True, request_handler=_Quiet
    )
    server.address = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
