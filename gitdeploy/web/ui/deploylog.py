"""A deployment's records as a page shows them: the lines that a pushing git reads, with a tone each,
and the steps with what they took. Pure."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any, NamedTuple

from gitdeploy.deploy import END
from gitdeploy.events import Entry
from gitdeploy.logs import remote_lines
from gitdeploy.web.iterators import close

_SGR = re.compile("\x1b\\[[0-9;:]{0,64}m")
_LEVELS = {"warning": "warn", "error": "bad", "critical": "bad"}
_EVENTS = {"deploy.succeeded": "ok", "build.command": "command"}
_MOVED = "fetch.moved"


class Shown(NamedTuple):
    """One record: `id` is its place in the journal, `tone` a class or ""."""

    id: int
    tone: str
    lines: list[str]


class Step(NamedTuple):
    """A part of a deployment. `state` is a name of states.py, `took` seconds, None until it ends."""

    name: str
    state: str
    took: float | None = None


def shown(entry: Entry) -> Shown:
    """A record as lines; none where a reader needn't see it."""
    record = entry.record
    tone = _EVENTS.get(str(record["event"])) or _LEVELS.get(str(record.get("level")), "")
    if record["event"] == "build.output":
        tone = "err" if record.get("stream") == "stderr" else ""
    return Shown(entry.id, tone, remote_lines(_plain(record)))


def visible(entries: Iterable[Entry]) -> list[Shown]:
    """Those records that have lines."""
    return [one for one in map(shown, entries) if one.lines]


def steps(entries: Iterable[Entry]) -> list[Step]:
    """What an attempt has gone through, in its order."""
    found: dict[str, Step] = {}
    for entry in entries:
        record = entry.record
        noun, _, verb = str(record["event"]).partition(".")
        if noun in ("step", "fetch") and verb in ("started", "finished"):
            name = "fetch" if noun == "fetch" else str(record.get("step"))
            took = record.get("duration_ms") if verb == "finished" else None
            found[name] = Step(
                name,
                "Success" if verb == "finished" else "Running",
                took / 1000 if isinstance(took, int | float) else None,
            )
        elif record["event"] in END:
            state = "Success" if verb == "succeeded" else "Failed"
            if verb == "failed" and record.get("step") and record["step"] not in found:
                found[record["step"]] = Step(record["step"], state)
            for name, step in found.items():
                if step.state == "Running":
                    found[name] = step._replace(state=state)
    return list(found.values())


def ends(record: dict[str, Any], attempt: int) -> bool:
    """Whether the record ends that attempt, or the fetch that stood for it."""
    return (record["event"] in END or record["event"] == _MOVED) and (
        record.get("attempt") == attempt
    )


async def for_page(entries: AsyncIterator[Entry], attempt: int) -> AsyncGenerator[Entry, None]:
    """Records as a page's script wants them; closes `entries`.

    `turn`: more than the log may look different now; `end`: nothing follows; `moved`: the
    deployment that it goes on as.
    """
    try:
        async for entry in entries:
            one, record = shown(entry), entry.record
            told: dict[str, Any] = {
                "tone": one.tone,
                "lines": one.lines,
                "turn": record["event"] != "build.output",
                "end": ends(record, attempt),
            }
            if record["event"] == _MOVED:
                told["moved"] = record.get("to")
            yield Entry(entry.id, told)
    finally:
        await close(entries)


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Without the colours of a build's output, which would be shown as what they are made of, and
    without the last lines of a failed build, which stand just above."""
    if isinstance(record.get("line"), str):
        return {**record, "line": _SGR.sub("", record["line"])}
    if record.get("step") == "build":
        return {**record, "tail": []}
    if record.get("tail"):
        return {**record, "tail": [_SGR.sub("", str(line)) for line in record["tail"]]}
    return record
