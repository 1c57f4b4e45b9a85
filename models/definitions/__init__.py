"""Networks as graphs of layers, and learning-rate policies, without torch.

Imports no other package of this project, so the server may import it.
"""
