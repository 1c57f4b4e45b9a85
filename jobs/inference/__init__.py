"""Tests of a model: one image with its layers, many images or a split, a video.

Imports every other package of `jobs` but `training`, and `models`.
"""
