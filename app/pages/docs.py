"""The page that describes the API."""

from flask import Blueprint, render_template

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs")
def docs() -> str:
    return render_template("docs.html", title="API", active="docs")
