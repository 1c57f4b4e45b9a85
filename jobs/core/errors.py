"""Errors whose text is made for the person who reads it. `jobs.run` writes them to the log."""


class JobError(Exception):
    """The job cannot go on: the text names what is wrong, where, and what to do."""


class Aborted(Exception):
    """Somebody asked the job to stop."""
