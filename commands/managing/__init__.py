"""Commands that look at jobs and files, and change jobs.

Imports `app` (forms, checks), `clearframe`, `commands` and `jobs`.
"""
