"""The jobs: database table and migrations, lists, queue, pages of pairs and results.

Imports `app.validation_errors`, `jobs.core` and `jobs.specs`.
"""
