"""The web process: pages, JSON API, live updates, and the scheduler. It never imports torch or av."""

from pathlib import Path
from typing import Any

import gevent
from flask import Flask, render_template, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from app import api, assets, pages, pairs, safety, upload_store, words
from app.catalog import Catalog
from app.database import connect
from app.extensions import socketio
from app.follower import Follower
from app.full_disk import InsufficientStorage, is_full
from app.scheduler import Scheduler, gpu_names
from app.settings import Settings
from app.sockets import Jobs, send

ROOT = Path(__file__).parent.parent
MAX_UPLOAD = 256 * 2**20


def create_app(settings: Settings, work: bool = True) -> Flask:
    """The application. With `work` it also follows and starts jobs, in greenlets."""
    app = Flask(
        __name__,
        template_folder=str(ROOT / "templates"),
        static_folder=str(assets.STATIC),
        static_url_path=f"/static/{assets.version()}",
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD
    connect(settings.database, settings.home)
    settings.uploads.mkdir(exist_ok=True)
    upload_store.remove_old(settings.uploads)
    catalog = Catalog(settings.home)
    catalog.take_in_folders()
    app.extensions.update(settings=settings, catalog=catalog)

    app.register_blueprint(pages.blueprint)
    app.register_blueprint(pairs.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_error_handler(HTTPException, show_error)
    app.register_error_handler(OSError, show_full_disk)
    app.register_error_handler(OperationalError, show_full_disk)
    safety.guard(app)
    words.offer(app)
    assets.offer(app)
    socketio.init_app(app)
    socketio.on_namespace(Jobs(catalog))
    if work:
        gevent.spawn(Follower(catalog, send).run)
        gevent.spawn(Scheduler(catalog, gpu_names(), settings.allow_user_code).run)
    return app


def show_full_disk(error: OSError | OperationalError) -> Any:
    if not is_full(error):
        raise error
    return show_error(InsufficientStorage())


def show_error(error: HTTPException) -> Any:
    """JSON for the API, a page for a browser."""
    status, message = error.code or 500, error.description or error.name
    if request.path.startswith("/api/"):
        return api.error(status, message)
    return render_template("error.html", title=error.name, active="", status=status, heading=error.name, message=message), status
