"""Access control before all other handling, for pages, JSON API and Socket.IO alike.

On loopback addresses every user of this machine has access. Any other address requires a token, as
in Jupyter: the server prints a link with the token, and the link sets a cookie in the browser.
Programs send `Authorization: Bearer TOKEN`. On servers with users (app/web/users.py) each user has
a token, or a proxy names them.
"""

import hashlib
import hmac
import ipaddress
import json
import re
import socket
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from werkzeug.wrappers import Request, Response

from app.web.safety import HEADERS
from app.web.users import ANYONE, ENVIRON, NO_USERS, User, Users

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

COOKIE = "clearframe-{port}"
"""One name per server of a machine, because browsers share cookies between ports."""
PUBLIC_PATHS = frozenset({"/healthz"})
"""Paths that need no token, for supervisors. They reveal only that the server is alive."""
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d+)?", re.IGNORECASE)

HOW_TO_AUTHENTICATE = (
    "Send the server's token as Authorization: Bearer TOKEN, "
    "or open the link that the server printed at startup."
)
LOGIN_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Clearframe</title>
<h1>This server requires a token</h1>
<p>{why} Open the link that the server printed at startup, or enter your token.</p>
<form method="get"><label>Token <input name="token" type="password" required></label>
<button>Enter</button></form>
</html>
"""


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reachable from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def link(host: str, port: int, token: str | None, prefix: str = "") -> str:
    """The address to open in a browser."""
    any_address = not is_loopback(host) and host.strip("0.:") == ""
    name = socket.gethostname() if any_address else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{prefix}/" + (f"?token={quote(token)}" if token else "")


def guarded(
    wsgi: "WSGIApplication",
    host: str,
    token: str | None,
    extra_names: Iterable[str] = (),
    users: Users = NO_USERS,
) -> "WSGIApplication":
    """The application behind access control. It finds the user in its environment, at ENVIRON.

    `host`: address that the server listens on. `token`: gives access to all; None, without users
    that have tokens, disables authentication. `extra_names`: host names to accept in addition to
    those of this machine.
    """
    tokens = users.by_token or ({token: ANYONE} if token else {})
    names = (
        {"localhost", *extra_names}
        if is_loopback(host)
        else {"localhost", host, socket.gethostname(), socket.getfqdn(), *extra_names}
    )

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        answer = _user_or_refusal(request, names, is_loopback(host), tokens, users)
        if isinstance(answer, Response):
            return answer(environ, start_response)
        return wsgi({**environ, ENVIRON: answer}, start_response)

    return application


def _user_or_refusal(
    request: Request, names: set[str], loopback: bool, tokens: Mapping[str, User], users: Users
) -> User | Response:
    """The user if the request is allowed, or the response in place of the application's.

    A correct token in the address redirects to the same address without it, with a cookie.
    """
    if not _is_own_host(request.headers.get("Host", ""), names, loopback):
        return _error(
            request,
            400,
            "Unknown host name. Use a name or address of the server's machine, "
            "or start the server with --name and this name.",
        )
    if request.path in PUBLIC_PATHS:
        return ANYONE
    user = _user_of_token(request, tokens) if tokens else ANYONE
    if user is None:
        return _login(request, tokens)
    if users.header:
        return users.of_header(request) or _error(
            request, 401, f"The proxy sent no user name in {users.header}."
        )
    return user


def _login(request: Request, tokens: Iterable[str]) -> Response:
    """The response to a request without cookie or header: it may have a token in its address."""
    given = request.args.get("token")
    if given is None:
        return _error(request, 401, "This server is reachable from the network.")
    token = next((token for token in tokens if _equal(given, token)), None)
    if request.method != "GET" or token is None:
        return _error(request, 401, "The token is wrong.")
    rest = urlencode(
        [(name, value) for name, value in request.args.items(multi=True) if name != "token"]
    )
    response = Response(
        status=303,
        headers={"Location": request.root_path + request.path + ("?" + rest if rest else "")},
    )
    response.set_cookie(
        _cookie(request),
        _cookie_value(token),
        httponly=True,
        samesite="Lax",
        max_age=30 * 86400,
        secure=request.is_secure,
    )
    return response


def _is_own_host(host: str, names: set[str], loopback: bool) -> bool:
    """Whether a Host header is a known name or an address, to prevent DNS rebinding.

    A server on a loopback address accepts no other addresses than loopback ones.
    """
    match = HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].strip("[]").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in {own_name.lower() for own_name in names}
    return address.is_loopback or not loopback


def _user_of_token(request: Request, tokens: Mapping[str, User]) -> User | None:
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    bearer = sent.strip() if scheme.lower() == "bearer" else ""
    cookie = request.cookies.get(_cookie(request), "")
    for token, user in tokens.items():
        if _equal(bearer, token) or _equal(cookie, _cookie_value(token)):
            return user
    return None


def _equal(given: str, expected: str) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _cookie_value(token: str) -> str:
    """The value of the cookie that gives access without revealing the token."""
    return hmac.new(token.encode(), b"browser", hashlib.sha256).hexdigest()


def _cookie(request: Request) -> str:
    return COOKIE.format(port=request.environ.get("SERVER_PORT", ""))


def _error(request: Request, status: int, why: str) -> Response:
    headers = {**HEADERS, "Cache-Control": "no-store"}
    if request.path.startswith(("/api/", "/socket.io")):
        message = f"{why} {HOW_TO_AUTHENTICATE}" if status == 401 else why
        body = json.dumps({"error": {"message": message, "fields": {}}})
        return Response(body, status, headers, mimetype="application/json")
    page = LOGIN_PAGE.format(why=why) if status == 401 else why
    return Response(page, status, headers, mimetype="text/html" if status == 401 else "text/plain")
