"""Tests of a model: one image with its layers, many images or a split, a video.

Imports `models`, and every other package of `jobs` except `training`.
"""
