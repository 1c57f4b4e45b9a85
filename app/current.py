"""The catalog, settings and listeners of the application that handles the current request."""

from flask import current_app

from app.catalog.catalog import Catalog
from app.live.listeners import Listeners
from app.settings import Settings


def catalog() -> Catalog:
    catalog: Catalog = current_app.extensions["catalog"]
    return catalog


def settings() -> Settings:
    settings: Settings = current_app.extensions["settings"]
    return settings


def listeners() -> Listeners:
    listeners: Listeners = current_app.extensions["listeners"]
    return listeners
