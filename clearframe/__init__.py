"""A client of a Clearframe server for Python programs: `clearframe.Client`.

Imports nothing but the standard library, so it starts at once and needs no torch; the types of
answers come from `app.answers` and `jobs.core.types` while types are checked.
"""

from clearframe.client import Client
from clearframe.connection import ApiError, Unreachable
from clearframe.job import Job, JobFailed

__all__ = ["ApiError", "Client", "Job", "JobFailed", "Unreachable"]
