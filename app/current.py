"""Catalog, settings and listeners of the application that handles a request, and its job."""

from flask import abort, current_app

from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
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


def row_or_404(id: str, kind: str = "") -> JobRow:
    """The database row of a job. Responds with 404 if no job of that kind has the id."""
    row = catalog().get(id)
    if row is None or (kind and row.kind != kind):
        abort(404, f"{(kind or 'job').capitalize()} {id} not found.")
    return row
