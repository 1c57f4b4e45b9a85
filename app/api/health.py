"""What those who operate the server ask it: whether it lives, and its numbers as Prometheus takes them."""

import logging
import time
from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from app.catalog.catalog import Catalog
from app.current import catalog
from app.live.listeners import Listeners

blueprint = Blueprint("operated", __name__)

METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"})


@blueprint.get("/healthz")
def healthz() -> Any:
    """503 while the database cannot be asked."""
    catalog().find(limit=1)
    return {"status": "ok"}


@blueprint.get("/metrics")
def metrics() -> Response:
    return Response(
        generate_latest(current_app.extensions["numbers"].registry),
        content_type=CONTENT_TYPE_LATEST,
    )


class Numbers:
    """Counted here, or asked for when somebody asks."""

    def __init__(self, catalog: Catalog, listeners: Listeners) -> None:
        self._catalog, self._listeners = catalog, listeners
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.requests = Counter(
            "clearframe_requests",
            "Requests that were answered.",
            ["endpoint", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "clearframe_request_seconds",
            "Seconds until an answer.",
            ["endpoint"],
            registry=self.registry,
        )

    def collect(self) -> Iterable[GaugeMetricFamily]:
        jobs = GaugeMetricFamily(
            "clearframe_jobs", "Jobs by kind and state.", labels=["kind", "state"]
        )
        for (kind, state), number in self._catalog.counts().items():
            jobs.add_metric([kind, state], number)
        yield jobs
        yield GaugeMetricFamily(
            "clearframe_clients", "Clients that follow jobs live.", value=self._listeners.clients()
        )
        yield GaugeMetricFamily(
            "clearframe_clients_late",
            "Clients that are told out of the log.",
            value=self._listeners.late(),
        )


def count(app: Flask) -> None:
    """Let the numbers have every request of an application."""
    numbers = app.extensions["numbers"] = Numbers(
        app.extensions["catalog"], app.extensions["listeners"]
    )

    def begin() -> None:
        g.began = time.perf_counter()

    def end(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        method = (
            request.method if request.method in METHODS else "other"
        )  # Anybody can make up more.
        numbers.requests.labels(endpoint, method, response.status_code).inc()
        taken = time.perf_counter() - g.began
        numbers.seconds.labels(endpoint).observe(taken)
        # Not its query: a token may stand there.
        told = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "ms": round(1000 * taken, 1),
        }
        words = "%(method)s %(path)s %(status)s in %(ms)s ms"
        logging.getLogger(__name__).debug(
            words, told, extra={**told, "client": request.remote_addr}
        )
        return response

    app.before_request(begin)
    app.after_request(end)
