"""Lists of jobs: their columns, the search and sort keys, and the pages of a list.

Every search and sort key is a column of the table, and one index covers these columns. So a query
for a page reads only the index, however large the jobs' views are.
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

from app.catalog.database import JobRow, Sessions, all_rows
from jobs.core.types.summaries import View
from jobs.core.view import gain_of
from jobs.specs import TESTS, DatasetSpec, ModelSpec
from jobs.specs.base import members, titles

PAGE = 50
STATES = ("waiting", "running", "done", "error", "aborted")

TITLES = {
    "model": {**titles(members(ModelSpec.model_fields["network"])), "custom": "prototxt"},
    "dataset": titles(members(DatasetSpec.model_fields["source"])),
    "test": titles(TESTS),
}
"""What lists call the network of a model, the source of a dataset, the kind of a test, by tag."""


class Column(NamedTuple):
    """A column of a list.

    `key` names the sort key in SORT_KEYS, or "made"; "" if the list cannot be sorted by the column.
    `default`: shown unless the user chooses other columns.
    """

    name: str
    title: str
    key: str = ""
    numeric: bool = False
    default: bool = True


_LAST = (
    Column("state", "State", "state"),
    Column("group", "Group", "group", default=False),
    Column("owner", "Made by", "owner", default=False),
    Column("seconds", "Duration", "seconds", numeric=True, default=False),
    Column("made", "Created", "made"),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "model": (
        Column("name", "Name", "name"),
        Column("gain", "Gain", "gain", numeric=True),
        Column("of", "Dataset"),
        Column("about", "Network", "about"),
        Column("psnr", "PSNR", "psnr", numeric=True, default=False),
        Column("epoch", "Best epoch", numeric=True),
        *_LAST,
    ),
    "dataset": (
        Column("name", "Name", "name"),
        Column("about", "Source", "about", default=False),
        Column("number", "Pairs", "number", numeric=True),
        Column("size", "Size", numeric=True),
        Column("psnr", "PSNR of input", "psnr", numeric=True),
        *_LAST,
    ),
    "test": (
        Column("name", "Name", "name"),
        Column("gain", "Gain", "gain", numeric=True),
        Column("about", "Kind", "about"),
        Column("of", "Model"),
        Column("number", "Images", "number", numeric=True, default=False),
        Column("psnr_input", "Input", numeric=True),
        Column("psnr", "Output", "psnr", numeric=True),
        *_LAST,
    ),
}

SORT_KEYS: dict[str, InstrumentedAttribute[Any]] = {
    "name": JobRow.name,
    "about": JobRow.about,
    "group": JobRow.group,
    "owner": JobRow.owner,
    "state": JobRow.state,
    "number": JobRow.number,
    "psnr": JobRow.psnr,
    "gain": JobRow.gain,
    "seconds": JobRow.seconds,
}
NUMERIC_KEYS = frozenset({"number", "psnr", "gain", "seconds"})


def list_columns(kind: str, spec: Mapping[str, Any], view: View) -> dict[str, Any]:
    """The values of a job's list columns: `group` to `shown` of `JobRow`."""
    summary = view["summary"]
    seconds = view["finished"] - view["started"] if view["finished"] and view["started"] else None
    columns: dict[str, Any] = {
        "group": spec.get("group", ""),
        "tags": "".join(f",{tag}" for tag in spec.get("tags", [])) + ",",
        "seconds": seconds,
        "number": None,
        "psnr": None,
        "gain": None,
    }
    shown: dict[str, Any] = {"reason": view["reason"]}
    match kind:
        case "model":
            best = summary.get("best")
            columns |= {
                "about": TITLES[kind].get(spec["network"]["name"], ""),
                "psnr": best and best.get("val/psnr"),
                "gain": gain_of(best),
            }
            shown |= {"of": spec["dataset"], "epoch": best and best["epoch"]}
        case "dataset":
            pairs = summary.get("pairs")
            columns |= {
                "about": TITLES[kind].get(spec["source"]["kind"], ""),
                "psnr": summary.get("psnr_input"),
            }
            columns["number"] = sum(pairs.values()) if pairs else None
            shown["size"] = [summary["width"], summary["height"]] if "width" in summary else None
        case "test":
            scores = summary.get("mean") or summary
            before, after = scores.get("psnr_input"), scores.get("psnr_output")
            columns |= {"about": TITLES[kind].get(spec.get("kind", "image"), ""), "psnr": after}
            columns["gain"] = after - before if before is not None and after is not None else None
            columns["number"] = summary.get("images", summary.get("frames"))
            network = {"of": spec["model"]} if spec["model"] else {"starter": spec["starter"]}
            shown |= {**network, "psnr_input": before}
    return {**columns, "shown": shown}


@dataclass(frozen=True)
class ListQuery:
    """The search, sort order and position of a page.

    `order` names a sort key, with a - before it for descending order. `after` is the cursor that
    the previous page returned.
    """

    q: str = ""
    state: str = ""
    group: str = ""
    tag: str = ""
    owner: str = ""
    order: str = "-made"
    after: str = ""


