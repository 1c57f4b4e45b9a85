"""Preview of a training while its form is filled in: network, learning rate, steps and time.

Values may be missing or wrong. The preview uses the valid values and reports the others by field.
"""

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from statistics import median
from typing import Any

import gevent
from pydantic import TypeAdapter, ValidationError

from app.answers import Preview, PreviewNetwork, PreviewRate
from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
from app.checks import sweeps
from app.checks.training import channels_seen, read_prototxt
from app.forms.training import name_for
from app.threads import in_thread
from app.turns import PAUSE
from app.validation_errors import REQUIRED, Invalid, Problems, validate
from jobs.specs import ModelSpec
from jobs.specs.networks import Custom, Network, Package, PythonFile
from jobs.specs.solvers import LrPolicy, Solver
from models.definitions import lr_policies
from models.definitions.graph import INPUT, Graph
from models.definitions.identity import identity_start
from models.definitions.networks import NETWORKS
from models.definitions.operations import (
    Activation,
    Combine,
    Conv,
    GraphError,
    Node,
    Pool,
    Power,
    Take,
)

POINTS = 101
DEAD, TOO_SOON = 0.01, 0.25
"""A rate under 1 % of its base trains nothing; before a quarter of the run, that is a mistake."""

PAST_RUNS, LEAST_RUNS = 100, 2
"""Finished trainings to look at, and comparable ones that an estimate of the time needs."""
RUNS_A_PAGE = 20
"""Finished trainings to read at once: each view may be long."""
MOST_SPREAD = 2.0
"""Factor between two comparable runs: of the costs of their steps, and of their speeds."""
SAME_SETTINGS = ("device", "precision", "accumulation")
SAME_PLACE = ("device", "hardware", "placement")

NAMELESS, NO_DATASET = "preview", "00000000"
USUAL_EPOCHS, USUAL_STEPS_AN_EPOCH = 30, 100
"""Used to draw the rate if the length of the run is unknown."""


@dataclass(frozen=True)
class Length:
    """Length of a run; unknown numbers are None."""

    patches_an_epoch: int | None
    steps_an_epoch: int | None
    steps: int | None
    epochs: float | None


def preview(values: dict[str, Any], catalog: Catalog) -> Preview:
    """The response of POST /models/preview, as JSON types."""
    problems: Problems = {}
    try:
        trainings = sweeps.expand(values)
    except Invalid as invalid:
        problems |= invalid.problems
        trainings = [values]
    first = {key: value for key, value in trainings[0].items() if key != "sweep"}
    try:
        spec: ModelSpec | None = validate(
            ModelSpec, {"name": NAMELESS, "dataset": NO_DATASET, **first}
        )
    except Invalid as invalid:
        spec = None
        problems |= invalid.problems
    datasets = [catalog.get(id) for id in spec.datasets] if spec else []
    graph, notes, lines = _graph(first, spec, datasets, problems)
    speed = _speed(catalog, spec, graph)
    length = _length(spec, datasets, graph, speed)
    return {
        "network": None if graph is None else in_thread(_network, graph, first, spec),
        "notes": notes,
        "rate": _rate(first, spec, length),
        "steps": length.steps,
        "steps_an_epoch": length.steps_an_epoch,
        "patches_an_epoch": length.patches_an_epoch,
        "seconds": _seconds(spec, graph, length, speed),
        "jobs": len(trainings),
        "name": name_for(values, catalog),
        "problems": {field: text for field, text in problems.items() if text != REQUIRED},
        "lines": lines,
    }


def warnings_of(
    values: dict[str, Any], spec: ModelSpec, datasets: list[JobRow | None]
) -> list[str]:
    """The warnings that a form shows for a valid training, for a command line without a server."""
    _, notes, _ = _graph(values, spec, datasets, {})
    rate = _rate(values, spec, _length(spec, datasets, None, None))
    return warnings_in(notes, rate, spec.network.name)


def warnings_in(notes: list[str], rate: PreviewRate | None, network: str) -> list[str]:
    """The warnings of a preview. Notes of a pasted network are about parts without an effect."""
    found = notes if network == "custom" else []
    return [*found, *([rate["warning"]] if rate is not None and rate["warning"] else [])]


def _graph(
    values: dict[str, Any],
    spec: ModelSpec | None,
    datasets: list[JobRow | None],
    problems: Problems,
) -> tuple[Graph | None, list[str], dict[str, int]]:
    """The network, notes on it, and the line numbers of errors in a pasted definition, by field."""
    try:
        network: Network = (
            spec.network
            if spec
            else TypeAdapter(Network).validate_python(values.get("network", {}))
        )
    except ValidationError:
        return None, [], {}
    channels = channels_seen(spec, datasets[0]) if spec else 1
    match network:
        case Package() | PythonFile():
            return (
                None,
                ["A network from a package or a Python file is shown once the training starts."],
                {},
            )
        case Custom():
            try:
                custom = in_thread(read_prototxt, network.prototxt, channels)
            except GraphError as error:
                where = f"Line {error.line}: " if error.line else ""
                problems["network.prototxt"] = f"{where}{error}"
                return None, [], {"network.prototxt": error.line} if error.line else {}
            # Without a loss, the API takes that of the text: app/checks/training.py.
            loss = spec.loss.name if spec and "loss" in values else custom.loss
            return custom.graph, custom.notes_for(loss), {}
        case _:
            settings = network.model_dump(exclude={"name", "start"})
            return NETWORKS[network.name].graph(channels, **settings), [], {}


