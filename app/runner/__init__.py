"""Runs jobs: scheduler, follower of event logs, warm workers, probes and exports.

Imports `app.catalog`, the top of `app`, `jobs.core` and `jobs.specs`.
"""
