"""The work of Clearframe: each job runs in a process of its own, `python -m jobs.run FOLDER`.

Imports `models`, and nothing of `app`.
"""
