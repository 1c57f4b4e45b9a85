"""The pages of tests: the forms of a model's tests, one a kind, and what came of each."""

from typing import Any

from flask import Blueprint, abort, redirect, request, url_for

from app.actions import create_test, keep_upload
from app.catalog import results
from app.catalog.catalog import as_json
from app.current import catalog
from app.forms.fields import UPLOAD, values_of
from app.forms.inference import INPUT, inference_fields, input_of, of_input
from app.pages.common import form_page, job_or_404, job_page
from app.problems import Invalid
from jobs.specs import TESTS

blueprint = Blueprint("tests", __name__)

PAGES = {
    "image": "inference/image.html",
    "images": "inference/many.html",
    "split": "inference/many.html",
    "video": "inference/video.html",
}
SENT_WHOLE = ("image", "target", "video")
"""Fields of which a form without scripts sends the file itself."""


@blueprint.route("/models/<id>/test", methods=["GET", "POST"])
def new_test(id: str) -> Any:
    job = job_or_404(id, "model")
    kind = request.args.get("kind", "image")
    if kind not in TESTS:
        abort(404)
    given = request.form or request.args
    values, problems = {**values_of(TESTS[kind], given), "kind": kind}, {}
    chosen = input_of(given, values)
    if request.method == "POST":
        try:
            for name in SENT_WHOLE:
                sent = request.files.get(name + UPLOAD)
                if sent is not None and sent.filename:
                    values[name] = str(keep_upload(sent, name))
            wanted = of_input(values, chosen) if INPUT in given else values
            return redirect(url_for(".test", id=create_test(id, wanted)))
        except Invalid as invalid:
            problems = invalid.problems
    kinds = [(name, str(one.model_config["title"])) for name, one in TESTS.items()]
    shown = inference_fields(catalog(), job, kind, values, problems)
    context = {"job": job, "kind": kind, "kinds": kinds, "input": chosen}
    return form_page(
        "inference/new.html", f"Test {job['name']}", "models", shown, problems, **context
    )


@blueprint.get("/tests/<id>")
def test(id: str) -> str:
    job = job_or_404(id, "test")
    model = catalog().get(job["spec"]["model"])
    kind = job["spec"]["kind"]
    many = kind in ("images", "split")
    try:
        more = (
            {"found": results.listing(catalog().folder(id), request.args.to_dict())} if many else {}
        )
    except Invalid:  # A page that is not there, or an order that nobody knows.
        abort(404)
    return job_page(PAGES[kind], job, model=as_json(model, brief=True) if model else None, **more)
