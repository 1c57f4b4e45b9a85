"""Images and video in and out of memory: image files, H.264, PNG, colour, quality.

Imports `jobs.core` and `jobs.specs`.
"""
