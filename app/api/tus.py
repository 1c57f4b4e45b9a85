"""Resumable uploads: tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload).

Core, creation, creation-with-upload and termination. The metadata `filename` names the file. With
`group` (32 hexadecimal digits that the client chooses) and `relativePath`, the files of a folder
become a folder again. The response to the last byte, and to every later HEAD, has the path of the
file on the server in Upload-Path (percent-encoded) and its kind in Upload-Kind. A POST without
Tus-Resumable is a form with the complete file in its field `file`.
"""

import base64
import os
import re
from urllib.parse import quote

import gevent
from flask import Blueprint, Response, abort, request, url_for
from flask.typing import ResponseReturnValue

from app.actions import keep_upload
from app.answers import UploadedFile
from app.api.routes import EMPTY, JSON, NOT_JSON, Bytes, Form, Nothing, route
from app.current import settings
from app.files import uploads
from app.files.content import Unusable
from app.files.uploads import Upload
from app.parameters import UploadId
from app.temporary_failures import InsufficientStorage, TooManyUploads
from app.threads import in_thread
from app.validation_errors import Invalid
from jobs.core.suffixes import kind

blueprint = Blueprint("uploads", __name__, url_prefix="/uploads")

VERSION = "1.0.0"
MAX_SIZE = 64 * 2**30
BLOCK = 64 * 1024
"""Bytes per write; at most this much is lost when a connection breaks."""
SILENCE = 60
"""Seconds without data after which the server drops a connection, so that another can resume."""
CHUNK_TYPE = NOT_JSON[Bytes].media


TUS = {"Tus-Resumable": {"type": "string", "enum": [VERSION]}}
OFFSET = {"Upload-Offset": {"type": "integer", "minimum": 0}}
OVERRIDE = {"X-HTTP-Method-Override": {"type": "string", "enum": ["HEAD", "PATCH", "DELETE"]}}
"""Schemas of the headers that requests need."""


@route(blueprint, "OPTIONS", "", status=204)
def show_capabilities() -> ResponseReturnValue:
    """Capabilities of the server by the tus protocol."""
    return (
        "",
        204,
        {
            "Tus-Extension": "creation,creation-with-upload,termination",
            "Tus-Max-Size": str(MAX_SIZE),
        },
    )


@route(blueprint, "OPTIONS", "/<id>", status=204)
def show_capabilities_of_upload(id: UploadId) -> ResponseReturnValue:
    """Capabilities of the server by the tus protocol, at the address of an upload."""
    return show_capabilities()


@route(
    blueprint,
    "POST",
    "",
    body=Form,
    status=201,
    answers={JSON: UploadedFile, EMPTY: Nothing},
)
def create_upload() -> ResponseReturnValue:
    """Upload a file (multipart/form-data, field file), or start a tus 1.0.0 upload."""
    if "Tus-Resumable" not in request.headers:
        file = request.files.get("file")
        if file is None:
            raise Invalid({"file": "Send the file as multipart/form-data in the field “file”."})
        return {"path": str(keep_upload(file, "file"))}, 201
    check_version()
    length, metadata = number_in("Upload-Length"), read_metadata()
    name = metadata.get("relativePath") or metadata.get("filename") or "file"
    group = metadata.get("group", "")
    if length == 0:
        raise Invalid({"": f"{name} is empty."})
    if length > MAX_SIZE:
        abort(413, f"{name} is larger than {MAX_SIZE // 2**30} GiB.")
    if group and uploads.ID.fullmatch(group) is None:
        abort(400, "The metadata “group” must be 32 hexadecimal digits.")
    if in_thread(uploads.is_crowded, settings().uploads):
        raise TooManyUploads()
    if not uploads.has_room(settings().uploads, length):
        raise InsufficientStorage()
    upload = uploads.create(settings().uploads, length, name, group)
    if request.content_type == CHUNK_TYPE:
        receive(upload)
    return "", 201, {"Location": url_for(".create_upload") + f"/{upload.id}", **state(upload)}


