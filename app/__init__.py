"""The web process: pages, JSON API, live updates, and the scheduler. It never imports torch or av."""

from pathlib import Path
from typing import Any

import gevent
from flask import Flask, render_template, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from app import (
    api,
    assets,
    gpus,
    home,
    home_lock,
    operated,
    pages,
    pairs,
    prefix,
    queue_page,
    safety,
    test_pages,
    upload_store,
    words,
)
from app.access import guarded
from app.catalog import Catalog
from app.database import connect
from app.extensions import socketio
from app.follower import Follower
from app.hindrances import DatabaseBusy, InsufficientStorage, is_full, is_locked
from app.listeners import Listeners
from app.scheduler import Scheduler
from app.settings import Settings
from app.sockets import GONE, Jobs, uncompressed
from app.warm import WarmWorkers

ROOT = Path(__file__).parent.parent
MAX_UPLOAD = 256 * 2**20


def create_app(settings: Settings, work: bool = True) -> Flask:
    """The application. With `work` it also follows and starts jobs, in greenlets. Raises HomeInUse, FromTheFuture."""
    app = Flask(
        __name__,
        template_folder=str(ROOT / "templates"),
        static_folder=str(assets.STATIC),
        static_url_path=f"/static/{assets.version()}",
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD
    settings.home.mkdir(parents=True, exist_ok=True)
    if work:
        app.extensions["home"] = home_lock.hold(settings.home)
    connect(settings.database, settings.home)
    settings.uploads.mkdir(exist_ok=True)
    upload_store.remove_old(settings.uploads)
    catalog = Catalog(settings.home)
    catalog.begin()
    listeners = Listeners(catalog.folder)
    app.extensions.update(settings=settings, catalog=catalog, listeners=listeners)

    operated.count(app)
    app.register_blueprint(operated.blueprint)
    app.register_blueprint(home.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(test_pages.blueprint)
    app.register_blueprint(queue_page.blueprint)
    app.register_blueprint(pairs.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_error_handler(HTTPException, show_error)
    app.register_error_handler(OSError, show_hindrance)
    app.register_error_handler(OperationalError, show_hindrance)
    safety.guard(app, settings.home)
    words.offer(app)
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
        follower = Follower(catalog, listeners.send, lambda job: listeners.send_gone(job, GONE), listeners.send_changed)
        warm = WarmWorkers(follower.look, catalog.waits.set, settings.allow_user_code, catalog.aborting)
        app.extensions["warm"] = warm
        gevent.spawn(follower.run)
        gevent.spawn(listeners.run)
        gevent.spawn(Scheduler(catalog, gpus.names(), warm, settings.slots, settings.allow_user_code).run)
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
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]  # Such as Allow.
    if request.path.startswith("/api/"):
        return *api.error(status, message), headers
    page = render_template("error.html", title=error.name, active="", status=status, heading=error.name, message=message)
    return page, status, headers
