"""Plain PyTorch that computes what a network does, with its weights from a safetensors file.

A line per layer, with an activation in the line of its convolution. For the model card: nothing of
Clearframe is needed to use an exported network.
"""

import json
from collections.abc import Callable, Sequence
from typing import assert_never

from torch import Tensor

from models.build import GraphNetwork
from models.definitions import operations
from models.definitions.graph import INPUT, QP
from models.definitions.operations import Node
from models.restorer import FROM_YCBCR, MIDDLE, TO_YCBCR, Matrix, Restorer, colours

DIGITS = 9
"""Digits of a number: as many as float32 needs."""


def plain_code(restorer: Restorer, image_channels: int, file: str) -> str:
    """Return code with a function `restore`, from images to restored images.

    `file`: the name of the file of the weights. The code of a network that is a module of a user
    says how its weights are loaded.
    """
    if not isinstance(restorer.net, GraphNetwork):
        return _of_module(file)
    count = colours(image_channels)
    body = [*_encoded(restorer, count), *_layers(restorer.net), *_decoded(restorer, count)]
    lines = [
        "import torch" if any("torch." in line for line in body) else "",
        "import torch.nn.functional as F",
        "from safetensors.torch import load_file",
        "",
        f"w = load_file({file!r})",
        "",
        f"def restore(image):  # {_shape(count, restorer.takes_qp)}",
        *(f"    {line}" for line in body),
    ]
    return "\n".join(lines[not lines[0] :])


def _of_module(file: str) -> str:
    return (
        "from safetensors.torch import load_file\n\n"
        "net = network()  # Your module, as the training made it.\n"
        f"net.load_state_dict(load_file({file!r}))\n"
        "net.eval()"
    )


def _shape(count: int, takes_qp: bool) -> str:
    colours = "RGB" if count == 3 else "gray"
    qp = ", then QP / 51, 0 where it is unknown" if takes_qp else ""
    return f"(N, {count + takes_qp}, H, W), 0 to 1: {colours}{qp}"


def _encoded(restorer: Restorer, count: int) -> list[str]:
    """From `image` to `x`, the input of the network."""
    lines = []
    if restorer.takes_qp:
        lines.append(f"image, qp = image[:, :{count}], image[:, {count}:]")
    if count == 1 or restorer.channels == "rgb":
        lines.append("x = image")
    elif restorer.channels == "y":
        red, green, blue = (_number(weight) for weight in TO_YCBCR[0])
        planes = "image[:, :1] + {} * image[:, 1:2] + {} * image[:, 2:]"
        lines.append(f"x = {red} * " + planes.format(green, blue))
    else:
        lines.append(f"x = {_mixed('image', TO_YCBCR)} + {_constant(MIDDLE)}")
    if restorer.mean is not None:
        lines += [f"mean = {_constant(restorer.mean)}", "x = x - mean"]
    return lines


def _decoded(restorer: Restorer, count: int) -> list[str]:
    """From `y`, the output of the network, to the restored image."""
    output = "y + mean" if restorer.mean is not None else "y"
    if count == 1 or restorer.channels == "rgb":
        return [f"return {output}"]
    if restorer.channels == "y":
        return ["return image + (y - x)"]  # The mean is in both.
    mixed = _mixed(f"({output} - {_constant(MIDDLE)})", FROM_YCBCR)
    return [f"return {mixed}"]


def _layers(net: GraphNetwork) -> list[str]:
    """A line per layer. The last one computes `y`."""
    graph = net.graph
    uses = [name for node in graph.nodes for name in node.inputs]
    names = {INPUT: "x", **({QP: "qp"} if graph.takes_qp else {})}
    keys = {name: attribute for name, attribute, _, _ in net._steps}
    lines: list[str] = []
    nested: dict[str, str] = {}
    for number, node in enumerate(graph.nodes, 1):
        inputs = [nested.pop(name, names.get(name, "")) for name in node.inputs]
        line = _expression(node, inputs, keys[node.name])
        following = graph.nodes[number] if number < len(graph.nodes) else None
        if _is_nested(node, following, uses) and node.name != graph.output:
            nested[node.name] = line
            continue
        names[node.name] = "y" if node.name == graph.output else f"x{number}"
        lines.append(f"{names[node.name]} = {line}")
    return lines


