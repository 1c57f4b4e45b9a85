"""Comparison of selected models, or of the models of a sweep."""

from operator import itemgetter
from typing import Any

from flask import Blueprint, abort, render_template, request

from app.answers import Job
from app.catalog.index import as_json
from app.current import catalog
from app.forms import comparing
from app.forms.fields import fields_of
from app.pages.common import MOST_CHOICES, jobs, with_chosen
from jobs.core.view import gain_of
from jobs.specs import ImageTest

blueprint = Blueprint("compare", __name__)


@blueprint.get("/compare")
def compare() -> Any:
    """The comparison of two or more models; with fewer, a page to select models."""
    requested = [id for text in request.args.getlist("ids") for id in text.split(",") if id]
    unique = list(dict.fromkeys(requested))
    ids = unique[: comparing.MAX_MODELS]
    rows = [catalog().get(id) for id in ids]
    models = [as_json(row, brief=True) for row in rows if row is not None and row.kind == "model"]
    if len(models) < 2 or "choose" in request.args:
        candidates = with_chosen(jobs("model", limit=MOST_CHOICES), {"ids": ", ".join(ids)}, "ids")
        offered = [job for job in candidates if job["kind"] == "model"]
        missing = len(ids) - len(models)
        return render_template(
            "models/compare_choose.html",
            title="Compare models",
            active="compare",
            jobs=offered,
            ids=ids,
            missing=missing,
            most=comparing.MAX_MODELS,
            dataset_names={job["id"]: job["name"] for job in jobs("dataset", limit=MOST_CHOICES)},
        )
    return _comparison(f"Compare {len(models)} models", models, dropped=len(unique) - len(ids))


@blueprint.get("/sweeps/<id>")
def sweep(id: str) -> str:
    trainings = [as_json(row, brief=True) for row in catalog().sweep(id)]
    if not trainings:
        abort(404)
    name = trainings[0]["name"]
    return _comparison(name.rpartition(" · ")[0] or name, trainings)


def _name_of(id: str) -> str:
    row = catalog().get(id)
    return row.name if row is not None else f"{id} (deleted)"


def _comparison(title: str, models: list[Job], dropped: int = 0) -> str:
    gains = [(gain_of(model["summary"].get("best")), model) for model in models]
    known = [(gain, model) for gain, model in gains if gain is not None]
    return render_template(
        "models/compare.html",
        title=title,
        active="compare",
        jobs=models,
        winner=max(known, key=itemgetter(0))[1] if known else None,
        dropped=dropped,
        settings=comparing.compared_settings(models, _name_of),
        same_datasets=comparing.same_datasets(models),
        fields=[
            field for field in fields_of(ImageTest) if field.name in ("image", "target", "pair")
        ],
    )
