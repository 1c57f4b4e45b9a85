"""An ECB network that corrects Y, computed in 8 bits on a CPU: in half the time of bfloat16.

Inputs and the outputs of ReLUs are uint8, weights int8 (7 bits of it), sums int32. So that 256
levels fit each map, it is divided by its largest value, and the weights of the next layer are
multiplied by that (Nagel, van Baalen, Blankevoort, Welling: Data-Free Quantization Through Weight
Equalization and Bias Correction, ICCV 2019). The largest values are those for drawn pictures: no
data are needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.build import GraphNetwork
from models.definitions.networks import ecbnet
from models.definitions.operations import Conv, Power

LARGEST, LARGEST_WEIGHT = 255, 63
"""The largest value of uint8, and the largest weight; the smallest is its negative.

CPUs without VNNI add two products in 16 bits: 2 x 255 x 127 would not fit. So the output is the
same on all of them. Measured: 127 would gain no more on seven clips, and up to 0.02 dB more on
test patterns, text and originals that were compressed before.
"""
LEAST_RANGE = 0.01
"""The least range of a map, as a share of the largest of its layer."""
MID_QP = 30
"""The QP for which the rounded weights of the QP are right."""
DRAWN_QPS, DRAWN_SIDE, MACROBLOCK = (18, 45), 64, 16
"""Of the drawn pictures: the least and the largest QP, width and height, and pixels of one QP."""
MOST_LAYERS, MOST_MAPS = 8, 32
"""Of networks whose gain in 8 bits was measured, with some room."""


def fits(net: nn.Module) -> TypeGuard[GraphNetwork]:
    """Whether EightBits can compute a network: an ECB network for Y, not a large one."""
    if not isinstance(net, GraphNetwork):
        return False
    graph = net.graph
    convs = [node.op for node in graph.nodes if isinstance(node.op, Conv) and node.op.branches]
    if not convs or len(convs) > MOST_LAYERS or convs[0].maps > MOST_MAPS:
        return False
    return graph == ecbnet(1, len(convs), convs[0].maps, graph.takes_qp)


class EightBits:
    """The change that an ECB network makes to Y.

    `net`: such that it `fits`, folded, in float32 and in eval mode. `black` and `white`: the values
    of Y of black and white.
    """

    def __init__(self, net: GraphNetwork, black: float, white: float) -> None:
        self.black, self.white = black, white
        layers = {node.name: net.layer(node) for node in net.graph.nodes}
        powers = {node.name: node.op for node in net.graph.nodes if isinstance(node.op, Power)}
        convs = [layer for name, layer in layers.items() if name.startswith("conv")]
        self._takes_qp, self._middle = net.graph.takes_qp, (black + white) / 2
        step = powers["centre"].scale / (white - black)
        with torch.inference_mode():
            self._layers = list(_rounded(convs, _ranges(layers), self._middle, step))
            self._factors = torch.full((LARGEST + 1,), powers["correction"].scale)
            """By 5 QP: what the last layer's output is multiplied by."""
            if self._takes_qp:
                qps = torch.arange(LARGEST + 1)[:, None, None, None] / LARGEST
                strength = layers["strength2"](F.relu(layers["strength1"](qps)))
                self._factors *= strength.flatten()

    @torch.inference_mode()
    def __call__(self, planes: Tensor) -> Tensor:
        """Y and, if the network takes it, 5 QP, uint8 (N, 1 or 2, H, W), to the change of Y.

        That is float32 (N, 1, H, W): 1 is from black to white.
        """
        values = _padded(planes, round(self._middle))
        for layer in self._layers:
            values = layer(values)
        if not self._takes_qp:
            return values.mul_(self._factors[0])
        qps = planes[:, 1:].long()
        return values.mul_(self._factors.index_select(0, qps.flatten()).view_as(qps))


@dataclass(frozen=True)
class Layer:
    """A convolution, and the ReLU behind it unless it is the last.

    `weight` is packed by oneDNN. `scales` are the steps of the weights by map, `input_scale` that
    of the inputs.
    """

    weight: Any
    scales: Tensor
    bias: Tensor
    input_scale: float
    pad: int
    is_last: bool

    def __call__(self, input: Tensor) -> Tensor:
        """uint8 (N, maps, H, W) to uint8, or from the last layer to float32."""
        scale, dtype = (1.0, torch.float32) if self.is_last else (1 / LARGEST, torch.uint8)
        output: Tensor = torch.ops.onednn.qconv2d_pointwise(
            input,
            self.input_scale,
            0,
            self.weight,
            self.scales,
            torch.zeros(len(self.scales), dtype=torch.int64),
            self.bias,
            (1, 1),
            (self.pad, self.pad),
            (1, 1),
            1,
            scale,
            0,
            dtype,
            "none" if self.is_last else "relu",
            [],
            "",
        )
        return output


