"""Networks: building them from specs, devices, snapshots, pictures of layers, export.

Imports `jobs.core`, `jobs.datasets`, `jobs.media`, `jobs.specs` and `models`.
"""
