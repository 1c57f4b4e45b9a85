"""A network as a user shader: each layer takes a pass for each four of its maps."""

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from jobs.core.errors import JobError
from jobs.networks.shader.passes import FRAME, Block, Channel, Maps, Shader, vector
from models.branches import BranchedConv
from models.build import GraphNetwork
from models.definitions import operations
from models.definitions.graph import INPUT, QP, Graph
from models.definitions.operations import Node, Op
from models.metrics import LUMA
from models.restorer import FROM_YCBCR, MIDDLE, TO_YCBCR, Restorer

RGB: Maps = tuple(Channel(FRAME, component) for component in range(3))
ALPHA: Maps = (Channel(FRAME, 3),)
POINTWISE = operations.Activation | operations.BatchNorm | operations.Scale | operations.Power


@torch.no_grad()
def write(restorer: Restorer, about: Mapping[str, str]) -> str:
    """The text of the shader of a network in eval mode, on the CPU in float32.

    Raises JobError for a network that a shader cannot be.
    """
    net = restorer.net
    if not isinstance(net, GraphNetwork):
        raise JobError(
            "The layers of a network in Python are unknown to Clearframe, so it cannot be a "
            "shader. Choose another format."
        )
    shader = Shader()
    channels = net.graph.channels
    mean = torch.zeros(channels) if restorer.mean is None else restorer.mean
    seen = _encode(shader, restorer, channels, mean)
    output = _layers(shader, net, seen)
    shader.finish(_decode(restorer, seen, output, mean))
    name = " ".join(about["model"].split())  # A second line could be a directive.
    head = [f"Clearframe: {name}, {about['snapshot']}", "mpv --glsl-shaders=FILE VIDEO"]
    return "".join(f"// {line}\n" for line in head) + "\n" + "\n".join(shader.passes)


def _encode(shader: Shader, restorer: Restorer, channels: int, mean: Tensor) -> Maps:
    """What the network sees, less its mean. A network for gray images sees Y."""
    if channels == 1:
        matrix, shift = torch.tensor([LUMA]), torch.zeros(1)
    elif restorer.channels == "ycbcr":
        matrix, shift = torch.tensor(TO_YCBCR), torch.tensor(MIDDLE)
    elif mean.any():
        matrix, shift = torch.eye(3), torch.zeros(3)
    else:
        return RGB
    block = Block(shift - mean)
    block.add(matrix, RGB)
    return shader.save("colours", [block], channels)


def _decode(restorer: Restorer, seen: Maps, output: Maps, mean: Tensor) -> Block:
    """The frame: R, G, B and an unchanged alpha."""
    if len(output) == 1:
        block = Block(torch.zeros(3))
        block.add(torch.eye(3), RGB)
        block.add(torch.tensor([[1.0, -1.0]] * 3), output + seen)
    elif restorer.channels == "ycbcr":
        matrix = torch.tensor(FROM_YCBCR)
        block = Block(matrix @ (mean - torch.tensor(MIDDLE)))
        block.add(matrix, output)
    else:
        block = Block(mean)
        block.add(torch.eye(3), output)
    block.add(torch.tensor([[0.0], [0.0], [0.0], [1.0]]), ALPHA)
    return block


def _layers(shader: Shader, net: GraphNetwork, seen: Maps) -> Maps:
    """Where the output of the network is."""
    graph = net.graph
    maps = {INPUT: seen} | ({QP: shader.add_qp()} if graph.takes_qp else {})
    for node in graph.nodes:
        if node.name in maps:  # It was done in the pass of the convolution before it.
            continue
        inputs = [maps[name] for name in node.inputs]
        match node.op:
            case operations.Concat():
                maps[node.name] = tuple(channel for part in inputs for channel in part)
            case operations.Take(first=first, end=end):
                maps[node.name] = inputs[0][first:end]
            case operations.Dropout():
                maps[node.name] = inputs[0]
            case _:
                maps |= _saved(shader, net, node, inputs)
    return maps[graph.output]


def _saved(shader: Shader, net: GraphNetwork, node: Node, inputs: list[Maps]) -> dict[str, Maps]:
    """Add the passes of a layer and of those that only change its values; where their maps are."""
    count = node.op.maps if isinstance(node.op, operations.Conv) else len(inputs[0])
    followers = _followers(net.graph, node)
    blocks = []
    for first in range(0, count, 4):
        some = slice(first, min(first + 4, count))
        block = _block(node, net.layer(node), inputs, some)
        for follower in followers:
            _change(block, follower, net.layer(follower), some)
        blocks.append(block)
    maps = shader.save(node.name, blocks, count)
    return {same.name: maps for same in (node, *followers)}


def _followers(graph: Graph, node: Node) -> list[Node]:
    """The pointwise layers after a layer whose output nothing else needs."""
    uses = Counter(name for other in graph.nodes for name in other.inputs)
    followers: list[Node] = []
    last = node
    while uses[last.name] == 1 and last.name != graph.output:
        user = next(other for other in graph.nodes if last.name in other.inputs)
        if not isinstance(user.op, POINTWISE):
            break
        followers.append(last := user)
    return followers


