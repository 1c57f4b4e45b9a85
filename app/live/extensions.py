"""Flask extensions, created at import and bound to an application by `create_app`."""

from flask_socketio import SocketIO

socketio = SocketIO(async_mode="gevent")
