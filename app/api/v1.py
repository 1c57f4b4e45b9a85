"""The JSON API under /api/v1: all blueprints, the OpenAPI description, and error handlers."""

from typing import Any

from flask import Blueprint, request

from app.answers import Health
from app.api import channels, datasets, jobs, models, openapi, results, tus
from app.api.replies import error
from app.api.routes import route
from app.catalog.catalog import Refused
from app.current import catalog
from app.files.paths import FileProblem
from app.validation_errors import Invalid

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
for part in (jobs, datasets, models, results, channels, tus):
    blueprint.register_blueprint(part.blueprint)


@route(blueprint, "GET", "/healthz")
def healthz() -> Health:
    """Health check."""
    return {"status": "ok", "jobs": len(catalog().find(states=frozenset({"waiting", "running"})))}


@route(blueprint, "GET", "/openapi.json")
def openapi_document() -> dict[str, Any]:
    """This description."""
    return openapi.document(request.script_root)


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
