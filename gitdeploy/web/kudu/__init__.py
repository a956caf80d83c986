"""The API of an app that Kudu's clients know: one file a family of paths, its shapes in shapes.py.

In: requests below `/apps/{app}`. Out: Kudu's JSON with Kudu's field names, status codes and URLs.
"""
