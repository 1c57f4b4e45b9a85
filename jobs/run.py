"""The process of one job: `python -m jobs.run FOLDER`.

Errors made for people end in the log. Any other one ends the process with its traceback in
worker.log; the server then finds the lock free and the job without an end, and says so.
"""

import errno
import os
import signal
import sys
from pathlib import Path
from typing import Any

from jobs.errors import Aborted, JobError
from jobs.events import EventLog, NoLog, last_state
from jobs.folder import JobFolder
from jobs.launcher import GPUS, LOCK_VARIABLE
from jobs.report import Report
from jobs.specs import DatasetSpec, ModelSpec, TestSpec

RESERVE_BYTES = 64 * 1024


def main(path: str) -> int:
    folder = JobFolder(Path(path).resolve())
    if rank_here() > 0:
        return help_out(folder)
    inherited = os.environ.pop(LOCK_VARIABLE, None)
    lock = int(inherited) if inherited else folder.lock()
    if lock is None:
        print(f"A worker already works in {folder.path}.", file=sys.stderr)
        return 1
    with os.fdopen(lock, "r+b", buffering=0) as held:
        held.truncate(0)
        held.write(str(os.getpid()).encode())
        with EventLog(folder.events) as log:
            return run(folder, log)


def rank_here() -> int:
    """Of several processes that do one job (jobs/ranks.py), which this is."""
    return int(os.environ.get("RANK", "0"))


def help_out(folder: JobFolder) -> int:
    """Work beside rank 0, which holds the lock, writes the log and says how it ended."""
    from jobs.ranks import follow_first

    follow_first()
    report = Report(NoLog())
    report.stop_on(signal.SIGTERM)
    try:
        work(folder, report)
    except Aborted:  # Rank 0 says so.
        return 0
    except JobError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(folder: JobFolder, log: EventLog) -> int:
    """Do the job and write how it ended. Returns the exit status."""
    report = Report(log, resume_from=_wanted_snapshot(folder))
    report.stop_on(signal.SIGTERM)
    try:
        _keep_room(folder)
        log.append("state", state="running", reason="", **_place())
        summary = work(folder, report)
    except Aborted:
        log.append("state", state="aborted", reason="Aborted by the user. What was finished is kept: Resume goes on from there.")
        return 0
    except JobError as error:
        log.append("state", state="error", reason=str(error))
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _reserve(folder).unlink(missing_ok=True)
        os.sync()  # Some file systems give out freed blocks only then.
        log.append("state", state="error", reason="The disk is full. Make room, then Resume: what was finished is kept.")
        return 1
    _reserve(folder).unlink()
    log.append("state", state="done", reason="", summary=summary)
    return 0


def _place() -> dict[str, list[int]]:
    """The GPUs that the server gave to the job: so that the next server knows it, too."""
    gpus = os.environ.get(GPUS, "")
    return {"gpus": [int(number) for number in gpus.split(",")]} if gpus else {}


def _wanted_snapshot(folder: JobFolder) -> str:
    last = last_state(folder.events) or {}
    return str(last.get("resume_from", ""))


def _reserve(folder: JobFolder) -> Path:
    return folder.path / ".reserve"


def _keep_room(folder: JobFolder) -> None:
    """Room for the last words: on a disk that is full, not even that could be said."""
    _reserve(folder).write_bytes(bytes(RESERVE_BYTES))


def work(folder: JobFolder, report: Report) -> dict[str, Any]:
    """The job itself. Each kind is imported only where it runs: a dataset needs no torch."""
    spec = folder.spec()
    match spec:
        case DatasetSpec():
            from jobs.dataset import make_dataset

            return make_dataset(folder, spec, report)
        case ModelSpec():
            from jobs.train import train

            return train(folder, spec, report)
        case TestSpec():
            from jobs.infer import test_image

            return test_image(folder, spec, report)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
