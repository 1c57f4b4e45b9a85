"""The form of a new dataset, and the page of a dataset."""

from typing import Any

from flask import Blueprint, redirect, request, url_for

from app.actions import create_dataset
from app.forms.fields import fields_of, values_of
from app.pages.common import cloned, form_page, job_or_404, job_page
from app.validation_errors import Invalid
from jobs.specs import DatasetSpec

blueprint = Blueprint("datasets", __name__)


@blueprint.route("/datasets/new", methods=["GET", "POST"])
def new_dataset() -> Any:
    values, problems = values_of(DatasetSpec, request.form or request.args), {}
    if "clone" in request.args and request.method == "GET":
        job = job_or_404(request.args["clone"], "dataset")
        values = job["spec"] if "again" in request.args else cloned(job)
    if request.method == "POST":
        try:
            return redirect(url_for(".dataset", id=create_dataset(values)))
        except Invalid as invalid:
            problems = invalid.problems
    fields = fields_of(DatasetSpec, values, problems)
    return form_page("datasets/new.html", "New dataset", "datasets", fields, problems)


@blueprint.get("/datasets/<id>")
def dataset(id: str) -> str:
    return job_page("datasets/dataset.html", job_or_404(id, "dataset"))
