"""Making and reading datasets: sources, splits, pairing, worker processes, the LMDB store.

Imports `jobs.core`, `jobs.media` and `jobs.specs`.
"""
