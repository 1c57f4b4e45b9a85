"""Tests of the tus protocol on a real server: uploads, lost connections, killed servers."""

import base64
import http.client
import io
import os
import socket
import time
import urllib.parse
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.api import tus
from app.application import create_app
from app.files import uploads
from app.files.uploads import KEPT_SECONDS, UNFINISHED, remove_old, safe_parts
from app.settings import Settings
from tests.support.server import Server

CHUNK = {"Content-Type": tus.CHUNK_TYPE}
VIDEO = b"YUV4MPEG2 W96 H64 F25:1\n" + os.urandom(3_000_000)


@pytest.fixture
def client(home: Path, tmp_path: Path) -> FlaskClient:
    return create_app(Settings(home=home, data_roots=(tmp_path,)), work=False).test_client()


def send(server: Server, method: str, path: str = "", body: bytes = b"", **headers: str) -> Any:
    """Send a request; returns the response with its body in `body`."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path or "/api/v1/uploads", body, {"Tus-Resumable": "1.0.0", **named})
    response = connection.getresponse()
    response.body = response.read().decode()  # type: ignore[attr-defined]
    connection.close()
    return response


def metadata(**values: str) -> str:
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items()
    )


def begin(server: Server, length: int, **values: str) -> str:
    """Start an upload; returns its URL."""
    response = send(server, "POST", Upload_Length=str(length), Upload_Metadata=metadata(**values))
    assert response.status == 201, response.body
    return str(response.headers["Location"])


def patch(server: Server, at: str, offset: int, body: bytes) -> Any:
    return send(server, "PATCH", at, body, Upload_Offset=str(offset), **CHUNK)


def patch_head(server: Server, at: str) -> bytes:
    """The head of a PATCH request that sends VIDEO from its first byte."""
    return (
        f"PATCH {at} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{server.port}\r\n"
        "Tus-Resumable: 1.0.0\r\n"
        "Upload-Offset: 0\r\n"
        f"Content-Type: {tus.CHUNK_TYPE}\r\n"
        f"Content-Length: {len(VIDEO)}\r\n\r\n"
    ).encode()


def path_of(response: Any) -> Path:
    return Path(urllib.parse.unquote(response.headers["Upload-Path"]))


def offset(server: Server, at: str) -> int:
    response = send(server, "HEAD", at)
    assert response.status == 200
    return int(response.headers["Upload-Offset"])


def unfinished(server: Server) -> list[Path]:
    return [
        path for path in (server.home / "uploads" / UNFINISHED).iterdir() if path.suffix != ".json"
    ]


def test_the_server_lists_its_tus_extensions(server: Server) -> None:
    response = send(server, "OPTIONS")
    assert response.status == 204
    assert response.headers["Tus-Version"] == "1.0.0"
    assert response.headers["Tus-Extension"] == "creation,creation-with-upload,termination"
    assert int(response.headers["Tus-Max-Size"]) == tus.MAX_SIZE


def test_a_file_arrives_in_chunks_and_can_be_used(server: Server) -> None:
    at = begin(server, len(VIDEO), filename="föreman 1.y4m")
    assert offset(server, at) == 0
    first = patch(server, at, 0, VIDEO[:1_000_000])
    assert (first.status, first.headers["Upload-Offset"]) == (204, "1000000")
    assert "Upload-Path" not in first.headers
    last = patch(server, at, 1_000_000, VIDEO[1_000_000:])
    path = path_of(last)
    assert (path.name, last.headers["Upload-Kind"]) == ("föreman 1.y4m", "video")
    assert path.is_relative_to(server.home / "uploads")
    assert path.read_bytes() == VIDEO
    again = send(server, "HEAD", at)
    assert (again.headers["Upload-Offset"], path_of(again)) == (str(len(VIDEO)), path)
    assert again.headers["Cache-Control"] == "no-store"
    listed = server.call(f"/files?path={urllib.parse.quote(str(path.parent))}/")[1]["entries"]
    assert [(entry["name"], entry["kind"], entry["size"]) for entry in listed] == [
        ("föreman 1.y4m", "video", len(VIDEO))
    ]
    assert unfinished(server) == []


def test_the_creation_may_send_the_first_bytes(server: Server) -> None:
    response = send(
        server,
        "POST",
        "",
        VIDEO,
        Upload_Length=str(len(VIDEO)),
        Upload_Metadata=metadata(filename="a.y4m"),
        **CHUNK,
    )
    assert response.status == 201
    assert path_of(response).read_bytes() == VIDEO


def test_an_upload_continues_after_the_server_was_killed(server: Server) -> None:
    at = begin(server, len(VIDEO), filename="a.y4m")
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        sender.sendall(patch_head(server, at))
        sender.sendall(VIDEO[:2_000_000])
        wait_for(lambda: unfinished(server)[0].stat().st_size > 1_900_000)
        server.kill()
    server.start()
    arrived = offset(server, at)
    assert 2_000_000 - tus.BLOCK < arrived <= 2_000_000
    assert path_of(patch(server, at, arrived, VIDEO[arrived:])).read_bytes() == VIDEO


def test_bytes_before_a_lost_connection_are_kept_and_only_one_request_may_send(
    server: Server,
) -> None:
    at = begin(server, len(VIDEO), filename="a.y4m")
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        sender.sendall(patch_head(server, at))
        sender.sendall(VIDEO[: 4 * tus.BLOCK])
        wait_for(lambda: offset(server, at) == 4 * tus.BLOCK)
        assert patch(server, at, 4 * tus.BLOCK, VIDEO[4 * tus.BLOCK :]).status == 423
    arrived = 4 * tus.BLOCK
    wait_for(
        lambda: (
            (response := patch(server, at, arrived, VIDEO[arrived:])).status == 204
            and bool(path_of(response))
        )
    )
    assert path_of(send(server, "HEAD", at)).read_bytes() == VIDEO


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


Wrong = namedtuple("Wrong", "method headers status sentence")


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("PATCH", {"Upload_Offset": "7", **CHUNK}, 409, "at byte 0"),
        Wrong("PATCH", {"Upload_Offset": "0", "Content-Type": "text/plain"}, 415, "offset"),
        Wrong("PATCH", {"Upload_Offset": "-1", **CHUNK}, 400, "number of bytes"),
        Wrong("PATCH", {**CHUNK}, 400, "number of bytes"),
        Wrong("PATCH", {"Upload_Offset": "0", "Tus_Resumable": "0.2.2", **CHUNK}, 412, "1.0.0"),
    ],
)
def test_a_wrong_patch_changes_nothing(server: Server, wrong: Wrong) -> None:
    at = begin(server, 100, filename="a.y4m")
    response = send(server, wrong.method, at, b"x" * 10, **wrong.headers)
    assert (response.status, response.headers["Tus-Version"]) == (wrong.status, "1.0.0")
    assert wrong.sentence in response.body
    assert offset(server, at) == 0


def test_more_bytes_than_announced_are_refused(server: Server) -> None:
    at = begin(server, 10, filename="a.y4m")
    assert patch(server, at, 0, b"x" * 11).status == 413
    assert offset(server, at) == 0


@pytest.mark.parametrize(
    ("length", "metadata", "status", "sentence"),
    [
        ("0", metadata(filename="a.png"), 422, "a.png is empty"),
        (str(tus.MAX_SIZE + 1), metadata(filename="a.png"), 413, "larger than 64 GiB"),
        ("ten", metadata(filename="a.png"), 400, "Upload-Length"),
        ("10", "filename ???", 400, "Base64"),
        ("10", metadata(filename="a", group="../../x"), 400, "hexadecimal"),
    ],
)
def test_wrong_uploads_are_refused_at_their_start(
    server: Server, length: str, metadata: str, status: int, sentence: str
) -> None:
    response = send(server, "POST", Upload_Length=length, Upload_Metadata=metadata)
    assert (response.status, sentence in response.body) == (status, True), response.body


def test_the_number_of_uploads_is_limited(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_UPLOADS", 2)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "9"}
    first, _, third = (client.post("/api/v1/uploads", headers=headers) for _ in range(3))
    assert (third.status_code, "limit for uploads is reached" in third.text) == (429, True)
    assert "or delete uploads of the last four days" in third.text
    form = client.post("/api/v1/uploads", data={"file": (io.BytesIO(b"x"), "a.png")})
    assert form.status_code == 429
    assert (
        client.delete(first.headers["Location"], headers={"Tus-Resumable": "1.0.0"}).status_code
        == 204
    )
    assert client.post("/api/v1/uploads", headers=headers).status_code == 201


def test_a_full_disk_is_reported_before_the_first_byte(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not uploads.has_room(tmp_path, 2**62)
    monkeypatch.setattr(uploads, "has_room", lambda root, length: False)
    response = client.post(
        "/api/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "9"}
    )
    assert (response.status_code, "Make room" in response.json["error"]["message"]) == (507, True)


def test_an_unknown_upload_is_not_found(server: Server) -> None:
    for id in ("0" * 32, "nothing", "..%2f..%2fclearframe.db"):
        assert send(server, "HEAD", f"/api/v1/uploads/{id}").status == 404


def test_a_terminated_upload_is_removed(server: Server) -> None:
    partial, complete = (
        begin(server, 100, filename="a.y4m"),
        begin(server, len(VIDEO), filename="b.y4m"),
    )
    path = path_of(patch(server, complete, 0, VIDEO))
    for at in (partial, complete):
        assert send(server, "DELETE", at).status == 204
        assert send(server, "HEAD", at).status == 404
    assert not path.parent.exists()
    assert unfinished(server) == []


def test_patch_may_be_sent_as_post(server: Server) -> None:
    at = begin(server, len(VIDEO), filename="a.y4m")
    response = send(
        server, "POST", at, VIDEO, Upload_Offset="0", X_HTTP_Method_Override="PATCH", **CHUNK
    )
    assert path_of(response).read_bytes() == VIDEO
    assert send(server, "POST", at, X_HTTP_Method_Override="TRACE").status == 405


def test_unusable_content_is_refused_after_its_first_bytes(server: Server) -> None:
    at = begin(server, 10**9, filename="song.bmp")
    response = patch(server, at, 0, b"ID3\0" * 50_000)
    assert response.status == 422
    assert "song.bmp is not in a supported format" in response.body
    assert send(server, "HEAD", at).status == 404
    assert list((server.home / "uploads" / UNFINISHED).iterdir()) == []


def test_a_wrong_file_extension_is_corrected(server: Server) -> None:
    at = begin(server, len(VIDEO), filename="clip.bmp")
    assert path_of(patch(server, at, 0, VIDEO)).name == "clip.y4m"


def test_files_of_a_folder_become_a_folder_again(server: Server) -> None:
    group = "0123456789abcdef" * 2
    paths = []
    for name in ("orig/1.y4m", "orig/sub/2.y4m"):
        at = begin(server, 20, filename="x", relativePath=name, group=group)
        paths.append(path_of(patch(server, at, 0, b"YUV4MPEG2 W96 H64 F5")))
    assert paths == [
        server.home / "uploads" / group / name for name in ("orig/1.y4m", "orig/sub/2.y4m")
    ]


def test_a_file_never_replaces_another(server: Server) -> None:
    group = "0123456789abcdef" * 2
    first, same, other = (begin(server, 12, relativePath="o/1.y4m", group=group) for _ in range(3))
    path = path_of(patch(server, first, 0, b"YUV4MPEG2 W1"))
    assert path_of(patch(server, same, 0, b"YUV4MPEG2 W1")) == path
    refused = patch(server, other, 0, b"YUV4MPEG2 W2")
    assert refused.status == 422
    assert "A different file named 1.y4m already exists" in refused.body
    assert path.read_bytes() == b"YUV4MPEG2 W1"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.bmp", ["a.bmp"]),
        ("../../etc/passwd", ["etc", "passwd"]),
        ("C:\\Users\\me\\a.png", ["C:", "Users", "me", "a.png"]),
        ("/absolute/./a", ["absolute", "a"]),
        (".htaccess", ["htaccess"]),
        (".", ["file"]),
        ("..", ["file"]),
        ("", ["file"]),
        ("a\0b\n\u202ec.png", ["abc.png"]),
        (" a ", ["a"]),
    ],
)
def test_file_names_are_made_safe(name: str, parts: list[str]) -> None:
    assert safe_parts(name) == parts


def test_long_names_keep_their_extensions() -> None:
    name = safe_parts("ä" * 500 + ".bmp.gz")[-1]
    assert name.endswith("ä.bmp.gz")
    assert 190 < len(name.encode()) <= 200
    assert len(safe_parts("a/" * 100 + "b.png")) == uploads.MAX_LEVELS


def test_a_single_file_gets_its_own_folder(server: Server) -> None:
    at = begin(server, 12, filename="../../../../tmp/evil.y4m")
    path = path_of(patch(server, at, 0, b"YUV4MPEG2 W1"))
    assert path.parent.parent == server.home / "uploads"
    assert path.name == "evil.y4m"


def test_abandoned_uploads_are_removed_when_they_are_old(tmp_path: Path) -> None:
    upload = uploads.create(tmp_path, 10, "a.png")
    now = upload.unfinished.stat().st_mtime
    remove_old(tmp_path, now + KEPT_SECONDS - 60)
    assert uploads.find(tmp_path, upload.id)
    remove_old(tmp_path, now + KEPT_SECONDS + 60)
    assert uploads.find(tmp_path, upload.id) is None


def test_abandoned_uploads_make_room_for_new_ones(
    client: FlaskClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_UPLOADS", 2)
    old = time.time() - KEPT_SECONDS - 60
    for _ in range(2):
        upload = uploads.create(home / "uploads", 10, "a.png")
        for path in (upload.unfinished, upload.record):
            os.utime(path, (old, old))
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "12"}
    assert client.post("/api/v1/uploads", headers=headers).status_code == 201
    assert uploads.find(home / "uploads", upload.id) is None


def test_a_server_killed_before_the_last_step_completes_it_at_the_next_request(
    server: Server,
) -> None:
    at = begin(server, len(VIDEO), filename="a.y4m")
    unfinished(server)[0].write_bytes(VIDEO)
    assert path_of(send(server, "HEAD", at)).read_bytes() == VIDEO


def test_a_form_may_send_a_complete_file(client: FlaskClient, home: Path) -> None:
    form = {"file": (io.BytesIO(b"YUV4MPEG2 W1"), "../../evil name.sh.bmp")}
    path = Path(client.post("/api/v1/uploads", data=form).json["path"])
    assert path.parent.parent == home / "uploads"
    assert path.name == "evil name.sh.y4m"
    refused = client.post("/api/v1/uploads", data={"file": (io.BytesIO(b"words"), "a.bmp")})
    assert refused.status_code == 422
    assert "a.bmp contains text" in refused.json["error"]["fields"]["file"]
