"""The queue page: waiting jobs in start order, and changes to that order."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from app.actions import queue
from app.catalog.catalog import Refused
from app.catalog.index import as_json
from app.current import catalog, row_to_change
from app.pages.common import refused_page
from app.runner.scheduler import waiting_reason
from app.validation_errors import Invalid

blueprint = Blueprint("queue", __name__)


@blueprint.get("/queue")
def queue_page() -> str:
    jobs = [
        {
            **as_json(row, brief=True),
            "waiting_for": waiting_reason(row, catalog()),
            "held_up": row.id in catalog().blocked,
        }
        for row in catalog().waiting()
    ]
    return render_template("jobs/queue.html", title="Queue", active="queue", jobs=jobs)


@blueprint.post("/jobs/<id>/queue")
def change(id: str) -> Any:
    """Change when a waiting job starts.

    The form has one of `move` (first, up, down or last), `priority` (a number) or `anyway` (start
    although other programs use the GPUs).
    """
    row_to_change(id)
    form = request.form.to_dict()
    try:
        if "move" in form:
            catalog().move(id, _next_after_move(id, form["move"]))
        elif "priority" in form:
            queue(id, {"priority": form["priority"]})
        else:
            queue(id, {"anyway": True})
    except Refused as refused:
        return refused_page("Not possible now", str(refused), 409)
    except Invalid as invalid:
        return refused_page("Not changed", " ".join(invalid.problems.values()), 422)
    return redirect(url_for(".queue_page"))


def _next_after_move(id: str, move: str) -> str | None:
    """The job that will follow the moved job; None for the end of the queue. Raises Refused."""
    order = [row.id for row in catalog().waiting()]
    if id not in order:
        raise Refused("The job is no longer waiting.")
    at = order.index(id)
    to = {"first": 0, "up": max(at - 1, 0), "down": at + 2}.get(move, len(order))
    others = order[to:]
    return next((other for other in others if other != id), None)
