"""API routes for models: train, preview, extend, test and export; tests of starters."""

from typing import cast

from flask import Blueprint, abort

from app.actions import (
    check_start_file,
    create_models,
    create_test,
    extend,
    pin,
    remove_snapshot,
    unpin,
)
from app.answers import (
    Created,
    CreatedModels,
    Exported,
    ExportFile,
    ExportList,
    PinnedList,
    Preview,
    StartFile,
)
from app.api.replies import body, spec_in_body
from app.api.routes import route
from app.api.typed import JobDetails
from app.bodies import ModelDraft, NewLength, NewStarterTest, NewTest
from app.catalog.index import as_json
from app.current import catalog, row_or_404, row_to_change, settings
from app.forms.preview import preview
from app.forms.restoring import STARTERS
from app.parameters import Id, SampleIndex, SnapshotName, StarterName
from app.runner import exporting
from jobs.core.types.samples import Pinned
from jobs.specs import ModelSpec
from jobs.specs.export import ExportSpec
from jobs.specs.samples import PinnedSample

blueprint = Blueprint("models", __name__)


@route(blueprint, "POST", "/models", body=ModelSpec, status=201)
def post_model() -> tuple[CreatedModels, int]:
    """Train a model, or one per base learning rate and batch size: “0.001, 0.0003”.

    The record of a training can be sent in place of a spec, to repeat it.
    """
    ids, sweep = create_models(spec_in_body("model"))
    return {"id": ids[0], "ids": ids, "sweep": sweep}, 201


@route(blueprint, "POST", "/models/preview", body=ModelDraft)
def post_preview() -> Preview:
    """Preview a training without creating it; values may be missing or wrong."""
    return preview(body(), catalog())


@route(blueprint, "POST", "/models/start-file", body=ModelSpec)
def post_start_file() -> StartFile:
    """Check the weights file of a training without creating it.

    The answer says which weights the network takes, and which not.
    """
    return {"sentences": check_start_file(spec_in_body("model"))}


@route(blueprint, "POST", "/jobs/<id>/extend", body=NewLength, status=202)
def extend_job(id: Id) -> tuple[JobDetails, int]:
    """Train longer: more epochs, steps or minutes, from the last snapshot."""
    extend(row_to_change(id, "model"), body())
    return as_json(row_or_404(id)), 202


@route(blueprint, "GET", "/models/<id>/samples")
def list_samples(id: Id) -> PinnedList:
    """Samples that users have pinned, which the training shows with its own."""
    row_or_404(id, "model")
    return {"samples": catalog().folder(id).pinned()["samples"]}


@route(blueprint, "POST", "/models/<id>/samples", body=PinnedSample, status=201)
def post_sample(id: Id) -> tuple[Pinned, int]:
    """Pin a validation pair, or a region of it: the training shows it from then on."""
    return pin(row_to_change(id, "model"), body()), 201


@route(blueprint, "DELETE", "/models/<id>/samples/<int:index>", status=204)
def delete_sample(id: Id, index: SampleIndex) -> tuple[str, int]:
    """Unpin a sample: later validations do not show it."""
    if not unpin(row_to_change(id, "model"), index):
        abort(404, f"No sample {index} is pinned.")
    return "", 204


@route(blueprint, "DELETE", "/jobs/<id>/snapshots/<name>", status=204)
def delete_snapshot(id: Id, name: SnapshotName) -> tuple[str, int]:
    """Delete a snapshot of a training that is not running."""
    row_to_change(id, "model")
    remove_snapshot(id, name)
    return "", 204


@route(blueprint, "POST", "/models/<id>/tests", body=NewTest, status=201)
def post_test(id: Id) -> tuple[Created, int]:
    """Test a model on an image, several images, a split of its dataset, or a video.

    The record of a test of this model can be sent in place of a spec, to repeat it.
    """
    row_or_404(id, "model")
    return {"id": create_test(spec_in_body("test"), model=id)}, 201


@route(blueprint, "POST", "/starters/<name>/tests", body=NewStarterTest, status=201)
def post_starter_test(name: StarterName) -> tuple[Created, int]:
    """Restore an image, several images or a video with a trained network of the package."""
    if name not in STARTERS:
        abort(404, f"No starter {name}. Available: {', '.join(STARTERS)}.")
    return {"id": create_test(spec_in_body("test"), starter=name)}, 201


@route(blueprint, "GET", "/models/<id>/exports")
def list_exports(id: Id) -> ExportList:
    """Exported snapshots of a model."""
    row_or_404(id, "model")
    files = exporting.exports_of(catalog().folder(id))
    return {"exports": [cast(ExportFile, file) for file in files]}


@route(blueprint, "POST", "/models/<id>/exports", body=ExportSpec, status=201)
def post_export(id: Id) -> tuple[Exported, int]:
    """Export a snapshot to ONNX, TorchScript, torch.export, safetensors or a shader; check it."""
    spec = exporting.checked_export(body(), row_or_404(id, "model"))
    exported = exporting.export(catalog().folder(id), spec, settings().allow_user_code)
    return cast(Exported, exported), 201
