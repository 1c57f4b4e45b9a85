"""Route for one channel of a layer of a test.

The response comes from a file if there is one, else a warm worker computes it
(jobs/networks/channel.py).
"""

import json
from typing import Any

from flask import Blueprint, abort, current_app

from app.current import catalog
from app.problems import Invalid
from app.runner.warm import Unanswerable, WarmWorkers, WorkerLost
from jobs.core import layer_files
from jobs.core.folder import JobFolder

blueprint = Blueprint("channels", __name__, url_prefix="/tests")


@blueprint.get("/<id>/layers/<int:number>/channels/<int:channel>")
def layer_channel(id: str, number: int, channel: int) -> Any:
    row = catalog().get(id)
    if row is None or row.kind != "test":
        abort(404, f"Test {id} not found.")
    if row.spec["kind"] != "image":
        raise Invalid({"": "Only tests of one image have layers."})
    layer = _layer(row.view["summary"].get("layers", []), number)
    count = layer["shape"][0]
    if channel >= count:
        abort(
            404,
            f"Layer {number}, {layer['name']}, has no channel {channel}: "
            f"it has {count}, counted from 0.",
        )
    folder = catalog().folder(id)
    file = folder.path / f"{layer_files.of_channel(number, layer['name'], channel)}.json"
    return (
        json.loads(file.read_text(encoding="utf-8"))
        if file.exists()
        else _ask(row.spec["model"], folder, number, channel)
    )


def _layer(layers: list[dict[str, Any]], number: int) -> dict[str, Any]:
    for layer in layers:
        if layer["index"] == number:
            return layer
    count = f"it has {len(layers)}, counted from 1" if layers else "it has no layers"
    abort(404, f"The test has no layer {number}: {count}.")


def _ask(model: str, folder: JobFolder, layer: int, channel: int) -> dict[str, Any]:
    warm: WarmWorkers = current_app.extensions["warm"]
    try:
        answer = warm.ask(model, {"folder": str(folder.path), "layer": layer, "channel": channel})
    except Unanswerable as problem:
        raise Invalid({"": str(problem)}) from problem
    except WorkerLost as problem:
        abort(503, str(problem))
    return {key: value for key, value in answer.items() if key != "answer"}
