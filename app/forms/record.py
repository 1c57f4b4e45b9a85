"""Record of a job: what is needed to reproduce it, and what it was made from.

The job's page offers it for copying; the ZIP of a job contains it.
"""

import json
from typing import Any, cast

from app.answers import RecordSource, RunRecord
from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
from app.forms.command_line import as_command
from jobs.core.types.facts import TrainingFacts
from jobs.core.types.summaries import JobSummary
from jobs.core.view import without

FACTS = tuple(TrainingFacts.__annotations__)
"""Keys of the `facts` events of a training."""

PICTURES = frozenset({"samples", "layers", "worst_pairs", "best_pairs"})
"""Parts of a summary that refer to image files; the record leaves them out."""


def record(row: JobRow, catalog: Catalog) -> RunRecord:
    """The job's spec, the command that recreates it, and its results."""
    summary = row.view["summary"]
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "state": row.state,
        "reason": row.view["reason"],
        "created": row.created,
        "started": row.view["started"],
        "finished": row.view["finished"],
        "command": as_command(row.kind, row.spec),
        "seed": row.spec.get("seed"),
        "spec": row.spec,
        "made_from": [_source(id, catalog) for id in _source_ids(row)],
        "facts": _facts(summary),
        "summary": without(summary, {*FACTS, *PICTURES}),
    }


def _facts(summary: JobSummary) -> TrainingFacts:
    everything = cast(dict[str, Any], summary)
    return cast(TrainingFacts, {key: everything[key] for key in FACTS if key in everything})


def as_files(record: RunRecord) -> dict[str, str]:
    """A record as file contents by name. The command, if any, gets a file of its own."""
    command = {"command.txt": f"{record['command']}\n"} if record["command"] else {}
    return {"record.json": json.dumps(record, indent=1), **command}


def _source_ids(row: JobRow) -> list[str]:
    """The ids of the jobs that the spec refers to."""
    spec = row.spec
    ids = [
        spec.get("dataset"),
        *spec.get("more_datasets", []),
        spec.get("start_from"),
        spec.get("model"),
    ]
    return list(dict.fromkeys(id for id in ids if id))


def _source(id: str, catalog: Catalog) -> RecordSource:
    """Name and command of a job that another was made from; only the id if it was deleted."""
    row = catalog.get(id)
    if row is None:
        return {"id": id, "kind": None, "name": None, "command": ""}
    return {"id": id, "kind": row.kind, "name": row.name, "command": as_command(row.kind, row.spec)}