def _title_and_paper(values: dict[str, Any]) -> tuple[str, str]:
    network = values.get("network")
    name = network.get("name") if isinstance(network, dict) else None
    entry = NETWORKS.get(str(name or next(iter(NETWORKS))))
    return (entry.title, entry.paper) if entry else ("Custom network", "")


def _network(graph: Graph, values: dict[str, Any], spec: ModelSpec | None) -> PreviewNetwork:
    """Facts of a network; layer shapes are for a patch of the training."""
    side = spec.patch_size if spec else 64
    shapes, parameters = graph.shapes(side, side), graph.parameters()
    title, paper = _title_and_paper(values)
    return {
        "layers": [
            {
                "name": node.name,
                "words": layer_title(node),
                # The drawing has one source: the image, of which the QP is a plane.
                "inputs": [INPUT if name in graph.sources else name for name in node.inputs],
                "shape": "×".join(map(str, astuple(shapes[node.name]))),
                "parameters": parameters[node.name],
                "line": node.line,
            }
            for node in graph.nodes
        ],
        "output": graph.output,
        "channels": graph.channels,
        "parameters": sum(parameters.values()),
        "receptive_field": list(graph.receptive_field()),
        "multiply_adds": graph.multiply_adds(),
        "identity": identity_start(graph) is not None,
        "title": title,
        "paper": paper,
    }


def layer_title(node: Node) -> str:
    """A short description of a layer: "Conv 9×9"."""
    match node.op:
        case Conv() as conv:
            side = f"{conv.kernel[0]}×{conv.kernel[1]}"
            more = [f"stride {conv.stride[0]}"] if conv.stride != (1, 1) else []
            more += [f"dilation {conv.dilation[0]}"] if conv.dilation != (1, 1) else []
            more += [f"{conv.groups} groups"] if conv.groups > 1 else []
            return ", ".join([f"{'Deconv' if conv.transposed else 'Conv'} {side}", *more])
        case Activation(kind=kind):
            return {
                "relu": "ReLU",
                "prelu": "PReLU",
                "elu": "ELU",
                "tanh": "TanH",
                "sigmoid": "Sigmoid",
            }[kind]
        case Pool(kind=kind, kernel=kernel):
            return f"{kind.capitalize()} of {kernel[0]}×{kernel[1]}"
        case Combine(kind=kind):
            return kind.capitalize()
        case Power(power=1.0, scale=scale, shift=shift):
            return (
                f"{scale:.4g} x {'+' if shift >= 0 else '−'} {abs(shift):.4g}"
                if shift
                else f"{scale:.4g} x"
            )
        case Take(first=first, end=end):
            return f"Maps {first} to {end - 1}"
    return type(node.op).__name__


def _length(
    spec: ModelSpec | None, datasets: list[JobRow | None], graph: Graph | None, speed: float | None
) -> Length:
    """The length of the run, from the number of training pairs if the datasets have it.

    jobs/training/patches.py plans the same patches. With a time budget, the number of steps comes
    from the speed of past trainings.
    """
    pairs = [
        row.view["summary"].get("pairs", {}).get("train") if row is not None else None
        for row in datasets
    ]
    if spec is None or not pairs or any(count is None for count in pairs):
        return Length(None, None, spec.steps if spec else None, spec.epochs if spec else None)
    patches = sum(count for count in pairs if count) * spec.patches_per_frame
    an_epoch = max(math.ceil(patches / (spec.batch_size * spec.accumulation)), 1)
    steps = spec.steps or (spec.epochs * an_epoch if spec.epochs else None)
    if spec.minutes and graph is not None and speed is not None:
        steps = max(round(60 * spec.minutes * speed / _cost(spec, graph)), 1)
    return Length(patches, an_epoch, steps, steps / an_epoch if steps else None)


