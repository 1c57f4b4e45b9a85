"""Commits of the database that are done although the driver reports that they failed."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.exc import OperationalError


@contextmanager
def commit_loses_its_answer() -> Iterator[None]:
    """Within this block a commit is done and raises OperationalError, which is expected."""

    def commit_and_fail(dialect: SQLiteDialect, connection: Any) -> None:
        connection.commit()
        raise sqlite3.OperationalError("connection lost")

    with pytest.MonkeyPatch.context() as context:
        context.setattr(SQLiteDialect, "do_commit", commit_and_fail)
        with pytest.raises(OperationalError):
            yield
