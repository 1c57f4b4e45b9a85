"""Settings of the server: type, range, default and help text of each, defined once.

commands/server_options.py makes the command line options of these fields. Each field is also an
environment variable, CLEARFRAME_ and its name, and a key of the TOML file that --config names.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, DirectoryPath, Field
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from app.web.users import Users, read_users

VARIABLES = "CLEARFRAME_"
PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


@dataclass(frozen=True)
class Slots:
    """Concurrency limits by kind of job. Trainings on GPUs do not take any of these slots."""

    dataset: int = 2
    test: int = 2
    cpu_training: int = 1


@dataclass(frozen=True)
class Option:
    """What name and type of a field do not say about its command line option."""

    name: str | None = None
    metavar: str | None = None
    default: str | None = None
    """Shown in the help in place of the default."""


def _split(separator: str) -> Callable[[Any], Any]:
    """For the value of an environment variable; a file has lists."""
    return lambda value: value.split(separator) if isinstance(value, str) else value


def _folder(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise ValueError(f"'{path}' is a file. Use a folder")
    return path.resolve()


def _resolved(roots: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(root.resolve() for root in roots or (Path.cwd(),))


def _url_path(value: str) -> str:
    path = value.rstrip("/")
    if not PREFIX.fullmatch(path):
        raise ValueError(
            f"{value!r} is not a URL path. Use letters, digits and . _ ~ - between slashes, "
            "such as /clearframe"
        )
    return path


def _file_of_users(path: Path | None) -> Path | None:
    if path is None:
        return None
    read_users(path)  # Raises ValueError.
    return path.resolve()


class Settings(BaseSettings):
    """Settings of one server, in the order of `--help`."""

    model_config = SettingsConfigDict(
        env_prefix=VARIABLES,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. Any non-loopback address requires a token.",
    )
    port: int = Field(default=5000, ge=1, le=65535, description="Port to listen on.")
    home: Annotated[Path, AfterValidator(_folder), Option(metavar="DIRECTORY")] = Field(
        default=Path("data"), description="Folder with jobs, uploads and the database."
    )
    data_roots: Annotated[
        tuple[DirectoryPath, ...],
        NoDecode,
        BeforeValidator(_split(os.pathsep)),
        AfterValidator(_resolved),
        Option("--data-root"),
    ] = Field(
        default=(),
        description="Folder that jobs may read; repeat for several. Links that lead out of all "
        "these folders are refused. Default: the current folder.",
    )
    max_image_mb: int = Field(
        default=512,
        ge=1,
        description="Memory limit for one decoded image, in MiB. Larger images are rejected.",
    )
    max_worker_gb: Annotated[float, Option(default="no limit")] = Field(
        default=0.0,
        ge=0,
        description="Memory limit for each process of a job, in GiB. "
        "Not applied to trainings on GPUs.",
    )
    max_hours: Annotated[float, Option(default="no limit")] = Field(
        default=0.0, ge=0, description="Time limit for each run of a job, in hours."
    )
    allow_user_code: bool = Field(
        default=False,
        description="Let training jobs run Python files below the data roots. "
        "Anyone with access can then execute code as the server user.",
    )
    allow_urls: bool = Field(
        default=False,
        description="Let tests name images by http or https addresses, which the server downloads. "
        "Not from private networks.",
    )
    allow_private_urls: bool = Field(
        default=False,
        description="With --allow-urls: also from private networks and this machine.",
    )
    token: str | None = Field(
        default=None,
        min_length=16,
        repr=False,
        description="Access token of at least 16 characters. "
        "Default: none if only this machine has access, else a random token at each start.",
    )
    users: Annotated[Path | None, AfterValidator(_file_of_users), Option(metavar="FILE")] = Field(
        default=None,
        description="TOML file with users in place of one token: a table each, such as [anna] with "
        'token = "…" and, for administrators, admin = true. Only who made a job, or an '
        "administrator, can change, abort or delete it.",
    )
    user_header: Annotated[str, Option(metavar="NAME")] = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]*$",
        description="Header in which the proxy sends the user's name, such as X-Forwarded-User. "
        "Needs --proxies. The proxy must replace this header in requests that have it.",
    )
    admins: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_split(",")), Option("--admin", metavar="NAME")
    ] = Field(
        default=(),
        description="With --user-header: an administrator; repeat for several.",
    )
    names: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split(",")), Option("--name")] = (
        Field(
            default=(),
            description="Additional host name to accept, such as that of a proxy; "
            "repeat for several.",
        )
    )
    proxies: int = Field(
        default=0,
        ge=0,
        le=9,
        description="Number of reverse proxies in front of the server. "
        "It trusts X-Forwarded-For, -Proto and -Host from that many.",
    )
    prefix: Annotated[str, AfterValidator(_url_path), Option(metavar="/PATH")] = Field(
        default="",
        description="URL path under which a proxy serves the application: "
        "/clearframe for https://clips.example/clearframe/.",
    )
    dataset_workers: int = Field(
        default=Slots.dataset,
        ge=1,
        le=64,
        description="Maximum number of datasets created at the same time.",
    )
    test_workers: int = Field(
        default=Slots.test, ge=1, le=64, description="Maximum number of tests run at the same time."
    )
    cpu_trainings: int = Field(
        default=Slots.cpu_training,
        ge=1,
        le=64,
        description="Maximum number of trainings on the CPU at the same time.",
    )
    preload_minutes: float = Field(
        default=0.0,
        ge=0,
        description="Minutes without a job after which the process that has torch loaded ends. "
        "The next job then starts slower. 0: never.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="Format of the server's log on standard error. "
        "json: one object with fields per line.",
    )
    log_level: Literal["debug", "info", "warning"] = Field(
        default="info", description="info: state changes of jobs. debug: also each request."
    )
    gpus: Annotated[str | None, Option(metavar="0,1")] = Field(
        default=None,
        description="GPUs that jobs may use: indices as in nvidia-smi, or UUIDs. "
        "Default: CUDA_VISIBLE_DEVICES, or all GPUs.",
    )
    database_url: Annotated[str | None, Option(metavar="URL")] = Field(
        default=None,
        repr=False,
        description="Database such as postgresql+psycopg://user@host/name. "
        "Set CLEARFRAME_DATABASE_URL instead if it contains a password: "
        "other users see the options of a process. Default: SQLite in the home.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only: the environment belongs to a server, and `load` reads it."""
        return (init_settings,)

    @classmethod
    def load(cls, options: dict[str, Any], file: Path | None) -> "Settings":
        """Each setting from the options, else the environment, else the file, else its default.

        Raises ValidationError; another ValueError if the file is not TOML.
        """
        sources = (
            InitSettingsSource(cls, options),
            EnvSettingsSource(cls),
            TomlConfigSettingsSource(cls, file),
        )
        return cls(_build_sources=(sources, options))  # type: ignore[call-arg]

    @classmethod
    def in_environment(cls, field: str) -> bool:
        return field in EnvSettingsSource(cls)()

    @classmethod
    def in_file(cls, field: str, file: Path | None) -> bool:
        return field in TomlConfigSettingsSource(cls, file)()

    @property
    def access(self) -> Users:
        """The users. Their file was valid when the settings were made."""
        by_token = read_users(self.users) if self.users else {}
        return Users(by_token, self.user_header, frozenset(self.admins))

    @property
    def slots(self) -> Slots:
        return Slots(self.dataset_workers, self.test_workers, self.cpu_trainings)

    @property
    def jobs(self) -> Path:
        return self.home / "jobs"

    @property
    def uploads(self) -> Path:
        return self.home / "uploads"

    @property
    def exports(self) -> Path:
        """Exports of datasets, while they are sent."""
        return self.home / "exports"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'clearframe.db'}"

    @property
    def readable(self) -> tuple[Path, ...]:
        return (*self.data_roots, self.uploads)


def variable(field: str) -> str:
    """The environment variable of a field."""
    return VARIABLES + field.upper()
