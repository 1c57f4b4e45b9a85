"""The sample clip, for users without a clip."""

import errno
import shutil
import tempfile
from pathlib import Path

from jobs.core import processes


def clip(folder: Path) -> tuple[Path, Path]:
    """The stream and the folder of originals, in `folder`; creates them if they do not exist.

    A subprocess creates them, because the server loads no codecs. Raises OSError on failure.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".sample-", dir=folder.parent))
        try:
            done = processes.run("jobs.media.sample_clip", [str(draft / "complete")])
            if done.returncode:
                reason = processes.last_line(done)
                number = errno.ENOSPC if f"[Errno {errno.ENOSPC}]" in reason else errno.EIO
                raise OSError(number, f"The sample clip could not be created: {reason}")
            (draft / "complete").rename(folder)
        except OSError:
            if not folder.exists():  # Otherwise another request created it first.
                raise
        finally:
            shutil.rmtree(draft)
    return folder / "clip.h264", folder / "originals"
