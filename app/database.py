"""The table of jobs: an index of what the event logs say, made for lists and searches."""

from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Engine, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker


class Base(DeclarativeBase):
    pass


class JobRow(Base):
    """One job. `view` is what `jobs.view` folded of its log up to the byte `offset`."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    created: Mapped[float]
    state: Mapped[str] = mapped_column(index=True)
    launched: Mapped[bool] = mapped_column(default=False)
    offset: Mapped[int] = mapped_column(default=0)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    view: Mapped[dict[str, Any]] = mapped_column(JSON)


Sessions = sessionmaker(expire_on_commit=False)


def connect(url: str, home: Path) -> Engine:
    """Open the database, make its table, and bind `Sessions` to it."""
    home.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _write_ahead)
    Base.metadata.create_all(engine)
    Sessions.configure(bind=engine)
    return engine


def _write_ahead(connection: Any, _: Any) -> None:
    """Readers do not wait for the writer, nor it for them."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA busy_timeout=5000")