def _rounded(
    convs: list[nn.Module], ranges: list[Tensor], middle: float, step: float
) -> Iterator[Layer]:
    """The layers, whose outputs are divided by `ranges`. A `step` of Y is one of the input."""
    input_scale = step
    for number, conv in enumerate(convs):
        assert type(conv) is nn.Conv2d, "the network is not folded"
        assert conv.bias is not None
        weight, bias = conv.weight.clone(), conv.bias.clone()
        is_first, is_last = number == 0, number == len(ranges)
        if is_first:
            weight[:, 1:] /= LARGEST * step
        else:
            weight *= ranges[number - 1][:, None, None]
        if not is_last:
            weight /= ranges[number][:, None, None, None]
            bias /= ranges[number]
        scales = weight.abs().amax((1, 2, 3)).clamp(min=1e-12) / LARGEST_WEIGHT
        rounded = (weight / scales[:, None, None, None]).round()
        if is_first:  # Its inputs are far from zero: without this, errors of weights would add up.
            inputs = step * torch.tensor([middle, 5.0 * MID_QP])[: weight.shape[1]]
            error = (rounded * scales[:, None, None, None] - weight).sum((2, 3))
            bias -= weight[:, 0].sum((1, 2)) * inputs[0] + error @ inputs
        pad = 0 if is_first else 1  # The first has its inputs padded, each with its own zero.
        packed = torch.ops.onednn.qconv_prepack(
            rounded.to(torch.int8), scales, input_scale, 0, (1, 1), (pad, pad), (1, 1), 1, None
        )
        yield Layer(packed, scales, bias, input_scale, pad, is_last)
        input_scale = 1 / LARGEST


def _padded(planes: Tensor, gray: int) -> Tensor:
    """Planes with a pixel more at each side: Y is gray there, and the QP 0. Channels last."""
    count, channels, height, width = planes.shape
    padded = planes.new_zeros((count, height + 2, width + 2, channels))
    for edge in (padded[:, :: height + 1], padded[:, :, :: width + 1]):
        edge[..., 0] = gray
    padded[:, 1:-1, 1:-1] = planes.permute(0, 2, 3, 1)
    return padded.permute(0, 3, 1, 2)


def _ranges(layers: dict[str, nn.Module]) -> list[Tensor]:
    """The largest values of each map of the ReLUs, by layer, for drawn pictures."""
    y, qp = _drawn()
    conv = layers["conv1"]
    assert isinstance(conv, nn.Conv2d)
    values = torch.cat((layers["centre"](y), qp), 1)[:, : conv.in_channels]
    ranges = []
    for name, layer in layers.items():
        if name.startswith(("conv", "relu")):
            values = layer(values)
        if name.startswith("relu"):
            largest = values.amax((0, 2, 3))
            ranges.append(largest.clamp(min=max(LEAST_RANGE * float(largest.max()), 1e-6)))
    return ranges


def _drawn() -> tuple[Tensor, Tensor]:
    """Noise with detail of all sizes, smooth and in blocks, and blocks of black and white.

    Y in 0 to 1 and QP / 51, (N, 1, DRAWN_SIDE, DRAWN_SIDE).
    """
    random = torch.Generator().manual_seed(0)

    def noise(block: int, mode: str) -> Tensor:
        side = -(-DRAWN_SIDE // block)
        small = torch.rand((1, 1, side, side), generator=random)
        return F.interpolate(small, scale_factor=block, mode=mode)[..., :DRAWN_SIDE, :DRAWN_SIDE]

    pictures = []
    for mode in ("bilinear", "nearest"):
        for fine in (0.5, 0.3):
            picture = noise(1, mode)
            for block in (2, 4, 8, 16, 32, 64):
                picture = fine * picture + (1 - fine) * noise(block, mode)
            pictures.append((picture - picture.min()) / (picture.max() - picture.min()))
    for block in (1, 2, 3, 5, 8, 16):
        for black in (0.15, 0.5, 0.85):
            pictures.append((noise(block, "nearest") > black).float())
    least, largest = DRAWN_QPS
    qps = [least + (largest - least) * noise(MACROBLOCK, "nearest") for _ in pictures]
    return torch.cat(pictures), torch.cat(qps).round() / 51
