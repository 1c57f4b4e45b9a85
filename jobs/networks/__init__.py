"""A network at work: built from its spec, on its device, from its snapshots; pictures of its layers; export.

Imports `jobs.core`, `jobs.datasets`, `jobs.media`, `jobs.specs` and `models`.
"""
