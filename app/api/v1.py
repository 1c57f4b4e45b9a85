"""The JSON API under /api/v1: all blueprints, the OpenAPI description, and error handlers."""

from typing import Any

from flask import Blueprint, Response, request

from app.answers import Health, Links
from app.api import channels, datasets, health, jobs, models, openapi, results, tus
from app.api.replies import error
from app.api.routes import MetricsText, route
from app.catalog.catalog import Refused
from app.current import catalog, settings
from app.files.paths import FileProblem
from app.validation_errors import Invalid

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
for part in (jobs, datasets, models, results, channels, tus):
    blueprint.register_blueprint(part.blueprint)


@route(blueprint, "GET", "/healthz")
def healthz() -> Health:
    """Health check."""
    return {"status": "ok", "jobs": len(catalog().find(states=frozenset({"waiting", "running"})))}


@blueprint.get("")  # OpenAPI has no path without a slash.
@route(blueprint, "GET", "/")
def api_links() -> Links:
    """Addresses of the lists of the API and of its description."""
    root = f"{request.script_root}/api/v1"
    return {
        "jobs": f"{root}/jobs",
        "files": f"{root}/files",
        "health": f"{root}/healthz",
        "metrics": f"{root}/metrics",
        "openapi": f"{root}/openapi.json",
        "docs": f"{request.script_root}/docs",
    }


@route(blueprint, "GET", "/metrics", answers={"text/plain": MetricsText})
def metrics() -> Response:
    """Metrics for Prometheus."""
    return health.metrics()


@route(blueprint, "GET", "/openapi.json")
def openapi_document() -> dict[str, Any]:
    """This description."""
    port, has_token = request.environ.get("SERVER_PORT", ""), settings().token is not None
    return openapi.document(request.script_root, port, has_token)


@blueprint.errorhandler(Invalid)
def invalid(problem: Invalid) -> Any:
    general = problem.problems.get("")
    field, text = next(iter(problem.problems.items()))
    return error(422, general or f"{field}: {text}", problem.problems)


@blueprint.errorhandler(FileProblem)
def unreadable(problem: FileProblem) -> Any:
    return error(400, str(problem), {"path": str(problem)})


@blueprint.errorhandler(Refused)
def refused(problem: Refused) -> Any:
    return error(409, str(problem))
