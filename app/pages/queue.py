"""The page of the queue: what waits, in the order in which it starts, and how people change that."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from app.actions import queue
from app.catalog.catalog import Refused, as_json
from app.current import catalog
from app.pages.common import job_or_404, refused_page
from app.problems import Invalid
from app.runner.scheduler import why_waits

blueprint = Blueprint("queue", __name__)


@blueprint.get("/queue")
def show() -> str:
    jobs = [
        {
            **as_json(row, brief=True),
            "waiting_for": why_waits(row, catalog()),
            "held_up": row.id in catalog().held_up,
        }
        for row in catalog().waiting()
    ]
    return render_template("jobs/queue.html", title="Queue", active="queue", jobs=jobs)


@blueprint.post("/jobs/<id>/queue")
def change(id: str) -> Any:
    """Move a waiting job (`move`: first, up, down or last), give it a `priority`, or let it start `anyway`."""
    job_or_404(id)
    words = request.form.to_dict()
    try:
        if "move" in words:
            catalog().move(id, _before_which(id, words["move"]))
        elif "priority" in words:
            queue(id, {"priority": words["priority"]})
        else:
            queue(id, {"anyway": True})
    except Refused as refused:
        return refused_page("Not now", str(refused), 409)
    except Invalid as invalid:
        return refused_page("Not changed", " ".join(invalid.problems.values()), 422)
    return redirect(url_for(".show"))


def _before_which(id: str, move: str) -> str | None:
    """The job before which one starts that is moved; None for the end of the queue. Raises Refused."""
    order = [row.id for row in catalog().waiting()]
    if id not in order:
        raise Refused("The job does not wait any more.")
    at = order.index(id)
    to = {"first": 0, "up": max(at - 1, 0), "down": at + 2}.get(move, len(order))
    others = order[to:]
    return next((other for other in others if other != id), None)
