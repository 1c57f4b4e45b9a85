"""Caffe's prototxt, read into a graph of layers.

Imports `models.definitions` only.
"""