@dataclass(frozen=True)
class Page:
    """A page of a list.

    `total` counts all matching jobs. `next` is the cursor of the next page, "" on the last.
    """

    jobs: list[dict[str, Any]]
    total: int
    next: str


def page(kind: str, query: ListQuery, size: int = PAGE) -> Page:
    """The page of a list. Raises ValueError for an unknown sort key or an invalid cursor."""
    descending, name = query.order.startswith("-"), query.order.removeprefix("-")
    if name != "made" and name not in SORT_KEYS:
        raise ValueError(f"Jobs cannot be sorted by {name}.")
    key = _sort_key(name, descending)
    conditions = _conditions(kind, query)
    place, by = (
        tuple_(key, JobRow.id),
        (key.desc(), JobRow.id.desc()) if descending else (key, JobRow.id),
    )
    select_keys = select(JobRow.id, key).where(*conditions).order_by(*by).limit(size + 1)
    if query.after:
        last = tuple_(*_decoded(query.after, name))
        select_keys = select_keys.where(place < last if descending else place > last)
    with Sessions() as session:
        matches = session.execute(select_keys).all()
        total = session.scalar(select(func.count()).select_from(JobRow).where(*conditions)) or 0
        ids = [id for id, _ in matches[:size]]
        rows = {row["id"]: row for row in _rows(session.execute(_ROW.where(JobRow.id.in_(ids))))}
        origins = session.execute(
            select(JobRow.id, JobRow.name).where(JobRow.id.in_(_origins(rows.values())))
        )
        names = {id: name for id, name in origins}
    jobs = [{**rows[id], "of_name": names.get(rows[id].get("of", ""))} for id in ids if id in rows]
    has_next = len(matches) > size
    return Page(jobs, total, f"{matches[size - 1][0]}~{matches[size - 1][1]}" if has_next else "")


_ROW = select(
    *(
        JobRow.id,
        JobRow.kind,
        JobRow.name,
        JobRow.state,
        JobRow.created,
        JobRow.group,
        JobRow.tags,
        JobRow.owner,
        JobRow.about,
        JobRow.number,
    ),
    *(JobRow.psnr, JobRow.gain, JobRow.seconds, JobRow.shown),
)


def _rows(result: Result[Any]) -> list[dict[str, Any]]:
    return [{**row, **row["shown"], "tags": tags_in(row["tags"])} for row in result.mappings()]


def _origins(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ids of the dataset of each model and of the model of each test."""
    return {row["of"] for row in rows if "of" in row}


def _sort_key(name: str, descending: bool) -> SQLColumnExpression[Any]:
    """The expression to sort by. It is never NULL: rows without a number come last either way."""
    if name == "made":
        return JobRow.id  # Ids sort by time.
    if name in NUMERIC_KEYS:
        return func.coalesce(SORT_KEYS[name], -1e300 if descending else 1e300)
    return func.lower(SORT_KEYS[name])


def _decoded(cursor: str, name: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The sort key and the id after which the page begins. Raises ValueError."""
    id, separator, value = cursor.partition("~")
    if not separator:
        raise ValueError("The cursor is not valid for this list.")
    if name not in NUMERIC_KEYS:
        return literal(value), literal(id)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("The cursor is not valid for this list.")
    return literal(number), literal(id)


def _conditions(kind: str, query: ListQuery) -> list[ColumnElement[bool]]:
    conditions = [JobRow.kind == kind]
    if query.state:
        conditions.append(JobRow.state == query.state)
    if query.group:
        conditions.append(JobRow.group == query.group)
    if query.owner:
        conditions.append(JobRow.owner == query.owner)
    if query.tag:
        conditions.append(has_tag(query.tag))
    for word in query.q.split():
        conditions.append(
            or_(
                *(
                    column.icontains(word, autoescape=True)
                    for column in (JobRow.name, JobRow.group, JobRow.tags, JobRow.about)
                )
            )
        )
    return conditions


def groups() -> list[str]:
    """The names of all groups, sorted."""
    return _distinct(JobRow.group)


def owners() -> list[str]:
    """The names of all users who made jobs, sorted."""
    return _distinct(JobRow.owner)


def _distinct(column: InstrumentedAttribute[str]) -> list[str]:
    names = all_rows(select(column).where(JobRow.kind.in_(COLUMNS), column != "").distinct())
    return sorted((name for (name,) in names), key=str.casefold)


def has_tag(tag: str) -> ColumnElement[bool]:
    """The condition that a job has a tag, in any case of its letters."""
    return JobRow.tags.contains(f",{tag.strip().lower()},", autoescape=True)


def tags_in(column: str) -> list[str]:
    """The tags in a value of the column `tags`: ",a,b,"."""
    return [tag for tag in column.split(",") if tag]


def tags() -> list[str]:
    """All tags of all jobs, sorted."""
    columns = all_rows(select(JobRow.tags).where(JobRow.kind.in_(COLUMNS)).distinct())
    return sorted({tag for (column,) in columns for tag in tags_in(column)})
