"""Route for one channel of a layer of a test.

The response comes from a file if there is one, else a warm worker computes it
(jobs/networks/channel.py).
"""

import json
from typing import cast

from flask import Blueprint, abort, current_app

from app.api.routes import route
from app.current import catalog, row_or_404
from app.parameters import ChannelNumber, Id, LayerNumber
from app.runner.warm import Unanswerable, WarmWorkers, WorkerLost
from app.validation_errors import Invalid
from jobs.core.folder import JobFolder, channel_stem
from jobs.core.types.layers import ChannelResult, ShownLayer

blueprint = Blueprint("channels", __name__, url_prefix="/tests")


@route(blueprint, "GET", "/<id>/layers/<int:number>/channels/<int:channel>")
def layer_channel(id: Id, number: LayerNumber, channel: ChannelNumber) -> ChannelResult:
    """A channel (from 0) of a layer (from 1) of a test of one image."""
    row = row_or_404(id, "test")
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
    file = folder.path / f"{channel_stem(number, layer['name'], channel)}.json"
    if file.exists():
        return cast(ChannelResult, json.loads(file.read_text(encoding="utf-8")))
    return _ask(row.spec["model"] or row.spec["starter"], folder, number, channel)


def _layer(layers: list[ShownLayer], number: int) -> ShownLayer:
    for layer in layers:
        if layer["index"] == number:
            return layer
    count = f"it has {len(layers)}, counted from 1" if layers else "it has no layers"
    abort(404, f"The test has no layer {number}: {count}.")


def _ask(network: str, folder: JobFolder, layer: int, channel: int) -> ChannelResult:
    warm: WarmWorkers = current_app.extensions["warm"]
    try:
        answer = warm.ask(network, {"folder": str(folder.path), "layer": layer, "channel": channel})
    except Unanswerable as problem:
        raise Invalid({"": str(problem)}) from problem
    except WorkerLost as problem:
        abort(503, str(problem))
    return cast(ChannelResult, {key: value for key, value in answer.items() if key != "answer"})
