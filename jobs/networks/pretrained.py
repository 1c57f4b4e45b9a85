"""Weights of another program as the start of a training: safetensors, or .pth of PyTorch.

Nothing in a file is executed: torch reads a pickle with `weights_only`, which makes tensors,
numbers, lists and dicts only.

`python -m jobs.networks.pretrained` reads {"spec", "channels"} of a training and its images as
JSON and prints what would match, {"sentences"}, or {"error"} with a message.
"""

import io
import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from jobs.core import limits
from jobs.core.errors import JobError
from jobs.core.paths import open_file
from jobs.core.report import Report
from jobs.networks.snapshots import DAMAGE, Kind
from jobs.networks.user_code import errors_of_user_code
from jobs.specs import ModelSpec
from models.branches import BranchedConv

PARTS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net", "weights")
"""Where programs keep a state dict in a file: BasicSR the first two. The first one counts."""
MAX_NAMES = 50
"""Names in a message."""

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Matches:
    """The weights of a file that a network takes, and what is left on both sides."""

    taken: Weights
    """By the name in the network."""
    untouched: list[str]
    """Weights of the network that the file lacks."""
    other_shapes: list[str]
    """Names with the shape in the file and in the network."""
    unknown: list[str]
    """Weights of the file that the network lacks."""
    by_order: bool = False
    """Whether the names differ, but all shapes are equal in their order."""


def start_from_file(net: nn.Module, path: Path, report: Report) -> None:
    """Copy the weights of a file into a network, and report what matched. Raises JobError."""
    taken, texts = matched(net, path)
    load(net, taken)
    for text in texts:
        report.message(text)


def matched(net: nn.Module, path: Path) -> tuple[Weights, list[str]]:
    """The weights of a file that a network takes, and what matched in words. Raises JobError."""
    weights, part = read_weights(path)
    matches = match(weights, net.state_dict())
    if not matches.taken:
        theirs, ours = (_names(list(names), 5) for names in (weights, net.state_dict()))
        raise JobError(
            f"{path.name} has no weight with a name and shape of this network. The file has "
            f"{theirs}; the network has {ours}. Choose the network of the file, or another file."
        )
    broken = [name for name, value in matches.taken.items() if not value.isfinite().all()]
    if broken:
        raise JobError(
            f"{path.name} has values that are not finite in {_names(broken, 5)}. Choose another "
            "file."
        )
    return matches.taken, sentences(matches, path.name, part)


def read_weights(path: Path) -> tuple[Weights, str]:
    """The state dict of a file, and the name of the part that has it. Raises JobError."""
    with open_file(path) as file:
        data = file.read()
    try:
        if path.suffix.lower() == ".safetensors":
            return safetensors.torch.load(data), ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # About old formats.
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (SafetensorError, *DAMAGE) as error:
        # torch's own text advises to execute what is in the file.
        is_pickle = isinstance(error, UnpicklingError)
        reason = "it is damaged, or has Python objects besides tensors" if is_pickle else error
        raise JobError(
            f"{path.name} cannot be read as weights: {reason}. Give a .safetensors file, or a "
            "state dict that torch.save has written."
        ) from error
    return _state_dict(content, path)


def _state_dict(content: Any, path: Path) -> tuple[Weights, str]:
    candidates: dict[str, Any] = {}
    if isinstance(content, Mapping):
        candidates = {part: content[part] for part in PARTS if part in content}
    # The whole file last: next to its state dict, a checkpoint may have other tensors.
    candidates[""] = content
    for part, values in candidates.items():
        tensors = _tensors(values)
        if tensors:
            return tensors, part
    keys = _names([str(key) for key in content], 10) if isinstance(content, Mapping) else ""
    raise JobError(
        f"{path.name} has no state dict{f', but {keys}' if keys else ''}. Save one: "
        "torch.save(net.state_dict(), PATH)."
    )


