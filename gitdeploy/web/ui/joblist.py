"""The rows of an app's list of jobs: what each is, how it stands, which of them are wanted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from gitdeploy.home import Kind
from gitdeploy.jobs import kudu_status
from gitdeploy.net import shown
from gitdeploy.store.overview import Past
from gitdeploy.supervise import JobView

Filter = Literal["all", "continuous", "triggered", "attention"]
Sort = Literal["name", "status", "last", "next"]
FILTERS: tuple[Filter, ...] = ("all", "continuous", "triggered", "attention")
SORTS: tuple[Sort, ...] = ("name", "status", "last", "next")
BARS = 20
"""Runs of a job that the list shows."""

_FAILED = frozenset({"failed", "aborted"})
_URGENT = ("error", "Failed", "Aborted", "PendingRestart", "Running", "Starting", "Initializing")


@dataclass(frozen=True, slots=True)
class Row:
    """One job. `state` is a name of states.py; `past` its executions, newest first.

    `usual` is the median duration in seconds of the shown runs that went well, None below three.
    """

    view: JobView
    state: str
    past: Sequence[Past]
    usual: float | None

    @property
    def kind(self) -> Kind:
        return self.view.job.kind

    @property
    def name(self) -> str:
        return self.view.job.name

    @property
    def what(self) -> str:
        """What it runs: its script, or its request without what may be secret in the address."""
        action = self.view.job.action
        if action is not None:
            return f"{action.request.method} {shown(action.request.uri)}"
        return self.view.job.script or ""

    @property
    def newest(self) -> Past | None:
        return self.past[0] if self.past else None

    @property
    def running(self) -> Past | None:
        """The newest run that is under way; of a continuous job its process."""
        return next((one for one in self.past if one.ended_at is None), None)

    @property
    def ended(self) -> Past | None:
        """The newest execution that has ended."""
        return next((one for one in self.past if one.ended_at is not None), None)

    @property
    def runnable(self) -> bool:
        return self.view.job.runnable

    @property
    def stopped(self) -> bool:
        """Whether it was stopped by hand (a triggered one: its schedule)."""
        return not self.view.enabled

    @property
    def attention(self) -> bool:
        """Whether somebody should look at it."""
        if self.view.error is not None:
            return True
        if self.kind == "continuous":
            return self.state == "PendingRestart"
        ended = self.ended
        return ended is not None and ended.status in _FAILED

    @property
    def key(self) -> str:
        """Unique in the page."""
        return f"{self.kind}-{self.name}"


def row_of(view: JobView, past: Sequence[Past], *, asleep: bool) -> Row:
    """The row of a job; `past` are its executions, newest first, `asleep` is its app's state."""
    took = [
        (one.ended_at - one.begun_at) / 1e6
        for one in past[:BARS]
        if one.ended_at is not None and one.status == "success"
    ]
    usual = median(took) if view.job.kind == "triggered" and len(took) > 2 else None
    state = state_of(view, past[0].status if past else None, asleep=asleep)
    return Row(view, state, past, usual)


def state_of(view: JobView, newest: str | None, *, asleep: bool) -> str:
    """The state of a job, a name of states.py; `newest` is that of its newest execution."""
    if view.error is not None and view.status in ("Ready", "Stopped"):
        return "error"
    if view.job.kind == "continuous":
        if view.status == "Running":
            return "Up"
        if view.status == "Stopped" and view.enabled and asleep:
            return "asleep"
        return view.status
    if view.status == "Running":
        return "Running"
    return "Never" if newest is None else kudu_status(newest)


def counts(rows: Sequence[Row]) -> dict[Filter, int]:
    """How many rows each filter leaves."""
    return {one: sum(_passes(row, one) for row in rows) for one in FILTERS}


def wanted(rows: Sequence[Row], only: Filter, query: str, sort: Sort) -> list[Row]:
    """The rows that pass, sorted; each word of `query` is in the name, the script or the kind."""
    words = query.casefold().split()
    found = [
        row
        for row in rows
        if _passes(row, only)
        and all(word in f"{row.name} {row.what} {row.kind}".casefold() for word in words)
    ]
    found.sort(key=lambda row: (row.name.casefold(), row.kind))
    if sort == "status":
        order: Mapping[str, int] = {state: place for place, state in enumerate(_URGENT)}
        found.sort(key=lambda row: (not row.attention, order.get(row.state, len(order)), row.state))
    elif sort == "last":
        found.sort(key=lambda row: -row.newest.begun_at if row.newest else 0)
    elif sort == "next":
        found.sort(key=lambda row: (row.view.next_due is None, row.view.next_due or 0))
    return found


def _passes(row: Row, only: Filter) -> bool:
    if only == "all":
        return True
    return row.attention if only == "attention" else row.kind == only
