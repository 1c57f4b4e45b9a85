"""The model card of an exported network, next to its file."""

import json
from pathlib import Path
from typing import Any

from jobs.core.events import last_state, read
from jobs.core.folder import JobFolder
from jobs.core.types.summaries import Snapshot
from jobs.networks.plain_code import plain_code
from jobs.specs import ModelSpec
from jobs.specs.export import MADE_BY, ExportFormat
from jobs.specs.networks import PythonFile
from models.build import GraphNetwork
from models.restorer import Restorer

SCORES = (("PSNR", "psnr", "dB"), ("PSNR of Y", "psnr_y", "dB"), ("SSIM", "ssim", ""))
LIBRARIES: dict[ExportFormat, str] = {
    "onnx": "onnx",
    "torchscript": "pytorch",
    "torch.export": "pytorch",
    "safetensors": "pytorch",
    "shader": "mpv",
}
LOADED: dict[ExportFormat, str] = {
    "onnx": (
        "import onnxruntime\n\nsession = onnxruntime.InferenceSession({file!r})\n\n"
        "def restore(image):  # {shape}, a float32 array\n"
        '    return session.run(None, {{"image": image}})[0]'
    ),
    "torchscript": "import torch\n\nrestore = torch.jit.load({file!r})  # {shape}",
    "torch.export": "import torch\n\nrestore = torch.export.load({file!r}).module()  # {shape}",
}


def model_card(
    model: JobFolder,
    snapshot: Snapshot,
    restorer: Restorer,
    channels: int,
    path: Path,
    format: ExportFormat,
    licence: str,
) -> str:
    """The card as Markdown, with the fields of Hugging Face at its top.

    `channels`: of an image. `path`: the exported file.
    """
    job, spec = model.read(), model.spec()
    licence = " ".join(licence.split())
    assert isinstance(spec, ModelSpec)
    head = {
        "license": licence or "unknown",
        "library_name": LIBRARIES[format],
        "pipeline_tag": "image-to-image",
        "tags": ["clearframe", "image-restoration", "compression-artifacts"],
        "metrics": ["psnr", "ssim"],
    }
    # JSON is YAML, whatever a licence contains.
    yaml = "".join(f"{key}: {json.dumps(value)}\n" for key, value in head.items())
    sections = [
        f"# {' '.join(job['name'].split())}",
        MADE_BY,
        f"## Load it\n\n{_use(restorer, channels, path, format)}",
        f"## Scores\n\n{_scores(snapshot)}",
        f"## Data\n\n{_data(model, spec)}",
        f"## Network\n\n{_network(spec, restorer)}",
        f"## Training\n\n{_training(spec, snapshot)}",
        f"## Licence\n\n{licence or 'Not stated. Ask the author before you use the weights.'}",
    ]
    return f"---\n{yaml}---\n\n" + "\n\n".join(sections) + "\n"


def _use(restorer: Restorer, channels: int, path: Path, format: ExportFormat) -> str:
    if format == "shader":
        return _play(restorer, path)
    planes = channels + restorer.takes_qp
    if format == "safetensors":
        code = plain_code(restorer, channels, path.name)
    else:
        shape = f"(N, {planes}, H, W) in 0 to 1"
        code = LOADED[format].format(file=path.name, shape=shape)
    colours = "RGB" if channels == 3 else "gray"
    qp = ", then QP / 51 of the codec at each pixel, 0 where it is unknown" * restorer.takes_qp
    return (
        f"```python\n{code}\n```\n\n"
        f"`restore` takes images (N, {planes}, H, W) in float32, 0 to 1, of any size: "
        f"{colours}{qp}. It returns the restored images, not clipped."
    )


def _play(restorer: Restorer, path: Path) -> str:
    qp = " Set `VIDEO_QP` at the top of the file to the QP of your video." * restorer.takes_qp
    return (
        f"```sh\nmpv --glsl-shaders={path.name} VIDEO\n```\n\nThe GPU restores each frame, in RGB "
        f"at the size of the video, before the player scales it.{qp}"
    )


def _scores(snapshot: Snapshot) -> str:
    """A table of the validation. A score is infinite (null) where pictures are equal."""
    scores: dict[str, Any] = dict(snapshot)
    rows = []
    for title, key, unit in SCORES:
        before, after = scores.get(f"val/{key}_input"), scores.get(f"val/{key}")
        if before is not None and after is not None:
            unit = f" {unit}" if unit else ""
            gain = f"{after - before:+.4g}{unit}"
            rows.append(f"| {title} | {before:.4g}{unit} | {after:.4g}{unit} | {gain} |")
    if not rows:
        return f"Snapshot {snapshot['snapshot']} was not validated."
    return (
        f"Snapshot {snapshot['snapshot']}, means over the validation pairs:\n\n"
        "| | damaged input | restored | gain |\n|---|---|---|---|\n" + "\n".join(rows)
    )


def _data(model: JobFolder, spec: ModelSpec) -> str:
    lines = []
    for id in spec.datasets:
        folder = model.sibling(id)
        if not (folder.path / "job.json").is_file():
            lines.append(f"- a dataset that was deleted ({id})")
            continue
        state = last_state(folder.events)
        pairs = (state.get("summary") or {}).get("pairs", {}) if state is not None else {}
        counts = ", ".join(f"{count:,} {split}" for split, count in pairs.items())
        lines.append(f"- {folder.read()['name']}{f': pairs {counts}' if counts else ''}")
    hashes = [
        event["dataset_hash"]
        for event in read(model.events, types=frozenset({"facts"}))
        if event["type"] == "facts" and "dataset_hash" in event
    ]
    return "\n".join([*lines, *(f"- SHA-256 of all pairs: {hash}" for hash in hashes[-1:])])


def _network(spec: ModelSpec, restorer: Restorer) -> str:
    network = spec.network.model_dump(exclude={"prototxt", "file"})
    settings = ", ".join(f"{key} {value}" for key, value in network.items() if key != "name")
    weights = sum(parameter.numel() for parameter in restorer.net.parameters())
    lines = [
        f"- {spec.network.model_config.get('title') or spec.network.name}"
        f"{f' ({settings})' if settings else ''}, {weights:,} weights",
        f"- sees {_colours(restorer)}",
    ]
    if isinstance(restorer.net, GraphNetwork):
        rows, columns = restorer.net.graph.receptive_field()
        lines.append(f"- receptive field {columns}×{rows} px")
    if isinstance(spec.network, PythonFile):
        lines.append("- the module is in a Python file of its author")
    return "\n".join(lines)


def _colours(restorer: Restorer) -> str:
    seen = {"y": "Y; colour passes through", "rgb": "RGB", "ycbcr": "YCbCr"}[restorer.channels]
    return f"{seen}, and the QP" if restorer.takes_qp else seen


def _training(spec: ModelSpec, snapshot: Snapshot) -> str:
    return (
        f"{snapshot['step']:,} optimizer steps ({snapshot['epoch']:.4g} epochs), batches of "
        f"{spec.batch_size} patches of {spec.patch_size}×{spec.patch_size} px, loss "
        f"{spec.loss.name}, {spec.solver.name}, learning rate {spec.solver.learning_rate:g} "
        f"({spec.lr_policy.name}), seed {spec.seed}.{_start(spec)}"
    )


def _start(spec: ModelSpec) -> str:
    """Weights that these were trained on from: their licence may apply."""
    start = Path(spec.start_file).name if spec.start_file else spec.start_from
    return f" It started from the weights of {start}." if start else ""
