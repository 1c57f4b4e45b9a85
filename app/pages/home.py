"""Home page: running jobs, lists of datasets, models and tests, and bulk actions on jobs."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for

from app.actions import create_dataset, create_models, delete, describe
from app.catalog.catalog import Refused
from app.catalog.database import JobRow
from app.catalog.lists import COLUMNS, STATES, Column, ListQuery, Page, groups, owners, page, tags
from app.current import catalog, may_change, may_change_jobs_of, settings, why_not
from app.forms.presets import PRESETS, SAMPLE
from app.runner import sample
from app.temporary_failures import is_full
from app.validation_errors import Invalid

blueprint = Blueprint("home", __name__)
blueprint.add_app_template_global(may_change_jobs_of)

MOST_RUNNING = 50
YEAR = 365 * 86400
HEADINGS = {"model": "Models", "dataset": "Datasets", "test": "Tests"}
DONE = {"abort": "aborted", "delete": "deleted", "group": "put into the group"}


@blueprint.get("/")
def home_page() -> str:
    counts = catalog().counts()
    queries = {kind: _query(kind) for kind in COLUMNS}
    group_names, owner_names = groups(), owners()
    usual = {"group": bool(group_names), "owner": bool(owner_names)}
    return render_template(
        "jobs/home.html",
        title="Clearframe",
        active="home",
        empty=not counts,
        running=[
            _running(row)
            for row in catalog().find(states=frozenset({"running"}), limit=MOST_RUNNING)
        ],
        waiting=sum(number for (_, state), number in counts.items() if state == "waiting"),
        headings=HEADINGS if counts else {},
        lists={kind: _page(kind, queries[kind]) for kind in COLUMNS},
        queries=queries,
        columns={kind: _columns(kind, usual) for kind in COLUMNS},
        all_columns=COLUMNS,
        groups=group_names,
        owners=owner_names,
        tags=tags(),
        states=STATES,
    )


@blueprint.post("/sample")
def try_sample() -> Any:
    """Create a dataset from the sample clip, and a training that waits for the dataset."""
    try:
        stream, originals = sample.clip(settings().uploads / "sample")
    except OSError as problem:
        if is_full(problem):
            raise
        abort(500, problem.strerror or str(problem))
    source = {"kind": "stream", "stream": str(stream), "originals": str(originals)}
    dataset = create_dataset({"name": "Sample clip", "source": source})
    (model,), _ = create_models(
        {"name": "Sample clip", "dataset": dataset, **PRESETS[SAMPLE].values}
    )
    return redirect(url_for("models.model", id=model), 303)


def _query(kind: str) -> ListQuery:
    args = request.args
    order, after = args.get(f"{kind}s.sort", "-made"), args.get(f"{kind}s.after", "")
    return ListQuery(
        args.get("q", "").strip(),
        args.get("state", ""),
        args.get("group", ""),
        args.get("tag", ""),
        args.get("owner", ""),
        order,
        after,
    )


def _page(kind: str, query: ListQuery) -> Page:
    try:
        return page(kind, query)
    except ValueError as problem:
        abort(400, f"{HEADINGS[kind]}: {problem}")


def _running(row: JobRow) -> dict[str, Any]:
    view = row.view
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "owner": row.owner,
        "gain": row.gain,
        "progress": view["progress"],
        "losses": view["losses"],
        "hardware": view["hardware"],
        "gpus": view["gpus"],
        "seq": view["seq"],
    }


def _columns(kind: str, usual: Mapping[str, bool]) -> list[Column]:
    """The columns selected in this browser, always including the name; else the usual columns.

    `usual`: whether there is anything to show in columns that are not shown by default.
    """
    selected = request.cookies.get(_cookie(kind), "").split(".")
    if selected == [""]:
        return [column for column in COLUMNS[kind] if column.default or usual.get(column.name)]
    return [column for column in COLUMNS[kind] if column.name in ("name", *selected)]


def _cookie(kind: str) -> str:
    return f"columns-{kind}"


@blueprint.post("/columns/<any(dataset, model, test):kind>")
def choose_columns(kind: str) -> Any:
    """Store the columns of a list in a cookie of this browser."""
    names = [column.name for column in COLUMNS[kind]]
    selected = [name for name in names if name in request.form.getlist("columns")]
    response = make_response(redirect(_back(f"#{kind}s"), 303))
    response.set_cookie(
        _cookie(kind), ".".join(["name", *selected]), max_age=YEAR, httponly=True, samesite="Lax"
    )
    return response


@blueprint.post("/jobs/many")
def change_many() -> Any:
    """Abort, delete or group the jobs `ids` where possible, and list the jobs that refused."""
    action, ids = request.form.get("action", ""), list(dict.fromkeys(request.form.getlist("ids")))
    if action not in DONE:
        abort(400, "Unknown action. Choose abort, delete or group.")
    refused = []
    for row in filter(None, map(catalog().get, ids)):
        try:
            _act(action, row)
        except Refused as problem:
            refused.append((row, str(problem)))
        except Invalid as invalid:
            refused.append((row, " ".join(invalid.problems.values())))
    if not refused:
        return redirect(_back(), 303)
    return render_template(
        "jobs/refused.html",
        title="Some jobs not changed",
        done=DONE[action],
        refused=refused,
        of=len(ids),
        back=_back(),
    ), 409


def _act(action: str, row: JobRow) -> None:
    if not may_change(row):
        raise Refused(why_not(row))
    if action == "abort":
        catalog().abort(row.id)
    elif action == "delete":
        delete(row.id)
    else:
        describe(row, {"group": request.form.get("group", "")})


def _back(anchor: str = "") -> str:
    """The URL of the page that contained the form."""
    back = request.form.get("back", "")
    is_home = back.startswith(f"{request.script_root}/?")
    return (back if is_home else url_for(".home_page")) + anchor


@blueprint.app_template_global()
def with_args(**changes: str) -> str:
    """The URL of the home page with the current query, changed as given.

    `models__sort` sets the parameter `models.sort`; an empty value removes a parameter.
    """
    args = {
        **request.args.to_dict(),
        **{name.replace("__", "."): value for name, value in changes.items()},
    }
    kept = {name: value for name, value in args.items() if value}
    return f"{request.script_root}/" + ("?" + urlencode(kept) if kept else "")
