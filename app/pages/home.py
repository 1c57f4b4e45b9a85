"""The home page: what runs, and the lists of datasets, models and tests, with what can be done to many jobs at once."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for

from app.actions import create_dataset, create_models, delete, describe
from app.catalog.catalog import Refused
from app.catalog.database import JobRow
from app.catalog.lists import COLUMNS, STATES, Column, Page, Wanted, groups, page
from app.current import catalog, settings
from app.errors import is_full
from app.problems import Invalid
from app.runner import sample

blueprint = Blueprint("home", __name__)

MOST_RUNNING = 50
YEAR = 365 * 86400
HEADINGS = {"model": "Models", "dataset": "Datasets", "test": "Tests"}
ENDED = {"abort": "aborted", "delete": "deleted", "group": "put into the group"}


@blueprint.get("/")
def show() -> str:
    counts = catalog().counts()
    wanted = {kind: _wanted(kind) for kind in COLUMNS}
    known = groups()
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
        headings={
            kind: words
            for kind, words in HEADINGS.items()
            if any(kind == other for other, _ in counts)
        },
        lists={kind: _page(kind, wanted[kind]) for kind in COLUMNS},
        wanted=wanted,
        columns={kind: _columns(kind, bool(known)) for kind in COLUMNS},
        all_columns=COLUMNS,
        groups=known,
        states=STATES,
    )


@blueprint.post("/sample")
def try_sample() -> Any:
    """The whole example without a clip of one's own: its dataset, and a training that waits for it."""
    try:
        stream, originals = sample.clip(settings().uploads / "sample")
    except OSError as problem:
        if is_full(problem):
            raise
        abort(500, problem.strerror or str(problem))
    source = {"kind": "stream", "stream": str(stream), "originals": str(originals)}
    dataset = create_dataset({"name": "Sample clip", "source": source})
    (model,), _ = create_models(
        {"name": "Sample clip", "dataset": dataset, "minutes": sample.MINUTES}
    )
    return redirect(url_for("models.model", id=model), 303)


def _wanted(kind: str) -> Wanted:
    told = request.args
    order, after = told.get(f"{kind}s.sort", "-made"), told.get(f"{kind}s.after", "")
    return Wanted(
        told.get("q", "").strip(), told.get("state", ""), told.get("group", ""), order, after
    )


def _page(kind: str, wanted: Wanted) -> Page:
    try:
        return page(kind, wanted)
    except ValueError as problem:
        abort(400, f"{HEADINGS[kind]}: {problem}")


def _running(row: JobRow) -> dict[str, Any]:
    told = ("progress", "losses", "hardware", "gpus", "seq")
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "gain": row.gain,
        **{key: row.view[key] for key in told},
    }


def _columns(kind: str, grouped: bool) -> list[Column]:
    """Those that this browser was told to show, and always the name."""
    chosen = request.cookies.get(_cookie(kind), "").split(".")
    if chosen == [""]:
        return [
            column
            for column in COLUMNS[kind]
            if column.usual or (column.name == "group" and grouped)
        ]
    return [column for column in COLUMNS[kind] if column.name in ("name", *chosen)]


def _cookie(kind: str) -> str:
    return f"columns-{kind}"


@blueprint.post("/columns/<any(dataset, model, test):kind>")
def choose_columns(kind: str) -> Any:
    """Remember, in this browser, which columns a list shows."""
    known = [column.name for column in COLUMNS[kind]]
    chosen = [name for name in known if name in request.form.getlist("columns")]
    answer = make_response(redirect(_back(f"#{kind}s"), 303))
    answer.set_cookie(
        _cookie(kind), ".".join(["name", *chosen]), max_age=YEAR, httponly=True, samesite="Lax"
    )
    return answer


@blueprint.post("/jobs/many")
def change_many() -> Any:
    """Abort, delete or group the jobs `ids`, as far as it can be done; what could not is told."""
    action, ids = request.form.get("action", ""), list(dict.fromkeys(request.form.getlist("ids")))
    if action not in ENDED:
        abort(400, "Choose what to do with these jobs: abort, delete or group.")
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
        title="Not all done",
        done=ENDED[action],
        refused=refused,
        of=len(ids),
        back=_back(),
    ), 409


def _act(action: str, row: JobRow) -> None:
    if action == "abort":
        catalog().abort(row.id)
    elif action == "delete":
        delete(row.id)
    else:
        describe(row, {"group": request.form.get("group", "")})


def _back(anchor: str = "") -> str:
    """The page that the form stood on."""
    told = request.form.get("back", "")
    return (told if told.startswith(f"{request.script_root}/?") else url_for(".show")) + anchor


@blueprint.app_template_global()
def with_args(**changes: str) -> str:
    """The home page as it is asked for now, but for what is changed; `models__sort` stands for `models.sort`. "" removes."""
    args = {
        **request.args.to_dict(),
        **{name.replace("__", "."): value for name, value in changes.items()},
    }
    kept = {name: value for name, value in args.items() if value}
    return f"{request.script_root}/" + ("?" + urlencode(kept) if kept else "")
