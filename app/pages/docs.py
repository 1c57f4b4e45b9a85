"""The page that describes the API, and the documents at /help, which `make docs` builds."""

from flask import Blueprint, Response, abort, render_template, send_from_directory

from app.api import openapi
from jobs.core.paths import HELP

NOT_BUILT = (
    "The help pages have not been built. Run `make docs` in the folder of Clearframe, "
    "or read the files in its folder docs."
)

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs")
def docs() -> str:
    tags = openapi.routes_by_tag()
    return render_template("docs.html", title="API", active="docs", tags=tags)


@blueprint.get("/help/")
@blueprint.get("/help/<path:name>")
def help(name: str = "index.html") -> Response:
    if not (HELP / "index.html").is_file():
        abort(404, NOT_BUILT)
    return send_from_directory(HELP, name)
