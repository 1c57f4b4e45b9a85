"""The types of what jobs write and others read: events, layers, rows of results, summaries, views.

Documents, the OpenAPI description and the JavaScript typedefs are generated from them. They cost
nothing at run time: nothing is validated outside of tests. Imports nothing of the project.
"""
