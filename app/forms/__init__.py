"""Specs as users see them: form fields, preview, command line, comparison, record of a run.

Imports `app.catalog`, `app.checks`, `app.runner`, `jobs.core`, `jobs.specs` and
`models.definitions`.
"""
