"""The command line, `clearframe`.

Imports `app` (checks, forms, runner), `jobs` and `models`.
"""
