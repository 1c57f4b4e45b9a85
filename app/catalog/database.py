"""The table of jobs: an index of the event logs, for lists and searches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVarTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Double,
    Engine,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Select,
    String,
    Table,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from werkzeug.utils import secure_filename

from app.answers import QueueSettings
from jobs.core.types.fields import JobState, Kind
from jobs.core.types.summaries import View

Ts = TypeVarTuple("Ts")


class Base(DeclarativeBase):
    pass


class JobRow(Base):
    """A job.

    `view` is its log, folded by `jobs.core.view` up to the byte `offset`. `queue` says when it
    starts (app/catalog/queue.py). The columns from `group` to `shown` are for lists
    (app/catalog/lists.py).
    """

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[Kind] = mapped_column(String)
    name: Mapped[str]
    created: Mapped[float] = mapped_column(Double)
    state: Mapped[JobState] = mapped_column(String, index=True)
    group: Mapped[str]
    tags: Mapped[str]
    owner: Mapped[str] = mapped_column(default="")
    about: Mapped[str]
    number: Mapped[float | None] = mapped_column(Double)
    psnr: Mapped[float | None] = mapped_column(Double)
    gain: Mapped[float | None] = mapped_column(Double)
    seconds: Mapped[float | None] = mapped_column(Double)
    shown: Mapped[dict[str, Any]] = mapped_column(JSON)
    offset: Mapped[int] = mapped_column(BigInteger, default=0)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    queue: Mapped[QueueSettings] = mapped_column(JSON)
    view: Mapped[View] = mapped_column(JSON)

    @property
    def file_name(self) -> str:
        """The name as a part of the names of downloads; the id if nothing of it is left."""
        return secure_filename(self.name) or self.id

    __table_args__ = (
        Index(
            "ix_jobs_lists",
            "kind",
            "id",
            "state",
            "name",
            "group",
            "tags",
            "owner",
            "about",
            "number",
            "psnr",
            "gain",
            "seconds",
        ),
    )


class AnswerRow(Base):
    """The kept answer to a request with an Idempotency-Key (app/api/repeated.py).

    `request` is a hash of the request.
    """

    __tablename__ = "answers"

    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    created: Mapped[float] = mapped_column(Double, index=True)
    status: Mapped[int]
    body: Mapped[str]


Sessions = sessionmaker(expire_on_commit=False)

_last_commit = object()


@event.listens_for(Sessions, "after_commit")
@event.listens_for(Sessions, "after_soft_rollback")  # A commit may be done although it failed.
def _note_commit(*_: object) -> None:
    global _last_commit
    _last_commit = object()


def last_commit() -> object:
    """Another object after each commit or rollback of this process, the only one that writes.

    What was read after it was asked for is up to date while the answer is the same object.
    """
    return _last_commit


MIGRATIONS = Path(__file__).parent / "migrations"
VERSION = max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def all_rows(query: "Select[*Ts]") -> "Sequence[Row[*Ts]]":
    """The rows of a query, read in a session of its own."""
    with Sessions() as session:
        return session.execute(query).all()


class FromTheFuture(Exception):
    """A later Clearframe wrote the database; the message says so."""


def connect(url: str, home: Path) -> Engine:
    """Open the database, migrate it to this version, and bind `Sessions` to it.

    Raises FromTheFuture.
    """
    home.mkdir(parents=True, exist_ok=True)
    # A database server may restart: the pool checks its connections before it reuses them.
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _write_ahead)
    with engine.begin() as connection:
        version = _version(connection)
        if version is None:
            _create(connection)
        elif version < VERSION:
            upgrade(connection)
    if version is not None and version > VERSION:
        engine.dispose()
        raise FromTheFuture(
            f"The database {engine.url.render_as_string()} has version {version}; this Clearframe "
            f"supports versions up to {VERSION}. Install a later Clearframe. (A SQLite file may "
            "also be deleted: the server rebuilds it from the jobs' folders.)"
        )
    Sessions.configure(bind=engine)
    return engine


def _version(connection: Connection) -> str | None:
    """The version of the table; None if it does not exist or is older than the versions."""
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _create(connection: Connection) -> None:
    """Create the table of this version, as Alembic would, which takes long to load.

    A table without a version is dropped: the server rebuilds its rows from the logs.
    """
    Base.metadata.drop_all(connection)
    Base.metadata.create_all(connection)
    versions = Table(
        "alembic_version",
        MetaData(),
        Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    )
    # A start that was killed has left it without a row.
    versions.create(connection, checkfirst=True)
    connection.execute(versions.insert().values(version_num=VERSION))


def upgrade(connection: Connection, version: str = VERSION) -> None:
    """Migrate the table from any earlier version to `version` (app/catalog/migrations)."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def _write_ahead(connection: Any, _: Any) -> None:
    """Configure a SQLite connection.

    With a write-ahead log, readers and the writer do not wait for each other.
    """
    connection.execute("PRAGMA journal_mode=WAL")
    # Rows lost in a power failure are rebuilt from the logs.
    connection.execute("PRAGMA synchronous=NORMAL")
    # A statement that waits for a lock blocks all other requests. Callers report the lock and
    # retry (app/runner/loops.py, app/temporary_failures.py). Milliseconds.
    connection.execute("PRAGMA busy_timeout=250")
