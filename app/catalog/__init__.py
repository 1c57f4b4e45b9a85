"""The jobs: database table and migrations, lists, queue, pages of pairs and results.

Imports `app.problems`, `jobs.core` and `jobs.specs`.
"""
