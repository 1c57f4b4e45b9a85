"""The layers around every request: connections, access, CSRF and headers, prefix, assets, logs.

Imports the top of `app` and `jobs.core`.
"""
