"""`Events`: the loggers that every room writes to, and where their records go."""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from gitdeploy.clock import Clock, rfc3339
from gitdeploy.events.journal import Journal, Record
from gitdeploy.events.recent import Recent
from gitdeploy.events.redact import Redactor
from gitdeploy.home import Home

Log = FilteringBoundLogger
_DEPLOYMENT = "_deployment_journal"


class Events:
    """Owns the journals and hands out loggers; one per server.

    A record with `app` lands in that app's journal; one of a logger made by `deployment_log`
    also in the deployment's. Records from level info up go to the server's log: JSON lines, or
    columns where `stderr` is a terminal; those of any app among them are `recent`.
    """

    def __init__(
        self,
        home: Home,
        clock: Clock,
        *,
        instance: str,
        redactor: Redactor | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.redactor = redactor or Redactor()
        self.recent = Recent()
        self._home = home
        self._clock = clock
        self._listeners: list[Callable[[Record], None]] = []
        self._apps: dict[str, Journal] = {}
        self._deployments: dict[tuple[str, str], Journal] = {}
        self._stderr = stderr or sys.stderr
        self._console = (
            structlog.dev.ConsoleRenderer(colors=True, pad_event_to=24)
            if self._stderr.isatty()
            else None
        )
        self.log: Log = structlog.wrap_logger(
            None,
            processors=[self._stamp, self.redactor, self._dispatch],
            wrapper_class=structlog.make_filtering_bound_logger("debug"),
            context_class=dict,
            instance=instance,
        )

    def app_log(self, app: str) -> Log:
        """A logger whose records are the app's."""
        return self.log.bind(app=app)

    def deployment_log(self, app: str, deployment: str, attempt: int) -> Log:
        """A logger whose records also make up the deployment's log."""
        return self.log.bind(app=app, deployment=deployment, attempt=attempt, **{_DEPLOYMENT: True})

    def subscribe(self, listener: Callable[[Record], None]) -> None:
        """Call this with every record, at once; it must be quick and not raise (metrics)."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[Record], None]) -> None:
        """The opposite of subscribe."""
        self._listeners.remove(listener)

    def app_journal(self, app: str) -> Journal:
        """The journal of everything that happens to an app."""
        journal = self._apps.get(app)
        if journal is None:
            journal = self._apps[app] = Journal(self._home.app(app).events)
        return journal

    def deployment_journal(self, app: str, deployment: str) -> Journal:
        """The log of a deployment, all its attempts; kept whole (never more than 8 × 32 MiB)."""
        journal = self._deployments.get((app, deployment))
        if journal is None:
            directory = self._home.app(app).deployment_log(deployment)
            journal = Journal(directory, segment_bytes=32 << 20)
            self._deployments[app, deployment] = journal
        return journal

    def release_deployment_journal(self, app: str, deployment: str) -> None:
        """Close the file of a deployment that has ended (it opens again when asked for)."""
        journal = self._deployments.get((app, deployment))
        if journal is not None:
            journal.close()
            if not journal.readers and journal.whole:
                del self._deployments[app, deployment]

    def forget_deployment(self, app: str, deployment: str) -> None:
        """Let go of a deployment whose log is being removed: a later one begins anew."""
        journal = self._deployments.pop((app, deployment), None)
        if journal is not None:
            journal.close()

    def forget_app(self, app: str) -> None:
        """Close what is open of an app that is being deleted."""
        for key in [k for k in self._deployments if k[0] == app]:
            self._deployments.pop(key).close()
        journal = self._apps.pop(app, None)
        if journal is not None:
            journal.close()

    def close(self) -> None:
        for journal in (*self._apps.values(), *self._deployments.values()):
            journal.close()

    def _stamp(self, _: Any, level: str, record: MutableMapping[str, Any]) -> dict[str, Any]:
        level = {"warn": "warning", "exception": "error"}.get(level, level)
        return {
            "ts": rfc3339(self._clock.now()),
            "level": level,
            "event": record.pop("event"),
            **{key: value for key, value in record.items() if value is not None},
        }

    def _dispatch(self, _: Any, __: str, record: MutableMapping[str, Any]) -> Any:
        to_deployment = record.pop(_DEPLOYMENT, False)
        failure = record.pop("exc_info", None)
        app = record.get("app")
        if app is not None:
            self._append(self.app_journal(app), dict(record))
            if to_deployment:
                self._append(self.deployment_journal(app, record["deployment"]), dict(record))
        for listener in self._listeners:
            listener(dict(record))
        if record["level"] != "debug":
            if record["event"] == "app.deleted":  # it has no journal any more
                app = record["name"]
            if app is not None:
                self.recent.add(app, dict(record))
            self._to_server_log(dict(record), failure)
        raise structlog.DropEvent

    def _append(self, journal: Journal, record: dict[str, Any]) -> None:
        journal.append(record)
        if journal.dropped and journal.whole:
            count, journal.dropped = journal.dropped, 0
            lost = {"ts": record["ts"], "level": "warning", "event": "journal.dropped"}
            journal.append({**lost, "count": count, "app": record["app"]})

    def _to_server_log(self, record: dict[str, Any], failure: Any) -> None:
        if failure:  # a stack trace is for the operator alone, never for a journal
            record["exc_info"] = failure
            record = structlog.processors.format_exc_info(None, "", record)  # type: ignore[assignment]
            if "exception" in record:
                record["exception"] = self.redactor.text(str(record["exception"]))
        if self._console is not None:
            print(self._console(None, "", record), file=self._stderr, flush=True)
        else:
            line = msgspec.json.encode(record, enc_hook=str).decode()
            self._stderr.write(line + "\n")
            self._stderr.flush()
