"""What makes jobs run: scheduler, follower of their logs, warm workers, probes and exports.

Imports `app.catalog`, the top of `app`, `jobs.core` and `jobs.specs`.
"""
