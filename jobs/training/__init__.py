"""The training job: steps, patches, optimizer, validation, snapshots, curves and ranks.

Imports `jobs.core`, `jobs.datasets`, `jobs.networks`, `jobs.specs` and `models`.
"""
