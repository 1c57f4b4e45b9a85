"""The training job: optimizer steps, validations and snapshots."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from jobs.core.errors import Aborted, JobError
from jobs.core.folder import JobFolder
from jobs.core.report import Report, finite
from jobs.core.types.facts import TrainingFacts
from jobs.core.types.summaries import ModelSummary, TestSplit
from jobs.datasets.pair_sets import PairSet, mean_of_inputs
from jobs.networks import snapshots
from jobs.networks.device import Precision, choose_device, choose_precision
from jobs.networks.from_spec import notes_on
from jobs.networks.histograms import histograms_of
from jobs.networks.pretrained import start_from_file
from jobs.networks.snapshots import Kind
from jobs.networks.user_code import errors_of_user_code
from jobs.specs import ModelSpec
from jobs.training import dataset_hash, facts
from jobs.training.cadence import Cadence, WeightsShown
from jobs.training.clock import Clock
from jobs.training.curve import Curve
from jobs.training.hardware import Watch
from jobs.training.learner import TOO_LITTLE_MEMORY, Learner
from jobs.training.patches import Plan
from jobs.training.placement import Placement, place
from jobs.training.position import Position, as_state, position_of
from jobs.training.ranks import Ranks, join
from jobs.training.solvers import rate_at
from jobs.training.tensorboard import mirrored
from jobs.training.validation import Scores, Validation
from models.restorer import Restorer

SAMPLE_INTERVAL_SHARE = 0.02
"""Samples are shown after a validation if this share of the time so far has passed since the last.

Without this limit, the pictures of a long run fill the disk.
"""

SECONDS_BETWEEN_LAYERS = 2.0
"""Seconds between two pictures of all layers, which take time to compute."""

STEPS_BETWEEN_CHECKS = 10
"""With several ranks, steps between two checks: the ranks wait for each other there."""


@dataclass
class Run:
    """The objects and the state of a training."""

    folder: JobFolder
    spec: ModelSpec
    report: Report
    ranks: Ranks
    precision: Precision
    plan: Plan
    placement: Placement
    validation: Validation
    kind: Kind
    learner: Learner
    position: Position
    clock: Clock
    cadence: Cadence
    curve: Curve
    scores: Scores = field(default_factory=dict)
    """The scores of the last validation."""
    samples_shown: float = 0.0
    layers_shown: float = 0.0
    """Seconds of the run at which samples and layers were last shown."""
    weights_shown: WeightsShown = field(default_factory=WeightsShown)


def train(folder: JobFolder, spec: ModelSpec, report: Report) -> ModelSummary:
    """Train until the epochs, the steps or the minutes are over; return the summary.

    Continues from a snapshot if there is one. Raises Aborted, after a snapshot, if the job is
    asked to stop, and JobError if the training cannot continue.
    """
    with ExitStack() as stack:
        stack.enter_context(sentence_if_memory_is_short())
        run = prepare(folder, spec, report, stack)
        if run.ranks.rank == 0:
            stack.enter_context(
                dataset_hash.hashed_in_background(
                    report.log, [folder.sibling(id).path for id in spec.datasets]
                )
            )
        stack.enter_context(Watch(report, run.precision.device))
        try:
            with report.phase("training"), errors_of_user_code():
                run_steps(run)
        except Aborted:
            snapshot(run)
            run.ranks.finish()
            raise
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            if reason := run.ranks.lost_reason():
                raise JobError(reason) from error
            raise
        result: ModelSummary = {**summary(run), **test(run)}
        run.ranks.finish()
        return result


@contextmanager
def sentence_if_memory_is_short() -> Iterator[None]:
    """A full GPU ends the training with advice, whatever it was doing."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise JobError(TOO_LITTLE_MEMORY) from error


def prepare(folder: JobFolder, spec: ModelSpec, report: Report, stack: ExitStack) -> Run:
    """Prepare the data, the network and the position of the run."""
    ranks = join(folder, spec.device, report)
    stack.callback(ranks.leave)
    device = _device(spec, ranks)
    precision = choose_precision(spec.precision, device)
    torch.manual_seed(spec.seed)

    pairs, validation_pairs = (
        stack.enter_context(PairSet.of(folder, spec.datasets, split)) for split in ("train", "val")
    )
    kind = Kind(spec.network, spec.channels, pairs.channels)
    restorer = _new_restorer(kind, spec, pairs, device)
    pairs.qps = validation_pairs.qps = restorer.takes_qp
    with report.phase("loading data"):
        plan = Plan.of(spec, pairs)
        placement = place(pairs, plan, device, ranks)
        validation = Validation(validation_pairs, ranks, device)

    state = ranks.broadcast(snapshots.to_resume(folder, report.resume_from))
    if not state:
        _start_new(kind, restorer, folder, spec, report)
    learner = Learner(restorer, spec, precision, ranks, report.message, pairs.typical_qp())

    position = _position_after(state, spec) if state else Position()
    if state:
        learner.load_state(state)
        report.log.append("resumed", step=position.step)
    if ranks.rank == 0:
        stack.enter_context(
            mirrored(folder, spec, report, first_step=position.step + 1 if state else 0)
        )
    step_times = _choose_graph(learner, plan, pairs, device)
    clock = Clock(spec, plan.steps, position.seconds)
    curve = Curve(plan.steps, clock.total, ranks, position.losses)
    report.log.append("facts", **_facts(spec, precision, placement, plan, restorer, step_times))
    return Run(
        folder,
        spec,
        report,
        ranks,
        precision,
        plan,
        placement,
        validation,
        kind,
        learner,
        position,
        clock,
        Cadence(spec, clock, position.checking),
        curve,
    )


