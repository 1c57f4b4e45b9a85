"""The process of one job: `python -m jobs.run FOLDER`.

Errors made for people end in the log. Any other one ends the process with its traceback in
worker.log; the server then finds the lock free and the job without an end, and says so.
"""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.core import limits
from jobs.core.errors import Aborted, JobError
from jobs.core.events import EventLog, NoLog, last_state
from jobs.core.folder import JobFolder
from jobs.core.launcher import GPUS, LOCK_VARIABLE
from jobs.core.report import Report
from jobs.specs import DatasetSpec, ImagesTest, ImageTest, ModelSpec, SplitTest, VideoTest

RESERVE_BYTES = 64 * 1024
PATIENCE_SECONDS = 600
"""How long a worker waits for room on a full disk, with nothing but its last words to write."""


def main(path: str) -> int:
    folder = JobFolder(Path(path).resolve())
    if rank_here() > 0:
        return help_out(folder)
    limits.hold_memory(computes=not isinstance(folder.spec(), DatasetSpec))
    inherited = os.environ.pop(LOCK_VARIABLE, None)
    lock = int(inherited) if inherited else folder.lock()
    if lock is None:
        print(f"A worker already works in {folder.path}.", file=sys.stderr)
        return 1
    with EventLog(folder.events) as log:
        return hold(folder, lock, log)


def hold(folder: JobFolder, lock: int, log: EventLog) -> int:
    """Do the job with its lock in hand, and let go of it. Returns the exit status."""
    with os.fdopen(lock, "r+b", buffering=0) as held:
        held.truncate(0)
        _with_room(lambda: held.write(str(os.getpid()).encode()))
        return run(folder, log)


def rank_here() -> int:
    """Of several processes that do one job (jobs/training/ranks.py), which this is."""
    return int(os.environ.get("RANK", "0"))


def help_out(folder: JobFolder) -> int:
    """Work beside rank 0, which holds the lock, writes the log and says how it ended."""
    from jobs.training.ranks import follow_first

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
    report.stop_after(limits.max_hours() * 3600)
    try:
        _keep_room(folder)
        log.append("state", state="running", reason="", **_place())
        summary = work(folder, report)
    except Aborted:
        by_user = "Aborted by the user. What was finished is kept: Resume goes on from there."
        return _say(log, "aborted", limits.too_long() if report.took_too_long else by_user)
    except (MemoryError, RuntimeError) as error:
        if not limits.is_too_much(error) or not limits.max_worker_gb():
            raise
        return _say(log, "error", limits.too_much())
    except JobError as error:
        return _say(log, "error", str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _reserve(folder).unlink(missing_ok=True)
        os.sync()  # Some file systems give out freed blocks only then.
        return _say(
            log, "error", "The disk is full. Make room, then Resume: what was finished is kept."
        )
    finally:
        report.stop_after(0)
    _reserve(folder).unlink()
    return _say(log, "done", "", summary=summary)


def _say(log: EventLog, state: str, reason: str, **more: Any) -> int:
    """Write how the job ended. Returns the exit status."""
    _with_room(lambda: log.append("state", state=state, reason=reason, **more))
    return int(state == "error")


def _with_room(write: Callable[[], object]) -> None:
    """Write something without which nobody would know what became of the job: on a full disk, as soon as there is room."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            write()
            return
        except OSError as error:
            if error.errno != errno.ENOSPC or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


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
            from jobs.datasets.make import make_dataset

            return make_dataset(folder, spec, report)
        case ModelSpec():
            from jobs.training.train import train

            return train(folder, spec, report)
        case ImageTest():
            from jobs.inference.image import test_image

            return test_image(folder, spec, report)
        case ImagesTest() | SplitTest():
            from jobs.inference.many import test_many

            return test_many(folder, spec, report)
        case VideoTest():
            from jobs.inference.video import test_video

            return test_video(folder, spec, report)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
