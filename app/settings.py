"""What the server is told at its start."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """`home` holds the jobs; files are read only below `data_roots` and the home's uploads. `allow_user_code`: whether Python
    files from there may run in training jobs."""

    home: Path
    data_roots: tuple[Path, ...]
    database_url: str | None = None
    allow_user_code: bool = False

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
