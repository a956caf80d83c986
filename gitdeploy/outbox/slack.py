"""A delivery as a line for people, in the markup of Slack's incoming webhooks. Pure."""

from __future__ import annotations

import signal

import msgspec

from gitdeploy.outbox.subject import Published, Subject
from gitdeploy.store import Delivery, Deployment, Execution, Occurrence

_MOST = 3000
_MESSAGE_MOST = 120
_SIGNALLED = 128


def slack_text(delivery: Delivery, subject: Subject, page: str) -> str:
    """One sentence that says which app, what happened, and links to where more is told."""
    match subject:
        case Deployment():
            text = _deployment(subject, page)
        case Execution(kind="triggered"):
            text = f"the run of {_link(page, subject.job)} {_run_end(subject)}"
        case Execution():
            text = f"{_link(page, subject.job)} crashed: {_crash(subject)}"
        case Occurrence():
            text = f"{_link(page, subject.job)} has missed its schedule. {escaped(subject.note)}"
        case Published():
            return _cut(_published(delivery, subject))
    return _cut(f"{escaped(delivery.app)}: {text}")


def escaped(text: str) -> str:
    """Text without what Slack takes for markup of links, mentions and entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _deployment(row: Deployment, page: str) -> str:
    named = _link(page, row.id[:10])
    lines = row.message.strip().splitlines()
    if lines:
        named += f" “{escaped(lines[0][:_MESSAGE_MOST])}”"
    if row.author or row.deployer:
        named += f" by {escaped(row.author or row.deployer)}"
    if row.status == "success":
        return f"deployed {named}."
    return f"the deployment of {named} failed: {escaped(row.status_text) or 'see its log.'}"


def _run_end(row: Execution) -> str:
    after = f"after {span((row.ended_at or 0) - (row.started_at or row.created_at))}"
    match row.status:
        case "success":
            return f"has succeeded {after}."
        case "failed":
            return f"has failed {after}: {_crash(row)}"
        case _:
            return f"was {row.status} {after}. {escaped(row.error or '')}".rstrip()


def _crash(row: Execution) -> str:
    if row.error:
        return escaped(row.error)
    code = row.exit_code
    if code is None:
        return "its exit code was lost."
    try:
        name = f" ({signal.Signals(code - _SIGNALLED).name})" if code > _SIGNALLED else ""
    except ValueError:
        name = ""
    return f"exit code {code}{name}."


def _published(delivery: Delivery, subject: Published) -> str:
    try:
        given = msgspec.json.decode(subject.body, type=dict)
        text = given.get("text")
    except msgspec.DecodeError:
        text = None
    if isinstance(text, str):
        return text
    return f"{escaped(delivery.app)}: {escaped(delivery.event)} {escaped(subject.body)}"


def span(microseconds: int) -> str:
    """A span for people: `1.2 s`, `3 min 5 s`, `2 h 10 min`."""
    seconds = max(0, microseconds) / 1e6
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _link(page: str, text: str) -> str:
    return f"<{page}|{escaped(text)}>"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"
