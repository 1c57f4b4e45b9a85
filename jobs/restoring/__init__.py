"""Restoration of images and videos into files: decoding, tiles, planes, encoding.

Imports `jobs.core`, `jobs.media`, `jobs.specs` and `models`.
"""
