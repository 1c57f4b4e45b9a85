"""The application: its parts, its errors, and what runs in the background."""

from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from flask import Flask, render_template, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from app.api import health, repeated, v1
from app.api.replies import error as error_reply
from app.catalog import home_lock
from app.catalog.catalog import Catalog
from app.catalog.database import connect
from app.files import uploads
from app.live.extensions import socketio
from app.live.listeners import Listeners
from app.live.sockets import JOB_DELETED, Jobs, uncompressed
from app.pages import (
    compare,
    datasets,
    docs,
    formatting,
    home,
    in_browser,
    inference,
    jobs,
    models,
    pairs,
    queue,
    restore,
)
from app.runner import gpus, pair_exports
from app.runner.follower import Follower
from app.runner.fork_server import ForkServer
from app.runner.loops import repeat
from app.runner.scheduler import Scheduler
from app.runner.warm import WarmWorkers
from app.settings import Settings
from app.temporary_failures import (
    DatabaseBusy,
    InsufficientStorage,
    NotWritable,
    is_full,
    is_locked,
    is_refusal,
    lasting_failure,
)
from app.threads import in_thread
from app.web import assets, bytecode, compression, prefix, safety
from app.web.access import guarded
from app.web.rules import LateRule
from jobs.core.paths import STATIC, TEMPLATES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


CLEANING_INTERVAL = 3600.0
"""Seconds between two removals of abandoned uploads."""


def create_app(settings: Settings, work: bool = True) -> Flask:
    """Create the application. With `work`, it also follows and starts jobs, in greenlets.

    Raises HomeInUse, FromTheFuture.
    """
    app = Flask(
        "app",
        template_folder=str(TEMPLATES),
        static_folder=str(STATIC),
        static_url_path=f"/static/{assets.version()}",
    )
    app.url_rule_class = LateRule
    bytecode.init_app(app)

    settings.home.mkdir(parents=True, exist_ok=True)
    if work:
        app.extensions["home"] = home_lock.hold(settings.home)
    connect(settings.database, settings.home)
    settings.uploads.mkdir(exist_ok=True)
    catalog = Catalog(settings.home)
    catalog.synchronize()
    listeners = Listeners(catalog.folder, catalog.last_read)
    app.extensions.update(settings=settings, catalog=catalog, listeners=listeners)

    health.init_app(app)
    for part in (
        health,
        home,
        restore,
        datasets,
        models,
        in_browser,
        compare,
        docs,
        inference,
        queue,
        pairs,
        jobs,
        v1,
    ):
        app.register_blueprint(part.blueprint)
    app.register_error_handler(HTTPException, show_error)
    app.register_error_handler(OSError, show_temporary_failure)
    app.register_error_handler(OperationalError, show_temporary_failure)
    for hooks in (safety, repeated, formatting, assets, compression, prefix):
        hooks.init_app(app)
    socketio.init_app(app)
    socketio.on_namespace(Jobs(catalog, listeners))
    app.wsgi_app = _with_middleware(app, settings)  # type: ignore[assignment, method-assign]

    if work:
        _start_background(app, settings, catalog, listeners)
    return app


def _with_middleware(app: Flask, settings: Settings) -> "WSGIApplication":
    """The WSGI application behind access control, proxy headers and path prefix."""
    wsgi = guarded(
        uncompressed(app.wsgi_app),
        settings.host,
        settings.token,
        settings.names,
        settings.access,
    )
    if settings.proxies:  # Trust X-Forwarded-* only from the configured number of proxies.
        wsgi = ProxyFix(wsgi, **dict.fromkeys(("x_for", "x_proto", "x_host"), settings.proxies))
    if settings.prefix:
        wsgi = prefix.mounted(wsgi, settings.prefix)
    return wsgi


def _start_background(
    app: Flask, settings: Settings, catalog: Catalog, listeners: Listeners
) -> None:
    """Start the greenlets that follow logs, send live updates and start jobs."""
    follower = Follower(
        catalog,
        listeners.send,
        lambda job: listeners.send_gone(job, JOB_DELETED),
        listeners.send_changed,
        listeners.send_missed,
    )
    warm = WarmWorkers(
        follower.follow_job, catalog.job_queued.set, settings.allow_user_code, catalog.aborting
    )
    app.extensions["warm"] = warm
    fork_server = ForkServer(settings.preload_minutes)
    scheduler = Scheduler(
        catalog,
        gpus.names(),
        warm,
        settings.slots,
        settings.allow_user_code,
        on_start=fork_server.wake,
    )
    gevent.spawn(
        repeat, CLEANING_INTERVAL, partial(in_thread, uploads.remove_old, settings.uploads)
    )
    gevent.spawn(pair_exports.remove, pair_exports.leftovers(settings.exports))
    for background in (follower, listeners, scheduler, fork_server):
        gevent.spawn(background.run)


def show_temporary_failure(error: OSError | OperationalError) -> Any:
    """507, 503 or 500 for a full disk, a locked database or a home without write permission.

    Raises any other error again, for the log: a bad disk (EIO), or a mistake of ours.
    """
    if is_full(error):
        return show_error(InsufficientStorage())
    if is_locked(error):
        return show_error(DatabaseBusy())
    if is_refusal(error):
        sentence = lasting_failure(error)
        return show_error(NotWritable(f"The server was refused access. {sentence}"))
    raise error


def show_error(error: HTTPException) -> Any:
    """The error as JSON for the API, as a page for a browser."""
    status, message = error.code or 500, error.description or error.name
    # Headers such as Allow.
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
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
