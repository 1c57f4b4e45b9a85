"""The worker side of Clearframe. Each job runs in its own process: `python -m jobs.run FOLDER`.

Imports `models`, and nothing of `app`.
"""
