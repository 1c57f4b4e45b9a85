"""Errors whose text is written for users. `jobs.run` puts it into the event log."""


class JobError(Exception):
    """The job cannot continue. The text says what is wrong, where, and what to do."""


class Aborted(Exception):
    """The job was asked to stop."""
