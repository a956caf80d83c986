"""Plain pages for people: the apps, their jobs and deployments, logs as text.

In: a session's cookie, which is sent below `/ui` only. Out: HTML without scripts. Nothing is
changed from here but the session itself.
"""
