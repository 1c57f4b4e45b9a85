"""The page that restores a file in the browser, from the person's disk, and the page's worker."""

from dataclasses import asdict

from flask import Blueprint, Response, abort, render_template, request, send_from_directory, url_for

from app.checks.training import channels_seen, read_prototxt
from app.current import catalog
from app.pages.common import job_or_404
from app.threads import in_thread
from app.web.safety import allow
from jobs.core.paths import STATIC
from jobs.specs import ModelSpec
from jobs.specs.networks import Custom, Package, PythonFile
from models.definitions.graph import Graph
from models.definitions.networks import NETWORKS
from models.definitions.operations import GraphError
from models.definitions.receptive_field import reach_of

blueprint = Blueprint("in_browser", __name__)

RUNTIMES = {
    "wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm.gz"),
    "webgpu": ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm.gz"),
}
"""Script and WASM of ONNX Runtime for the CPU and for the GPU: scripts/vendor.mjs has them."""


@blueprint.get("/models/<id>/browser")
def page(id: str) -> str:
    """The page, with the facts that the file of a network lacks: `snapshot` is the choice."""
    job = job_or_404(id, "model")
    names = [snapshot["snapshot"] for snapshot in job["summary"].get("snapshots", [])]
    if not names:
        abort(404, "The model has no snapshot yet. Wait for its first snapshot.")
    best = job["summary"]["best"]["snapshot"]
    chosen = request.args.get("snapshot", best)
    spec = ModelSpec.model_validate(job["spec"])
    graph = in_thread(_graph, spec, channels_seen(spec, catalog().get(spec.dataset)))
    reaches = None if graph is None else reach_of(graph)
    allow("media-src", "blob:")  # A video of the person's disk, as the page's own script names it.
    return render_template(
        "models/in_browser.html",
        title=f"Try {job['name']} in the browser",
        active="models",
        job=job,
        snapshots=[best, *(name for name in reversed(names) if name != best)],
        best=best,
        chosen=chosen if chosen in names else best,
        takes_qp=graph is not None and graph.takes_qp,
        network={
            "model": id,
            "reaches": None if reaches is None else [asdict(reach) for reach in reaches],
            "worker": url_for(".worker"),
            "runtimes": {name: _addresses(*files) for name, files in RUNTIMES.items()},
        },
    )


@blueprint.get("/network-worker.js")
def worker() -> Response:
    """The script of the worker, the only one that may compile WASM.

    A worker obeys the policy of its script's response: that of the page stays strict.
    """
    allow("script-src", "'wasm-unsafe-eval'")
    return send_from_directory(STATIC / "js/network", "worker.js", mimetype="text/javascript")


def _graph(spec: ModelSpec, channels: int) -> Graph | None:
    """The network; None for one of a package or a Python file, which only workers run."""
    match spec.network:
        case Package() | PythonFile():
            return None
        case Custom() as custom:
            try:
                return read_prototxt(custom.prototxt, channels).graph
            except GraphError:  # Of an earlier version, which read it in another way.
                return None
        case network:
            settings = network.model_dump(exclude={"name", "start"})
            return NETWORKS[network.name].graph(channels, **settings)


def _addresses(script: str, binary: str) -> dict[str, str]:
    return {
        kind: url_for("static", filename=f"vendor/{file}")
        for kind, file in (("script", script), ("binary", binary))
    }
