"""Requests to a Clearframe server: JSON, files, the token, errors, and a server that restarts."""

import http.client
import json
import os
import secrets
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESTARTING = frozenset({502, 503, 504})
"""A proxy in front of a server that restarts answers with one of these."""
PAUSES = (0.1, 0.2, 0.5, 1.0)
"""Seconds between tries to reach a server that restarts; the last is repeated."""


class ApiError(Exception):
    """The server refused a request. `fields` has a sentence for each wrong field."""

    def __init__(self, status: int, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.fields = status, message, fields or {}


class Unreachable(Exception):
    """No Clearframe server responds at this address; the message says so."""


def _silent(text: str) -> None:
    pass


@dataclass
class Connection:
    """A server and how to reach it.

    `patience`: seconds to wait for a server that answered before and does not now. `notify` gets a
    sentence when such a wait begins.
    """

    server: str
    token: str | None = None
    patience: float = 60.0
    notify: Callable[[str], None] = _silent
    _answered: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.server = self.server.rstrip("/")
        self.token = self.token or os.environ.get("CLEARFRAME_TOKEN")

    def call(
        self,
        path: str,
        body: Any = None,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON of an answer; None if it is empty. `path` is such as /jobs/abc.

        The method is GET, or POST with a body. Raises ApiError, Unreachable.
        """
        data = None if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if body is not None else {}
        request = self.request(f"/api/v1{path}", data, {**given, **(headers or {})}, method)
        with self.open(request) as response:
            return json.loads(response.read() or b"null")

    def create(self, path: str, spec: Mapping[str, Any]) -> Any:
        """The answer to a POST that creates something.

        With its key, a request that a restart interrupts is sent again and creates no second job.
        """
        return self.call(path, spec, headers={"Idempotency-Key": secrets.token_hex(16)})

    def download(self, url: str, out: Path) -> None:
        """Download a file. An incomplete file is never left under the name `out`.

        `url` is from the server's root, as answers have it. Raises ApiError, Unreachable, OSError.
        """
        draft = out.with_name(f".{out.name}.part")
        try:
            with self.open(self.request(url)) as response, draft.open("wb") as file:
                shutil.copyfileobj(response, file)
                if response.length:
                    raise Unreachable(
                        f"{self.server} closed the connection {response.length} bytes "
                        "before the end of the file. Try again."
                    )
            draft.replace(out)
        finally:
            draft.unlink(missing_ok=True)

    def request(
        self,
        url: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> urllib.request.Request:
        """A request with the token. Raises Unreachable.

        `url` is from the root of the server, without its path prefix.
        """
        try:
            request = urllib.request.Request(
                self.server + url, data, dict(headers or {}), method=method
            )
        except ValueError as error:
            raise Unreachable(self._no_server(error)) from error
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        return request

    @contextmanager
    def open(self, request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
        """The open response. Waits for a server that restarts. Raises ApiError, Unreachable."""
        with self._response(request) as response:
            self._answered = True
            yield response

    def _response(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        deadline, tries = time.monotonic() + self.patience, 0
        while True:
            try:
                response: http.client.HTTPResponse = urllib.request.urlopen(request)
                return response
            except urllib.error.HTTPError as error:
                with error:
                    refusal = self._refusal(error)
                if error.code not in RESTARTING or not self._is_repeatable(request):
                    raise refusal from error
                problem: Exception = refusal
            except (OSError, ValueError, http.client.HTTPException) as error:
                problem = Unreachable(self._no_server(error))
                problem.__cause__ = error
                if not self._is_repeatable(request):
                    raise problem from error
            if time.monotonic() > deadline:
                raise problem
            if not tries:
                self.notify(f"{self.server} does not answer. Waiting until it runs again.")
            time.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1

    def _is_repeatable(self, request: urllib.request.Request) -> bool:
        """Whether a lost request may be sent again: it changes nothing, or has a key."""
        return self._answered and (
            request.get_method() in ("GET", "HEAD") or request.has_header("Idempotency-key")
        )

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        try:
            refusal = json.loads(error.read())["error"]
            return ApiError(error.code, str(refusal["message"]), dict(refusal["fields"]))
        except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
            return Unreachable(f"{self.server} is not a Clearframe server: {error}. Check the URL.")

    def _no_server(self, error: object) -> str:
        return f"No Clearframe server responds at {self.server}: {error}. Check the URL."
