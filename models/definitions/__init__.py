"""Networks as graphs of layers, and learning-rate policies: said without torch.

Imports nothing of ours; the server may import it.
"""
