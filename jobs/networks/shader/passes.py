"""The text of a user shader: passes that read textures of four channels and write one.

The format is mpv's (its manual, "--glsl-shaders"), and libplacebo reads it too:

    //!HOOK MAIN                  after the conversion to RGB
    //!BIND T1                    a texture that is read: HOOKED (the frame), or a saved one
    //!SAVE T17                   the texture that is written; the last pass writes the frame
    vec4 hook() {
        vec4 value = vec4(…);                 the biases
        value += mat4(…) * T1_at(-1, 0);      weights times the pixel to the left
        value = max(value, vec4(0.0));        a ReLU
        return value;
    }

Beyond the edges of the frame textures are 0, as torch pads.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from jobs.core.errors import JobError

FRAME = "HOOKED"
QP = "QP"
MAX_TEXTURES = 16
"""Textures that a pass may read: SHADER_MAX_BINDS of mpv and libplacebo."""
MAX_PRODUCTS = 4096
"""Matrices of a shader. Compilers take seconds for as many, and minutes for ten times as many."""
START_QP = 32
"""The QP in a new file. The person who plays a video sets its own."""

INSIDE = """\
float inside(vec2 place) {
    return float(all(greaterThan(place, vec2(0.0))) && all(lessThan(place, vec2(1.0))));
}
"""
QP_PASS = f"""\
//!DESC Clearframe QP
//!HOOK MAIN
//!SAVE {QP}
//!COMPONENTS 4
//!WIDTH 1
//!HEIGHT 1
// Set the QP of your video, 0 to 51: about 22 for good quality, 37 for strong damage.
#define VIDEO_QP {START_QP}.0
vec4 hook() {{
    vec4 value = vec4(VIDEO_QP / 51.0);
    return value;
}}
"""


class Channel(NamedTuple):
    """Where a map is: a component, 0 to 3, of a texture."""

    texture: str
    component: int


Maps = tuple[Channel, ...]


class Block:
    """Up to four maps of a layer, as statements on the `value` of a pixel."""

    def __init__(self, biases: Tensor) -> None:
        """`biases`: (n,), n at most 4."""
        self.lines = [f"vec4 value = {vector(biases)};"]
        self.textures: dict[str, bool] = {}
        """Those that it reads; True: at neighbours of the pixel too."""
        self.products = 0

    def add(self, weights: Tensor, maps: Maps, x: int = 0, y: int = 0) -> None:
        """Add `weights` (n, number of maps) times the maps at the pixel x to the right, y down."""
        self.lines += [f"value += {term};" for term in self._terms(weights, maps, x, y)]

    def multiply(self, weights: Tensor, maps: Maps) -> None:
        self.lines.append(f"value *= {' + '.join(self._terms(weights, maps))};")

    def maximum(self, weights: Tensor, maps: Maps) -> None:
        self.lines.append(f"value = max(value, {' + '.join(self._terms(weights, maps))});")

    def set(self, expression: str) -> None:
        self.lines.append(f"value = {expression};")

    def _terms(self, weights: Tensor, maps: Maps, x: int = 0, y: int = 0) -> list[str]:
        matrices: dict[str, Tensor] = {}
        for column, (texture, component) in enumerate(maps):
            matrix = matrices.setdefault(texture, torch.zeros(4, 4))
            matrix[: len(weights), component] += weights[:, column]
        terms = []
        for texture, matrix in matrices.items():
            if matrix.any():
                self.textures[texture] = self.textures.get(texture, False) or (x, y) != (0, 0)
                # GLSL's mat4 takes columns.
                terms.append(f"mat4({_numbers(matrix.T.flatten())}) * {texture}_at({x}, {y})")
        self.products += len(terms)
        return terms


class Shader:
    """The passes so far."""

    def __init__(self) -> None:
        self.passes: list[str] = []
        self._single = set[str]()
        """Textures of a single pixel: what depends on the QP alone."""
        self._products = self._saved = 0

    def add_qp(self) -> Maps:
        self.passes.append(QP_PASS)
        self._single.add(QP)
        return (Channel(QP, 0),)

    def save(self, title: str, blocks: Sequence[Block], count: int) -> Maps:
        """Add a pass for each block of a layer with `count` maps; return where these are."""
        textures = []
        for block in blocks:
            textures.append(f"T{self._saved}")
            self._saved += 1
            self._add(title, block, textures[-1])
        return tuple(Channel(texture, at) for texture in textures for at in range(4))[:count]

    def finish(self, block: Block) -> None:
        """Add the pass that writes the frame."""
        self._add("frame", block, None)

    def _add(self, title: str, block: Block, saved: str | None) -> None:
        self._products += block.products
        _check_fits(title, len(block.textures), self._products)
        textures = dict(block.textures) or {FRAME: False}
        is_single = saved is not None and self._single.issuperset(textures)
        if is_single and any(textures.values()):  # The sum of its weights differs at the edges.
            is_single, textures = False, {**textures, FRAME: False}
        head = [f"//!DESC Clearframe {title}", "//!HOOK MAIN"]
        head += [f"//!BIND {texture}" for texture in textures]
        if saved is not None:
            head += [f"//!SAVE {saved}", "//!COMPONENTS 4"]
            if is_single:
                head += ["//!WIDTH 1", "//!HEIGHT 1"]
                self._single.add(saved)
        readers = self._readers(textures)
        body = "".join(f"    {line}\n" for line in (*block.lines, "return value;"))
        self.passes.append("\n".join(head) + "\n" + readers + f"vec4 hook() {{\n{body}}}\n")

    def _readers(self, textures: dict[str, bool]) -> str:
        """The macros T_at(x, y) that read textures at neighbours of the pixel, 0 beyond edges."""
        full = next((texture for texture in textures if texture not in self._single), "")
        lines = []
        for texture, is_wide in textures.items():
            value = f"{texture}_texOff(vec2(x, y))"
            if texture in self._single:
                value = f"{texture}_tex(vec2(0.5))"
            if is_wide:
                value = f"(inside({full}_pos + {full}_pt * vec2(x, y)) * {value})"
            lines.append(f"#define {texture}_at(x, y) {value}\n")
        return (INSIDE if any(textures.values()) else "") + "".join(lines)


def _check_fits(title: str, textures: int, products: int) -> None:
    if textures > MAX_TEXTURES:
        raise JobError(
            f"The network cannot be a shader: its layer {title} reads {textures} textures of four "
            f"maps each, and players allow {MAX_TEXTURES}. Choose another format."
        )
    if products > MAX_PRODUCTS:
        raise JobError(
            "The network is too large for a shader: it takes more than "
            f"{MAX_PRODUCTS:,} products of 4×4 weights. Choose another format."
        )


def vector(values: Tensor) -> str:
    """Up to four values as a vec4; the rest is 0."""
    padded = torch.zeros(4)
    padded[: len(values)] = values
    return f"vec4({_numbers(padded)})"


def _numbers(values: Tensor) -> str:
    if not values.isfinite().all():
        raise JobError("The snapshot has weights that are not finite. Choose another snapshot.")
    texts = [f"{value:.9g}" for value in values.tolist()]
    return ", ".join(text if "." in text or "e" in text else f"{text}.0" for text in texts)
