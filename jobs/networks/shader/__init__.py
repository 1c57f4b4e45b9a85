"""Networks as user shaders of video players: the text, and an interpreter that checks it.

May import jobs.core and models.
"""
