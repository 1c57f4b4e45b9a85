"""Lists of jobs: what their rows show, by what they are found and sorted, and a page of one.

All that a list sorts and finds by stands in columns of the table, and these in one index: a page is found in it alone, however
large the jobs' views are.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Result,
    SQLColumnExpression,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute

from app.catalog.database import JobRow, Sessions
from jobs.core.view import gain_of
from jobs.specs import TESTS, DatasetSpec, ModelSpec
from jobs.specs.base import members, titles

PAGE = 50
STATES = ("waiting", "running", "done", "error", "aborted")

TITLES = {
    "model": titles(members(ModelSpec.model_fields["network"])),
    "dataset": titles(members(DatasetSpec.model_fields["source"])),
    "test": titles(TESTS),
}


class Column(NamedTuple):
    """`key`: what it is sorted by, "" where it cannot be; `usual`: whether it is shown where nobody chose the columns."""

    name: str
    title: str
    key: str = ""
    numeric: bool = False
    usual: bool = True


_LAST = (
    Column("state", "State", "state"),
    Column("group", "Group", "group", usual=False),
    Column("seconds", "Took", "seconds", numeric=True, usual=False),
    Column("made", "Made", "made"),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "model": (
        Column("name", "Name", "name"),
        Column("of", "Dataset"),
        Column("about", "Network", "about"),
        Column("gain", "Gain", "gain", numeric=True),
        Column("psnr", "PSNR", "psnr", numeric=True, usual=False),
        Column("epoch", "Best epoch", numeric=True),
        *_LAST,
    ),
    "dataset": (
        Column("name", "Name", "name"),
        Column("about", "Source", "about", usual=False),
        Column("number", "Pairs", "number", numeric=True),
        Column("size", "Size", numeric=True),
        Column("psnr", "PSNR of input", "psnr", numeric=True),
        *_LAST,
    ),
    "test": (
        Column("name", "Name", "name"),
        Column("about", "Kind", "about"),
        Column("of", "Model"),
        Column("number", "Images", "number", numeric=True, usual=False),
        Column("psnr_input", "Input", numeric=True),
        Column("psnr", "Output", "psnr", numeric=True),
        Column("gain", "Gain", "gain", numeric=True),
        *_LAST,
    ),
}

KEYS: dict[str, InstrumentedAttribute[Any]] = {
    "name": JobRow.name,
    "about": JobRow.about,
    "group": JobRow.group,
    "state": JobRow.state,
    "number": JobRow.number,
    "psnr": JobRow.psnr,
    "gain": JobRow.gain,
    "seconds": JobRow.seconds,
}
NUMBERS = frozenset({"number", "psnr", "gain", "seconds"})


def listed(kind: str, spec: Mapping[str, Any], view: Mapping[str, Any]) -> dict[str, Any]:
    """What the table keeps of a job for lists."""
    summary = view["summary"]
    took = view["finished"] - view["started"] if view["finished"] and view["started"] else None
    row: dict[str, Any] = {
        "group": spec.get("group", ""),
        "seconds": took,
        "number": None,
        "psnr": None,
        "gain": None,
    }
    more: dict[str, Any] = {"reason": view["reason"]}
    match kind:
        case "model":
            best = summary.get("best") or {}
            row |= {
                "about": TITLES[kind].get(spec["network"]["name"], ""),
                "psnr": best.get("val/psnr"),
                "gain": gain_of(best),
            }
            more |= {"of": spec["dataset"], "epoch": best.get("epoch")}
        case "dataset":
            pairs = summary.get("pairs")
            row |= {
                "about": TITLES[kind].get(spec["source"]["kind"], ""),
                "psnr": summary.get("psnr_input"),
            }
            row["number"] = sum(pairs.values()) if pairs else None
            more["size"] = [summary["width"], summary["height"]] if "width" in summary else None
        case "test":
            scores = summary.get("mean") or summary
            before, after = scores.get("psnr_input"), scores.get("psnr_output")
            row |= {"about": TITLES[kind].get(spec.get("kind", "image"), ""), "psnr": after}
            row["gain"] = after - before if before is not None and after is not None else None
            row["number"] = summary.get("images", summary.get("frames"))
            more |= {"of": spec["model"], "psnr_input": before}
    return {**row, "shown": more}


@dataclass(frozen=True)
class Wanted:
    """`order` names a column to sort by, with - before it for the largest first; `after` is a cursor that a page gave."""

    q: str = ""
    state: str = ""
    group: str = ""
    order: str = "-made"
    after: str = ""


@dataclass(frozen=True)
class Page:
    """`total` counts all jobs that match; `next` is the cursor of the page after this one, "" for the last."""

    jobs: list[dict[str, Any]]
    total: int
    next: str


def page(kind: str, wanted: Wanted, size: int = PAGE) -> Page:
    """The rows of a list. Raises ValueError for an order or a cursor that is none."""
    falling, name = wanted.order.startswith("-"), wanted.order.removeprefix("-")
    if name != "made" and name not in KEYS:
        raise ValueError(f"Jobs cannot be sorted by {name}.")
    key = _key(name, falling)
    matching = _matching(kind, wanted)
    place, by = (
        tuple_(key, JobRow.id),
        (key.desc(), JobRow.id.desc()) if falling else (key, JobRow.id),
    )
    query = select(JobRow.id, key).where(*matching).order_by(*by).limit(size + 1)
    if wanted.after:
        last = tuple_(*_place(wanted.after, name))
        query = query.where(place < last if falling else place > last)
    with Sessions() as session:
        found = session.execute(query).all()
        total = session.scalar(select(func.count()).select_from(JobRow).where(*matching)) or 0
        ids = [id for id, _ in found[:size]]
        rows = {row["id"]: row for row in _rows(session.execute(_ROW.where(JobRow.id.in_(ids))))}
        of = session.execute(
            select(JobRow.id, JobRow.name).where(JobRow.id.in_(_others(rows.values())))
        )
        names = {id: name for id, name in of}
    jobs = [{**rows[id], "of_name": names.get(rows[id].get("of", ""))} for id in ids if id in rows]
    return Page(
        jobs, total, f"{found[size - 1][0]}~{found[size - 1][1]}" if len(found) > size else ""
    )


_ROW = select(
    *(
        JobRow.id,
        JobRow.kind,
        JobRow.name,
        JobRow.state,
        JobRow.created,
        JobRow.group,
        JobRow.about,
        JobRow.number,
    ),
    *(JobRow.psnr, JobRow.gain, JobRow.seconds, JobRow.shown),
)


def _rows(found: Result[Any]) -> list[dict[str, Any]]:
    return [{**row, **row["shown"]} for row in found.mappings()]


def _others(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The dataset of each model, the model of each test."""
    return {row["of"] for row in rows if "of" in row}


