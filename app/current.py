"""Catalog, settings and listeners of the application that handles a request, and its job."""

from flask import abort, current_app, request

from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
from app.live.listeners import Listeners
from app.settings import Settings
from app.web.users import ANYONE, ENVIRON, User


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


def user() -> User:
    """Who sent the request."""
    user: User = request.environ.get(ENVIRON, ANYONE)
    return user


def may_change(row: JobRow) -> bool:
    """Whether the user may change, abort or delete a job: who made it, and administrators."""
    return may_change_jobs_of(row.owner)


def may_change_jobs_of(owner: str) -> bool:
    return not owner or user().is_admin or user().name == owner


def why_not(row: JobRow) -> str:
    """The sentence for a user who may not change a job."""
    return f"{row.owner} made this job. Only {row.owner} or an administrator can change it."


def row_to_change(id: str, kind: str = "") -> JobRow:
    """As `row_or_404`, for a request that changes the job. Responds with 403 if it may not."""
    row = row_or_404(id, kind)
    if not may_change(row):
        abort(403, why_not(row))
    return row
