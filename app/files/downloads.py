"""Images from web addresses, downloaded into the uploads, where the server was started so."""

import http.client
import ipaddress
import re
import socket
import ssl
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import gevent
from gevent.lock import BoundedSemaphore

from app.files import uploads
from app.files.content import Unusable
from app.files.paths import FileProblem
from app.threads import in_thread
from jobs.core.errors import is_disk_full
from jobs.core.suffixes import IMAGES, is_image

MAX_BYTES = 64 * 2**20
SECONDS = 30.0
"""For the whole download, redirects included."""
MAX_REDIRECTS = 4
BLOCK = 256 * 1024
SAFE = "/%:@!$&'()*+,;=~?"
"""What stays as it is in a request; the rest is percent-encoded."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRANSLATED = tuple(
    map(
        ipaddress.ip_network,
        ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"),
    )
)
"""Addresses of version 6 that stand for one of version 4, which may be private."""

_slots = BoundedSemaphore(4)


def is_url(text: str) -> bool:
    return re.match(r"https?://", text.strip(), re.IGNORECASE) is not None


def download(url: str, root: Path, private: bool = False, seconds: float = SECONDS) -> Path:
    """Download an image into the uploads below `root`; return its path.

    Raises FileProblem, and OSError if the disk is full. `private`: whether addresses of private
    networks and of this machine are allowed.
    """
    try:
        late = TimeoutError(f"no complete answer within {seconds:g} s")
        with gevent.Timeout(seconds, late), _slots:
            return _stored(url.strip(), root, private)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        if isinstance(error, OSError) and is_disk_full(error):
            raise
        reason = str(error) or type(error).__name__
        raise FileProblem(f"{url} cannot be downloaded: {reason}. Check the address.") from error


def _stored(url: str, root: Path, private: bool) -> Path:
    for _ in range(MAX_REDIRECTS + 1):
        connection, target = _connection(url, private)
        try:
            connection.request("GET", target, headers={"Accept": "image/*"})
            answer = connection.getresponse()
            location = answer.getheader("Location")
            if answer.status in REDIRECTS and location:
                url = _redirected(url, location)
                continue
            if answer.status != http.client.OK:
                raise FileProblem(
                    f"{url} answers {answer.status} {answer.reason}. Check the address."
                )
            return _saved(answer, url, root)
        finally:
            connection.close()
    raise FileProblem(f"{url} is redirected more than {MAX_REDIRECTS} times. Give another address.")


def _connection(url: str, private: bool) -> tuple[http.client.HTTPConnection, str]:
    """A connection to the server of a URL, not yet open, and the target of the request."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
    except ValueError as error:
        raise FileProblem(f"{url} has no valid host and port. Check the address.") from error
    if not is_url(url) or not parts.hostname:
        raise FileProblem(f"{url} is not an http or https address of an image.")
    address = _address(parts.hostname, port, private)
    context = _certificates() if parts.scheme == "https" else None
    target = quote(parts.path or "/", SAFE) + (f"?{quote(parts.query, SAFE)}" * bool(parts.query))
    return _Connection(parts.hostname, port, address, context), target


def _redirected(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FileProblem(f"{url} is redirected to {location}, which is no address.") from error


@cache
def _certificates() -> ssl.SSLContext:
    """Loaded once: it takes 0.03 s, in which nobody else is answered."""
    return ssl.create_default_context()


def _address(host: str, port: int, private: bool) -> str:
    """The address of a host. Raises FileProblem if one of its addresses may not be asked."""
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not private and not all(map(_is_public, found)):
        raise FileProblem(
            f"{host} is in a private network, from which this server downloads nothing. Upload "
            "the image, or start the server with --allow-private-urls."
        )
    return found[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(str(address.ipv4_mapped))
        if address.is_site_local or any(address in network for network in TRANSLATED):
            return False
    return address.is_global and not address.is_multicast


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was checked: a second look-up could give another one."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port)
        self._address, self._context = address, context

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), timeout=SECONDS)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def _saved(answer: http.client.HTTPResponse, url: str, root: Path) -> Path:
    root.mkdir(exist_ok=True)  # Commands without a server may be the first to need it.
    if in_thread(uploads.is_crowded, root):
        raise FileProblem(
            "The server's limit for uploads is reached. Put the image below a data root, or "
            "delete uploads of the last four days (DELETE /api/v1/uploads/<id>)."
        )
    upload = uploads.create(root, MAX_BYTES, _name(urlsplit(url)))
    try:
        with upload.unfinished.open("wb") as file:
            _refuse_large(url, answer.length or 0)
            while block := answer.read(BLOCK):
                file.write(block)
                _refuse_large(url, file.tell())
            upload.length = file.tell()
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
        uploads.settle(upload)
        if not is_image(upload.path):
            raise FileProblem(f"{url} is not an image ({', '.join(IMAGES)}).")
    except Unusable as error:
        raise FileProblem(f"{url}: {error}") from error
    except BaseException:
        uploads.remove(upload)
        raise
    return upload.target


def _refuse_large(url: str, size: int) -> None:
    if size > MAX_BYTES:
        raise FileProblem(
            f"{url} is larger than {MAX_BYTES // 2**20} MiB. Upload the image instead."
        )


def _name(parts: SplitResult) -> str:
    return unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.hostname or "image"
