"""Figures of a replica for whoever watches it, on a port of their own. No prompt, key or person is in them.

They are counted by OpenTelemetry's API, which does nothing until `serve_metrics` brings the rest (the extra `otel`).
"""

import time
from collections.abc import Callable

from opentelemetry import metrics
from opentelemetry.metrics import Observation
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom.errors import SettingsError
from darkroom_server import __version__

# Nothing else is a label: an address can hold ids.
_ROUTES = ("mcp", "images", "hooks", "health", "ready", "connect", "uploads", "page", "login", "callback", "logout")
_BOUNDS_S = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 600)


def serve_metrics(port: int, host: str) -> None:
    """Answer `GET /metrics` in Prometheus' format from a thread, for as long as the process lives.

    Raises: SettingsError where the extra is not installed, or the port is taken.
    """
    try:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from opentelemetry.sdk.metrics import MeterProvider
        from prometheus_client import start_http_server
    except ImportError as error:
        raise SettingsError("DARKROOM_METRICS_PORT needs the extra 'otel': install 'darkroom-mcp[otel]'.") from error
    try:
        start_http_server(port, addr=host)
    except OSError as error:
        raise SettingsError(f"Nothing can listen on DARKROOM_METRICS_PORT {port} ({error.strerror}).") from error
    metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))


class CountedRequests:
    """ASGI middleware: counts requests by route and status, and how long they took. `rooms` gives how many are open."""

    def __init__(self, app: ASGIApp, rooms: Callable[[], int]) -> None:
        self._app = app
        meter = metrics.get_meter("darkroom", __version__)
        self._requests = meter.create_counter("darkroom.requests", description="Requests that were answered")
        self._open = meter.create_up_down_counter("darkroom.requests.open", description="Requests that wait")
        self._seconds = meter.create_histogram(
            "darkroom.requests.duration",
            unit="s",
            description="From the request to the end of its answer",
            explicit_bucket_boundaries_advisory=_BOUNDS_S,
        )
        meter.create_observable_gauge(
            "darkroom.rooms", [lambda _: [Observation(rooms())]], description="People who have called of late"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        first = scope["path"].removeprefix("/").partition("/")[0]
        route, status, began_s = first if first in _ROUTES else "other", 499, time.monotonic()  # 499: it has gone

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._open.add(1, {"route": route})
        try:
            await self._app(scope, receive, tell)
        finally:
            self._open.add(-1, {"route": route})
            labels = {"route": route, "status": status}
            self._requests.add(1, labels)
            self._seconds.record(time.monotonic() - began_s, labels)
