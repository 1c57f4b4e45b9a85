"""Images and video through a network into files: decoding, tiles, planes, encoding.

Imports `jobs.core`, `jobs.media`, `jobs.specs` and `models`.
"""
