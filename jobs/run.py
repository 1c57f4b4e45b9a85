"""The worker process of one job: `python -m jobs.run FOLDER`.

Errors with a text for users (JobError) end in the event log. Any other error ends the process, with
its stack trace in worker.log. The server then finds the lock free and no final state in the log,
and appends the state itself.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from jobs.core import limits
from jobs.core.errors import Aborted, JobError, disk_full, is_disk_full, refused
from jobs.core.events import EventLog, NoLog, last_state
from jobs.core.folder import JobFolder
from jobs.core.launcher import GPUS, LOCK_VARIABLE
from jobs.core.processes import GPU_ORDER, run_to_end
from jobs.core.report import Report
from jobs.core.types.events import StateFields
from jobs.core.types.fields import JobState
from jobs.core.types.summaries import DatasetSummary, JobSummary, ModelSummary, TestSummary
from jobs.networks.user_code import errors_of_user_code
from jobs.specs import DatasetSpec, ImagesTest, ImageTest, ModelSpec, SplitTest, VideoTest

RESERVE_BYTES = 64 * 1024
PATIENCE_SECONDS = 600
"""How long a worker retries to write its final state to a full disk."""


def main(path: str) -> int:
    os.environ |= GPU_ORDER  # torchrun starts ranks without it.
    folder = JobFolder(Path(path).resolve())
    if process_rank() > 0:
        return run_other_rank(folder)
    limits.limit_memory(computes=not isinstance(folder.spec(), DatasetSpec))
    inherited = os.environ.pop(LOCK_VARIABLE, None)
    lock = int(inherited) if inherited else folder.lock()
    if lock is None:
        print(f"A worker is already running in {folder.path}.", file=sys.stderr)
        return 1
    with EventLog(folder.events) as log:
        return run_with_lock(folder, lock, log)


def run_with_lock(folder: JobFolder, lock: int, log: EventLog) -> int:
    """Run the job while holding its lock, then release the lock. Returns the exit status.

    `lock` is the open descriptor of the lock file, which gets the pid.
    """
    with os.fdopen(lock, "r+b", buffering=0) as lock_file:
        lock_file.truncate(0)
        _retry_on_full_disk(lambda: lock_file.write(str(os.getpid()).encode()))
        return run(folder, log)


def process_rank() -> int:
    """The rank of this process among those that run one training (jobs/training/ranks.py)."""
    return int(os.environ.get("RANK", "0"))


def run_other_rank(folder: JobFolder) -> int:
    """Run a rank above 0. Rank 0 holds the lock and writes the log, including the final state.

    Returns the exit status.
    """
    from jobs.training.ranks import exit_with_first_rank

    exit_with_first_rank()
    report = Report(NoLog())
    report.stop_on(signal.SIGTERM)
    try:
        work(folder, report)
    except Aborted:  # Rank 0 logs it.
        return 0
    except JobError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(folder: JobFolder, log: EventLog) -> int:
    """Run the job and log its final state. Returns the exit status."""
    report = Report(log, resume_from=_requested_snapshot(folder))
    report.stop_on(signal.SIGTERM)
    report.stop_after(limits.max_hours() * 3600)
    try:
        _reserve_space(folder)
        log.append("state", **_running())
        summary = work(folder, report)
    except Aborted:
        by_user = "Aborted by the user. Finished work is kept: Resume continues from there."
        reason = limits.out_of_time_reason() if report.timed_out else by_user
        return _log_end(log, "aborted", reason)
    except (MemoryError, RuntimeError) as error:
        if not limits.is_out_of_memory(error):
            raise
        return _log_end(log, "error", limits.out_of_memory_reason(error))
    except JobError as error:
        return _log_end(log, "error", str(error))
    except OSError as error:
        if not is_disk_full(error):
            if not (sentence := refused(error)):
                raise
            return _log_end(log, "error", sentence)
        _reserve_file(folder).unlink(missing_ok=True)
        os.sync()  # Some file systems reuse freed blocks only after a sync.
        return _log_end(log, "error", disk_full("resume the job: finished work is kept"))
    finally:
        report.stop_after(0)
    _reserve_file(folder).unlink()
    return _log_end(log, "done", "", cast(JobSummary, summary))


def _log_end(log: EventLog, state: JobState, reason: str, summary: JobSummary | None = None) -> int:
    """Log the final state of the job. Returns the exit status."""
    fields: StateFields = {"state": state, "reason": reason}
    if summary is not None:
        fields["summary"] = summary
    _retry_on_full_disk(lambda: log.append("state", **fields))
    return int(state == "error")


def _retry_on_full_disk(write: Callable[[], object]) -> None:
    """Write data that the server needs to know how the job ended; retry while the disk is full."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            write()
            return
        except OSError as error:
            if not is_disk_full(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def _running() -> StateFields:
    """The state of a job that starts. The GPUs that it was given are logged for the next server."""
    fields: StateFields = {"state": "running", "reason": ""}
    if gpus := os.environ.get(GPUS, ""):
        fields["gpus"] = [int(number) for number in gpus.split(",")]
    return fields


def _requested_snapshot(folder: JobFolder) -> str:
    last = last_state(folder.events)
    return last.get("resume_from", "") if last else ""


def _reserve_file(folder: JobFolder) -> Path:
    return folder.path / ".reserve"


def _reserve_space(folder: JobFolder) -> None:
    """Reserve disk space for the final state, which could not be written to a full disk."""
    _reserve_file(folder).write_bytes(bytes(RESERVE_BYTES))


@errors_of_user_code()
def work(folder: JobFolder, report: Report) -> DatasetSummary | ModelSummary | TestSummary:
    """Do the work of the job and return its summary.

    Each kind of job is imported only when it runs: a dataset job needs no torch.
    """
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
    run_to_end(main, sys.argv[1:])
