"""Reading, writing and measuring pictures: image files, video, H.264, PNG, colour, quality.

Imports `jobs.core` and `jobs.specs`.
"""
