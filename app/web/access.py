"""Who may speak to the server at all: looked at before anything else, for pages, JSON API and Socket.IO alike.

On this machine's own addresses whoever is on it may. On any other address a token is needed, as Jupyter does it: the server
prints a link with it, which gives the browser a cookie; programs send `Authorization: Bearer TOKEN`.
"""

import hashlib
import hmac
import ipaddress
import json
import re
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from werkzeug.wrappers import Request, Response

from app.web.safety import HEADERS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

COOKIE = "clearframe-{port}"
"""Of each server of a machine its own: browsers do not tell ports apart."""
OPEN = frozenset({"/healthz"})
"""What a supervisor asks: it tells nothing but that the server lives."""
NAME = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d+)?", re.IGNORECASE)

HOW = "Send the server's token as Authorization: Bearer TOKEN, or open the link that it printed when it was started."
ASK = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Clearframe</title>
<h1>This server wants a token</h1>
<p>{why} Open the link that the server printed when it was started, or give the token that stands in it.</p>
<form method="get"><label>Token <input name="token" type="password" required></label> <button>Enter</button></form>
</html>
"""


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def link(host: str, port: int, token: str | None, prefix: str = "") -> str:
    """The address to open in a browser."""
    every = not is_loopback(host) and host.strip("0.:") == ""
    name = socket.gethostname() if every else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{prefix}/" + (f"?token={quote(token)}" if token else "")


def guarded(
    wsgi: "WSGIApplication", host: str, token: str | None, more: Iterable[str] = ()
) -> "WSGIApplication":
    """The application, for those who may: `host` is the address that it listens on, `token` None where none is needed, `more` are
    names that it was given besides its machine's."""
    names = (
        {"localhost", *more}
        if is_loopback(host)
        else {"localhost", host, socket.gethostname(), socket.getfqdn(), *more}
    )

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        refused = _answer(Request(environ), names, is_loopback(host), token)
        return (refused or wsgi)(environ, start_response)

    return application


def _answer(
    request: Request, names: set[str], loopback: bool, token: str | None
) -> Response | None:
    """What is said in place of an answer; None to those who may have one."""
    if not _is_ours(request.headers.get("Host", ""), names, loopback):
        return _said(
            request, 400, "The server answers under its machine's names and addresses only."
        )
    if token is None or request.path in OPEN or _has(request, token):
        return None
    given = request.args.get("token")
    if given is None:
        return _said(request, 401, "It can be reached by others than you.")
    if request.method != "GET" or not _same(given, token):
        return _said(request, 401, "That is not its token.")
    rest = urlencode(
        [(name, value) for name, value in request.args.items(multi=True) if name != "token"]
    )
    response = Response(
        status=303,
        headers={"Location": request.root_path + request.path + ("?" + rest if rest else "")},
    )
    response.set_cookie(
        _cookie(request),
        _mark(token),
        httponly=True,
        samesite="Lax",
        max_age=30 * 86400,
        secure=request.is_secure,
    )
    return response


def _is_ours(host: str, names: set[str], loopback: bool) -> bool:
    """Not a name that somebody else gave to this address (DNS rebinding); an address is no name."""
    found = NAME.fullmatch(host)
    if found is None:
        return False
    name = found["name"].strip("[]").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in {one.lower() for one in names}
    return address.is_loopback or not loopback


def _has(request: Request, token: str) -> bool:
    kind, _, sent = request.headers.get("Authorization", "").partition(" ")
    return (kind.lower() == "bearer" and _same(sent.strip(), token)) or _same(
        request.cookies.get(_cookie(request), ""), _mark(token)
    )


def _same(given: str, true: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(), true.encode())


def _mark(token: str) -> str:
    """What a browser keeps: it opens this server, and is not the token."""
    return hmac.new(token.encode(), b"browser", hashlib.sha256).hexdigest()


def _cookie(request: Request) -> str:
    return COOKIE.format(port=request.environ.get("SERVER_PORT", ""))


def _said(request: Request, status: int, why: str) -> Response:
    headers = {**HEADERS, "Cache-Control": "no-store"}
    if request.path.startswith(("/api/", "/socket.io")):
        body = json.dumps(
            {"error": {"message": f"{why} {HOW}" if status == 401 else why, "fields": {}}}
        )
        return Response(body, status, headers, mimetype="application/json")
    page = ASK.format(why=why) if status == 401 else why
    return Response(page, status, headers, mimetype="text/html" if status == 401 else "text/plain")
