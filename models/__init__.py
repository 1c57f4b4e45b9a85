"""Networks, losses, metrics, tiling and layer inspection in torch.

Imports nothing else of ours.
"""
