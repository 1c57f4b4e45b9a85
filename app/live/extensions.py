"""Flask extensions, created at import and bound to an application by `create_app`."""

import sys
from importlib import import_module

# python-socketio loads its clients too, with the packages that they use where these are installed:
# a seventh of the server's start. None in sys.modules makes an import fail, as if there were none.
USED_BY_CLIENTS = [
    name for name in ("aiohttp", "requests", "tornado", "websocket") if name not in sys.modules
]
sys.modules.update(dict.fromkeys(USED_BY_CLIENTS))  # type: ignore[arg-type]
try:
    import_module("socketio")
finally:
    for name in USED_BY_CLIENTS:
        del sys.modules[name]

from flask_socketio import SocketIO

socketio = SocketIO(async_mode="gevent")
