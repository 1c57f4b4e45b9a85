"""An interpreter of the shaders that Clearframe writes: what a player would show, by torch.

It reads the text alone: the textures that each pass binds and saves, and its statements. GLSL's
expressions are parsed as Python's, which are the same for what is written.
"""

import ast
import re
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from jobs.networks.shader.passes import FRAME, QP

CONSTANT = re.compile(r"^#define (\w+) ([\d.]+)$", re.MULTILINE)
STATEMENT = re.compile(r"(?:vec4 )?value (\+|\*)?= (.+);")
OPERATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": torch.div,
}
SYMBOLS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "exp": torch.exp,
    "tanh": torch.tanh,
    "max": torch.maximum,
    "min": torch.minimum,
}


def run(text: str, image: Tensor) -> Tensor:
    """The restored image (N, C, H, W) of an image with a QP plane or without, as Restorer has it.

    C is 3, or 1 for gray, which players convert to RGB. Raises RuntimeError for other shaders.
    """
    colours = 1 if image.shape[1] <= 2 else 3
    frame = image[:, :colours].expand(-1, 3, -1, -1)
    textures = {FRAME: torch.cat([frame, torch.ones_like(frame[:, :1])], 1)}
    value = textures[FRAME]
    for part in text.split("//!DESC ")[1:]:
        saved = re.search(r"//!SAVE (\w+)", part)
        if saved is not None and saved[1] == QP and image.shape[1] > colours:
            value = image[:, colours:].expand(-1, 4, -1, -1)
        else:
            value = _pass(part, textures)
        if saved is not None:
            textures[saved[1]] = value
    return value[:, :colours]


def _pass(text: str, textures: dict[str, Tensor]) -> Tensor:
    bound = {name: textures[name] for name in re.findall(r"//!BIND (\w+)", text)}
    constants = {name: float(value) for name, value in CONSTANT.findall(text)}
    value = textures[FRAME]
    for line in text.splitlines():
        if statement := STATEMENT.fullmatch(line.strip()):
            operator, expression = statement.groups()
            terms = _Expression(bound, constants, value)
            result: Tensor = terms.visit(ast.parse(expression, mode="eval").body)
            value = OPERATORS[operator](value, result) if operator else result
    return value.expand_as(textures[FRAME])


class _Expression(ast.NodeVisitor):
    """The value of an expression: tensors that broadcast to (N, 4, H, W)."""

    def __init__(
        self, textures: dict[str, Tensor], constants: dict[str, float], value: Tensor
    ) -> None:
        self._textures, self._names = textures, {"value": value}
        self._names |= {name: torch.tensor(number) for name, number in constants.items()}

    def visit_Constant(self, node: ast.Constant) -> Tensor:
        return torch.tensor(float(str(node.value)))

    def visit_Name(self, node: ast.Name) -> Tensor:
        return self._names[node.id]

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Tensor:
        operand: Tensor = self.visit(node.operand)
        return -operand

    def visit_BinOp(self, node: ast.BinOp) -> Tensor:
        left, right = self.visit(node.left), self.visit(node.right)
        if left.numel() == 16 and isinstance(node.op, ast.Mult):  # mat4(…) * vec4
            # mat4 lists columns. For so few values a convolution would wait for its threads.
            product: Tensor = left.reshape(4, 4).T @ right.flatten(2)
            return product.reshape(right.shape)
        return OPERATORS[SYMBOLS[type(node.op)]](left, right)

    def visit_Call(self, node: ast.Call) -> Tensor:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name in FUNCTIONS:
            return FUNCTIONS[name](*map(self.visit, node.args))
        if name == "vec4" and len(node.args) == 1:
            value: Tensor = self.visit(node.args[0])
            return value.expand(1, 4, 1, 1)
        numbers = [ast.literal_eval(argument) for argument in node.args]
        if name == "mat4":
            return torch.tensor(numbers)
        if name == "vec4":
            return torch.tensor(numbers)[None, :, None, None]
        x, y = numbers
        texture = self._textures[name.removesuffix("_at")]
        return F.pad(texture, (-x, x, -y, y))  # It crops where it gets a negative number.

    def generic_visit(self, node: ast.AST) -> None:
        raise RuntimeError(f"unexpected {type(node).__name__}")