def _tensors(values: Any) -> Weights:
    if not isinstance(values, Mapping):
        return {}
    return {
        key: value
        for key, value in values.items()
        if isinstance(key, str) and isinstance(value, Tensor) and _is_plain(value)
    }


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor has its values, and can be copied into weights."""
    is_dense = value.layout is torch.strided and not value.is_quantized and not value.is_meta
    return is_dense and not value.is_complex()


def match(weights: Weights, network: Mapping[str, Tensor]) -> Matches:
    """Match weights by name and shape, with or without a prefix that most names have in common."""
    best = _by_name(weights, network)
    rest = weights
    while len(best.taken) < len(network) and (prefix := _common_prefix(rest)):
        rest = {
            name.removeprefix(prefix): value
            for name, value in rest.items()
            if name.startswith(prefix)
        }
        best = max(best, _by_name(rest, network), key=lambda matches: len(matches.taken))
    shapes = [value.shape for value in weights.values()]
    if not best.taken and shapes == [value.shape for value in network.values()]:
        return Matches(dict(zip(network, weights.values(), strict=True)), [], [], [], by_order=True)
    return best


def _common_prefix(weights: Weights) -> str:
    """Such as module., that nn.DataParallel writes before each name.

    Not all names have it: an average of weights (AveragedModel) counts itself in n_averaged.
    """
    firsts = Counter(name[: name.index(".") + 1] for name in weights if "." in name)
    prefix, count = firsts.most_common(1)[0] if firsts else ("", 0)
    return prefix if 2 * count > len(weights) else ""


def _by_name(weights: Weights, network: Mapping[str, Tensor]) -> Matches:
    known = {name: weights[name] for name in network if name in weights}
    taken = {name: value for name, value in known.items() if value.shape == network[name].shape}
    return Matches(
        taken,
        [name for name in network if name not in known],
        [
            f"{name} ({_shape(value)}, here {_shape(network[name])})"
            for name, value in known.items()
            if name not in taken
        ],
        [name for name in weights if name not in network],
    )


def _shape(value: Tensor) -> str:
    return "×".join(map(str, value.shape)) or "a number"


@torch.no_grad()
def load(net: nn.Module, taken: Weights) -> None:
    """Copy weights into a network.

    A layer of branches whose branches the file lacks gets the weights of their sum.
    """
    net.load_state_dict({**net.state_dict(), **taken})
    for name, module in net.named_modules():
        has_sum = f"{name}.weight" in taken and f"{name}.expand" not in taken
        if isinstance(module, BranchedConv) and has_sum:
            module.weight.sub_(module.kernel() - module.weight)


def sentences(matches: Matches, file: str, part: str) -> list[str]:
    """What was taken from a file and what was not, for the log."""
    total = len(matches.taken) + len(matches.untouched) + len(matches.other_shapes)
    how = " in their order, since all shapes are equal and no name is" if matches.by_order else ""
    where = f"{file} ({part})" if part else file
    texts = [
        f"Starts from {where}: {len(matches.taken)} of {total} weights taken{how}: "
        f"{_names(list(matches.taken))}."
    ]
    lists: list[tuple[list[str], str]] = [
        (matches.other_shapes, "Not taken, because the shape differs"),
        (matches.untouched, "Not in the file, so they start as in a new training"),
        (matches.unknown, "Not taken, because the network has no such weight"),
    ]
    return [*texts, *(f"{text}: {_names(names)}." for names, text in lists if names)]


def _names(names: list[str], most: int = MAX_NAMES) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@errors_of_user_code()
def check(spec: ModelSpec, image_channels: int) -> list[str]:
    """What the network of a training takes from its weights file, in words. Raises JobError."""
    assert spec.start_file is not None
    net = Kind(spec.network, spec.channels, image_channels).restorer().net
    return matched(net, Path(spec.start_file))[1]


def main() -> None:
    """Answer a request on stdin. Prints of torch and user code go to stderr, not to stdout."""
    with os.fdopen(os.dup(1), "w") as stdout:
        os.dup2(2, 1)
        limits.limit_memory(computes=False)
        request = json.load(sys.stdin)
        try:
            spec = ModelSpec.model_validate(request["spec"])
            answer: dict[str, Any] = {"sentences": check(spec, request["channels"])}
        except JobError as error:
            answer = {"error": str(error)}
        json.dump(answer, stdout)


if __name__ == "__main__":
    main()
