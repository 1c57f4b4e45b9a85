"""Parser from Caffe's prototxt to a graph of layers.

Imports `models.definitions` only.
"""
