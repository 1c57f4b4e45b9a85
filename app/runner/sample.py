"""The clip that comes with the project, for whoever has none at hand."""

import errno
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from jobs.core.paths import ROOT

MINUTES = 1.0
"""The defaults beat their input on this clip by then, on two cores without AVX-512, too."""


def clip(folder: Path) -> tuple[Path, Path]:
    """Its stream and the folder of its originals, below `folder`; made where they are not there yet.

    A worker's code makes them, in a process of its own: the web side has no codecs. Raises OSError where they cannot be made.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".sample-", dir=folder.parent))
        try:
            command = [sys.executable, "-m", "jobs.media.sample_clip", str(draft / "whole")]
            subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
            (draft / "whole").rename(folder)
        except subprocess.CalledProcessError as error:
            why = (
                error.stderr.strip().splitlines() or [f"its process ended with {error.returncode}"]
            )[-1]
            number = errno.ENOSPC if f"[Errno {errno.ENOSPC}]" in why else errno.EIO
            raise OSError(number, f"The sample clip could not be made: {why}") from error
        except OSError:
            if not folder.exists():  # Else somebody else made it meanwhile.
                raise
        finally:
            shutil.rmtree(draft)
    return folder / "clip.h264", folder / "originals"
