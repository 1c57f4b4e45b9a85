"""The layers around every request: connections, access, CSRF and headers, prefix, assets, logs.

Imports `jobs.core` only.
"""
