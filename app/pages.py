"""The pages. Each is made from the JSON that the API gives."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, send_file, url_for
from werkzeug.utils import secure_filename

from app import comparing, forms, job_zip, model_form, test_form, zips
from app.actions import catalog, create_dataset, create_models, delete, describe, extend, settings
from app.catalog import Refused, as_json
from app.forms import Field, Values, values_of
from app.problems import Invalid, Problems
from app.record import as_files, record
from app.scheduler import why_waits
from jobs.specs import DatasetSpec, ImageTest, ModelSpec
from jobs.specs.base import members, split_text, titles

blueprint = Blueprint("pages", __name__)

Job = dict[str, Any]

MOST_CHOICES = 1000
"""Datasets and models that a form offers, the newest."""


def job_or_404(id: str, kind: str = "") -> Job:
    row = catalog().get(id)
    if row is None or (kind and row.kind != kind):
        abort(404)
    return as_json(row)


def address(job: Job) -> str:
    """The page of a job."""
    return f"{request.script_root}/{job['kind']}s/{job['id']}"


def jobs(kind: str = "", *states: str, limit: int = 100) -> list[Job]:
    return [as_json(row, brief=True) for row in catalog().find(kind, frozenset(states), limit=limit)]


@blueprint.route("/datasets/new", methods=["GET", "POST"])
def new_dataset() -> Any:
    values, problems = values_of(DatasetSpec, request.form or request.args), {}
    if "clone" in request.args and request.method == "GET":
        values = cloned(job_or_404(request.args["clone"], "dataset"))
    if request.method == "POST":
        try:
            return redirect(url_for(".dataset", id=create_dataset(values)))
        except Invalid as invalid:
            problems = invalid.problems
    shown = forms.fields(DatasetSpec, values, problems)
    return form_page("dataset_new.html", "New dataset", "datasets", shown, problems)


def cloned(job: Job) -> Values:
    """What a job was asked to do, under a name of its own."""
    return {**job["spec"], "name": f"{job['name']} (copy)"[:200]}


@blueprint.get("/datasets/<id>")
def dataset(id: str) -> str:
    return job_page("dataset.html", job_or_404(id, "dataset"))


def job_page(template: str, job: Job, **more: Any) -> str:
    row = catalog().get(job["id"])
    waiting_for = why_waits(row, catalog()) if row is not None else ""
    shown = {**job, "waiting_for": waiting_for}
    return render_template(template, title=job["name"], active=f"{job['kind']}s", job=shown, waiting_for=waiting_for, **more)


@blueprint.route("/models/new", methods=["GET", "POST"])
def new_model() -> Any:
    values, problems = values_of(ModelSpec, request.form or request.args), {}
    if "clone" in request.args and request.method == "GET":
        values = cloned(job_or_404(request.args["clone"], "model"))
        if "start_from" in request.args:
            begins = {key: request.args[key] for key in ("start_from", "start_snapshot") if key in request.args}
            values |= {**begins, "name": values["name"].removesuffix(" (copy)") + " (fine-tuned)"}
    if request.method == "POST":
        try:
            ids, sweep = create_models(values)
            return redirect(url_for(".sweep", id=sweep) if sweep else url_for(".model", id=ids[0]))
        except Invalid as invalid:
            problems = invalid.problems
    datasets = jobs("dataset", "waiting", "running", "done", limit=MOST_CHOICES)
    choices = model_form.Choices(
        _with_chosen(datasets, values, "dataset", "more_datasets"),
        _with_chosen(jobs("model", limit=MOST_CHOICES), values, "start_from"),
        settings().allow_user_code,
    )
    shown = model_form.fields(values, problems, choices)
    return form_page("model_new.html", "New model", "models", shown, problems, datasets=datasets)


def _with_chosen(offered: list[Job], values: Values, *fields: str) -> list[Job]:
    """With the jobs that were chosen before, though they be too old for the list, or not usable any more."""
    chosen = [id for field in fields for id in split_text(values.get(field, "")) or []]
    rows = [catalog().get(str(id)) for id in dict.fromkeys(chosen) if id not in {job["id"] for job in offered}]
    return [*offered, *(as_json(row, brief=True) for row in rows if row is not None)]


@blueprint.get("/examples/<name>.prototxt")
def example(name: str) -> Any:
    """A network to paste."""
    if name not in model_form.PASTED:
        abort(404)
    return send_file(model_form.EXAMPLES / f"{name}.prototxt", mimetype="text/plain")


@blueprint.get("/models/<id>")
def model(id: str) -> str:
    job = job_or_404(id, "model")
    rows = [catalog().get(dataset) for dataset in dict.fromkeys((job["spec"]["dataset"], *job["spec"]["more_datasets"]))]
    datasets = [as_json(row, brief=True) for row in rows if row is not None]
    return job_page(
        "model.html", job, datasets=datasets, fields=test_form.fields(catalog(), job), folder=str(catalog().folder(id).path)
    )


@blueprint.post("/models/<id>/extend")
def extend_model(id: str) -> Any:
    job_or_404(id, "model")
    row = catalog().get(id)
    assert row is not None
    try:
        extend(row, request.form.to_dict())
    except Refused as refused:
        return refused_page("Not now", str(refused), 409)
    except Invalid as invalid:
        return refused_page("Not trained on", " ".join(invalid.problems.values()), 422)
    return redirect(url_for(".model", id=id))


@blueprint.get("/compare")
def compare() -> Any:
    """Models beside one another; without two of them, the models to choose from."""
    asked = [id for text in request.args.getlist("ids") for id in text.split(",") if id]
    once = list(dict.fromkeys(asked))
    ids = once[: comparing.MOST]
    rows = [catalog().get(id) for id in ids]
    chosen = [as_json(row, brief=True) for row in rows if row is not None and row.kind == "model"]
    if len(chosen) < 2 or "choose" in request.args:
        shown = _with_chosen(jobs("model", limit=MOST_CHOICES), {"ids": ", ".join(ids)}, "ids")
        offered = [job for job in shown if job["kind"] == "model"]
        gone = len(ids) - len(chosen)
        return render_template("compare_choose.html", title="Compare models", active="models", jobs=offered, ids=ids, gone=gone)
    return _compared(f"Compare {len(chosen)} models", chosen, dropped=len(once) - len(ids))


@blueprint.get("/sweeps/<id>")
def sweep(id: str) -> str:
    trainings = [as_json(row, brief=True) for row in catalog().sweep(id)]
    if not trainings:
        abort(404)
    return _compared(trainings[0]["name"].rpartition(" · ")[0] or trainings[0]["name"], trainings)


def _name_of(id: str) -> str:
    row = catalog().get(id)
    return row.name if row is not None else f"{id} (deleted)"


def _compared(title: str, chosen: list[Job], dropped: int = 0) -> str:
    return render_template(
        "compare.html",
        title=title,
        active="models",
        jobs=chosen,
        dropped=dropped,
        differing=comparing.differing(chosen, _name_of),
        same_datasets=comparing.same_datasets(chosen),
        fields=[field for field in forms.fields(ImageTest) if field.name in ("image", "target", "pair")],
    )


@blueprint.app_template_global()
def title_of(chosen: dict[str, Any], field: str = "network") -> str:
    """What a form calls a network, a loss or a solver."""
    return titles(members(ModelSpec.model_fields[field]))[chosen["name"]]


@blueprint.get("/jobs/<id>")
def any_job(id: str) -> Any:
    return redirect(address(job_or_404(id)))


@blueprint.post("/jobs/<id>/<any(abort, resume, delete):action>")
def act(id: str, action: str) -> Any:
    job = job_or_404(id)
    try:
        if action == "resume":
            catalog().resume(id, request.form.get("snapshot", ""))
        elif action == "abort":
            catalog().abort(id)
        else:
            delete(id)
    except Refused as refused:
        return refused_page("Not now", str(refused), 409)
    return redirect(url_for("home.show") if action == "delete" else address(job))


@blueprint.post("/jobs/<id>/edit")
def edit(id: str) -> Any:
    job = job_or_404(id)
    row = catalog().get(id)
    assert row is not None
    try:
        describe(row, request.form.to_dict())
    except Invalid as invalid:
        message = " ".join(f"{field.capitalize()}: {text}" for field, text in invalid.problems.items())
        return refused_page("Not saved", message, 422)
    return redirect(address(job))


@blueprint.get("/jobs/<id>.zip")
def whole_job(id: str) -> Any:
    """All files of a job, and what is needed to make it again."""
    row = catalog().get(id)
    if row is None:
        abort(404)
    name = secure_filename(row.name) or id
    return zips.sent(job_zip.stream(catalog().folder(id), name, as_files(record(row, catalog()))), name)


@blueprint.get("/jobs/<id>/files/<path:name>")
def job_file(id: str, name: str) -> Any:
    """A file of the job's own folder, and of no other: links are followed before this is decided."""
    job = job_or_404(id)
    root = catalog().folder(id).path.resolve()
    try:
        path = (root / name).resolve()
        is_one = path.is_relative_to(root) and path.is_file() and path.name != "worker.lock"
    except OSError:  # A name that no file can have.
        is_one = False
    if not is_one:
        abort(404)
    text = path.suffix in (".log", ".jsonl")
    if path.parent.name in ("snapshots", "exports"):
        return send_file(path, as_attachment=True, download_name=f"{secure_filename(job['name']) or id}-{path.name}")
    return send_file(path, mimetype="text/plain" if text else None)


def refused_page(heading: str, message: str, status: int) -> tuple[str, int]:
    """What was asked for by a form, and cannot be done."""
    page = render_template("error.html", title="Refused", active="", status=status, heading=heading, message=message)
    return page, status


def form_page(template: str, title: str, active: str, fields: list[Field], problems: Problems, **context: Any) -> tuple[str, int]:
    unplaced = {name: text for name, text in problems.items() if name not in {field.name for field in fields}}
    errors = [(field.id, field.label, field.error) for field in fields if field.error]
    errors += [("", name, text) for name, text in unplaced.items()]
    page = render_template(template, title=title, active=active, fields=fields, problems=errors, **context)
    return page, 422 if problems else 200
