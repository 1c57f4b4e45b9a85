"""Identity start: the initial output of a network is its input, so that it learns only the change.

If a branch is added to the image, the branch's last convolution starts at zero. Without
such a sum, Dirac weights carry the image along the first maps of each layer: an image is never
negative, so ReLUs pass it unchanged. All other weights start with their fillers.
"""

from dataclasses import dataclass, replace
from typing import Literal

from models.definitions.graph import INPUT, QP, Graph
from models.definitions.operations import (
    Activation,
    Combine,
    Concat,
    Conv,
    Crop,
    Dropout,
    Node,
    Power,
    Scale,
    Take,
)

Start = Literal["zero", "dirac"]
Starts = dict[str, Start]


@dataclass(frozen=True)
class _Carried:
    """With these starts, the first channels of a node are `scale * image + shift`."""

    starts: Starts
    scale: float = 1.0
    shift: float = 0.0
    lowest: float = 0.0
    """The lowest value of the image."""

    @property
    def never_negative(self) -> bool:
        return self.scale >= 0 and self.scale * self.lowest + self.shift >= 0


def identity_start(graph: Graph, signed: bool = False) -> Starts | None:
    """The starts of convolutions that make the output equal the image; None if none exist.

    `signed`: whether the image has values below zero, down to -1.
    """
    search = _Search(graph, -1.0 if signed else 0.0)
    for node in graph.nodes:  # In topological order, no search recurses deeper than a layer.
        search.carry(node.name)
        search.zero(node.name)
    carried = search.carry(graph.output)
    if carried is None or abs(carried.scale - 1) > 1e-6 or abs(carried.shift) > 1e-6:
        return None
    return carried.starts


class _Search:
    """Search backwards from the output, by node name."""

    def __init__(self, graph: Graph, lowest: float) -> None:
        self._nodes = {node.name: node for node in graph.nodes}
        # Caches: each node is visited once, however many paths lead to it.
        self._carried: dict[str, _Carried | None] = {INPUT: _Carried({}, lowest=lowest)}
        self._zeroed: dict[str, Starts | None] = {INPUT: None}
        if graph.takes_qp:
            self._carried[QP] = self._zeroed[QP] = None
        self._channels = graph.channels
        self._shapes = graph.shapes()

    def carry(self, name: str) -> _Carried | None:
        if name not in self._carried:
            self._carried[name] = self._carry(self._nodes[name])
        return self._carried[name]

    def _carry(self, node: Node) -> _Carried | None:
        if any(node.shared):  # Its start would be that of other layers too.
            return None
        match node.op:
            case Combine(kind="sum") as sum:
                return self._carry_sum(node.inputs, sum.factors or (1.0,) * len(node.inputs))
            case Conv() as conv:
                fits = (
                    conv.keeps_size
                    and conv.groups == 1
                    and not conv.transposed
                    and conv.maps >= self._channels
                )
                before = self.carry(node.inputs[0]) if fits else None
                return before and replace(before, starts={**before.starts, node.name: "dirac"})
            case Power(power=1.0) as power:
                before = self.carry(node.inputs[0])
                return before and replace(
                    before,
                    scale=before.scale * power.scale,
                    shift=before.shift * power.scale + power.shift,
                )
            case Activation(kind="relu" | "prelu" | "elu"):
                before = self.carry(node.inputs[0])
                return before if before and before.never_negative else None
            case Scale(start=1.0) | Dropout() | Concat():
                return (
                    self.carry(node.inputs[0])
                    if self._shapes[node.inputs[0]].channels >= self._channels
                    else None
                )
            case Take(first=0):
                return self.carry(node.inputs[0])
        return None

    def _carry_sum(self, inputs: tuple[str, ...], factors: tuple[float, ...]) -> _Carried | None:
        """A single summand carries the image, all others start at zero. INPUT is tried first."""
        for chosen in sorted(inputs, key=lambda name: name != INPUT):
            image = self.carry(chosen)
            others = [self.zero(name) for name in inputs if name != chosen]
            if image is None or len(others) != len(inputs) - 1:
                continue
            starts = _merged([image.starts, *others])
            factor = factors[inputs.index(chosen)]
            if starts is not None:
                return replace(
                    image, starts=starts, scale=image.scale * factor, shift=image.shift * factor
                )
        return None

    def zero(self, name: str) -> Starts | None:
        """The starts that make a node's output zero but let it learn: a zero last convolution."""
        if name not in self._zeroed:
            self._zeroed[name] = self._zero(self._nodes[name])
        return self._zeroed[name]

    def _zero(self, node: Node) -> Starts | None:
        match node.op:
            case Conv() if not any(node.shared):
                return {node.name: "zero"}
            case Power(power=1.0, shift=0.0) | Dropout() | Take() | Crop():
                return self.zero(node.inputs[0])
            case Combine(kind="sum"):
                return _merged([self.zero(name) for name in node.inputs])
            case Combine(kind="product"):
                zeros = (self.zero(name) for name in node.inputs)
                return next((starts for starts in zeros if starts is not None), None)
        return None


def _merged(parts: list[Starts | None]) -> Starts | None:
    """All starts; None if any part is None, or if two parts start a layer differently."""
    starts: Starts = {}
    for part in parts:
        if part is None or any(starts.get(name, start) != start for name, start in part.items()):
            return None
        starts |= part
    return starts
