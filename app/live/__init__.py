"""Live updates over Socket.IO: which clients watch which jobs, and the events sent to each.

Imports `app.catalog`, `app.answers` and `jobs.core`.
"""
