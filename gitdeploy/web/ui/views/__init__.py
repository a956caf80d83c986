"""Handlers of pages, a file a part of the dashboard: each gathers what a template shows.

In: a request whose caller was found out. Out: a page, or 303 to one. `ROUTES` of each file are
taken up by web/routes.py.
"""
