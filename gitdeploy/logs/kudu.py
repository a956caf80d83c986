"""The output of an execution as Kudu's clients know it (`job_log.txt`, `output_log.txt`).

Format: projectkudu/kudu, `Kudu.Core/Jobs`: `[{time, MM/dd/yyyy HH:mm:ss, UTC} > {instance}:
{level}] {text}`, the level INFO or ERR of the job's output, SYS INFO, SYS WARN or SYS ERR of the
system's own lines, its last word padded to four.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from gitdeploy.clock import to_datetime
from gitdeploy.logs.lines import STREAMS
from gitdeploy.logs.reader import read_execution
from gitdeploy.logs.source import End, read_end
from gitdeploy.logs.text import safe_text
from gitdeploy.logs.trim import read_trimmed
from gitdeploy.logs.watcher import Watcher

_LEVEL = {"stdout": "INFO", "stderr": "ERR"}


def kudu_line(ts: int, instance: str, level: str, text: str | bytes) -> str:
    """`[11/23/2026 21:20:39 > 1a2b3c: INFO] text`; level: INFO, ERR, SYS INFO, SYS WARN, SYS ERR."""
    system, _, last = level.rpartition(" ")
    padded = f"{system} {last:<4}" if system else f"{last:<4}"
    time = to_datetime(ts).strftime("%m/%d/%Y %H:%M:%S")
    return f"[{time} > {safe_text(instance)}: {padded}] {safe_text(text)}"


def start_lines(ts: int, instance: str, *, script: str, host: str) -> list[str]:
    """The system's lines before the output."""
    return [
        kudu_line(ts, instance, "SYS INFO", "Status changed to Initializing"),
        kudu_line(ts, instance, "SYS INFO", f"Run script '{script}' with script host - '{host}'"),
        kudu_line(ts, instance, "SYS INFO", "Status changed to Running"),
    ]


def end_lines(end: End, instance: str, *, status: str | None) -> list[str]:
    """The system's lines behind the output; `status` is Kudu's word for how it ended."""
    lines = []
    if end.exit_code is None:
        text = "The exit code was lost: the process was ended from outside"
        lines.append(kudu_line(end.ended_at, instance, "SYS ERR", text))
    elif end.exit_code != 0:
        text = f"Job failed due to exit code {end.exit_code}"
        lines.append(kudu_line(end.ended_at, instance, "SYS ERR", text))
    status = status or ("Success" if end.exit_code == 0 else "Failed")
    lines.append(kudu_line(end.ended_at, instance, "SYS INFO", f"Status changed to {status}"))
    return lines


async def kudu_log(
    watcher: Watcher,
    directory: Path,
    *,
    instance: str,
    started_at: int,
    script: str,
    host: str,
    status: str | None = None,
    follow: bool = False,
) -> AsyncGenerator[bytes, None]:
    """An execution's whole log in Kudu's form, in pieces of whole lines, live with `follow`.

    What was trimmed is a `SYS WARN` line that says how much. `status` overrides the last line's
    word (Stopped, Aborted). Raises NotFound where the directory isn't there.
    """
    head = start_lines(started_at, instance, script=script, host=host)
    for stream in STREAMS:
        dropped = read_trimmed(directory / stream)
        if dropped.bytes:
            text = (
                f"The first {dropped.lines:,} lines ({dropped.bytes:,} bytes) of {stream} were"
                " dropped to bound the log's size"
            )
            head.append(kudu_line(started_at, instance, "SYS WARN", text))
    yield _joined(head)
    async with aclosing(read_execution(watcher, directory, follow=follow)) as batches:
        async for batch in batches:
            yield _joined(
                [
                    kudu_line(line.ts, instance, _LEVEL[line.stream], line.line.removesuffix(b"\r"))
                    for line in batch
                ]
            )
    end = read_end(directory)
    if end is not None:
        yield _joined(end_lines(end, instance, status=status))


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
