"""Our OpenAPI description against a real server, by schemathesis with all its checks: no 500, no hang, nothing undescribed."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.server import Server

Clip = tuple[Path, Path]

CONFIG = Path(__file__).parent / "schemathesis.toml"
AT_MOST, AN_ANSWER = 900, 60
"""Seconds, for all and for each: an export on a machine that trains takes some, and what takes longer than a minute hangs."""
SMALL = {
    "epochs": 1,
    "batch_size": 8,
    "patch_size": 16,
    "patches_per_frame": 1,
    "network": {"maps1": 4, "maps2": 4},
}


def test_the_api_does_what_its_description_says(server: Server, clip: Clip) -> None:
    ids = {"DATASET": server.dataset(clip), "SPARE": server.dataset(clip)}
    server.wait(ids["DATASET"], "done")
    ids["MODEL"] = server.create("/models", {"name": "m", "dataset": ids["DATASET"], **SMALL})
    server.wait(ids["MODEL"], "done")
    ids["TEST"] = server.create(f"/models/{ids['MODEL']}/tests", {"pair": 0})
    server.wait(ids["TEST"], "done")
    address = f"{server.url}/api/v1/openapi.json"
    how = [
        "--checks=all",
        "--phases=coverage,fuzzing",
        "--max-examples=5",
        "--seed=1",
        "--continue-on-failure",
        "--no-color",
    ]
    how += [f"--request-timeout={AN_ANSWER}", f"--max-response-time={AN_ANSWER}"]
    line = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(CONFIG),
        "run",
        address,
        *how,
    ]
    environment = {**os.environ, **ids}
    place = server.home.parent
    ran = subprocess.run(
        line,
        capture_output=True,
        text=True,
        check=False,
        timeout=AT_MOST,
        cwd=place,
        env=environment,
    )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
    said = (place / "server.log").read_text()
    assert "Traceback" not in said, said[-20_000:]
    assert server.call("/jobs")[0] == 200
