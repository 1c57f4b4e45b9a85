"""The training job: patches through the network, step by step; validations and snapshots on the way."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch

from jobs.core.errors import Aborted, JobError
from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.datasets.pair_sets import PairSet, mean_seen
from jobs.networks import snapshots
from jobs.networks.device import Precision, choose_device, choose_precision
from jobs.networks.snapshots import Kind
from jobs.specs import ModelSpec
from jobs.training import dataset_hash, facts
from jobs.training.clock import Clock
from jobs.training.curve import Curve
from jobs.training.hardware import Watch
from jobs.training.learner import TOO_LITTLE_MEMORY, Learner
from jobs.training.patches import Plan
from jobs.training.placement import Placement, place
from jobs.training.position import Position, as_state, position_of
from jobs.training.ranks import Ranks, join
from jobs.training.solvers import rate_at
from jobs.training.tensorboard import shown_beside
from jobs.training.validation import Scores, Validation

SHOW_SHARE = 0.02
"""Samples are shown after a validation, but not sooner than after this share of the time so far: a long run does not fill
the disk with pictures."""

SECONDS_BETWEEN_LAYERS = 2.0
"""Pictures of all layers take time: they come with some of the samples only."""


STEPS_BETWEEN_LOOKS = 10
"""Several ranks wait for one another where they look up."""


@dataclass
class Run:
    """What a training holds."""

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
    at: Position
    clock: Clock
    curve: Curve
    scores: Scores = field(default_factory=dict)
    """Of the last validation."""
    samples_shown: float = 0.0
    layers_shown: float = 0.0
    """Seconds of the run at which they were last shown."""


def train(folder: JobFolder, spec: ModelSpec, report: Report) -> dict[str, Any]:
    """Train until the epochs, the steps or the minutes are over; return the summary. Goes on from a snapshot.

    Raises Aborted, after a snapshot, where somebody asks the job to stop, and JobError where it cannot go on.
    """
    with ExitStack() as stack:
        run = prepare(folder, spec, report, stack)
        if run.ranks.rank == 0:
            stack.enter_context(
                dataset_hash.told(report.log, [folder.sibling(id).path for id in spec.datasets])
            )
        stack.enter_context(Watch(report, run.precision.device))
        try:
            go(run)
        except Aborted:
            snapshot(run)
            raise
        except torch.OutOfMemoryError as error:
            raise JobError(TOO_LITTLE_MEMORY) from error
        except RuntimeError as error:
            if words := run.ranks.lost():
                raise JobError(words) from error
            raise
        return {**summary(run), **test(run)}


def prepare(folder: JobFolder, spec: ModelSpec, report: Report, stack: ExitStack) -> Run:
    """Data, network, and where the run stands."""
    ranks = join(folder, spec.device, report)
    stack.callback(ranks.leave)
    device = choose_device(spec.device, ranks.local)
    if device.type == "cuda" and spec.gpu_share < 1:
        torch.cuda.set_per_process_memory_fraction(spec.gpu_share, device)
    precision = choose_precision(spec.precision, device)
    torch.manual_seed(spec.seed)

    pairs, kept_back = (
        stack.enter_context(PairSet.of(folder, spec.datasets, split)) for split in ("train", "val")
    )
    plan = Plan.of(spec, pairs)
    placement = place(pairs, plan, device, ranks.share)
    validation = Validation(kept_back, ranks, device)

    kind = Kind(spec.network, spec.channels, pairs.channels)
    restorer = kind.restorer(signed=spec.mean_subtraction == "pixel")
    if spec.mean_subtraction == "pixel":
        restorer.mean = mean_seen(pairs, restorer.encode)
    restorer.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = ranks.same(snapshots.to_resume(folder, report.resume_from))
    if spec.start_from and not state:
        report.message(
            snapshots.start_from(restorer.net, folder.sibling(spec.start_from), spec.start_snapshot)
        )
    learner = Learner(restorer, spec, precision, ranks, report.message)

    at = Position()
    if state:
        at = position_of(state)
        if spec.early_stopping is not None and at.validations_since_best >= spec.early_stopping:
            at.validations_since_best = (
                0  # It had stopped by itself, and somebody wants it to go on.
            )
        learner.take_up(state)
        report.log.append("resumed", step=at.step)
    if ranks.rank == 0:
        stack.enter_context(
            shown_beside(folder, spec, report, first_step=at.step + 1 if state else 0)
        )
    clock = Clock(spec, plan.steps, at.seconds)
    curve = Curve(plan.steps, ranks, at.losses)
    told = {"precision": precision.name, "placement": placement.words, "steps_an_epoch": plan.steps}
    report.log.append("facts", **told, **facts.of_network(restorer.net), **facts.of_machine(device))
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
        at,
        clock,
        curve,
    )


def go(run: Run) -> None:
    """The steps, and what comes between them."""
    at, clock, curve, report = run.at, run.clock, run.curve, run.report
    validate_every, snapshot_every = (
        clock.every(run.spec.validation_interval),
        clock.every(run.spec.snapshot_interval),
    )
    batches = run.placement.batches(at.step)
    report.begin(at.step)
    while True:
        if at.validated != at.step and (clock.over(at.step) or at.step % validate_every == 0):
            validate(run)
        over = clock.over(at.step) or has_stopped_improving(run)
        if at.step and at.kept != at.step and (over or at.step % snapshot_every == 0):
            snapshot(run)
        if over:
            break

        asked = time.monotonic()
        batch = next(batches)
        waited = time.monotonic() - asked
        rate = rate_at(
            run.spec.solver,
            run.spec.lr_policy,
            clock.progress(at.step),
            clock.epochs(at.step),
            clock.iterations(at.step),
        )
        patches = run.plan.patches_in(at.step)
        loss = run.learner.learn(batch, at.step, rate, run.ranks.weight(patches))
        at.step += 1
        curve.add(loss, rate, patches, waited)
        if curve.is_due(at.step):
            tell(run, rate)
        if run.ranks.size == 1 or at.step % STEPS_BETWEEN_LOOKS == 0:
            look_up(run)


def look_up(run: Run) -> None:
    """How far it is, and whether to go on: several ranks agree on that."""
    run.clock.tick(run.ranks.of_first(run.clock.read(), run.precision.device))
    if run.ranks.any(run.report.stopping, run.precision.device):
        raise Aborted
    run.report.progress(run.at.step, run.clock.total, "steps", run.clock.eta())


def tell(run: Run, rate: float) -> None:
    """A point of the training curve."""
    point = run.curve.point(run.at.step, run.plan.side)
    loss = {f"train/{run.spec.loss.name}": point.pop("loss")}
    told = {"lr": rate, "gradient_norm": run.learner.gradient_norm()}
    run.report.scalars(run.at.step, run.clock.epoch(run.at.step), {**loss, **told, **point})


def validate(run: Run) -> None:
    """Scores over all validation pairs, to the curve; and, not too often, pictures."""
    at, clock = run.at, run.clock
    run.curve.read(at.step)
    with run.curve.paused():
        run.learner.settle()
        run.scores = run.validation.scores(run.learner.kept, run.report)
        run.report.scalars(at.step, clock.epoch(at.step), run.scores)
        if run.ranks.rank == 0:
            show(run)
    at.validated = at.step
    at.validations_since_best = (
        0 if run.scores["val/l1"] < at.best else at.validations_since_best + 1
    )
    at.best = min(at.best, run.scores["val/l1"])


def show(run: Run) -> None:
    """Pictures of the samples, and of what the layers do to one of them."""
    now, step = run.clock.read(), run.at.step
    last = run.clock.over(step)
    at = (run.folder, run.learner.kept, run.report, step, run.clock.epoch(step))
    if not (last or step == 0 or now - run.samples_shown > SHOW_SHARE * now):
        return
    run.validation.show_samples(*at)
    run.samples_shown = now
    if last or step == 0 or now - run.layers_shown > SECONDS_BETWEEN_LAYERS:
        run.validation.show_layers(*at)
        run.layers_shown = run.clock.read()


def has_stopped_improving(run: Run) -> bool:
    return (
        run.spec.early_stopping is not None
        and run.at.validations_since_best >= run.spec.early_stopping
    )


def snapshot(run: Run) -> None:
    """Weights, and the state to resume from; older snapshots than the spec wants to keep go."""
    at = run.at
    run.curve.read(at.step)
    if not run.learner.is_sound():
        raise JobError(
            f"The weights are no numbers any more after step {at.step}. Train again with a lower base learning rate."
        )
    scores = run.scores if at.validated == at.step else {}
    with run.curve.paused():
        # One that was made because somebody stopped the run before its validation is made again, with scores.
        at.seconds, at.kept = run.clock.read(), at.step if scores else -1
        if run.ranks.rank > 0:
            return
        name = snapshots.name_of(at.step, run.plan.steps)
        size = snapshots.save(
            run.folder, name, run.kind, run.learner.kept, {**run.learner.state(), **as_state(at)}
        )
        gone = snapshots.too_old(run.folder, name, scores, run.spec.keep)
        run.report.snapshot(name, at.step, run.clock.epoch(at.step), size, scores, gone)
        snapshots.remove(run.folder, gone)


def test(run: Run) -> dict[str, Any]:
    """The best snapshot on the pairs that were kept for the very end, where the datasets have any."""
    with PairSet.of(run.folder, run.spec.datasets, "test") as pairs:
        if not len(pairs):
            return {}
        best = run.ranks.same(snapshots.find(run.folder, "best") if run.ranks.rank == 0 else "")
        run.learner.kept.net.load_state_dict(snapshots.read_weights(run.folder, best)[2])
        validation = Validation(pairs, run.ranks, run.precision.device, "test")
        return {"test": {"snapshot": best, **validation.scores(run.learner.kept, run.report)}}


def summary(run: Run) -> dict[str, Any]:
    network = facts.of_network(run.learner.net)
    told = {"seconds": run.clock.read(), "patches_per_second": run.curve.patches_per_second()}
    if "multiply_adds" in network:
        # Forwards once, and backwards once for the inputs and once for the weights.
        told["multiply_adds_per_second"] = (
            3 * network["multiply_adds"] * run.plan.side**2 * told["patches_per_second"]
        )
    return told
