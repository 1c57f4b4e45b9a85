"""`clearframe demo` and `make demo`: dataset, training and test through the API of a server.

The server runs until Ctrl-C.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click

from app.forms.presets import PRESETS, SAMPLE
from app.runner import sample
from commands.main import refusals_as_sentences

Job = dict[str, Any]


@click.command("demo")
@click.option("--port", default=5000, show_default=True, help="Serve on this port.")
@click.option(
    "--home",
    default="data",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Use this home folder.",
)
@click.option(
    "--clip",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Use this H.264 stream. Default: a generated clip.",
)
@click.option(
    "--originals",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Use the originals of the stream in this folder.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Train for this number of epochs. Default: one minute.",
)
@click.option("--stay/--leave", default=True, help="Keep the server running at the end.")
def demo(
    port: int, home: Path, clip: Path | None, originals: Path | None, epochs: int | None, stay: bool
) -> None:
    """Create a dataset, train on it, test an image, and print the results."""
    if (clip is None) != (originals is None):
        raise click.UsageError(
            "Set both the stream (CLIP) and the folder of its originals (ORIGINALS), or neither."
        )
    home = home.resolve()  # The process that creates the sample clip has another current folder.
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise click.ClickException(
                f"Port {port} is in use by another program. "
                f"Use another port: --port {port + 1} (make demo PORT={port + 1})"
            )
    if clip is None or originals is None:
        click.echo("The sample clip: 96 frames of 320×192 at QP 37")
        with refusals_as_sentences():
            clip, originals = sample.clip(home / "uploads/sample")
    clip, originals = clip.resolve(), originals.resolve()
    base = f"http://127.0.0.1:{port}"
    roots = [f"--data-root={folder}" for folder in (clip.parent, originals)]
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", "commands.serve", f"--port={port}", f"--home={home}", *roots]
    )
    try:
        wait_for_server(server, base)
        run(base, clip, originals, epochs)
        if stay:
            click.echo("\nThe server is still running. Press Ctrl-C to stop it.")
            server.wait()
    except KeyboardInterrupt:
        click.echo("")
    finally:
        server.terminate()
        server.wait()


def run(base: str, clip: Path, originals: Path, epochs: int | None) -> None:
    source = {"kind": "stream", "stream": str(clip), "originals": str(originals)}
    dataset = run_job(base, "/datasets", {"name": f"demo {clip.stem}", "source": source})
    facts = dataset["summary"]
    pairs, size = facts["pairs"], f"{facts['width']}×{facts['height']}"
    click.echo(
        f"Dataset   {pairs['train']} + {pairs['val']} pairs of {size}, "
        f"{facts['pairs_per_second']:.0f} frames/s"
    )

    settings = PRESETS[SAMPLE].values
    if epochs:
        settings = {**settings, "minutes": None, "epochs": epochs}
    model = run_job(
        base, "/models", {"name": f"demo {clip.stem}", "dataset": dataset["id"], **settings}
    )
    trained, best = model["summary"], model["summary"]["best"]
    before, after = best["val/psnr_input"], best["val/psnr"]
    click.echo(
        f"Training  {trained['seconds']:.0f} s on {trained['device']}, "
        f"best at epoch {best['epoch']:.1f}:"
    )
    click.echo(f"          validation L1 {best['val/l1']:.4f},")
    click.echo(f"          PSNR {after:.2f} dB, input {before:.2f} dB ({after - before:+.2f} dB)")

    test = run_job(base, f"/models/{model['id']}/tests", {"pair": 0})
    before, after, layers = (
        test["summary"]["psnr_input"],
        test["summary"]["psnr_output"],
        len(test["summary"]["layers"]),
    )
    click.echo(
        f"One image PSNR {before:.2f} dB before, {after:.2f} dB after ({after - before:+.2f} dB), "
        f"{layers} layers"
    )
    for name, job in (("datasets", dataset), ("models", model), ("tests", test)):
        click.echo(f"  {base}/{name}/{job['id']}")


def run_job(base: str, path: str, body: dict[str, Any]) -> Job:
    """Create a job and wait for its end."""
    id = call(base, path, body)["id"]
    status = ""
    while True:
        job = call(base, f"/jobs/{id}")
        if job["state"] == "done":
            click.echo("\r" + " " * len(status) + "\r", nl=False)
            return job
        if job["state"] in ("error", "aborted"):
            raise click.ClickException(f"{job['kind']} {id}: {job['reason']}")
        if job["progress"] and sys.stdout.isatty():
            done, total, unit = (job["progress"][key] for key in ("done", "total", "unit"))
            status = f"\r{job['kind']}: {done} of {total} {unit}   "
            click.echo(status, nl=False)
        time.sleep(0.3)


def call(base: str, path: str, body: dict[str, Any] | None = None) -> Job:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{base}/api/v1{path}", data, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as response:
            answer: Job = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise click.ClickException(json.load(error)["error"]["message"]) from error


def wait_for_server(server: subprocess.Popen[bytes], base: str) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise click.ClickException("The server did not start. See its error above.")
        try:
            call(base, "/healthz")
            return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise click.ClickException("The server did not answer within 30 s.")


if __name__ == "__main__":
    demo()
