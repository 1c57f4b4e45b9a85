"""Checks a valid training spec before it becomes a job: its inputs exist and fit together."""

from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.catalog.database import JobRow
from app.files import paths
from app.runner import gpus
from app.settings import Settings
from app.threads import in_thread
from app.validation_errors import Invalid, Problems, validate
from jobs.core.errors import JobError
from jobs.core.suffixes import PYTHON, WEIGHTS
from jobs.specs import ModelSpec
from jobs.specs.losses import Loss, PackageLoss, PythonFileLoss
from jobs.specs.networks import (
    Custom,
    EcbNet,
    Network,
    Package,
    PythonFile,
    Srcnn915,
    starter_for,
    what_starts_fit,
)
from models.definitions.operations import GraphError

if TYPE_CHECKING:
    from models.definitions.caffe.prototxt import ParsedNetwork

NETWORKS, LOSSES = "clearframe.networks", "clearframe.losses"
"""Groups of entry points for the networks and losses of installed packages."""

Find = Callable[[str], JobRow | None]
"""Returns the job with an id, from a server's catalog or from a home."""


def checked_training(spec: ModelSpec, find: Find, settings: Settings) -> ModelSpec:
    """The spec with real paths. Raises Invalid."""
    problems: Problems = {}
    datasets = {id: find(id) for id in spec.datasets}
    for id, row in datasets.items():
        field = "dataset" if id == spec.dataset else "more_datasets"
        if problem := _dataset_problem(row):
            problems.setdefault(field, problem)
    channels = channels_seen(spec, datasets[spec.dataset])
    network = _network(spec.network, channels, settings, problems)
    if getattr(spec.network, "start", "") == "starter" and spec.mean_subtraction != "none":
        problems["mean_subtraction"] = "Starters were trained without this. Choose none."
    loss = _loss(spec.loss, settings, problems)
    for id, row in datasets.items():
        side = _smallest_side(row)
        if side is not None and side < spec.patch_size:
            problems.setdefault(
                "patch_size",
                f"The smallest frame side of “{row.name if row else id}” is {side} px. "
                f"Enter at most {side}.",
            )
    _device(spec.device, problems)
    channel_counts = {
        row.view["summary"].get("channels") for row in datasets.values() if row is not None
    } - {None}
    if len(channel_counts) > 1:
        problems.setdefault(
            "more_datasets",
            "Some datasets are in colour and some in grayscale. Choose datasets of one kind.",
        )
    _start_from(spec, find, problems)
    start_file = _start_file(spec, settings, problems)
    if problems:
        raise Invalid(problems)
    return spec.model_copy(update={"network": network, "loss": loss, "start_file": start_file})


def with_network_loss(values: dict[str, Any], find: Find) -> dict[str, Any]:
    """The values of a training with the loss that its pasted network names, unless they set a loss.

    Raises Invalid.
    """
    network = values.get("network")
    if "loss" in values or not isinstance(network, dict) or network.get("name") != "custom":
        return values
    spec = validate(ModelSpec, values)
    assert isinstance(spec.network, Custom)
    loss = read_custom(spec.network, channels_seen(spec, find(spec.dataset)))
    return {**values, "loss": {"name": loss}} if loss else values


def channels_seen(spec: ModelSpec, dataset: JobRow | None) -> int:
    """The number of input channels of the network: 1 for Y alone or a grayscale dataset, else 3."""
    return 1 if spec.channels == "y" else image_channels(dataset)


def image_channels(dataset: JobRow | None) -> int:
    """The number of channels of the images of a dataset: 1 for a grayscale dataset, else 3."""
    gray = dataset is not None and dataset.view["summary"].get("channels") == 1
    return 1 if gray else 3


def read_custom(network: Custom, channels: int) -> str:
    """The loss that a pasted network names, "" if it names none.

    Raises Invalid with the line of the error.
    """
    try:
        return in_thread(read_prototxt, network.prototxt, channels).loss
    except GraphError as error:
        line = f"Line {error.line}: " if error.line else ""
        raise Invalid({"network.prototxt": f"{line}{error}"}) from error


@lru_cache(maxsize=8)
def read_prototxt(text: str, channels: int) -> "ParsedNetwork":
    """The network of a prototxt; the trainings of a sweep share it. Raises GraphError."""
    from models.definitions.caffe.prototxt import read

    return read(text, channels)


def entries(group: str) -> list[str]:
    """The names in a group of entry points, sorted."""
    return sorted({entry.name for entry in entry_points(group=group)})