def _start_new(
    kind: Kind, restorer: Restorer, folder: JobFolder, spec: ModelSpec, report: Report
) -> None:
    """Load the weights to start from; report what the user should know before the first step."""
    for note in notes_on(spec.network, spec.loss, kind.channels_seen):
        report.message(note)
    if spec.start_from:
        start = folder.sibling(spec.start_from)
        report.message(snapshots.start_from(restorer.net, start, spec.start_snapshot))
    if spec.start_file:
        start_from_file(restorer.net, Path(spec.start_file), report)


def _facts(
    spec: ModelSpec,
    precision: Precision,
    placement: Placement,
    plan: Plan,
    restorer: Restorer,
    step_times: str,
) -> TrainingFacts:
    return {
        "precision": precision.name,
        "placement": placement.description,
        "steps_an_epoch": plan.steps,
        "leader": spec.leader,
        "step_times": step_times,
        **facts.of_network(restorer.net),
        **facts.of_machine(precision.device),
    }


def _choose_graph(learner: Learner, plan: Plan, pairs: PairSet, device: torch.device) -> str:
    """Let a learner on a GPU choose how it computes gradients; the measured times as a text."""
    if device.type != "cuda":
        return ""
    input, target = (
        torch.empty(
            (plan.patches_in(0), channels, plan.side, plan.side),
            dtype=torch.uint8,
            device=device,
            memory_format=torch.channels_last,
        ).zero_()
        for channels in (pairs.channels + pairs.qps, pairs.channels)
    )
    return learner.choose_graph((input, target))


def _device(spec: ModelSpec, ranks: Ranks) -> torch.device:
    device = choose_device(spec.device, ranks.local)
    if device.type == "cuda" and spec.gpu_share < 1:
        torch.cuda.set_per_process_memory_fraction(spec.gpu_share, device)
    return device


def _new_restorer(kind: Kind, spec: ModelSpec, pairs: PairSet, device: torch.device) -> Restorer:
    restorer = kind.restorer(signed=spec.mean_subtraction == "pixel")
    if spec.mean_subtraction == "pixel":
        restorer.mean = mean_of_inputs(pairs, restorer.encode)
    restorer.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return restorer


def _position_after(state: dict[str, Any], spec: ModelSpec) -> Position:
    """The position of a run that continues from the state of a snapshot."""
    position = position_of(state)
    if spec.early_stopping is not None and position.validations_since_best >= spec.early_stopping:
        # The run stopped early, and a user resumed it.
        position.validations_since_best = 0
    return position


def run_steps(run: Run) -> None:
    """Run the steps, with validations, snapshots and reports between them."""
    position, clock, curve, report = run.position, run.clock, run.curve, run.report
    cadence = run.cadence
    batches = run.placement.batches(position.step)
    report.begin(position.step)
    while True:
        if position.validated != position.step and (
            clock.over(position.step) or cadence.should_validate(position.step)
        ):
            with checking(run, "validating"):
                validate(run)
        over = clock.over(position.step) or has_stopped_improving(run)
        if (
            position.step
            and position.kept != position.step
            and (over or cadence.should_keep(position.step, position.validated == position.step))
        ):
            with checking(run, "saving"):
                snapshot(run)
        if over:
            break

        began = time.monotonic()
        batch = next(batches)
        waited = time.monotonic() - began
        rate = rate_at(
            run.spec.solver,
            run.spec.lr_policy,
            clock.progress(position.step),
            clock.epochs(position.step),
            clock.iterations(position.step),
        )
        patches = run.plan.patches_in(position.step)
        loss = run.learner.learn(batch, position.step, rate, run.ranks.weight(patches))
        position.step += 1
        curve.add(loss, rate, patches, waited)
        if curve.is_due(position.step):
            report_point(run, rate)
        if run.ranks.size == 1 or position.step % STEPS_BETWEEN_CHECKS == 0:
            check_in(run)


@contextmanager
def checking(run: Run, phase: str) -> Iterator[None]:
    """Name the phase, and count its time for the cadence."""
    tick(run)
    began = run.clock.seconds
    with run.report.phase(phase):
        yield
    tick(run)
    run.cadence.add(began, run.position.step)


def tick(run: Run) -> None:
    """Set the clocks of all ranks to that of the first."""
    run.clock.tick(run.ranks.broadcast_number(run.clock.read(), run.precision.device))


def check_in(run: Run) -> None:
    """Report the progress and stop if asked to, in all ranks at the same step. Raises Aborted."""
    tick(run)
    if run.ranks.any(run.report.stopping, run.precision.device):
        raise Aborted
    clock = run.clock
    run.report.progress(run.position.step, clock.total, "steps", clock.eta(), share=clock.share())


