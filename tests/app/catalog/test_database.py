"""Tests of the database: migrations from every earlier version, SQLite and PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from app.catalog.catalog import Catalog
from app.catalog.database import MIGRATIONS, VERSION, Base, FromTheFuture, connect, upgrade
from jobs.core import folder as folders
from jobs.specs import DatasetSpec
from tests.support.server import Server, free_port

SPEC = DatasetSpec.model_validate(
    {"name": "d", "source": {"kind": "folders", "input": "/a", "target": "/b"}}
)
VERSIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
ROW = """
    INSERT INTO jobs (id, kind, name, created, state, "offset", spec, view{more})
    VALUES ('{id}', 'dataset', 'as it was', 1, 'done', 7, '{{}}', '{{}}'{values})
"""
ADDED = [
    ("0002", "queue", "'{}'"),
    ("0003", '"group"', "''"),
    ("0003", "about", "''"),
    ("0003", "shown", "'{}'"),
    ("0005", "tags", "','"),
    ("0006", "owner", "''"),
]
"""The columns that a later version added and that have no default: version, column, value."""


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a temporary PostgreSQL server."""
    # Debian does not add the folder with PostgreSQL's programs to PATH.
    search_path = os.pathsep.join(
        [os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    )
    initdb, pg_ctl = (shutil.which(name, path=search_path) for name in ("initdb", "pg_ctl"))
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL is not installed")
    root = os.getuid() == 0  # PostgreSQL refuses to run as root.
    if root and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL cannot run as root, and runuser is not installed")
    as_postgres = ["runuser", "-u", "postgres", "--"] if root else []
    # pytest's temporary folders are readable only for the user who runs pytest.
    folder, port = Path(tempfile.mkdtemp()), free_port()
    if root:
        shutil.chown(folder, "postgres")

    def run(*line: str) -> None:
        done = subprocess.run(
            [*as_postgres, *line],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data = str(folder / "data")
    run(initdb, "-D", data, "-U", "clearframe", "--auth=trust", "--no-sync", "--encoding=UTF8")
    # The server writes to a log file: it would keep an inherited pipe open, and `run` would wait.
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run(pg_ctl, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://clearframe@127.0.0.1:{port}"
    finally:
        run(pg_ctl, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'clearframe.db'}"
    server: str = request.getfixturevalue("postgresql")
    name = f"test_{tmp_path.name.lower().replace('-', '_')}"
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}"'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return f"{server}/{name}"


def schema_differences(engine: Engine) -> list[Any]:
    """The differences between the tables of a database and those that the server expects."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


LAST_REBUILT = "0005"
"""Migrations from a later version than this leave the rows as they are."""


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_each_earlier_version_is_migrated_and_its_rows_are_rebuilt_from_the_logs(
    version: str, url: str, tmp_path: Path
) -> None:
    id = folders.create(tmp_path, "dataset", SPEC).id
    old = create_engine(url)
    with old.begin() as connection:
        upgrade(connection, version)
        added = {column: value for since, column, value in ADDED if since <= version}
        row = ROW.format(
            id=id,
            more="".join(f", {column}" for column in added),
            values="".join(f", {value}" for value in added.values()),
        )
        connection.execute(text(row))
    old.dispose()
    engine = connect(url, tmp_path)
    catalog = Catalog(tmp_path)
    catalog.synchronize()
    row_now = catalog.get(id)
    assert row_now is not None
    rebuilt = ("d", "waiting", "Two folders")
    expected = rebuilt if version <= LAST_REBUILT else ("as it was", "done", "")
    assert (row_now.name, row_now.state, row_now.about) == expected
    assert row_now.queue == {}
    assert schema_differences(engine) == []
    engine.dispose()


def test_a_new_database_is_as_alembic_would_create_it(url: str, tmp_path: Path) -> None:
    def versions(engine: Engine) -> str:
        table = inspect(engine)
        key = table.get_pk_constraint("alembic_version")
        return f"{table.get_columns('alembic_version')} {key}"

    engine = connect(url, tmp_path)
    created = versions(engine)
    assert schema_differences(engine) == []
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("DROP TABLE jobs"))
        connection.execute(text("DROP TABLE answers"))
        upgrade(connection)
    assert versions(engine) == created
    assert schema_differences(engine) == []
    engine.dispose()


def test_a_database_whose_creation_was_interrupted_is_created_again(
    url: str, tmp_path: Path
) -> None:
    engine = connect(url, tmp_path)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    engine.dispose()
    engine = connect(url, tmp_path)
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT * FROM alembic_version")).all() == [VERSION]
    assert schema_differences(engine) == []
    engine.dispose()


def test_version_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == VERSION


def test_a_database_of_a_later_clearframe_is_refused_and_not_changed(
    url: str, tmp_path: Path
) -> None:
    connect(url, tmp_path).dispose()
    later = create_engine(url)
    with later.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    later.dispose()
    with pytest.raises(FromTheFuture, match="version 9999"):
        connect(url, tmp_path)


def test_an_unversioned_database_is_rebuilt_from_the_logs(url: str, tmp_path: Path) -> None:
    id = folders.create(tmp_path, "dataset", SPEC).id
    old = create_engine(url)
    with old.begin() as connection:
        connection.execute(text("CREATE TABLE jobs (id VARCHAR PRIMARY KEY, launched BOOLEAN)"))
    old.dispose()
    engine = connect(url, tmp_path)
    catalog = Catalog(tmp_path)
    catalog.synchronize()
    row = catalog.get(id)
    assert row is not None
    assert row.state == "waiting"
    assert schema_differences(engine) == []
    engine.dispose()


def test_a_server_runs_on_each_database(
    url: str, tmp_path: Path, clip: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARFRAME_DATABASE_URL", url)
    with Server(tmp_path / "home", [clip[0].parent], free_port()) as server:
        id = server.dataset(clip)
        server.wait(id, "done")
        server.kill()
        server.start()
        assert server.job(id)["state"] == "done"
        model = server.create(
            "/models",
            {"name": "100%", "dataset": id, "steps": 2, "batch_size": 2, "patch_size": 16},
        )
        server.wait(model, "done")
        assert [job["id"] for job in server.call("/jobs?q=0%25&kind=model")[1]["jobs"]] == [model]
        assert server.call(f"/jobs/{model}", method="DELETE")[0] == 204
    assert not (tmp_path / "home" / "clearframe.db").exists()
