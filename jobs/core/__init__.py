"""What a job is: its folder, event log, view, launcher, limits and errors.

Imports `jobs.specs` only; needs neither torch nor av, so that the server may import it.
"""
