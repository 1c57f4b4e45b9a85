"""The parts of a job: folder, event log, view, launcher, limits and errors.

Imports only `jobs.specs`, and neither torch nor av, so that the server can import it.
"""