def _is_nested(node: Node, following: Node | None, uses: list[str]) -> bool:
    """Whether an activation that follows a convolution is the only one to use it."""
    return (
        isinstance(node.op, operations.Conv)
        and following is not None
        and isinstance(following.op, operations.Activation)
        and following.inputs == (node.name,)
        and uses.count(node.name) == 1
    )


def _expression(node: Node, inputs: list[str], key: str) -> str:
    def weight(name: str) -> str:
        # A pasted layer may have any name, quotes included: the card is code that people run.
        return f"w[{json.dumps(f'{key}.{name}', ensure_ascii=False)}]"

    first, op = inputs[0], node.op
    match op:
        case operations.Conv():
            return _convolution(op, first, weight)
        case operations.Activation(kind="prelu"):
            return f"F.prelu({first}, {weight('weight')})"
        case operations.Activation(kind="relu", slope=slope):
            return f"F.leaky_relu({first}, {_number(slope)})" if slope else f"F.relu({first})"
        case operations.Activation(kind="elu", slope=slope):
            return f"F.elu({first}, {_number(slope)})"
        case operations.Activation(kind=kind):
            return f"torch.{kind}({first})"
        case operations.Pool(kind=kind):
            function = "max_pool2d" if kind == "max" else "avg_pool2d"
            return f"F.{function}({first}, {op.kernel}, 1, {op.pad})"
        case operations.BatchNorm():
            learned = f", {weight('weight')}, {weight('bias')}" if op.affine else ""
            statistics = f"{weight('running_mean')}, {weight('running_var')}"
            return f"F.batch_norm({first}, {statistics}{learned}, eps={_number(op.epsilon)})"
        case operations.Scale():
            bias = f" + {weight('bias')}[:, None, None]" if op.bias else ""
            return f"{first} * {weight('weight')}[:, None, None]{bias}"
        case operations.Combine():
            return _combined(op, inputs)
        case operations.Concat():
            return f"torch.cat([{', '.join(inputs)}], 1)"
        case operations.Power():
            linear = f"{first} * {_number(op.scale)} + {_number(op.shift)}"
            return linear if op.power == 1 else f"({linear}) ** {_number(op.power)}"
        case operations.Dropout():
            return first
        case operations.Crop(offset=(top, left)):
            rows, columns = (f"{inputs[1]}.shape[{axis}]" for axis in (2, 3))
            return f"{first}[:, :, {top} : {top} + {rows}, {left} : {left} + {columns}]"
        case operations.Take():
            return f"{first}[:, {op.first} : {op.end}]"
        case _:
            assert_never(op)


def _convolution(op: operations.Conv, first: str, weight: Callable[[str], str]) -> str:
    settings = {
        "stride": (op.stride, (1, 1)),
        "padding": (op.pad, (0, 0)),
        "dilation": (op.dilation, (1, 1)),
        "groups": (op.groups, 1),
    }
    options = [f"{name}={value}" for name, (value, usual) in settings.items() if value != usual]
    function = "conv_transpose2d" if op.transposed else "conv2d"
    bias = weight("bias") if op.bias else "None"
    return f"F.{function}({', '.join([first, weight('weight'), bias, *options])})"


def _combined(op: operations.Combine, inputs: list[str]) -> str:
    if op.kind == "max":
        combined = inputs[0]
        for other in inputs[1:]:
            combined = f"torch.maximum({combined}, {other})"
        return combined
    factors = op.factors or (1.0,) * len(inputs)
    # As the module: a product has no factors but that of its first input.
    scaled = [
        text if factor == 1 or (number and op.kind == "product") else f"{_number(factor)} * {text}"
        for number, (text, factor) in enumerate(zip(inputs, factors, strict=True))
    ]
    return (" + " if op.kind == "sum" else " * ").join(scaled)


def _mixed(image: str, matrix: Matrix) -> str:
    rows = ", ".join(f"[{', '.join(map(_number, row))}]" for row in matrix)
    return f'torch.einsum("rc,nchw->nrhw", torch.tensor([{rows}]), {image})'


def _constant(values: Sequence[float] | Tensor) -> str:
    numbers = values.tolist() if isinstance(values, Tensor) else values
    return f"torch.tensor([{', '.join(map(_number, numbers))}])[:, None, None]"


def _number(value: float) -> str:
    return f"{value:.{DIGITS}g}"
