"""Models beside one another: chosen ones, or those of a sweep."""

from typing import Any

from flask import Blueprint, abort, render_template, request

from app.catalog.catalog import as_json
from app.current import catalog
from app.forms import comparing
from app.forms.fields import fields_of
from app.pages.common import MOST_CHOICES, Job, jobs, with_chosen
from jobs.specs import ImageTest

blueprint = Blueprint("compare", __name__)


@blueprint.get("/compare")
def compare() -> Any:
    """Models beside one another; without two of them, the models to choose from."""
    asked = [id for text in request.args.getlist("ids") for id in text.split(",") if id]
    once = list(dict.fromkeys(asked))
    ids = once[: comparing.MOST]
    rows = [catalog().get(id) for id in ids]
    chosen = [as_json(row, brief=True) for row in rows if row is not None and row.kind == "model"]
    if len(chosen) < 2 or "choose" in request.args:
        shown = with_chosen(jobs("model", limit=MOST_CHOICES), {"ids": ", ".join(ids)}, "ids")
        offered = [job for job in shown if job["kind"] == "model"]
        gone = len(ids) - len(chosen)
        return render_template(
            "models/compare_choose.html",
            title="Compare models",
            active="models",
            jobs=offered,
            ids=ids,
            gone=gone,
        )
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
        "models/compare.html",
        title=title,
        active="models",
        jobs=chosen,
        dropped=dropped,
        differing=comparing.differing(chosen, _name_of),
        same_datasets=comparing.same_datasets(chosen),
        fields=[
            field for field in fields_of(ImageTest) if field.name in ("image", "target", "pair")
        ],
    )