def report_point(run: Run, rate: float) -> None:
    """Report a point of the training curve."""
    step = run.position.step
    point = run.curve.point(step, run.plan.side)
    loss = {f"train/{run.spec.loss.name}": point.pop("loss")}
    optimizer = {"lr": rate, "gradient_norm": run.learner.gradient_norm()}
    run.report.scalars(step, run.clock.epoch(step), {**loss, **optimizer, **point})


def validate(run: Run) -> None:
    """Report the scores over all validation pairs and, not too often, pictures."""
    position, clock = run.position, run.clock
    run.curve.read(position.step)
    with run.curve.paused():
        run.learner.sync_buffers()
        run.scores = run.validation.scores(run.learner.evaluated, run.report)
        run.report.scalars(position.step, clock.epoch(position.step), run.scores)
        if run.ranks.rank == 0:
            show_pictures(run)
            show_weights(run)
    position.validated = position.step
    position.validations_since_best = (
        0 if run.scores["val/l1"] < position.best else position.validations_since_best + 1
    )
    position.best = min(position.best, run.scores["val/l1"])


def show_pictures(run: Run) -> None:
    """Write pictures of the samples and of the layers, if they are due."""
    now, step = run.clock.read(), run.position.step
    is_last = run.clock.over(step)
    arguments = (run.folder, run.learner.evaluated, run.report, step, run.clock.epoch(step))
    if not (is_last or step == 0 or now - run.samples_shown > SAMPLE_INTERVAL_SHARE * now):
        return
    run.validation.show_samples(*arguments)
    run.samples_shown = now
    if is_last or step == 0 or now - run.layers_shown > SECONDS_BETWEEN_LAYERS:
        run.validation.show_layers(*arguments)
        run.layers_shown = run.clock.read()


def show_weights(run: Run) -> None:
    """Log histograms of weights and gradients, if they are due."""
    now, step = run.clock.read(), run.position.step
    if run.weights_shown.is_due(step, now):
        layers = histograms_of(run.learner.net)
        run.report.log.append("weights", step=step, epoch=run.clock.epoch(step), layers=layers)
        run.weights_shown = WeightsShown(step, now, run.clock.read() - now)


def has_stopped_improving(run: Run) -> bool:
    return (
        run.spec.early_stopping is not None
        and run.position.validations_since_best >= run.spec.early_stopping
    )


def snapshot(run: Run) -> None:
    """Write the weights and the state for a resume. Remove snapshots that are not to be kept."""
    position = run.position
    run.curve.read(position.step)
    if not run.learner.weights_are_finite():
        raise JobError(
            f"The weights are not finite after step {position.step}. "
            "Train again with a lower base learning rate."
        )
    scores = run.scores if position.validated == position.step else {}
    with run.curve.paused():
        # A snapshot without scores, from a stop before the validation, is written again with them.
        position.seconds, position.kept = run.clock.read(), position.step if scores else -1
        position.checking = run.cadence.spent
        if run.ranks.rank > 0:
            return
        name = snapshots.name_of(position.step, run.plan.steps)
        state = {**run.learner.state(), **as_state(position)}
        size = snapshots.save(run.folder, name, run.kind, run.learner.evaluated, state)
        old = snapshots.too_old(run.folder, name, scores, run.spec.keep)
        run.report.snapshot(name, position.step, run.clock.epoch(position.step), size, scores, old)
        snapshots.remove(run.folder, old)
        # The curves are those of the last validation. The page shows them next to its headline.
        rates = run.validation.rates.curves() if scores else None
        if rates and snapshots.find(run.folder, "best") == name:
            run.report.log.append("facts", rates={**rates, "snapshot": name})


def test(run: Run) -> ModelSummary:
    """Score the best snapshot on the test split, if the datasets have one."""
    takes_qp = run.learner.evaluated.takes_qp
    with PairSet.of(run.folder, run.spec.datasets, "test", takes_qp) as pairs:
        if not len(pairs):
            return {}
        best = run.ranks.broadcast(
            snapshots.find(run.folder, "best") if run.ranks.rank == 0 else ""
        )
        run.learner.evaluated.net.load_state_dict(snapshots.read_weights(run.folder, best)[2])
        validation = Validation(pairs, run.ranks, run.precision.device, "test")
        scores = validation.scores(run.learner.evaluated, run.report)
        # The mean over images that all equal their originals is unknown, and JSON has no NaN.
        finite_scores = {key: finite(value) for key, value in scores.items()}
        return {"test": cast(TestSplit, {"snapshot": best, **finite_scores})}


def summary(run: Run) -> ModelSummary:
    network = facts.of_network(run.learner.net)
    speed: ModelSummary = {
        "seconds": run.clock.read(),
        "patches_per_second": run.curve.patches_per_second(),
    }
    if "multiply_adds" in network:
        # One forward pass, and two backward passes: for the inputs and for the weights.
        speed["multiply_adds_per_second"] = (
            3 * network["multiply_adds"] * run.plan.side**2 * speed["patches_per_second"]
        )
    return speed