def _dataset_problem(dataset: JobRow | None) -> str:
    if dataset is None or dataset.kind != "dataset":
        return "This dataset does not exist. Choose another dataset."
    if dataset.state in ("error", "aborted"):
        return (
            f"“{dataset.name}” is not finished (state: {dataset.state}). "
            "Resume it, or choose another dataset."
        )
    return ""


def _smallest_side(dataset: JobRow | None) -> int | None:
    side = dataset.view["summary"].get("smallest_side") if dataset is not None else None
    return None if side is None else int(side)


def _network(network: Network, channels: int, settings: Settings, problems: Problems) -> Network:
    match network:
        case Custom():
            try:
                read_custom(network, channels)
            except Invalid as invalid:
                problems.update(invalid.problems)
        case Srcnn915(start="starter") | EcbNet(start="starter") if (
            starter_for(network, channels) is None
        ):
            problems["network.start"] = (
                f"No starter has this shape. {what_starts_fit(network)}, or choose the start "
                "identity."
            )
        case Package():
            _entry("network.entry", NETWORKS, network.entry, problems)
        case PythonFile():
            return network.model_copy(
                update={"file": _python("network.file", network.file, settings, problems)}
            )
    return network


def _loss(loss: Loss, settings: Settings, problems: Problems) -> Loss:
    match loss:
        case PackageLoss():
            _entry("loss.entry", LOSSES, loss.entry, problems)
        case PythonFileLoss():
            return loss.model_copy(
                update={"file": _python("loss.file", loss.file, settings, problems)}
            )
    return loss


def _entry(field: str, group: str, name: str, problems: Problems) -> None:
    names = entries(group)
    if name not in names:
        problems[field] = (
            f"No installed package has the entry point {name} in {group}. "
            f"Available: {', '.join(names) or 'none'}."
        )


def _python(field: str, path: str, settings: Settings, problems: Problems) -> str:
    """The real path of a Python file of a user."""
    if not settings.allow_user_code:
        problems[field] = (
            "Python files of users are not run here. "
            "To allow them, start the server, or the command, with --allow-user-code."
        )
        return path
    try:
        real = paths.file(path, settings.readable)
    except paths.FileProblem as problem:
        problems[field] = str(problem)
        return path
    if Path(real).suffix not in PYTHON:
        problems[field] = f"{real.name} is not a Python file. Choose a file with the extension .py."
    return str(real)


def _device(device: str, problems: Problems) -> None:
    """Check that the machine has the requested GPUs."""
    try:
        names = gpus.names()
    except JobError as error:
        problems["device"] = str(error)
        return
    count = len(names)
    numbers = [int(number) for number in device.partition(":")[2].split(",") if number]
    if device.startswith("cuda") and max(numbers, default=0) >= count:
        has = f"it has {count}, counted from 0" if count else "it has none"
        problems["device"] = (
            f"This machine has no GPU {max(numbers, default=0)}: {has}. Choose auto or cpu."
        )
    elif len(numbers) > 1 and any(gpus.is_mig(names[number]) for number in numbers):
        problems["device"] = (
            "A training can use one MIG instance only: instances do not exchange gradients. "
            "Choose one of them, or turn off MIG mode."
        )


def _start_file(spec: ModelSpec, settings: Settings, problems: Problems) -> str | None:
    """The real path of a file of weights. What is in it, the training finds out."""
    path = spec.start_file
    if path is None:
        return None
    if spec.start_from is not None:
        problems["start_file"] = (
            "The training has initial weights of a model already. Leave one of the two empty."
        )
    try:
        real = paths.file(path, settings.readable)
    except paths.FileProblem as problem:
        problems["start_file"] = str(problem)
        return path
    if real.suffix.lower() not in WEIGHTS:
        problems["start_file"] = (
            f"{real.name} is not a file of weights. Give one with the extension "
            f"{', '.join(WEIGHTS[:-1])} or {WEIGHTS[-1]}."
        )
    return str(real)


def _start_from(spec: ModelSpec, find: Find, problems: Problems) -> None:
    if spec.start_from is None:
        return
    row = find(spec.start_from)
    if row is None or row.kind != "model":
        problems["start_from"] = "This model does not exist. Choose another model."
        return
    names = {snapshot["snapshot"] for snapshot in row.view["summary"].get("snapshots", [])}
    if not names:
        problems["start_from"] = (
            f"“{row.name}” has no snapshot yet. "
            "Wait for its first snapshot, or choose another model."
        )
    elif spec.start_snapshot not in {"best", "last", *names}:
        problems["start_snapshot"] = (
            f"“{row.name}” has no snapshot {spec.start_snapshot}. "
            f"Available: {', '.join(sorted(names))}."
        )
