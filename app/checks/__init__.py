"""Checks that a valid spec can run here: its files, datasets, models, snapshots and GPUs exist.

Imports `app.catalog`, `app.files`, `app.runner`, `jobs.core`, `jobs.specs` and
`models.definitions`.
"""