def _key(name: str, falling: bool) -> SQLColumnExpression[Any]:
    """What is sorted by, never NULL: what has no number is last, whichever way."""
    if name == "made":
        return JobRow.id  # Ids begin with the time.
    if name in NUMBERS:
        return func.coalesce(KEYS[name], -1e300 if falling else 1e300)
    return func.lower(KEYS[name])


def _place(cursor: str, name: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    id, separator, value = cursor.partition("~")
    if not separator:
        raise ValueError("That is no place in this list.")
    if name not in NUMBERS:
        return literal(value), literal(id)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("That is no place in this list.")
    return literal(number), literal(id)


def _matching(kind: str, wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [JobRow.kind == kind]
    if wanted.state:
        conditions.append(JobRow.state == wanted.state)
    if wanted.group:
        conditions.append(JobRow.group == wanted.group)
    for word in wanted.q.split():
        conditions.append(
            or_(
                *(
                    one.icontains(word, autoescape=True)
                    for one in (JobRow.name, JobRow.group, JobRow.about)
                )
            )
        )
    return conditions


def groups() -> list[str]:
    """The groups that there are."""
    with Sessions() as session:
        found = session.scalars(
            select(JobRow.group).where(JobRow.kind.in_(COLUMNS), JobRow.group != "").distinct()
        )
        return sorted(found, key=str.casefold)
