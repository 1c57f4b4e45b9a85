"""Page that restores a video or an image, and the model cards of the starters."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for

from app.actions import create_test, keep_upload
from app.forms.fields import UPLOAD, Values
from app.forms.restoring import (
    FILE,
    MODEL,
    ORIGINAL,
    STARTERS,
    STARTS,
    card,
    facts_of,
    fields,
    form_problems,
    spec_values,
)
from app.pages.common import MOST_CHOICES, form_page, jobs, with_chosen
from app.pages.formatting import gain
from app.pages.markdown import card_html
from app.validation_errors import Invalid, Problems
from jobs.core.view import gain_of

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
        fields(form, problems, _models(form)),
        problems,
        starters=[facts_of(name) for name in STARTERS],
        selected=form.get("starter", "" if MODEL in form else STARTERS[0]),
    )


def _models(form: Values) -> list[tuple[str, str]]:
    """Id and label of the models that have a snapshot, the newest first: "first, +0.31 dB"."""
    trained = with_chosen(jobs("model", limit=MOST_CHOICES), form, MODEL)
    return [
        (job["id"], f"{job['name']}, {gain(gain_of(best))}")
        for job in trained
        if (best := job["summary"].get("best"))
    ]


@blueprint.get("/starters/<name>")
def starter(name: str) -> str:
    if name not in STARTS:
        abort(404, f"No starter {name}. Available: {', '.join(STARTS)}.")
    _, _, text = card(name).partition("\n")  # The title is the page's.
    return render_template(
        "inference/card.html", title=f"Starter {name}", active="restore", card=card_html(text)
    )
