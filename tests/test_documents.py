"""The documents: they build without a warning, the server shows them, and what they say works."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from flask.testing import FlaskClient

from app.application import create_app
from app.forms.help import FIELDS, FORMS
from app.pages import docs
from app.settings import Settings
from app.web.safety import HEADERS
from commands import main
from commands.server_options import with_settings
from jobs.core.paths import ROOT
from tests.conftest import Clip
from tests.support.server import Server, free_port
from tests.support.shell import put_on_path

POLICY = HEADERS["Content-Security-Policy"]


@pytest.fixture(scope="session")
def pages() -> Path:
    """The documents as pages, built as `make docs` builds them."""
    options = ["--quiet", "--fail-on-warning", "--keep-going"]
    command = [sys.executable, "-m", "sphinx", *options, "docs", "help"]
    built = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=250
    )
    assert (built.returncode, built.stderr) == (0, "")
    return ROOT / "help"


@pytest.fixture
def client(home: Path) -> FlaskClient:
    return create_app(Settings(home=home), work=False).test_client()


def test_no_page_has_an_inline_script_or_style(pages: Path) -> None:
    """The server's policy forbids them."""
    assert "unsafe-inline" not in POLICY
    inline = re.compile(r"<style|<script(?![^>]*\bsrc=)| style=| on[a-z]+=\"")
    built = list(pages.rglob("*.html"))
    assert len(built) > 10
    assert [page for page in built if inline.search(page.read_text(encoding="utf-8"))] == []


def test_the_server_shows_the_built_pages_only(pages: Path, client: FlaskClient) -> None:
    first = client.get("/help/")
    assert "<h1>Clearframe" in first.text
    assert first.headers["Content-Security-Policy"] == POLICY
    first.close()
    assert client.get("/help").headers["Location"].endswith("/help/")
    for name in ("../README.md", "%2e%2e/README.md", "no-such-page.html", "_static"):
        assert client.get(f"/help/{name}").status_code == 404, name


def test_each_question_mark_of_a_form_leads_to_a_paragraph(
    pages: Path, client: FlaskClient
) -> None:
    """Those of the fields are in all forms; a model would be needed to open that of its tests."""
    shown = "".join(client.get(path).text for path in ("/datasets/new", "/models/new", "/restore"))
    links = set(re.findall(r'class="question" href="/help/([^"]+)"', shown))
    assert len(links) > 10
    for link in {*links, *FORMS.values(), *FIELDS.values()}:
        name, _, anchor = link.partition("#")
        page = (pages / name).read_text(encoding="utf-8")
        assert not anchor or f'id="{anchor}"' in page, link


def test_without_built_pages_the_server_says_how_to_build_them(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docs, "HELP", tmp_path / "help")
    answer = client.get("/help/")
    assert answer.status_code == 404
    assert "Run `make docs`" in answer.text


RUN = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NOT_RUN = re.compile(r"^```\{code-block\} sh\n:class: not-run\n(.*?)^```", re.DOTALL | re.MULTILINE)
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").rglob("*.md"))]
ADDRESS = "http://127.0.0.1:5000"
SMALL = (
    "[train]\npatch_size = 16\npatches_per_frame = 1\nbatch_size = 4\nvalidation_interval = 10\n"
)
"""Settings of the commands: trainings take a second, whatever their length is."""


def blocks(document: Path) -> list[tuple[str, str]]:
    """The commands and the Python of a document that a reader can run, with their language."""
    return RUN.findall(document.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Workplace:
    """The folder of a reader, with a clip, and the server that the reader has started."""

    files: Path
    server: Server

    def follow(self, document: Path, folder: Path) -> None:
        """Run the blocks of a document as written, except for the address of the server."""
        shutil.copytree(self.files, folder)
        (folder / "data").symlink_to(self.server.home)
        for language, code in blocks(document):
            program = [sys.executable, "-c"] if language == "python" else ["bash", "-euc"]
            written = code.replace(ADDRESS, self.server.url)
            done = subprocess.run(
                [*program, written],
                cwd=folder,
                env={**self.environment, "CLEARFRAME_SERVER": self.server.url},
                capture_output=True,
                text=True,
                check=False,
                timeout=250,
            )
            assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": put_on_path(self.files.parent),
            "PYTHONPATH": str(ROOT),
            "CLEARFRAME_COMMANDS": str(self.files.parent / "small.toml"),
        }


@pytest.fixture(scope="module")
def workplace(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """What a reader of the README has: a clip, the jobs `clip` and `first`, a server."""
    from PIL import Image

    from jobs.media.video import decode

    place = tmp_path_factory.mktemp("reader")
    files = place / "files"
    shutil.copytree(clip[1], files / "frames")
    shutil.copy(clip[0], files / "clip.h264")
    shutil.copytree(ROOT / "examples", files / "examples")
    Image.fromarray(next(iter(decode(clip[0])))).save(files / "frame.png")
    Image.fromarray(next(iter(decode(clip[0])))).save(files / "original.png")
    (place / "small.toml").write_text(SMALL)
    server = Server(place / "home", [place], free_port())
    server.options = ["--allow-user-code"]
    with server:
        workplace = Workplace(files, server)
        workplace.follow(README, place / "README")
        yield workplace


@pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if path != README and blocks(path)],
    ids=lambda path: path.stem,
)
@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_commands_and_the_python_of_a_document_run_as_written(
    document: Path, workplace: Workplace
) -> None:
    workplace.follow(document, workplace.files.parent / document.stem)


@pytest.mark.parametrize(
    "line",
    [
        line.strip()
        for path in DOCUMENTS
        for block in NOT_RUN.findall(path.read_text(encoding="utf-8"))
        for line in re.split(r"\n|\|", block)
        if line.strip().startswith("clearframe")
    ],
)
def test_the_options_of_commands_that_cannot_run_here_exist(line: str) -> None:
    """Commands that need GPUs, users or a proxy."""
    command: click.Command = main.main
    words = shlex.split(line)[1:]
    while isinstance(command, click.Group):
        entry = command.commands[words.pop(0)]
        command = entry.load() if isinstance(entry, main.Entry) else entry
    if command.name == "serve":  # It passes its options on.
        command = click.command()(with_settings(lambda settings: None))
    names = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= names


def test_the_client_in_the_documents_needs_no_other_package(workplace: Workplace) -> None:
    (code,) = (
        code for language, code in blocks(ROOT / "docs/scripting.md") if language == "python"
    )
    imports = [line for line in code.splitlines() if "import" in line]
    modules = "{'torch', 'pydantic', 'flask'} & sys.modules.keys()"
    check = "\n".join([*imports, "import sys", f"assert not {modules}"])
    environment = workplace.environment
    subprocess.run(
        [sys.executable, "-c", check], env=environment, cwd=workplace.files, check=True, timeout=250
    )
    assert len(code.strip().splitlines()) <= 10


def test_the_notebook_of_the_examples_runs(workplace: Workplace) -> None:
    folder = workplace.files.parent / "notebook"
    shutil.copytree(workplace.files, folder)
    shutil.copy(folder / "examples/whole_job.ipynb", folder)
    done = subprocess.run(
        [Path(sys.executable).with_name("jupyter-execute"), "--inplace", "whole_job.ipynb"],
        cwd=folder,
        env={**workplace.environment, "CLEARFRAME_SERVER": workplace.server.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    outputs = (folder / "whole_job.ipynb").read_text()
    assert re.search(r"[+-]\d\.\d\d dB over the input", outputs)
    assert "conv1" in outputs