def _block(node: Node, layer: nn.Module, inputs: list[Maps], some: slice) -> Block:
    """The maps `some` of a layer."""
    match node.op:
        case operations.Conv() as op:
            assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
            return _convolution(node.name, op, layer, inputs[0], some)
        case operations.Combine() as op:
            return _combination(op, inputs, some)
        case operations.Activation() | operations.BatchNorm() | operations.Scale():
            pass
        case operations.Power():
            pass
        case _:
            raise _impossible(node.name, type(node.op).__name__)
    block = _copy(inputs[0][some])
    _change(block, node, layer, some)
    return block


def _copy(maps: Maps, factor: float = 1.0) -> Block:
    block = Block(torch.zeros(len(maps)))
    block.add(factor * torch.eye(len(maps)), maps)
    return block


def _convolution(
    name: str, op: operations.Conv, layer: nn.Conv2d | nn.ConvTranspose2d, input: Maps, some: slice
) -> Block:
    if op.transposed or not op.keeps_size:
        raise _impossible(name, "convolution that changes the size")
    weights = _dense(layer, op, len(input))[some]
    block = Block(torch.zeros(len(weights)) if layer.bias is None else layer.bias[some])
    for row in range(op.kernel[0]):
        for column in range(op.kernel[1]):
            x = column * op.dilation[1] - op.pad[1]
            y = row * op.dilation[0] - op.pad[0]
            block.add(weights[:, :, row, column], input, x, y)
    return block


def _dense(layer: nn.Module, op: operations.Conv, channels: int) -> Tensor:
    """The weights (maps, channels, rows, columns) without branches and groups."""
    if isinstance(layer, BranchedConv):
        return layer.kernel()
    weights = layer.get_parameter("weight")
    dense = weights.new_zeros(op.maps, channels, *op.kernel)
    size, width = op.maps // op.groups, channels // op.groups
    for group in range(op.groups):
        rows = slice(group * size, (group + 1) * size)
        dense[rows, group * width : (group + 1) * width] = weights[rows]
    return dense


def _combination(op: operations.Combine, inputs: list[Maps], some: slice) -> Block:
    factors = op.factors or (1.0,) * len(inputs)
    block = _copy(inputs[0][some], factors[0])
    for maps, factor in zip(inputs[1:], factors[1:], strict=True):
        part = maps[some]
        if op.kind == "sum":
            block.add(factor * torch.eye(len(part)), part)
        elif op.kind == "product":
            block.multiply(torch.eye(len(part)), part)
        else:
            block.maximum(torch.eye(len(part)), part)
    return block


def _change(block: Block, node: Node, layer: nn.Module, some: slice) -> None:
    """Apply a pointwise layer to the maps `some`."""
    match node.op:
        case operations.Activation() as op:
            _activate(block, op, layer, some)
        case operations.Power(power=1.0) as op:
            _scale(block, torch.full((4,), op.scale), torch.full((4,), op.shift))
        case operations.Scale():
            weights = layer.get_parameter("weight")[some]
            bias = getattr(layer, "bias", None)
            _scale(block, weights, torch.zeros(4) if bias is None else bias[some])
        case operations.BatchNorm():
            assert isinstance(layer, nn.BatchNorm2d)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            factor = (layer.running_var[some] + layer.eps).rsqrt()
            shift = -layer.running_mean[some] * factor
            if layer.affine:
                weight, bias = layer.weight[some], layer.bias[some]
                factor, shift = factor * weight, shift * weight + bias
            _scale(block, factor, shift)
        case _:
            raise _impossible(node.name, _title(node.op))


def _scale(block: Block, factor: Tensor, shift: Tensor) -> None:
    block.set(f"{vector(factor)} * value + {vector(shift)}")


def _activate(block: Block, op: operations.Activation, layer: nn.Module, some: slice) -> None:
    zero = vector(torch.zeros(4))
    slope = torch.full((4,), op.slope)
    if op.kind == "prelu":
        learned = layer.get_parameter("weight")
        slope = learned[some] if len(learned) > 1 else learned.expand(4)
    match op.kind:
        case "relu" | "prelu" if slope.any():
            block.set(f"max(value, {zero}) + {vector(slope)} * min(value, {zero})")
        case "relu" | "prelu":
            block.set(f"max(value, {zero})")
        case "sigmoid":
            block.set("1.0 / (1.0 + exp(-value))")
        case "tanh":
            block.set("tanh(value)")
        case "elu":
            block.set(f"max(value, {zero}) + {vector(slope)} * (exp(min(value, {zero})) - 1.0)")


def _title(op: Op) -> str:
    return f"{type(op).__name__.lower()} of this kind"


def _impossible(name: str, what: str) -> JobError:
    return JobError(
        f"The network cannot be a shader: its layer {name} is a {what.lower()}. "
        "Choose another format."
    )
