"""Uploads that survive a lost connection: the tus protocol, version 1.0.0 (https://tus.io/protocols/resumable-upload).

Core, creation, creation-with-upload, termination. The metadata `filename` names the file; with `group` (32 hexadecimal
digits of the sender's choice) and `relativePath` the files of a folder become a folder again. The answer to the last
byte, and to HEAD from then on, has the file's place on the server in Upload-Path, percent-encoded, and in Upload-Kind what it is.
A POST without Tus-Resumable is a form with the whole file in its field `file`.
"""

import base64
import os
import re
from typing import Any
from urllib.parse import quote

import gevent
from flask import Blueprint, Response, abort, request, url_for

from app.actions import keep_upload
from app.current import settings
from app.errors import InsufficientStorage, TooManyUploads
from app.files import uploads
from app.files.content import Unusable
from app.files.uploads import Upload
from app.problems import Invalid
from jobs.core.suffixes import kind

blueprint = Blueprint("uploads", __name__, url_prefix="/uploads")

VERSION = "1.0.0"
MAX_SIZE = 64 * 2**30
BLOCK = 64 * 1024
"""What is written at a time, and at most lost when a connection breaks."""
SILENCE = 60
"""Seconds without a byte after which a connection counts as lost, so that its upload can be continued by another."""
CHUNK_TYPE = "application/offset+octet-stream"


@blueprint.route("", methods=["OPTIONS"])
@blueprint.route("/<id>", methods=["OPTIONS"])
def capabilities(id: str = "") -> Any:
    return (
        "",
        204,
        {
            "Tus-Extension": "creation,creation-with-upload,termination",
            "Tus-Max-Size": str(MAX_SIZE),
        },
    )


@blueprint.post("")
def create() -> Any:
    """Begin an upload; or take a whole one, as a form."""
    if "Tus-Resumable" not in request.headers:
        sent = request.files.get("file")
        if sent is None:
            raise Invalid({"file": "Send the file as multipart/form-data in the field “file”."})
        return {"path": str(keep_upload(sent, "file"))}, 201
    check_version()
    length, told = number("Upload-Length"), metadata()
    name = told.get("relativePath") or told.get("filename") or "file"
    group = told.get("group", "")
    if length == 0:
        raise Invalid({"": f"{name} is empty."})
    if length > MAX_SIZE:
        abort(413, f"{name} is larger than {MAX_SIZE // 2**30} GiB.")
    if group and uploads.ID.fullmatch(group) is None:
        abort(400, "The metadata “group” must be 32 hexadecimal digits.")
    if uploads.is_crowded(settings().uploads):
        raise TooManyUploads()
    if not uploads.has_room(settings().uploads, length):
        raise InsufficientStorage()
    upload = uploads.create(settings().uploads, length, name, group)
    if request.content_type == CHUNK_TYPE:
        receive(upload)
    return "", 201, {"Location": url_for(".create") + f"/{upload.id}", **state(upload)}


@blueprint.post("/<id>")
def override(id: str) -> Any:
    """For clients whose way here lets only GET and POST pass."""
    method = request.headers.get("X-HTTP-Method-Override", "")
    if method not in METHODS:
        abort(405, "Send PATCH, HEAD or DELETE.")
    return METHODS[method](id)


@blueprint.route("/<id>", methods=["HEAD"])
def ask(id: str) -> Any:
    upload = found(id)
    settled(upload)
    return (
        "",
        200,
        {"Upload-Length": str(upload.length), "Cache-Control": "no-store", **state(upload)},
    )


@blueprint.patch("/<id>")
def append(id: str) -> Any:
    upload = found(id)
    if request.content_type != CHUNK_TYPE:
        abort(415, f"Send the bytes as {CHUNK_TYPE}.")
    if number("Upload-Offset") != upload.offset:
        abort(409, f"The upload is at byte {upload.offset}: go on from there.")
    receive(upload)
    return (
        "",
        204,
        state(found(id)),
    )  # It may have been put in its place, or taken away, by another request meanwhile.


@blueprint.delete("/<id>")
def terminate(id: str) -> Any:
    uploads.remove(found(id))
    return "", 204


METHODS = {"HEAD": ask, "PATCH": append, "DELETE": terminate}


@blueprint.after_request
def add_headers(response: Response) -> Response:
    response.headers.update({"Tus-Resumable": VERSION, "Tus-Version": VERSION})
    return response


def receive(upload: Upload) -> None:
    """Write the request's body to the upload's file as it comes, so that nothing is lost but the last block."""
    request.max_content_length = MAX_SIZE
    left = upload.length - upload.offset
    if (request.content_length or 0) > left:
        abort(413, f"The upload has {left} bytes to come, and this is more.")
    if not left:
        return
    try:
        with uploads.opened(upload) as file:
            while left and (block := next_block(left)):
                left -= len(block)
                write(file, block)
                gevent.sleep(0)  # Others are served meanwhile, however fast the sender is.
    except uploads.Busy:
        abort(423, "Another request is sending this upload.")
    settled(upload)


def next_block(left: int) -> bytes:
    try:
        with gevent.Timeout(SILENCE):
            return request.stream.read(min(BLOCK, left))
    except (OSError, gevent.Timeout):
        abort(408, "The connection was lost. Ask how much has arrived, and go on from there.")


def write(file: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(file, rest) :]


def settled(upload: Upload) -> None:
    try:
        uploads.settle(upload)
    except Unusable as problem:
        raise Invalid({"": str(problem)}) from problem


def state(upload: Upload) -> dict[str, str]:
    finished = (
        {"Upload-Path": quote(str(upload.target)), "Upload-Kind": kind(upload.target.name)}
        if upload.finished
        else {}
    )
    return {"Upload-Offset": str(upload.offset), **finished}


def found(id: str) -> Upload:
    check_version()
    upload = uploads.find(settings().uploads, id)
    if upload is None:
        abort(
            404,
            "There is no such upload. It was refused, removed, or left alone for days: begin a new one.",
        )
    return upload


def check_version() -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        abort(412, f"The server speaks tus {VERSION}.")


def number(header: str) -> int:
    text = request.headers.get(header, "")
    if not re.fullmatch("[0-9]{1,15}", text):
        abort(400, f"The header {header} must be a number of bytes.")
    return int(text)


def metadata() -> dict[str, str]:
    """Upload-Metadata: pairs of a key and a value in Base64, with commas between."""
    pairs = (
        pair.split()
        for pair in request.headers.get("Upload-Metadata", "").split(",")
        if pair.strip()
    )
    try:
        return {
            key: base64.b64decode("".join(value), validate=True).decode() for key, *value in pairs
        }
    except ValueError:  # Of Base64 and of UTF-8 alike.
        abort(400, "Upload-Metadata must be keys with values in UTF-8 and Base64.")
