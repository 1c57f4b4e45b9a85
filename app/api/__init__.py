"""The JSON API under /api/v1, a module per resource, and the health and metrics routes.

Imports every other package of `app` but `pages`.
"""
