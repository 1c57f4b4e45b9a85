"""Live updates over Socket.IO: the listeners and what each of them has been sent.

Imports `app.catalog` and `jobs.core`.
"""
