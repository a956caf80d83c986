"""A deployment's records as the `remote:` lines that a pushing git shows.

Two columns, label and text, and durations flush right, 72 wide (80 less `remote: `). What is
wrong is one line and what to do another, however long: terminals wrap, and values and commands
stay in one piece for whoever copies or searches them; only the list of jobs is broken, between
names. A failure says first what to do. Everything in a record may come from outside, so all text
passes `safe_text`; colours are ours alone and only where the client asked for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitdeploy.logs.text import safe_text

WIDTH = 72
_LABEL = 11
_INDENT = " " * _LABEL
_TAIL = "  │ "
_QUIET = frozenset({"discover", "validate", "activate", "prune"})
_BOLD, _RED, _GREEN, _YELLOW, _DIM = "1", "31", "32", "33", "2"

Paint = Callable[[str, str], str]
Record = dict[str, Any]


def remote_lines(record: Record, *, colors: bool = False, app: str | None = None) -> list[str]:
    """The lines of one record, without newline; none for events that a pusher needn't see.

    `app` is the name in the header where the record has none.
    """
    render = _RENDER.get(str(record.get("event")))
    if render is None:
        return []
    if app is not None and "app" not in record:
        record = {**record, "app": app}
    return render(record, _painted if colors else _plain)


def duration(milliseconds: float) -> str:
    """`12 ms`, `1.4 s`, `1 m 12 s`, `1 h 2 m`."""
    if round(milliseconds) < 1000:
        return f"{round(milliseconds)} ms"
    return _seconds(milliseconds)


def _seconds(milliseconds: float) -> str:
    tenths = round(milliseconds / 100)
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    seconds = round(milliseconds / 1000)
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} m {seconds} s"
    return f"{minutes // 60} h {minutes % 60} m"


def _started(record: Record, paint: Paint) -> list[str]:
    parts = ["gitdeploy", _text(record, "app"), _commit(record)]
    attempt = record.get("attempt")
    if isinstance(attempt, int) and attempt > 1:
        parts.append(f"attempt {attempt}")
    parts.append(_text(record, "note"))
    return [paint(_BOLD, " · ".join(part for part in parts if part))]


def _commit(record: Record) -> str:
    commit = _text(record, "commit")[:7] or _text(record, "source")
    subject = _text(record, "subject")
    return f"{commit} “{subject}”".strip() if subject else commit


def _step(record: Record, paint: Paint) -> list[str]:
    step, detail = _text(record, "step"), _text(record, "detail")
    if step in _QUIET or not detail:
        return []
    return [_row(step, detail, record.get("duration_ms"), paint)]


def _command(record: Record, paint: Paint) -> list[str]:
    return [_row("build", f"$ {_text(record, 'command')}", None, paint)]


def _output(record: Record, paint: Paint) -> list[str]:
    line = str(record.get("line", "")).removesuffix("\r")
    return [_TAIL + safe_text(line, colors=paint is _painted)]


def _warning(record: Record, paint: Paint) -> list[str]:
    return [
        *_told("warning", _text(record, "what"), paint, _YELLOW),
        *_told("", _text(record, "fix"), paint),
    ]


def _fetching(record: Record, paint: Paint) -> list[str]:
    return [_row("fetch", _text(record, "url"), None, paint)]


def _retrying(record: Record, paint: Paint) -> list[str]:
    again = f"Try {_text(record, 'tried')} of {_text(record, 'of')}; the next one is in"
    seconds = record.get("delay")
    pause = duration(seconds * 1000) if isinstance(seconds, int | float) else "a while"
    return [
        *_told("waiting", _text(record, "what"), paint, _YELLOW),
        *_told("", f"{again} {pause}.", paint),
    ]


def _fetched(record: Record, paint: Paint) -> list[str]:
    branch = _text(record, "ref").removeprefix("refs/heads/")
    text = f"{branch} at {_text(record, 'new')[:7]}"
    return [_row("fetched", text, record.get("duration_ms"), paint)]


def _planned(record: Record, paint: Paint) -> list[str]:
    marks = (("added", "+"), ("kept", "="), ("changed", "~"), ("removed", "-"))
    jobs = [f"{mark} {safe_text(str(job))}" for key, mark in marks for job in record.get(key) or ()]
    if not jobs:
        return [_row("jobs", "none", None, paint)]
    rows: list[str] = []
    for job in jobs:
        if rows and _LABEL + len(rows[-1]) + 3 + len(job) <= WIDTH:
            rows[-1] += f"   {job}"
        else:
            rows.append(job)
    first, *rest = rows
    return [_row("jobs", first, None, paint), *(_INDENT + row for row in rest)]


def _swapped(record: Record, paint: Paint) -> list[str]:
    text = f"{_job(record)}  pid {_text(record, 'old_pid')} → {_text(record, 'new_pid')}"
    return [_row("swap", text, record.get("duration_ms"), paint)]


def _job_event(label: str) -> Callable[[Record, Paint], list[str]]:
    def render(record: Record, paint: Paint) -> list[str]:
        if record.get("replaces") is not None:
            return []  # its line is that of the swap
        pid = _text(record, "pid")
        text = f"{_job(record)}  pid {pid}" if pid else _job(record)
        return [_row(label, text, record.get("duration_ms"), paint)]

    return render


def _succeeded(record: Record, paint: Paint) -> list[str]:
    text = f"release {_text(record, 'release')}"
    milliseconds = record.get("duration_ms")
    if isinstance(milliseconds, int | float):
        short = round(milliseconds) < 100
        text += f" in {duration(milliseconds) if short else _seconds(milliseconds)}"
    url = _text(record, "url")
    return [_row("deployed", f"{text} · {url}" if url else text, None, paint, _GREEN)]


def _failed(record: Record, paint: Paint) -> list[str]:
    step, what = _text(record, "step"), _text(record, "what")
    what = f"{step}: {what}" if step else what
    tail = [_TAIL + safe_text(str(line)) for line in record.get("tail") or ()]
    return [
        *_told("FIX", _text(record, "fix"), paint, _BOLD),
        *_told("failed", what, paint, _RED),
        *tail,
    ]


def _skipped(record: Record, paint: Paint) -> list[str]:
    return _told("skipped", _text(record, "what"), paint)


def _row(label: str, text: str, ms: Any, paint: Paint, color: str = _BOLD) -> str:
    row = f"{label:<{_LABEL - 1}} {text}"
    end = ""
    if isinstance(ms, int | float) and not isinstance(ms, bool) and round(ms) > 0:
        end = duration(ms)
        end = " " * max(2, WIDTH - len(row) - len(end)) + end
    shown = paint(color, label) if label else ""
    return shown + row[len(label) :] + (paint(_DIM, end) if end else "")


def _told(label: str, text: str, paint: Paint, color: str = _BOLD) -> list[str]:
    """A row for a text, none where there is no text."""
    return [_row(label, text, None, paint, color)] if text else []


def _text(record: Record, key: str) -> str:
    value = record.get(key)
    return "" if value is None else safe_text(str(value))


def _job(record: Record) -> str:
    """A job's name without its kind."""
    return _text(record, "job").rpartition("/")[2]


def _plain(color: str, text: str) -> str:
    return text


def _painted(color: str, text: str) -> str:
    return f"\x1b[{color}m{text}\x1b[0m" if text else text


_RENDER: dict[str, Callable[[Record, Paint], list[str]]] = {
    "fetch.started": _fetching,
    "fetch.retrying": _retrying,
    "fetch.finished": _fetched,
    "deploy.started": _started,
    "step.finished": _step,
    "build.command": _command,
    "build.output": _output,
    "deploy.warning": _warning,
    "jobs.planned": _planned,
    "job.swapped": _swapped,
    "job.started": _job_event("start"),
    "job.stopped": _job_event("stop"),
    "deploy.succeeded": _succeeded,
    "deploy.failed": _failed,
    "deploy.skipped": _skipped,
}
