"""How commands run jobs and show them, in a local home or on a server.

Imports `app` (catalog, forms), `clearframe` and `jobs`.
"""
