"""What is needed to make a run again, and to tell what it was made of: for the page to copy, and in the ZIP of a job."""

import json
from typing import Any

from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
from app.forms.command_line import as_command

FACTS = (
    "parameters",
    "receptive_field",
    "multiply_adds",
    "device",
    "precision",
    "placement",
    "steps_an_epoch",
    "hardware",
    "packages",
    "dataset_hash",
)
"""What `facts` events tell of a training."""

PICTURES = frozenset({"samples", "layers", "worst_pairs", "best_pairs"})
"""Parts of a summary that speak of pictures: those are files of the job, not words of its record."""


def record(row: JobRow, catalog: Catalog) -> dict[str, Any]:
    """The job as it was asked for, the command that does so again, and what came of it."""
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
        "made_from": [_named(id, catalog) for id in _made_from(row)],
        "facts": {key: summary[key] for key in FACTS if key in summary},
        "summary": {key: value for key, value in summary.items() if key not in {*FACTS, *PICTURES}},
    }


def as_files(told: dict[str, Any]) -> dict[str, str]:
    """A record as files by their names; the command by itself, where there is one, for a shell to run."""
    command = {"command.txt": f"{told['command']}\n"} if told["command"] else {}
    return {"record.json": json.dumps(told, indent=1), **command}


def _made_from(row: JobRow) -> list[str]:
    """The ids of the jobs that the spec names."""
    spec = row.spec
    named = [
        spec.get("dataset"),
        *spec.get("more_datasets", []),
        spec.get("start_from"),
        spec.get("model"),
    ]
    return list(dict.fromkeys(id for id in named if id))


def _named(id: str, catalog: Catalog) -> dict[str, Any]:
    """What a job is called and how it is made; of one that was deleted only its id is known."""
    row = catalog.get(id)
    if row is None:
        return {"id": id, "kind": None, "name": None, "command": ""}
    return {"id": id, "kind": row.kind, "name": row.name, "command": as_command(row.kind, row.spec)}