def _rate(values: dict[str, Any], spec: ModelSpec | None, length: Length) -> PreviewRate | None:
    """The rate at 0 to 100 % of the run, the share of the run where it dies, and a warning."""
    try:
        policy: LrPolicy = (
            spec.lr_policy
            if spec
            else TypeAdapter(LrPolicy).validate_python(values.get("lr_policy", {}))
        )
        solver: Solver = (
            spec.solver if spec else TypeAdapter(Solver).validate_python(values.get("solver", {}))
        )
    except ValidationError:
        return None
    base = solver.learning_rate
    settings = policy.model_dump(exclude={"name", "per"})
    note = ""
    if policy.name == "exponential":
        epochs = length.epochs or float(USUAL_EPOCHS)
        steps = length.steps or epochs * (length.steps_an_epoch or USUAL_STEPS_AN_EPOCH)
        settings["scale"] = lr_policies.decay_scale(policy.per, epochs, steps)
        is_guess = (policy.per == "epoch" and not length.epochs) or (
            policy.per == "iteration" and not length.steps
        )
        note = (
            "Run length not known yet: "
            f"curve drawn for {epochs:g} epochs of {steps / epochs:g} steps."
            if is_guess
            else ""
        )
    points = [
        lr_policies.rate(base, policy.name, number / (POINTS - 1), settings)
        for number in range(POINTS)
    ]
    dead_at = _dead_at(points, base)
    return {
        "base": base,
        "points": points,
        "dead_at": dead_at,
        "warning": _warning(dead_at, policy),
        "note": note,
    }


def _dead_at(points: list[float], base: float) -> float | None:
    """The share of the run after which the rate stays under 1 % of its base, else None."""
    alive = max((number for number, rate in enumerate(points) if rate >= DEAD * base), default=-1)
    return None if alive == len(points) - 1 else (alive + 1) / (len(points) - 1)


ADVICE = {
    "exponential": "Count the decay per run, or choose a larger gamma.",
    "step": "Choose a larger step, or a larger gamma.",
    "multistep": "Put the steps later, or choose a larger gamma.",
    "inverse": "Choose a smaller gamma, or a smaller power.",
    "polynomial": "Choose a smaller power.",
    "sigmoid": "Put the step later, or choose a smaller gamma.",
    "cosine": "Choose a shorter warm-up.",
    "one-cycle": "Choose a shorter warm-up.",
}
"""How to keep the learning rate up, by policy."""


def _warning(dead_at: float | None, policy: LrPolicy) -> str:
    if dead_at is None or dead_at >= TOO_SOON:
        return ""
    return (
        f"The rate falls under 1 % of its base after {100 * dead_at:.0f} % of the run. "
        f"The model learns almost nothing after that. {ADVICE[policy.name]}"
    )


def _speed(catalog: Catalog, spec: ModelSpec | None, graph: Graph | None) -> float | None:
    """Multiply-adds per second: the median of several past runs like this one, None without such.

    Small steps spend their time on other things than large ones. So only runs count whose steps
    have about the cost of these, with the same settings, on the machine and placement of the
    newest of them. If even these differ much, no estimate is better than a wrong one.
    """
    if spec is None or graph is None:
        return None
    cost = _cost(spec, graph)
    alike = [row for row in _past_runs(catalog) if _is_alike(row, spec, cost)]
    summaries = [row.view["summary"] for row in alike]
    speeds = sorted(
        summary["multiply_adds_per_second"]
        for summary in summaries
        if all(summary.get(key) == summaries[0].get(key) for key in SAME_PLACE)
    )
    if len(speeds) < LEAST_RUNS or speeds[-1] > MOST_SPREAD * speeds[0]:
        return None
    return median(speeds)


def _past_runs(catalog: Catalog) -> Iterator[JobRow]:
    """The newest finished trainings; other requests get their turn between two pages of them."""
    before = ""
    for _ in range(PAST_RUNS // RUNS_A_PAGE):
        page = catalog.find("model", frozenset({"done"}), limit=RUNS_A_PAGE, before=before)
        yield from page
        if len(page) < RUNS_A_PAGE:
            return
        before = page[-1].id
        gevent.sleep(PAUSE)


def _is_alike(row: JobRow, spec: ModelSpec, cost: float) -> bool:
    """Whether a past run is comparable to one whose steps have `cost` multiply-adds."""
    summary, past = row.view["summary"], row.spec
    if not summary.get("multiply_adds_per_second"):
        return False
    # A job.json of an earlier version, or of another program, may lack some of the settings.
    batch = past.get("batch_size", 0) * past.get("accumulation", 0)
    past_cost = 3 * summary.get("multiply_adds", 0) * past.get("patch_size", 0) ** 2 * batch
    is_as_costly = cost / MOST_SPREAD <= past_cost <= cost * MOST_SPREAD
    return is_as_costly and all(past.get(key) == getattr(spec, key) for key in SAME_SETTINGS)


def _cost(spec: ModelSpec, graph: Graph) -> float:
    """Multiply-adds of an optimizer step.

    The factor 3: the forward pass, and a backward pass each for the inputs and for the weights.
    """
    return max(
        3 * graph.multiply_adds() * spec.patch_size**2 * spec.batch_size * spec.accumulation, 1.0
    )


def _seconds(
    spec: ModelSpec | None, graph: Graph | None, length: Length, speed: float | None
) -> float | None:
    """Estimated seconds, from the speed of past trainings."""
    if spec is not None and spec.minutes:
        return spec.minutes * 60
    if spec is None or graph is None or length.steps is None or speed is None:
        return None
    return length.steps * _cost(spec, graph) / speed
