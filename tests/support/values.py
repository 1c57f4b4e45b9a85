"""Contents of a dataset's stores, to compare two jobs."""

import lmdb

from jobs.core.folder import JobFolder


def values(folder: JobFolder) -> dict[str, list[tuple[bytes, bytes]]]:
    """All keys and values of all databases of all splits."""
    stored = {}
    for split in ("train", "val"):
        with lmdb.open(str(folder.store(split)), readonly=True, lock=False, max_dbs=3) as env:
            for name in (b"input", b"target", b"meta"):
                database = env.open_db(name)
                with env.begin(db=database) as transaction:
                    stored[f"{split} {name.decode()}"] = list(transaction.cursor())
    return stored
