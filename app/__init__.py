"""The web process: pages, JSON API, live updates, and the scheduler.

It imports only `core` and `specs` from `jobs` and only `definitions` from `models`, so it never
loads torch or av. `create_app` is in application.py: commands use parts of this package without
loading Flask.
"""