@route(blueprint, "POST", "/<id>", headers=TUS | OVERRIDE, status=204)
def override_method(id: UploadId) -> ResponseReturnValue:
    """HEAD, PATCH or DELETE by X-HTTP-Method-Override.

    For clients behind proxies that pass only GET and POST.
    """
    method = request.headers.get("X-HTTP-Method-Override", "")
    if method not in METHODS:
        abort(405, "Send PATCH, HEAD or DELETE.")
    return METHODS[method](id)


@route(blueprint, "HEAD", "/<id>", headers=TUS, answers={EMPTY: Nothing})
def show_upload(id: UploadId) -> ResponseReturnValue:
    """Offset of an upload; path in Upload-Path when complete."""
    upload = upload_or_404(id)
    settle(upload)
    return (
        "",
        200,
        {"Upload-Length": str(upload.length), "Cache-Control": "no-store", **state(upload)},
    )


@route(blueprint, "PATCH", "/<id>", headers=TUS | OFFSET, body=Bytes, status=204)
def append_to_upload(id: UploadId) -> ResponseReturnValue:
    """Send the next bytes of an upload."""
    upload = upload_or_404(id)
    if request.content_type != CHUNK_TYPE:
        abort(415, f"Send the bytes as {CHUNK_TYPE}.")
    if number_in("Upload-Offset") != upload.offset:
        abort(409, f"Wrong offset: the upload is at byte {upload.offset}. Continue from there.")
    receive(upload)
    # Look it up again: another request may have finished or removed it.
    return "", 204, state(upload_or_404(id))


@route(blueprint, "DELETE", "/<id>", headers=TUS, status=204)
def remove_upload(id: UploadId) -> ResponseReturnValue:
    """Remove an upload."""
    uploads.remove(upload_or_404(id))
    return "", 204


METHODS = {"HEAD": show_upload, "PATCH": append_to_upload, "DELETE": remove_upload}


@blueprint.after_request
def add_headers(response: Response) -> Response:
    response.headers.update({"Tus-Resumable": VERSION, "Tus-Version": VERSION})
    return response


def receive(upload: Upload) -> None:
    """Write the request's body to the upload's file block by block.

    If the connection or the process dies, at most the last block is lost.
    """
    request.max_content_length = MAX_SIZE
    left = upload.length - upload.offset
    if (request.content_length or 0) > left:
        abort(413, f"Too many bytes: the upload expects {left} more.")
    if not left:
        return
    try:
        with uploads.opened(upload) as file:
            while left and (block := next_block(left)):
                left -= len(block)
                write(file, block)
                gevent.sleep(0)  # Lets other greenlets run, however fast the client sends.
    except uploads.Busy:
        abort(423, "Another request is sending this upload. Retry later.")
    settle(upload)


def next_block(left: int) -> bytes:
    try:
        with gevent.Timeout(SILENCE):
            return request.stream.read(min(BLOCK, left))
    except (OSError, gevent.Timeout):
        abort(408, "Connection lost. Send HEAD for the offset, and continue from there.")


def write(file: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(file, rest) :]


def settle(upload: Upload) -> None:
    """Check the content, and move a complete file to its folder. Raises Invalid."""
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


def upload_or_404(id: UploadId) -> Upload:
    check_version()
    upload = uploads.find(settings().uploads, id)
    if upload is None:
        abort(
            404,
            "Upload not found. It was refused, removed, or expired: start a new one.",
        )
    return upload


def check_version() -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        abort(412, f"Wrong tus version: this server supports {VERSION}.")


def number_in(header: str) -> int:
    text = request.headers.get(header, "")
    if not re.fullmatch("[0-9]{1,15}", text):
        abort(400, f"The header {header} must be a number of bytes.")
    return int(text)


def read_metadata() -> dict[str, str]:
    """The header Upload-Metadata: comma-separated keys, each with a value in Base64."""
    pairs = (
        pair.split()
        for pair in request.headers.get("Upload-Metadata", "").split(",")
        if pair.strip()
    )
    try:
        return {
            key: base64.b64decode("".join(value), validate=True).decode() for key, *value in pairs
        }
    except ValueError:  # Invalid Base64 or invalid UTF-8.
        abort(400, "The header Upload-Metadata must have keys with values in UTF-8 and Base64.")
