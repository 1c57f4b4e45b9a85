"""What the server is told at its start."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Slots:
    """How many jobs of a kind work at a time; trainings on GPUs have these besides."""

    dataset: int = 2
    test: int = 2
    cpu_training: int = 1


@dataclass(frozen=True)
class Settings:
    """`home` holds the jobs; files are read only below `data_roots` and the home's uploads. `allow_user_code`: whether Python
    files from there may run in training jobs. `host`: the address to listen on; `token`: what those who come must know, None for
    nothing. `names`: what the server is called besides; `proxies`: how many stand before it, whose X-Forwarded-* are believed;
    `prefix`: the path below which they show it, such as /clearframe."""

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
