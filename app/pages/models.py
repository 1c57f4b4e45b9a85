"""The form of a training, the page of a model, and extending a training."""

from typing import Any

from flask import Blueprint, abort, redirect, request, send_file, url_for

from app.actions import create_models, extend
from app.catalog.catalog import Refused
from app.catalog.index import as_json
from app.catalog.lists import TITLES
from app.current import catalog, row_to_change, settings
from app.forms.inference import inference_fields
from app.forms.presets import PRESETS
from app.forms.training import PASTED, Choices, name_for, training_fields, training_values
from app.pages.common import (
    MOST_CHOICES,
    cloned,
    form_page,
    job_or_404,
    job_page,
    jobs,
    refused_page,
    with_chosen,
)
from app.validation_errors import Invalid
from jobs.core.paths import EXAMPLES
from jobs.specs import ModelSpec
from jobs.specs.base import members, titles

blueprint = Blueprint("models", __name__)


@blueprint.route("/models/new", methods=["GET", "POST"])
def new_model() -> Any:
    is_plain = not request.args.keys() - {"dataset"}
    preset = request.args.get("preset", "example" if is_plain else "")
    values, problems = training_values(request.form or request.args), {}
    if preset in PRESETS and request.method == "GET":
        values |= PRESETS[preset].values
    if "clone" in request.args and request.method == "GET":
        values = cloned(job_or_404(request.args["clone"], "model"))
        if "start_from" in request.args:
            start = {
                key: request.args[key]
                for key in ("start_from", "start_snapshot")
                if key in request.args
            }
            values |= {**start, "name": values["name"].removesuffix(" (copy)") + " (fine-tuned)"}
    if request.method == "POST":
        try:
            ids, sweep = create_models(values)
            if sweep:
                return redirect(url_for("compare.sweep", id=sweep))
            return redirect(url_for(".model", id=ids[0]))
        except Invalid as invalid:
            problems = invalid.problems
    datasets = jobs("dataset", "waiting", "running", "done", limit=MOST_CHOICES)
    choices = Choices(
        with_chosen(datasets, values, "dataset", "more_datasets"),
        with_chosen(jobs("model", limit=MOST_CHOICES), values, "start_from"),
        settings().allow_user_code,
    )
    suggested = name_for({"dataset": datasets[0]["id"] if datasets else "", **values}, catalog())
    if request.method == "GET":
        values = {"name": suggested, **values}
    fields = training_fields(values, problems, choices)
    return form_page(
        "models/new.html",
        "New model",
        "models",
        fields,
        problems,
        datasets=datasets,
        suggested=suggested,
        presets=PRESETS,
        preset=preset,
    )


@blueprint.get("/examples/<name>.prototxt")
def example(name: str) -> Any:
    """An example network definition to paste."""
    if name not in PASTED:
        abort(404)
    return send_file(EXAMPLES / f"{name}.prototxt", mimetype="text/plain")


@blueprint.get("/models/<id>")
def model(id: str) -> str:
    job = job_or_404(id, "model")
    rows = [
        catalog().get(dataset)
        for dataset in dict.fromkeys((job["spec"]["dataset"], *job["spec"]["more_datasets"]))
    ]
    datasets = [as_json(row, brief=True) for row in rows if row is not None]
    return job_page(
        "models/model.html",
        job,
        datasets=datasets,
        validation_pairs=[
            (dataset["id"], dataset["summary"].get("pairs", {}).get("val", 0))
            for dataset in datasets
        ],
        filter_gains=catalog().filter_gains(id),
        pinned=catalog().folder(id).pinned()["samples"],
        fields=inference_fields(catalog(), job),
        folder=str(catalog().folder(id).path),
    )


@blueprint.post("/models/<id>/extend")
def extend_model(id: str) -> Any:
    row = row_to_change(id, "model")
    try:
        extend(row, request.form.to_dict())
    except Refused as refused:
        return refused_page("Not possible now", str(refused), 409)
    except Invalid as invalid:
        return refused_page("Not extended", " ".join(invalid.problems.values()), 422)
    return redirect(url_for(".model", id=id))


@blueprint.app_template_global()
def title_of(section: dict[str, Any], field: str = "network") -> str:
    """The title of a network, a loss or a solver."""
    if field == "network":
        return TITLES["model"][section["name"]]
    return titles(members(ModelSpec.model_fields[field]))[section["name"]]
