"""A graph as it restores videos on a CPU: with the same output in fewer operations."""

from collections import Counter
from typing import Literal

import torch
from torch import Tensor, nn

from models.build import GraphNetwork, Power
from models.definitions.graph import INPUT, QP, Graph
from models.definitions.operations import Node

LEVELS = 256
"""The values that a QP plane may have: it is stored as uint8."""


class FusedNetwork(nn.Module):
    """A folded graph as a module like GraphNetwork, whose convolutions compute in `dtype`.

    ReLUs are part of the convolution before them. Layers of single pixels that see the QP alone are
    looked up. For inference only.
    """

    def __init__(self, net: GraphNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        self.graph: Graph = net.graph
        self.layers = nn.ModuleList()
        self._steps: list[tuple[str, tuple[str, ...]]] = []
        of_qp: dict[str, list[nn.Module]] = {QP: []} if self.graph.takes_qp else {}
        fused: dict[str, tuple[Node, nn.Conv2d]] = {}
        users = Counter(name for node in self.graph.nodes for name in node.inputs)
        before_relu = {
            node.inputs[0] for node in self.graph.nodes if isinstance(net.layer(node), nn.ReLU)
        }
        for node in self.graph.nodes:
            layer, inputs = net.layer(node), node.inputs
            if _is_of_pixels(layer) and inputs[0] in of_qp:
                of_qp[node.name] = [*of_qp[inputs[0]], layer]
                continue
            for name in inputs:
                self._add_lookup(name, of_qp)
            if isinstance(layer, nn.Conv2d):
                is_fused = node.name in before_relu and users[node.name] == 1
                if is_fused and node.name != self.graph.output:
                    fused[node.name] = node, layer
                    continue
                layer = FusedConv(layer, False, dtype)
            elif isinstance(layer, nn.ReLU) and inputs[0] in fused:
                convolution, conv = fused[inputs[0]]
                layer, inputs = FusedConv(conv, True, dtype), convolution.inputs
            self._add(node.name, layer, inputs)
        self._add_lookup(self.graph.output, of_qp)
        self._last_use = {name: step for step, inputs in self._steps for name in inputs}

    def _add_lookup(self, name: str, of_qp: dict[str, list[nn.Module]]) -> None:
        if of_qp.get(name):
            self._add(name, Lookup(nn.Sequential(*of_qp.pop(name))), (QP,))

    def _add(self, name: str, layer: nn.Module, inputs: tuple[str, ...]) -> None:
        self.layers.append(layer)
        self._steps.append((name, inputs))

    def forward(self, image: Tensor) -> Tensor:
        channels = self.graph.channels
        values = {INPUT: image[:, :channels], QP: image[:, channels:]}
        for layer, (name, inputs) in zip(self.layers, self._steps, strict=True):
            values[name] = layer(*[values[source] for source in inputs])
            for source in set(inputs):
                if self._last_use[source] == name and source != self.graph.output:
                    del values[source]
        return values[self.graph.output]


def _is_of_pixels(layer: nn.Module) -> bool:
    """Whether an output pixel of a layer depends on one pixel of its input alone."""
    if isinstance(layer, nn.Conv2d):
        return layer.kernel_size == (1, 1) and layer.stride == (1, 1) and layer.padding == (0, 0)
    return isinstance(layer, nn.ReLU | Power)


class FusedConv(nn.Module):
    """A convolution, with `relu` the ReLU behind it too, as one operation of oneDNN in `dtype`."""

    def __init__(self, conv: nn.Conv2d, relu: bool, dtype: torch.dtype) -> None:
        super().__init__()
        assert type(conv) is nn.Conv2d, "the network is not folded"
        weight = conv.weight.detach().to(dtype, memory_format=torch.channels_last)
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = (
            None
            if conv.bias is None
            else nn.Parameter(conv.bias.detach().to(dtype), requires_grad=False)
        )
        self._shape = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self._activation: Literal["relu", "none"] = "relu" if relu else "none"

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = torch.ops.mkldnn._convolution_pointwise(
            input.to(self.weight.dtype),
            self.weight,
            self.bias,
            *self._shape,
            self._activation,
            [],
            "",
        )
        return output


class Lookup(nn.Module):
    """Layers that see one pixel of the QP, computed for each of its values.

    QP / 51 (N, 1, H, W), a multiple of 1 / 255, to (N, maps, H, W).
    """

    table: Tensor

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        values = torch.arange(LEVELS) / (LEVELS - 1)
        with torch.inference_mode():
            table = layers(values[None, None, None])[0, :, 0]
        self.register_buffer("table", table.clone(), persistent=False)

    def forward(self, qp: Tensor) -> Tensor:
        count, _, height, width = qp.shape
        index = (qp * (LEVELS - 1)).round_().long().flatten()
        return self.table.index_select(1, index).view(-1, count, height, width).transpose(0, 1)
