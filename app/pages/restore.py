"""Page that restores a video or an image with a starter, and the model cards of the starters."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for

from app.actions import create_test, keep_upload
from app.forms.fields import UPLOAD
from app.forms.restoring import (
    FILE,
    ORIGINAL,
    STARTERS,
    card,
    facts_of,
    fields,
    form_problems,
    spec_values,
)
from app.pages.common import form_page
from app.validation_errors import Invalid, Problems

blueprint = Blueprint("restore", __name__)


@blueprint.route("/restore", methods=["GET", "POST"])
def restore() -> Any:
    form, problems = (request.form or request.args).to_dict(), Problems()
    if request.method == "POST":
        try:
            for name in (FILE, ORIGINAL):  # A form without JavaScript sends the files themselves.
                sent = request.files.get(name + UPLOAD)
                if sent is not None and sent.filename:
                    form[name] = str(keep_upload(sent, name))
            return redirect(url_for("tests.test", id=create_test(spec_values(form))))
        except Invalid as invalid:
            problems = form_problems(invalid.problems)
    return form_page(
        "inference/restore.html",
        "Restore a video",
        "restore",
        fields(form, problems),
        problems,
        starters=[facts_of(name) for name in STARTERS],
        selected=form.get("starter", STARTERS[0]),
    )


@blueprint.get("/starters/<name>")
def starter(name: str) -> str:
    if name not in STARTERS:
        abort(404, f"No starter {name}. Available: {', '.join(STARTERS)}.")
    return render_template(
        "inference/card.html", title=f"Starter {name}", active="restore", card=card(name)
    )
