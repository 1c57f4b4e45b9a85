"""The catalog, settings and listeners of the application that answers the current request."""

from flask import current_app

from app.catalog.catalog import Catalog
from app.live.listeners import Listeners
from app.settings import Settings


def catalog() -> Catalog:
    found: Catalog = current_app.extensions["catalog"]
    return found


def settings() -> Settings:
    found: Settings = current_app.extensions["settings"]
    return found


def listeners() -> Listeners:
    found: Listeners = current_app.extensions["listeners"]
    return found
