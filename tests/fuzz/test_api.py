"""Fuzz test of the API against its OpenAPI document, by schemathesis with all checks.

The server never responds with 500, never hangs, and never sends an undocumented response.
"""

import os
import subprocess
import sys
from pathlib import Path

from jobs.core.paths import ROOT
from tests.support.server import Server

Clip = tuple[Path, Path]

CONFIG = Path(__file__).parent / "schemathesis.toml"
EXAMPLES, EXAMPLES_LONG = 2, 100
"""Requests for each operation, besides those that cover each parameter's schema."""
RESPONSE_TIMEOUT = 60
"""In seconds.

An export takes some seconds on a busy machine; more than a minute is a hang.
"""
SMALL = {
    "epochs": 1,
    "batch_size": 8,
    "patch_size": 16,
    "patches_per_frame": 1,
    "network": {"maps1": 4, "maps2": 4},
}


def test_api_conforms_to_its_openapi_document(server: Server, clip: Clip, long: bool) -> None:
    ids = {"DATASET": server.dataset(clip), "SPARE": server.dataset(clip)}
    server.wait(ids["DATASET"], "done")
    ids["MODEL"] = server.create("/models", {"name": "m", "dataset": ids["DATASET"], **SMALL})
    server.wait(ids["MODEL"], "done")
    ids["TEST"] = server.create(f"/models/{ids['MODEL']}/tests", {"pair": 0})
    server.wait(ids["TEST"], "done")
    address = f"{server.url}/api/v1/openapi.json"
    options = [
        "--checks=all",
        "--phases=coverage,fuzzing",
        f"--max-examples={EXAMPLES_LONG if long else EXAMPLES}",
        "--seed=1",
        "--generation-database=none",
        "--continue-on-failure",
        "--no-color",
    ]
    options += [f"--request-timeout={RESPONSE_TIMEOUT}", f"--max-response-time={RESPONSE_TIMEOUT}"]
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(CONFIG),
        "run",
        address,
        *options,
    ]
    # Its tables of characters, which hypothesis computes once for this repository.
    storage = {"HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")}
    hooks = {"SCHEMATHESIS_HOOKS": str(Path(__file__).parent / "schemathesis_hooks.py")}
    environment = {**os.environ, **ids, **storage, **hooks}
    folder = server.home.parent
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
    )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
    log = (folder / "server.log").read_text()
    assert "Traceback" not in log, log[-20_000:]
    assert server.call("/jobs")[0] == 200
