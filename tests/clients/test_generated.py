"""Generators of clients take the description of the API as it is, without a warning."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.api import openapi
from jobs.core.paths import ROOT
from tests.conftest import Clip
from tests.support.server import Server

BYTES = ("application/offset+octet-stream", "application/zip")
CONFIG = {"content_type_overrides": dict.fromkeys(BYTES, "application/octet-stream")}
"""The generator knows no other type of bytes than application/octet-stream."""
ALWAYS = (
    "OpenAPI 3.1 support is still in beta",
    "Failed to get the schema name: null",
    "From (reserved word) cannot be used as model name",
)
"""Notes of openapi-generator: the first two come for an empty document too; the third says that it
renames the parameter `from`, a word of Python."""


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import app.api.v1  # noqa: F401  # Registers the routes.

    path = tmp_path_factory.mktemp("clients") / "openapi.json"
    path.write_text(json.dumps(openapi.document()))
    return path


def run(*command: object, cwd: Path, **environment: str) -> str:
    """The output of a program, which must not fail."""
    ran = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=240,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def python_client(description: Path) -> Path:
    """The folder of the package that openapi-python-client generates."""
    folder, config = description.parent / "python", description.with_name("config.json")
    config.write_text(json.dumps({**CONFIG, "post_hooks": []}))
    generator = Path(sys.executable).with_name("openapi-python-client")
    options = ["generate", "--path", description, "--config", config, "--fail-on-warning"]
    said = run(generator, *options, "--output-path", folder, cwd=description.parent)
    assert "arning" not in said, said
    return folder


def test_openapi_python_client_drives_a_whole_job(
    python_client: Path, server: Server, clip: Clip
) -> None:
    program = ROOT / "tests/clients/whole_job.py"
    ran = run(
        *(sys.executable, "-P", program, f"{server.url}/api/v1", *clip),
        cwd=python_client,
        PYTHONPATH=str(python_client),
    )
    height, step, psnr, checked_with, *_ = ran.split()
    assert (int(height) > 0, step, float(psnr) > 10) == (True, "2", True)
    assert checked_with == "onnxruntime"


def test_all_answers_of_the_generated_client_have_types(python_client: Path) -> None:
    """mypy finds no untyped value in the program that drives the whole job."""
    program = ROOT / "tests/clients/whole_job.py"
    options = ["--strict", "--follow-imports=silent", "--config-file=", "--disallow-any-expr"]
    options += [f"--cache-dir={ROOT / '.mypy_cache/clients'}"]  # The next run is quicker.
    run(
        *(sys.executable, "-m", "mypy", *options, program),
        cwd=python_client,
        MYPYPATH=str(python_client),
    )


@pytest.mark.skipif(shutil.which("java") is None, reason="openapi-generator needs Java")
def test_openapi_generator_makes_a_python_client(description: Path) -> None:
    generator = Path(sys.executable).with_name("openapi-generator-cli")
    folder = description.parent / "generated"
    said = run(
        *(generator, "generate", "-g", "python", "-i", description, "-o", folder),
        cwd=description.parent,
        JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # A program of seconds.
    )
    lines = [line for line in said.splitlines() if re.search("WARN|ERROR", line)]
    assert not [line for line in lines if not any(note in line for note in ALWAYS)]
    names = {path.stem for path in (folder / "openapi_client/models").glob("*.py")}
    assert {"any_job", "dataset_spec", "model_spec", "image_test"} <= names
    run(sys.executable, "-m", "compileall", "-q", folder / "openapi_client", cwd=folder)


def test_openapi_typescript_makes_types(description: Path) -> None:
    types = description.with_suffix(".d.ts")
    generator = ROOT / "tests/clients/node_modules/openapi-typescript/bin/cli.js"
    node = Path(sys.executable).with_name("node")
    said = run(node, generator, description, "--output", types, cwd=description.parent)
    assert not re.search("warn|error", said, re.IGNORECASE), said
    assert "export interface operations" in types.read_text()
