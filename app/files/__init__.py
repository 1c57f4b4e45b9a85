"""Files on the server: paths that may be read, uploads and their content, ZIP downloads.

Imports `app.catalog`, the top of `app`, and `jobs.core`.
"""
