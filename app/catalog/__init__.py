"""The jobs: database table and migrations, lists, queue, pages of pairs and results.

Imports the top of `app`, `jobs.core` and `jobs.specs`.
"""
