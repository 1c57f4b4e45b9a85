"""Who sends a request, on servers that several people share.

Either each user has a token of their own (`--users FILE`), or a proxy authenticates users and sends
their names in a header (`--user-header`), as with Grafana and JupyterHub. Clearframe stores no
passwords. All users see all jobs; only who made a job, or an administrator, changes it.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from werkzeug.wrappers import Request

ENVIRON = "clearframe.user"
"""Key of the user in the WSGI environment."""


@dataclass(frozen=True)
class User:
    """The sender of a request. `name` is empty on servers without users."""

    name: str
    is_admin: bool


ANYONE = User("", is_admin=True)


@dataclass(frozen=True)
class Users:
    """The users of a server: by their tokens, or by the header `header` of a proxy.

    `admins`: names of administrators among the users of the header.
    """

    by_token: Mapping[str, User] = field(default_factory=dict)
    header: str = ""
    admins: frozenset[str] = frozenset()

    def of_header(self, request: Request) -> User | None:
        """The user that the proxy names; None if it names none."""
        name = request.headers.get(self.header, "").strip()
        return User(name, name in self.admins) if name else None


NO_USERS = Users()

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=16)
    admin: bool = False


_FILE = TypeAdapter(dict[Name, _Entry])


def read_users(path: Path) -> dict[str, User]:
    """The users of a TOML file, by token: a table for each, [NAME] with token and admin = true.

    Raises ValueError with a sentence that contains no token.
    """
    try:
        entries = _FILE.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(str(part) for part in detail["loc"])
        raise ValueError(
            f"{path}: {place}: {detail['msg']}. "
            'Write a table for each user: [anna] and token = "…" of at least 16 characters.'
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} is not a TOML file: {error}.") from error
    if not entries:
        raise ValueError(f"{path} has no users.")
    uses = Counter(entry.token for entry in entries.values())
    if repeated := [name for name, entry in entries.items() if uses[entry.token] > 1]:
        raise ValueError(f"{path}: {' and '.join(repeated)} have the same token.")
    return {entry.token: User(name, entry.admin) for name, entry in entries.items()}
