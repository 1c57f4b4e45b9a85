"""What `clearframe restore` works on: files and folders, a pipe, or a server.

Imports `clearframe`, `commands.running` and `jobs`.
"""
