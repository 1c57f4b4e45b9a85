"""What several pages have in common: finding a job or answering 404, a job's page, a form's page, a refusal."""

from typing import Any

from flask import abort, render_template, request

from app.catalog.catalog import as_json
from app.current import catalog
from app.forms.fields import Field, Values
from app.problems import Problems
from app.runner.scheduler import why_waits
from jobs.specs.base import split_text

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
    return [
        as_json(row, brief=True) for row in catalog().find(kind, frozenset(states), limit=limit)
    ]


def with_chosen(offered: list[Job], values: Values, *fields: str) -> list[Job]:
    """With the jobs that were chosen before, though they be too old for the list, or not usable any more."""
    chosen = [id for field in fields for id in split_text(values.get(field, "")) or []]
    rows = [
        catalog().get(str(id))
        for id in dict.fromkeys(chosen)
        if id not in {job["id"] for job in offered}
    ]
    return [*offered, *(as_json(row, brief=True) for row in rows if row is not None)]


def cloned(job: Job) -> Values:
    """What a job was asked to do, under a name of its own."""
    return {**job["spec"], "name": f"{job['name']} (copy)"[:200]}


def job_page(template: str, job: Job, **more: Any) -> str:
    row = catalog().get(job["id"])
    waiting_for = why_waits(row, catalog()) if row is not None else ""
    shown = {**job, "waiting_for": waiting_for}
    return render_template(
        template,
        title=job["name"],
        active=f"{job['kind']}s",
        job=shown,
        waiting_for=waiting_for,
        **more,
    )


def form_page(
    template: str, title: str, active: str, fields: list[Field], problems: Problems, **context: Any
) -> tuple[str, int]:
    unplaced = {
        name: text
        for name, text in problems.items()
        if name not in {field.name for field in fields}
    }
    errors = [(field.id, field.label, field.error) for field in fields if field.error]
    errors += [("", name, text) for name, text in unplaced.items()]
    page = render_template(
        template, title=title, active=active, fields=fields, problems=errors, **context
    )
    return page, 422 if problems else 200


def refused_page(heading: str, message: str, status: int) -> tuple[str, int]:
    """What was asked for by a form, and cannot be done."""
    page = render_template(
        "error.html", title="Refused", active="", status=status, heading=heading, message=message
    )
    return page, status
