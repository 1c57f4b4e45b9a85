"""Which jobs exist: the table and its migrations, lists, the queue, pages of pairs and results.

Imports `app.problems`, `jobs.core` and `jobs.specs`.
"""
