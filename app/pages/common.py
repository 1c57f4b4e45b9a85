"""Helpers shared by pages: jobs as JSON, job pages, form pages, error pages."""

from typing import Any

from flask import render_template, request

from app.answers import Job
from app.catalog.database import JobRow
from app.catalog.index import as_json
from app.current import catalog, may_change, row_or_404
from app.forms.fields import Field, Values
from app.runner.scheduler import waiting_reason
from app.validation_errors import Problems
from jobs.specs.base import split_text

MOST_CHOICES = 1000
"""Most datasets or models that a form offers: the newest."""


def job_or_404(id: str, kind: str = "") -> Job:
    """The same as `row_or_404`, as JSON types."""
    return as_json(row_or_404(id, kind))


def address(job: JobRow) -> str:
    """The URL of a job's page."""
    return f"{request.script_root}/{job.kind}s/{job.id}"


def jobs(kind: str = "", *states: str, limit: int = 100) -> list[Job]:
    return [
        as_json(row, brief=True) for row in catalog().find(kind, frozenset(states), limit=limit)
    ]


def with_chosen(offered: list[Job], values: Values, *fields: str) -> list[Job]:
    """Add previously selected jobs even if they are no longer listed or usable."""
    selected = [id for field in fields for id in split_text(values.get(field, "")) or []]
    rows = [
        catalog().get(str(id))
        for id in dict.fromkeys(selected)
        if id not in {job["id"] for job in offered}
    ]
    return [*offered, *(as_json(row, brief=True) for row in rows if row is not None)]


def cloned(job: Job) -> Values:
    """The spec of a job under another name."""
    return {**job["spec"], "name": f"{job['name']} (copy)"[:200]}


def job_page(template: str, job: Job, **more: Any) -> str:
    row = catalog().get(job["id"])
    waiting_for = waiting_reason(row, catalog()) if row is not None else ""
    return render_template(
        template,
        title=job["name"],
        active=f"{job['kind']}s",
        job={
            **job,
            "waiting_for": waiting_for,
            "may_change": row is not None and may_change(row),
        },
        waiting_for=waiting_for,
        **more,
    )


def form_page(
    template: str, title: str, active: str, fields: list[Field], problems: Problems, **context: Any
) -> tuple[str, int]:
    without_field = {
        name: text
        for name, text in problems.items()
        if name not in {field.name for field in fields}
    }
    errors = [(field.id, field.label, field.error) for field in fields if field.error]
    errors += [("", name, text) for name, text in without_field.items()]
    page = render_template(
        template, title=title, active=active, fields=fields, problems=errors, **context
    )
    return page, 422 if problems else 200


def refused_page(heading: str, message: str, status: int) -> tuple[str, int]:
    """Error page for a form's request that the server refuses."""
    page = render_template(
        "error.html", title="Refused", active="", status=status, heading=heading, message=message
    )
    return page, status
