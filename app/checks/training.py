"""What a valid spec of a training still has to show before it becomes a job: what it builds on is there, and can be trained."""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from app.catalog.database import JobRow
from app.files import paths
from app.problems import Invalid, Problems, validate
from app.runner import gpus
from app.settings import Settings
from jobs.core.suffixes import PYTHON
from jobs.specs import ModelSpec
from jobs.specs.losses import Loss, PackageLoss, PythonFileLoss
from jobs.specs.networks import Custom, Network, Package, PythonFile
from models.definitions.graph import GraphError

NETWORKS, LOSSES = "clearframe.networks", "clearframe.losses"
"""Groups of entry points: what installed packages bring."""


Find = Callable[[str], JobRow | None]
"""The job of an id, in a server's catalog or in a home."""


def checked_training(spec: ModelSpec, find: Find, settings: Settings) -> ModelSpec:
    """The spec, with real paths. Raises Invalid."""
    problems: Problems = {}
    datasets = {id: find(id) for id in spec.datasets}
    for id, row in datasets.items():
        field = "dataset" if id == spec.dataset else "more_datasets"
        if trouble := _trouble_with(row):
            problems.setdefault(field, trouble)
    seen = channels_seen(spec, datasets[spec.dataset])
    network = _network(spec.network, seen, settings, problems)
    loss = _loss(spec.loss, settings, problems)
    for id, row in datasets.items():
        side = _smallest_side(row)
        if side is not None and side < spec.patch_size:
            problems.setdefault(
                "patch_size",
                f"The frames of “{row.name if row else id}” are only {side} px: give at most that.",
            )
    _device(spec.device, problems)
    kinds = {
        row.view["summary"].get("channels") for row in datasets.values() if row is not None
    } - {None}
    if len(kinds) > 1:
        problems.setdefault(
            "more_datasets",
            "Some of the datasets are in colour and some in grayscale. Choose those of one kind.",
        )
    _start_from(spec, find, problems)
    if problems:
        raise Invalid(problems)
    return spec.model_copy(update={"network": network, "loss": loss})


def with_its_loss(values: dict[str, Any], find: Find) -> dict[str, Any]:
    """The values of a training whose pasted network brings its loss, where none is asked for. Raises Invalid."""
    network = values.get("network")
    if "loss" in values or not isinstance(network, dict) or network.get("name") != "custom":
        return values
    spec = validate(ModelSpec, values)
    assert isinstance(spec.network, Custom)
    named = read_custom(spec.network, channels_seen(spec, find(spec.dataset)))
    return {**values, "loss": {"name": named}} if named else values


def channels_seen(spec: ModelSpec, dataset: JobRow | None) -> int:
    """Of the image, by the network: 1 where it sees Y alone, or where the dataset is known to be grayscale."""
    gray = dataset is not None and dataset.view["summary"].get("channels") == 1
    return 1 if gray or spec.channels == "y" else 3


def read_custom(network: Custom, channels: int) -> str:
    """The loss that a pasted text names, "" where it names none. Raises Invalid with the line where the text is wrong."""
    from models.definitions.caffe.prototxt import read

    try:
        return read(network.prototxt, channels).loss
    except GraphError as error:
        where = f"Line {error.line}: " if error.line else ""
        raise Invalid({"network.prototxt": f"{where}{error}"}) from error


def entries(group: str) -> list[str]:
    """The names of what installed packages bring."""
    return sorted({entry.name for entry in entry_points(group=group)})


def _trouble_with(dataset: JobRow | None) -> str:
    if dataset is None or dataset.kind != "dataset":
        return "There is no such dataset. Choose another one."
    if dataset.state in ("error", "aborted"):
        return f"“{dataset.name}” was not finished ({dataset.state}). Resume it, or choose another one."
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
    there = entries(group)
    if name not in there:
        problems[field] = (
            f"No installed package has {name} in {group}. There are: {', '.join(there) or 'none'}."
        )


def _python(field: str, path: str, settings: Settings, problems: Problems) -> str:
    """The real path of a file that may run."""
    if not settings.allow_user_code:
        problems[field] = (
            "This server runs no Python files: it was started without --allow-user-code."
        )
        return path
    try:
        found = paths.file(path, settings.readable)
    except paths.FileProblem as problem:
        problems[field] = str(problem)
        return path
    if Path(found).suffix not in PYTHON:
        problems[field] = f"{found.name} is no Python file: its name must end in .py."
    return str(found)


def _device(device: str, problems: Problems) -> None:
    """Whether this machine has what is asked for."""
    there = len(gpus.names())
    numbers = [int(number) for number in device.partition(":")[2].split(",") if number]
    if device.startswith("cuda") and max(numbers, default=0) >= there:
        has = f"it has {there}, counted from 0" if there else "it has none"
        problems["device"] = (
            f"This machine has no GPU {max(numbers, default=0)}: {has}. Choose auto or cpu."
        )


def _start_from(spec: ModelSpec, find: Find, problems: Problems) -> None:
    if spec.start_from is None:
        return
    row = find(spec.start_from)
    if row is None or row.kind != "model":
        problems["start_from"] = "There is no such model. Choose another one."
        return
    names = {one["snapshot"] for one in row.view["summary"].get("snapshots", [])}
    if not names:
        problems["start_from"] = (
            f"“{row.name}” has no snapshot yet. Wait for its first, or choose another model."
        )
    elif spec.start_snapshot not in {"best", "last", *names}:
        problems["start_snapshot"] = (
            f"“{row.name}” has no snapshot {spec.start_snapshot}. It has: {', '.join(sorted(names))}."
        )
