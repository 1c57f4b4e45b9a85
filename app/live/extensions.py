"""Flask extensions, created at import and bound to an application by `create_app`."""

import sys
from importlib import import_module

# python-socketio loads its clients as well, with all that they can use, if it is installed: a
# seventh of the server's start. An import of None fails, as if it were not.
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
