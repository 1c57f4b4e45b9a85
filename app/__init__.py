"""The web process: pages, JSON API, live updates, and the scheduler.

Of `jobs` it imports `core` and `specs`, of `models` `definitions`: it never loads torch or av.
"""

from typing import Any

import gevent
from flask import Flask, render_template, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from app.api import health, v1
from app.api.replies import error as error_reply
from app.catalog import home_lock
from app.catalog.catalog import Catalog
from app.catalog.database import connect
from app.errors import DatabaseBusy, InsufficientStorage, is_full, is_locked
from app.files import uploads
from app.live.extensions import socketio
from app.live.listeners import Listeners
from app.live.sockets import GONE, Jobs, uncompressed
from app.pages import compare, datasets, formatting, home, inference, jobs, models, pairs, queue
from app.runner import gpus
from app.runner.follower import Follower
from app.runner.scheduler import Scheduler
from app.runner.warm import WarmWorkers
from app.settings import Settings
from app.web import assets, prefix, safety
from app.web.access import guarded
from jobs.core.paths import STATIC, TEMPLATES

MAX_UPLOAD = 256 * 2**20


def create_app(settings: Settings, work: bool = True) -> Flask:
    """The application. With `work` it also follows and starts jobs, in greenlets. Raises HomeInUse, FromTheFuture."""
    app = Flask(
        __name__,
        template_folder=str(TEMPLATES),
        static_folder=str(STATIC),
        static_url_path=f"/static/{assets.version()}",
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD
    settings.home.mkdir(parents=True, exist_ok=True)
    if work:
        app.extensions["home"] = home_lock.hold(settings.home)
    connect(settings.database, settings.home)
    settings.uploads.mkdir(exist_ok=True)
    uploads.remove_old(settings.uploads)
    catalog = Catalog(settings.home)
    catalog.begin()
    listeners = Listeners(catalog.folder)
    app.extensions.update(settings=settings, catalog=catalog, listeners=listeners)

    health.count(app)
    for part in (health, home, datasets, models, compare, inference, queue, pairs, jobs, v1):
        app.register_blueprint(part.blueprint)
    app.register_error_handler(HTTPException, show_error)
    app.register_error_handler(OSError, show_hindrance)
    app.register_error_handler(OperationalError, show_hindrance)
    safety.guard(app, settings.home)
    formatting.offer(app)
    assets.offer(app)
    prefix.offer(app)
    socketio.init_app(app)
    wsgi = guarded(uncompressed(app.wsgi_app), settings.host, settings.token, settings.names)
    if settings.proxies:  # What others write into these headers is believed of nobody.
        wsgi = ProxyFix(wsgi, **dict.fromkeys(("x_for", "x_proto", "x_host"), settings.proxies))
    if settings.prefix:
        wsgi = prefix.below(wsgi, settings.prefix)
    app.wsgi_app = wsgi  # type: ignore[assignment, method-assign]
    socketio.on_namespace(Jobs(catalog, listeners))
    if work:
        follower = Follower(
            catalog,
            listeners.send,
            lambda job: listeners.send_gone(job, GONE),
            listeners.send_changed,
        )
        warm = WarmWorkers(
            follower.look, catalog.waits.set, settings.allow_user_code, catalog.aborting
        )
        app.extensions["warm"] = warm
        gevent.spawn(follower.run)
        gevent.spawn(listeners.run)
        gevent.spawn(
            Scheduler(catalog, gpus.names(), warm, settings.slots, settings.allow_user_code).run
        )
    return app


def show_hindrance(error: OSError | OperationalError) -> Any:
    if is_full(error):
        return show_error(InsufficientStorage())
    if is_locked(error):
        return show_error(DatabaseBusy())
    raise error


def show_error(error: HTTPException) -> Any:
    """JSON for the API, a page for a browser."""
    status, message = error.code or 500, error.description or error.name
    headers = [
        (name, value) for name, value in error.get_headers() if name != "Content-Type"
    ]  # Such as Allow.
    if request.path.startswith("/api/"):
        return *error_reply(status, message), headers
    page = render_template(
        "error.html",
        title=error.name,
        active="",
        status=status,
        heading=error.name,
        message=message,
    )
    return page, status, headers
