"""HTML pages, a module per page family: views that parse, call one function and render.

Imports every other package of `app` but `api`.
"""
