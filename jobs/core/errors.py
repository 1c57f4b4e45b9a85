"""Errors whose text is written for users. `jobs.run` puts it into the event log."""


class JobError(Exception):
    """The job cannot continue. The text says what is wrong, where, and what to do."""


def disk_full(then: str, finished: str = "") -> str:
    """The reason if a disk is full. `then`: what the user does next. `finished`: what is kept."""
    return f"The disk is full{': ' + finished if finished else ''}. Free some space, then {then}."


class Aborted(Exception):
    """The job was asked to stop."""
