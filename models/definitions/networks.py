"""The networks: functions from settings to a graph that maps an image to an image of equal size.

Differences from the papers: padding keeps the size of the image, and unless `start` is "paper",
networks start as the identity (models/definitions/identity.py).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.definitions.graph import INPUT, QP, Graph
from models.definitions.operations import (
    Activation,
    BatchNorm,
    Combine,
    Concat,
    Conv,
    Crop,
    Filler,
    Node,
    Op,
    Power,
)


@dataclass(frozen=True)
class Network:
    """An entry of the registry: `graph(channels, **settings)`."""

    title: str
    paper: str
    graph: Callable[..., Graph]

    @property
    def about(self) -> str:
        return (self.graph.__doc__ or "").strip()


NETWORKS: dict[str, Network] = {}

Define = Callable[..., Graph]


def network(name: str, title: str, paper: str) -> Callable[[Define], Define]:
    def register(graph: Define) -> Define:
        NETWORKS[name] = Network(title, paper, graph)
        return graph

    return register


class Layers:
    """Builder for a graph: each layer takes the previous output unless inputs are given."""

    def __init__(self, channels: int) -> None:
        self.channels, self.last = channels, INPUT
        self._nodes: list[Node] = []

    def add(self, name: str, op: Op, *inputs: str) -> str:
        self._nodes.append(Node(name, op, inputs or (self.last,)))
        self.last = name
        return name

    def conv(self, name: str, maps: int, side: int, *inputs: str, **more: Any) -> str:
        return self.add(name, Conv(maps, (side, side), pad=(side // 2, side // 2), **more), *inputs)

    def relu(self, name: str) -> str:
        return self.add(name, Activation("relu"))

    def centred(self, qp: bool) -> None:
        """The image over -2 to 2 and, if `qp`, the QP: what `correction` needs to learn fast.

        Measured: with inputs in 0 to 1 and a correction at full scale, a small network had not
        gained anything after 800 steps.
        """
        self.add("centre", Power(scale=4.0, shift=-2.0))
        if qp:
            self.add("with-qp", Concat(), self.last, QP)

    def correction(self, qp: bool) -> Graph:
        """The graph: the image plus the previous output, scaled to the size of coding errors.

        If `qp`, a factor that depends on the QP alone scales it too. It starts at 1. Measured: on
        unseen clips, what a network does to mild damage does harm more often than to strong damage.
        """
        self.add("correction", Power(scale=0.02))
        if qp:
            correction = self.last
            self.add("strength1", Conv(STRENGTH_MAPS, (1, 1)), QP)
            self.relu("strength-relu")
            one = Filler("constant", 1.0)
            self.add(
                "strength2", Conv(self.channels, (1, 1), weights=Filler("constant"), biases=one)
            )
            self.add("scaled", Combine("product"), correction, "strength2")
        return self.plus_image()

    def plus_image(self, skip: bool = True) -> Graph:
        """The graph. Its output is that of the last layer, added to the image if `skip`."""
        if skip:
            self.add("sum", Combine("sum"), INPUT, self.last)
        return Graph(tuple(self._nodes), self.last, self.channels)


STRENGTH_MAPS = 4
"""Maps of the factor in `correction`: it is linear in the QP between as many places."""

SMALL = Filler("gaussian", 0.001)
"""Initial weights of all layers in Dong et al."""

LAST_SLOWER: dict[str, Any] = {"weights": SMALL, "rate": (0.1, 0.1)}
"""Settings of the last layer in Dong et al.: it learns at a tenth of the rate."""


@network(
    "srcnn-9-1-5",
    "SRCNN 9-1-5",
    "Dong, Loy, He, Tang: Learning a Deep Convolutional Network for Image Super-Resolution, "
    "ECCV 2014",
)
def srcnn_915(channels: int, maps1: int = 64, maps2: int = 32, skip: bool = True) -> Graph:
    """Three layers: 9x9, 1x1, 5x5. The network of the DIGITS example."""
    return _srcnn(channels, 1, maps1, maps2, skip)


@network(
    "srcnn-9-5-5",
    "SRCNN 9-5-5",
    "Dong, Loy, He, Tang: Image Super-Resolution Using Deep Convolutional Networks, "
    "TPAMI 38(2), 2016 (arXiv 2014)",
)
def srcnn_955(channels: int, maps1: int = 64, maps2: int = 32, skip: bool = True) -> Graph:
    """Three layers: 9x9, 5x5, 5x5."""
    return _srcnn(channels, 5, maps1, maps2, skip)


@network(
    "ar-cnn",
    "AR-CNN",
    "Dong, Deng, Loy, Tang: Compression Artifacts Reduction by a Deep Convolutional Network, "
    "ICCV 2015",
)
def ar_cnn(
    channels: int, maps1: int = 64, maps2: int = 32, maps3: int = 16, skip: bool = False
) -> Graph:
    """Four layers, 9-7-1-5: SRCNN plus a layer that enhances features. The paper has no skip."""
    net = Layers(channels)
    net.conv("conv1", maps1, 9, weights=SMALL)
    net.relu("relu1")
    net.conv("conv2", maps2, 7, weights=SMALL)
    net.relu("relu2")
    net.conv("conv3", maps3, 1, weights=SMALL)
    net.relu("relu3")
    net.conv("conv4", channels, 5, **LAST_SLOWER)
    return net.plus_image(skip)


@network(
    "vrcnn",
    "VRCNN",
    "Dai, Liu, Wu: A Convolutional Neural Network Approach for Post-Processing in HEVC Intra "
    "Coding, MMM 2017",
)
def vrcnn(channels: int, maps: int = 64) -> Graph:
    """Four layers, the middle two with kernels of two sizes. Their output is added to the image."""
    net = Layers(channels)
    net.conv("conv1", maps, 5)
    net.relu("relu1")
    for number, wide, narrow in ((2, 5, 3), (3, 3, 1)):
        before = net.last
        net.conv(f"conv{number}-{wide}x{wide}", maps // 4, wide, before)
        net.conv(f"conv{number}-{narrow}x{narrow}", maps // 2, narrow, before)
        net.add(
            f"concat{number}",
            Concat(),
            f"conv{number}-{wide}x{wide}",
            f"conv{number}-{narrow}x{narrow}",
        )
        net.relu(f"relu{number}")
    net.conv("conv4", channels, 3)
    return net.plus_image()


@network(
    "vdsr",
    "VDSR",
    "Kim, Lee, Lee: Accurate Image Super-Resolution Using Very Deep Convolutional Networks, "
    "CVPR 2016",
)
def vdsr(channels: int, depth: int = 20, maps: int = 64) -> Graph:
    """3x3 layers, each but the last with a ReLU. Their output is added to the image."""
    net = Layers(channels)
    for number in range(1, depth):
        net.conv(f"conv{number}", maps, 3)
        net.relu(f"relu{number}")
    net.conv(f"conv{depth}", channels, 3)
    return net.plus_image()


@network(
    "dncnn",
    "DnCNN",
    "Zhang, Zuo, Chen, Meng, Zhang: Beyond a Gaussian Denoiser, TIP 26(7), 2017",
)
def dncnn(channels: int, depth: int = 17, maps: int = 64) -> Graph:
    """3x3 layers, batch normalisation in all but the first and last.

    They predict the noise to remove.
    """
    net = Layers(channels)
    net.conv("conv1", maps, 3)
    net.relu("relu1")
    for number in range(2, depth):
        net.conv(f"conv{number}", maps, 3, bias=False)
        net.add(f"norm{number}", BatchNorm())
        net.relu(f"relu{number}")
    net.conv(f"conv{depth}", channels, 3)
    return net.plus_image()


@network(
    "edsr",
    "EDSR, small",
    "Lim, Son, Kim, Nah, Lee: Enhanced Deep Residual Networks for Single Image Super-Resolution, "
    "CVPRW 2017",
)
def edsr(channels: int, blocks: int = 8, maps: int = 48, skip: bool = True) -> Graph:
    """Residual blocks of two 3x3 layers at full resolution, without normalisation.

    The paper has 16 or 32 blocks and no skip of the image.
    """
    net = Layers(channels)
    head = net.conv("head", maps, 3)
    for number in range(1, blocks + 1):
        before = net.last
        net.conv(f"block{number}-conv1", maps, 3)
        net.relu(f"block{number}-relu")
        net.conv(f"block{number}-conv2", maps, 3)
        net.add(f"block{number}-sum", Combine("sum"), before, net.last)
    net.conv("body", maps, 3)
    net.add("body-sum", Combine("sum"), head, net.last)
    net.conv("tail", channels, 3)
    return net.plus_image(skip)


@network(
    "ecbnet",
    "ECB, small",
    "Zhang, Zeng, Zhang: Edge-oriented Convolution Block for Real-time Super Resolution on Mobile "
    "Devices, ACM MM 2021",
)
def ecbnet(channels: int, depth: int = 4, maps: int = 16, qp: bool = True) -> Graph:
    """3x3 layers that are trained as sums of branches, and used as single convolutions."""
    net = Layers(channels)
    net.centred(qp)
    net.conv("conv1", maps, 3, branches=True)
    net.relu("relu1")
    # A fifth of He's start, plus the identity. With all of it, six layers lost in their first
    # 100 steps; with a fifth, they gained.
    limit = 0.2 * math.sqrt(6 / (9 * maps))
    small = Filler("uniform", limit, -limit)
    for number in range(2, depth):
        net.conv(f"conv{number}", maps, 3, branches=True, weights=small)
        net.relu(f"relu{number}")
    net.conv(f"conv{depth}", channels, 3, branches=True)
    return net.correction(qp)


@network(
    "ffdnet",
    "FFDNet, small",
    "Zhang, Zuo, Zhang: FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image "
    "Denoising, TIP 27(9), 2018",
)
def ffdnet(channels: int, depth: int = 8, maps: int = 32, qp: bool = True) -> Graph:
    """3x3 layers at half the height and width, with the QP in the place of the noise level.

    The paper moves blocks of 2x2 pixels into channels, and back at the end. A 3x3 layer behind the
    first of these is a 6x6 layer with stride 2 on the image, and one before the second its
    transpose, which also fit images of odd size. The paper has no skip of the image.
    """
    net = Layers(channels)
    net.centred(qp)
    half: dict[str, Any] = {"kernel": (6, 6), "stride": (2, 2)}
    net.add("conv1", Conv(maps, pad=(3, 3), **half))
    net.relu("relu1")
    for number in range(2, depth):
        net.conv(f"conv{number}", maps, 3)
        net.relu(f"relu{number}")
    net.add(f"conv{depth}", Conv(channels, pad=(2, 2), transposed=True, **half))
    net.add("cropped", Crop((1, 1)), net.last, INPUT)
    return net.correction(qp)


def _srcnn(channels: int, middle: int, maps1: int, maps2: int, skip: bool) -> Graph:
    net = Layers(channels)
    net.conv("conv1", maps1, 9, weights=SMALL)
    net.relu("relu1")
    net.conv("conv2", maps2, middle, weights=SMALL)
    net.relu("relu2")
    net.conv("conv3", channels, 5, **LAST_SLOWER)
    return net.plus_image(skip)
