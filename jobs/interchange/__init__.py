"""Datasets in the formats of other programs: PNG folders, LMDB, WebDataset, Parquet.

Imports `jobs.core`, `jobs.media` and `jobs.specs`.
"""
