"""Tests of the sentences on errors of a disk or of permissions."""

import errno
import os

import pytest

from jobs.core.errors import REFUSED, refused


@pytest.mark.parametrize("number", sorted(REFUSED))
def test_errors_that_a_user_can_remove_have_a_sentence(number: int) -> None:
    sentence = refused(OSError(number, os.strerror(number), "/home/jobs"))
    full = number in (errno.ENOSPC, errno.EDQUOT)
    assert sentence.startswith("The disk is full." if full else "/home/jobs: ")


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EPIPE, errno.ECONNREFUSED])
def test_other_errors_have_none(number: int) -> None:
    assert refused(OSError(number, os.strerror(number))) == ""
