"""Networks, losses, metrics, tiling and layer inspection in torch.

Imports no other package of this project.
"""
