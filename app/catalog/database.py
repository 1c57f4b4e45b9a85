"""The table of jobs: an index of what the event logs say, made for lists and searches."""

from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Double,
    Engine,
    Index,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker


class Base(DeclarativeBase):
    pass


class JobRow(Base):
    """One job. `view` is its log folded by `jobs.core.view` up to the byte `offset`; `queue` is when it starts
    (app/catalog/queue.py); `group` to `shown` are what lists show (app/catalog/lists.py)."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    created: Mapped[float] = mapped_column(Double)
    state: Mapped[str] = mapped_column(index=True)
    group: Mapped[str]
    about: Mapped[str]
    number: Mapped[float | None] = mapped_column(Double)
    psnr: Mapped[float | None] = mapped_column(Double)
    gain: Mapped[float | None] = mapped_column(Double)
    seconds: Mapped[float | None] = mapped_column(Double)
    shown: Mapped[dict[str, Any]] = mapped_column(JSON)
    offset: Mapped[int] = mapped_column(BigInteger, default=0)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    queue: Mapped[dict[str, Any]] = mapped_column(JSON)
    view: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (
        Index(
            "ix_jobs_lists",
            "kind",
            "id",
            "state",
            "name",
            "group",
            "about",
            "number",
            "psnr",
            "gain",
            "seconds",
        ),
    )


Sessions = sessionmaker(expire_on_commit=False)

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION = max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


class FromTheFuture(Exception):
    """The database was written by a later Clearframe; the text says so."""


def connect(url: str, home: Path) -> Engine:
    """Open the database, bring its table to this version, and bind `Sessions` to it. Raises FromTheFuture."""
    home.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, pool_pre_ping=not url.startswith("sqlite")
    )  # A database elsewhere may have been restarted.
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _write_ahead)
    with engine.begin() as connection:
        found = _version(connection)
        if found is None or found < VERSION:
            upgrade(connection)
    if found is not None and found > VERSION:
        engine.dispose()
        raise FromTheFuture(
            f"The database {engine.url.render_as_string()} is of version {found}, this Clearframe knows {VERSION} at most. "
            "Install the later Clearframe again. (A SQLite file may be deleted, too: the jobs' folders tell all of it anew.)"
        )
    Sessions.configure(bind=engine)
    return engine


def _version(connection: Connection) -> str | None:
    """The version of the table; None where there is no table, or one of before there were versions."""
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def upgrade(connection: Connection, version: str = VERSION) -> None:
    """Bring the table from whatever earlier version to this one (app/migrations)."""
    from alembic import (
        command,
    )  # A sixth of the time that a server takes to start, and nearly always for nothing.
    from alembic.config import Config

    tables = inspect(connection).get_table_names()
    if "jobs" in tables and "alembic_version" not in tables:
        Base.metadata.drop_all(connection)  # The logs tell all of it anew.
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def _write_ahead(connection: Any, _: Any) -> None:
    """Readers do not wait for the writer, nor it for them."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "PRAGMA synchronous=NORMAL"
    )  # What a power cut takes from the table, the logs tell anew.
    # Nothing else is served meanwhile: whoever meets a lock says so, and tries again (app/runner/loops.py, app/errors.py).
    connection.execute("PRAGMA busy_timeout=250")
