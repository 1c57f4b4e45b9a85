"""Refusals of specs and servers as messages of the command line. The exit status says which."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.catalog.catalog import Refused
from app.forms.command_line import option_name
from app.validation_errors import Invalid
from clearframe import ApiError, Unreachable
from jobs.core.errors import Aborted, JobError

UNPROCESSABLE = 422


class WrongValue(click.ClickException):
    """An option has a value that does not fit: nothing was started."""

    exit_code = 2


class Interrupted(click.ClickException):
    """Ctrl-C ended the command; the message says what remains."""

    exit_code = 130


@contextmanager
def refusals() -> Iterator[None]:
    """Raise WrongValue for wrong settings, ClickException for everything else that is refused."""
    try:
        yield
    except Invalid as invalid:
        raise WrongValue(sentences(invalid.problems)) from invalid
    except ApiError as error:
        text = sentences(error.fields) or error.message
        wrong = error.status == UNPROCESSABLE
        raise (WrongValue(text) if wrong else click.ClickException(text)) from error
    except Aborted as error:
        raise Interrupted("Stopped.") from error
    except (Refused, JobError, Unreachable) as error:
        raise click.ClickException(str(error)) from error


def sentences(problems: dict[str, str]) -> str:
    """The problems as lines, each with the option that causes it."""
    return "\n".join(
        f"{option_name(field)}: {text}" if field else text for field, text in problems.items()
    )
