"""Weights that several layers of a Caffe network share: blobs with a common `param { name: … }`."""

from collections import Counter
from collections.abc import Sequence

from models.definitions.caffe.text import CaffeLayer
from models.definitions.graph import Graph
from models.definitions.operations import BatchNorm, GraphError


def shared_names(layers: Sequence[CaffeLayer]) -> set[str]:
    """The names of the blobs that several layers have, or that a layer has twice.

    As in Caffe (net.cpp, AppendParam) an lr_mult or decay_mult may stand at any of the layers and
    holds for all: it is set at each. Raises GraphError for layers that differ in it.
    """
    params = [(param, layer) for layer in layers for param in layer.message.param if param.name]
    counts = Counter(param.name for param, _ in params)
    names = {name for name, count in counts.items() if count > 1}
    given: dict[tuple[str, str], float] = {}
    for param, layer in params:
        for factor in ("lr_mult", "decay_mult"):
            value = getattr(param, factor)
            if param.HasField(factor) and given.setdefault((param.name, factor), value) != value:
                raise GraphError(
                    f"“{layer.name}” shares “{param.name}” with another layer, but has the "
                    f"{factor} {value:g} instead of {given[param.name, factor]:g}. "
                    "Give both the same.",
                    layer.line,
                )
    for param, _ in params:
        for factor in ("lr_mult", "decay_mult"):
            if (param.name, factor) in given:
                setattr(param, factor, given[param.name, factor])
    return names


def check_statistics(graph: Graph) -> None:
    """Raises GraphError unless layers that share a blob of a BatchNorm have the same of it.

    Its blobs are not learned: mean, variance, and the weight of both.
    """
    shapes = graph.shapes()
    owners: dict[str, tuple[str, str]] = {}
    for node in graph.nodes:
        channels = graph.inputs_of(node, shapes)
        for number, name in enumerate(node.shared):
            blob = "learned"
            if isinstance(node.op, BatchNorm):
                blob = f"statistics of {channels} channels" if number < 2 else "their weight"
            owner, shared = owners.setdefault(name, (node.name, blob)) if name else ("", blob)
            if shared != blob:
                raise GraphError(
                    f"“{node.name}” shares “{name}” with “{owner}”, but has it as {blob} instead "
                    f"of {shared}. Give it a name of its own.",
                    node.line,
                )
