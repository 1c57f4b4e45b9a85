"""Routes for operators: health check and Prometheus metrics."""

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
    """Responds with 503 while the database is not available."""
    catalog().find(limit=1)
    return {"status": "ok"}


@blueprint.get("/metrics")
def metrics() -> Response:
    return Response(
        generate_latest(current_app.extensions["metrics"].registry),
        content_type=CONTENT_TYPE_LATEST,
    )


class Metrics:
    """Prometheus metrics: request counters, and gauges computed at each scrape."""

    def __init__(self, catalog: Catalog, listeners: Listeners) -> None:
        self._catalog, self._listeners = catalog, listeners
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.requests = Counter(
            "clearframe_requests",
            "HTTP requests.",
            ["endpoint", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "clearframe_request_seconds",
            "Seconds until the response.",
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
            "Clients that catch up from the event log.",
            value=self._listeners.late(),
        )


def init_app(app: Flask) -> None:
    """Count and log every request of an application."""
    metrics = app.extensions["metrics"] = Metrics(
        app.extensions["catalog"], app.extensions["listeners"]
    )

    def begin() -> None:
        g.began = time.perf_counter()

    def end(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        # Clients may send any method name, and each one would create a time series.
        method = request.method if request.method in METHODS else "other"
        metrics.requests.labels(endpoint, method, response.status_code).inc()
        seconds = time.perf_counter() - g.began
        metrics.seconds.labels(endpoint).observe(seconds)
        # The query is not logged, since it may contain a token.
        facts = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "ms": round(1000 * seconds, 1),
        }
        message = "%(method)s %(path)s %(status)s in %(ms)s ms"
        logging.getLogger(__name__).debug(
            message, facts, extra={**facts, "client": request.remote_addr}
        )
        return response

    app.before_request(begin)
    app.after_request(end)
