"""Export of a dataset for a server: it writes the folder that the server sends.

`python -m jobs.interchange.for_server` reads {"folder", "name", "target", "format"} as JSON and
prints {}, or {"error"} with a message. It is a separate process, since pictures are decoded and
databases written, and the server has to answer others.
"""

import json
import sys
from pathlib import Path

from jobs.core import limits
from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.interchange.exporting import export
from jobs.interchange.pairs import from_job


def main() -> None:
    limits.limit_memory(computes=False)
    request = json.load(sys.stdin)
    answer = {}
    try:
        pairs = from_job(JobFolder(Path(request["folder"])))
        export(pairs, Path(request["target"]), request["format"], request["name"], lambda _: None)
    except JobError as error:
        answer["error"] = str(error)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
