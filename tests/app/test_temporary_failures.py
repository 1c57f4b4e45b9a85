"""Tests of the answers to requests that fail because of the machine, and of what is logged."""

import errno
import logging
import os

import pytest
from flask import Flask

from tests.app.test_server import app

__all__ = ["app"]

REFUSED = "The server was refused access. /home/x: "


@pytest.fixture
def failing(app: Flask) -> Flask:
    """An application with a route for each number of an error of the operating system."""

    def fail(number: int) -> str:
        raise OSError(number, os.strerror(number), "/home/x")

    app.add_url_rule("/api/v1/fail/<int:number>", view_func=fail)
    return app


def message_of(failing: Flask, number: int) -> tuple[int, str]:
    answer = failing.test_client().get(f"/api/v1/fail/{number}")
    assert answer.json is not None
    return answer.status_code, answer.json["error"]["message"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_missing_permissions_have_a_sentence(
    number: int, failing: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    status, message = message_of(failing, number)
    assert (status, message.startswith(REFUSED)) == (500, True)
    assert not caplog.records


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_or_quota_is_answered_as_such(number: int, failing: Flask) -> None:
    status, message = message_of(failing, number)
    assert (status, "is full" in message) == (507, True)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENAMETOOLONG, errno.ENOTDIR])
def test_other_errors_are_logged(
    number: int, failing: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        status, message = message_of(failing, number)
    assert (status, "refused access" in message) == (500, False)
    assert os.strerror(number) in caplog.text
