"""The client of a request: whether it still waits for the answer."""

from flask import has_request_context, request
from werkzeug.exceptions import HTTPException

HAS_LEFT = "clearframe.has_left"
"""Key of the WSGI environment: a function that says whether the client closed its connection."""


class ClientHasLeft(HTTPException):
    """Ends a request without a client; the status, nginx's, appears in the log only."""

    code = 499
    description = "The client closed the connection."


def require_client() -> None:
    """Raises ClientHasLeft."""
    if has_request_context() and request.environ.get(HAS_LEFT, bool)():
        raise ClientHasLeft
