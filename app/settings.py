"""Server settings."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Slots:
    """Concurrency limits by kind of job. Trainings on GPUs do not take any of these slots."""

    dataset: int = 2
    test: int = 2
    cpu_training: int = 1


@dataclass(frozen=True)
class Settings:
    """Settings of one server.

    `home`: folder with jobs, uploads and, unless `database_url` is given, the database.
    `data_roots`: folders that jobs may read, in addition to the home's uploads.
    `allow_user_code`: whether training jobs may run Python files from these folders.
    `host`: address to listen on.
    `token`: access token; None disables authentication.
    `names`: additional host names to accept.
    `proxies`: number of reverse proxies in front, whose X-Forwarded-* headers are trusted.
    `prefix`: URL path under which a proxy serves the application, such as /clearframe.
    """

    home: Path
    data_roots: tuple[Path, ...]
    database_url: str | None = None
    allow_user_code: bool = False
    host: str = "127.0.0.1"
    token: str | None = None
    names: tuple[str, ...] = ()
    proxies: int = 0
    prefix: str = ""
    slots: Slots = Slots()

    @property
    def jobs(self) -> Path:
        return self.home / "jobs"

    @property
    def uploads(self) -> Path:
        return self.home / "uploads"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'clearframe.db'}"

    @property
    def readable(self) -> tuple[Path, ...]:
        return (*self.data_roots, self.uploads)
