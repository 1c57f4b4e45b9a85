"""The layers around every request: access, CSRF and headers, path prefix, assets, logs, shutdown.

Imports `jobs.core` only.
"""
