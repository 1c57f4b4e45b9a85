"""The command line: `clearframe`."""
