"""The one stream: everything that happens is a structlog event with the same field names.

What goes in: `log.info(EVENT, app=…, job=…)`, EVENT as in docs/events.md, on a logger of `Events`.
What comes out: the server's log on standard error, each app's journal and each deployment's journal
on disk, from which `remote:` lines, SSE and pages are rendered. Readers read from disk and are
woken by a write, so no writer ever waits for one.
"""

from gitdeploy.events.journal import Entry, Journal
from gitdeploy.events.recent import Happened, Recent
from gitdeploy.events.redact import Redactor
from gitdeploy.events.stream import Events, Log

__all__ = ["Entry", "Events", "Happened", "Journal", "Log", "Recent", "Redactor"]
