"""Images from web addresses: only with --allow-urls, and from private networks only with
--allow-private-urls."""

import errno
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.files import downloads
from app.files.downloads import download
from app.files.paths import FileProblem
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.media.images import list_images
from tests.conftest import Clip
from tests.support.server import Server

SMALL = {"name": "model", "epochs": 1, "batch_size": 8, "patch_size": 32, "patches_per_frame": 2}


@pytest.fixture
def web(clip: Clip) -> Iterator[str]:
    """The address of a web server with an image in several ways; it ends with the test."""
    image, ended = list_images(clip[1])[0].read_bytes(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            location = {
                "/loop": "/loop",
                "/moved": "/a%20b.bmp.gz",
                "/file": "file:///etc/passwd",
                "/half": "http://[::1",
            }
            body = {"/text.png": b"no image", "/list.csv": b"a,b", "/empty.png": b""}
            self.send_response(302 if self.path in location else self.missing())
            if self.path in location:
                self.send_header("Location", location[self.path])
            length = len(image) + 10 * (self.path == "/cut.bmp.gz")
            data = body.get(self.path, image)
            self.send_header("Content-Length", str(length if data is image else len(data)))
            self.end_headers()
            if self.path == "/slow.png":
                ended.wait(60)
            elif self.path not in location:
                self.wfile.write(data)

        def missing(self) -> int:
            return 404 if self.path == "/missing.png" else 200

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    ended.set()
    server.shutdown()
    thread.join(60)
    server.server_close()


@pytest.mark.parametrize("path", ["/a b.bmp.gz", "/a%20b.bmp.gz?size=1", "/moved", "/name.png"])
def test_the_bytes_of_an_image_are_stored_under_its_name(
    path: str, web: str, tmp_path: Path, clip: Clip
) -> None:
    stored = download(web + path, tmp_path, private=True)
    assert stored.read_bytes() == list_images(clip[1])[0].read_bytes()
    assert stored.is_relative_to(tmp_path)
    expected = {"/moved": "a b.bmp.gz", "/name.png": "name.bmp.gz"}
    assert stored.name == expected.get(path, "a b.bmp.gz")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/missing.png", "answers 404 Not Found"),
        ("/text.png", "contains text"),
        ("/list.csv", "is not an image"),
        ("/empty.png", "is empty"),
        ("/cut.bmp.gz", "cannot be downloaded: IncompleteRead"),
        ("/loop", "redirected more than 4 times"),
        ("/file", "is not an http or https address"),
        ("/half", "which is no address"),
    ],
)
def test_other_answers_are_refused_and_leave_nothing(
    path: str, error: str, web: str, tmp_path: Path
) -> None:
    with pytest.raises(FileProblem, match=error):
        download(web + path, tmp_path, private=True)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("path", ["/a.bmp.gz", "/slow.png"])  # The second sends headers only.
def test_an_image_over_the_limit_is_refused(
    path: str, web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_BYTES", 1000)
    with pytest.raises(FileProblem, match="is larger than"):
        download(web + path, tmp_path, private=True)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/a.png",
        "http://127.0.0.1/a.png",
        "http://2130706433/a.png",
        "http://10.1.2.3/a.png",
        "http://169.254.169.254/latest/meta-data",
        "https://[::1]/a.png",
        "http://[::ffff:192.168.0.1]/a.png",
        "http://[64:ff9b::a00:1]/a.png",
        "http://[fe80::1%25lo]/a.png",
        "http://0.0.0.0/a.png",
        "http://224.0.0.1/a.png",
    ],
)
def test_private_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match=r"private network|cannot be downloaded"):
        download(url, tmp_path)


@pytest.mark.parametrize("text", ["fec0::1", "::a00:1", "64:ff9b:1::a00:1", "2002:a00:1::"])
def test_addresses_that_lead_to_private_ones_are_not_public(text: str) -> None:
    assert not downloads._is_public(text)
    assert downloads._is_public("2a00:1450::1")


@pytest.mark.parametrize(
    "url", ["http://[::1/a.png", "http://[a]/a.png", "http://a\u2100b/a.png", "http://a:b/a.png"]
)
def test_addresses_without_a_valid_host_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="no valid host and port"):
        download(url, tmp_path)


def test_the_folder_of_uploads_is_made_and_its_limit_is_kept(
    web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = tmp_path / "uploads"
    assert download(f"{web}/a.bmp.gz", uploads, private=True).is_relative_to(uploads)
    monkeypatch.setattr("app.files.uploads.MAX_UPLOADS", 1)
    with pytest.raises(FileProblem, match="limit for uploads"):
        download(f"{web}/a.bmp.gz", uploads, private=True)


def test_a_full_disk_is_no_fault_of_the_address(
    web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settle(upload: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("app.files.uploads.settle", settle)
    with pytest.raises(OSError, match="No space left"):
        download(f"{web}/a.bmp.gz", tmp_path, private=True)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_a_redirect_to_a_private_address_is_refused(
    web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True, False])
    monkeypatch.setattr(downloads, "_is_public", lambda address: next(answers))
    with pytest.raises(FileProblem, match="private network"):
        download(f"{web}/moved", tmp_path)


def test_a_server_that_sends_nothing_is_given_up(web: str, tmp_path: Path) -> None:
    code = f"""
from gevent import monkey
monkey.patch_all()
from pathlib import Path
from app.files.downloads import download
download("{web}/slow.png", Path("{tmp_path}"), private=True, seconds=0.3)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert "FileProblem" in done.stderr
    assert "no complete answer within 0.3 s" in done.stderr


def test_a_test_takes_urls_where_the_server_was_started_so(
    server: Server,
    web: str,
    clip: Clip,
    make_dataset: Callable[..., JobFolder],
    make_model: Callable[..., JobFolder],
) -> None:
    model = make_model(make_dataset(clip), **SMALL).id
    body = {"kind": "image", "image": f"{web}/a.bmp.gz", "target": f"{web}/b.bmp.gz"}
    server.restart()
    server.wait(model, "done")
    status, answer = server.call(f"/models/{model}/tests", body)
    assert (status, "--allow-urls" in answer["error"]["fields"]["image"]) == (422, True), answer
    server.options = ["--allow-urls"]
    server.restart()
    status, answer = server.call(f"/models/{model}/tests", body)
    assert "--allow-private-urls" in answer["error"]["fields"]["target"], answer
    server.options = ["--allow-urls", "--allow-private-urls"]
    server.restart()
    job = server.wait(server.create(f"/models/{model}/tests", body), "done")
    assert job["name"] == "a.bmp.gz"
