"""Output as Kudu's clients know it (`job_log.txt`, `output_log.txt`, `logstream`): its lines. Pure.

Format: projectkudu/kudu, `Kudu.Core/Jobs`: `[{time, MM/dd/yyyy HH:mm:ss, UTC} > {instance}:
{level}] {text}`, the level INFO or ERR of the job's output, SYS INFO, SYS WARN or SYS ERR of the
system's own lines, its last word padded to four.
"""

from __future__ import annotations

from typing import NamedTuple

from gitdeploy.clock import to_datetime
from gitdeploy.logs.block import OutputBlock
from gitdeploy.logs.lines import Stream
from gitdeploy.logs.text import safe_text
from gitdeploy.logs.trim import Trimmed

_LEVEL: dict[Stream, str] = {"stdout": "INFO", "stderr": "ERR"}
_LATEST = 253_402_300_799_000_000  # the last second that a year of four digits has


class SystemLine(NamedTuple):
    """A line of the system's own: `level` is INFO, WARN or ERR."""

    ts: int
    level: str
    text: str

    def kudu(self, instance: str) -> bytes:
        """The line with its newline."""
        return f"{kudu_line(self.ts, instance, f'SYS {self.level}', self.text)}\n".encode()


def kudu_line(ts: int, instance: str, level: str, text: str | bytes) -> str:
    """`[11/23/2026 21:20:39 > 1a2b3c: INFO] text`; level: INFO, ERR, SYS INFO, SYS WARN, SYS ERR."""
    return f"{_prefix(ts, instance, level)}{safe_text(text)}"


def kudu_block(block: OutputBlock, instance: str) -> bytes:
    """The block's lines, each with Kudu's prefix and a newline, their bytes as they are.

    A piece of a longer line is a line too.
    """
    prefix = _prefix(block.ts, instance, _LEVEL[block.stream]).encode()
    return b"%b%b\n" % (prefix, block.lines.replace(b"\n", b"\n" + prefix))


def shown_block(block: OutputBlock, instance: str) -> bytes:
    """As `kudu_block`, with control characters shown, for who reads it in a terminal."""
    prefix = _prefix(block.ts, instance, _LEVEL[block.stream])
    lines = block.lines.removesuffix(b"\r").replace(b"\r\n", b"\n")
    text = lines.decode("utf-8", "backslashreplace")
    if not text.replace("\n", " ").isprintable():  # printable: no control, no mark of direction
        text = "\n".join(map(safe_text, text.split("\n")))
    return f"{prefix}{text.replace(chr(10), chr(10) + prefix)}\n".encode()


def prefix_size(instance: str) -> int:
    """The bytes in front of each line, which are as many at all times and levels of output."""
    return len(_prefix(0, instance, "INFO").encode())


def start_lines(
    created_at: int, started_at: int | None, *, script: str | None, host: str
) -> list[SystemLine]:
    """The system's lines before the output; `script` is None where it isn't known any more."""
    lines = [SystemLine(created_at, "INFO", "Status changed to Initializing")]
    if started_at is not None:
        if script is not None:
            text = f"Run script '{script}' with script host - '{host}'"
            lines.append(SystemLine(started_at, "INFO", text))
        lines.append(SystemLine(started_at, "INFO", "Status changed to Running"))
    return lines


def dropped_line(ts: int, stream: Stream, dropped: Trimmed) -> SystemLine:
    """What is said of output that was dropped."""
    text = (
        f"The first {dropped.lines:,} lines ({dropped.bytes:,} bytes) of {stream} were"
        " dropped to bound the log's size"
    )
    return SystemLine(ts, "WARN", text)


def end_lines(
    ended_at: int, *, status: str, exit_code: int | None, error: str | None
) -> list[SystemLine]:
    """The system's lines behind the output; `status` is Kudu's word for how it ended."""
    lines = []
    if error:
        lines.append(SystemLine(ended_at, "ERR", error))
    elif status in ("Failed", "Aborted") and exit_code is None:
        text = "The exit code was lost: the process was ended from outside"
        lines.append(SystemLine(ended_at, "ERR", text))
    elif status == "Failed":
        lines.append(SystemLine(ended_at, "ERR", f"Job failed due to exit code {exit_code}"))
    lines.append(SystemLine(ended_at, "INFO", f"Status changed to {status}"))
    return lines


def _prefix(ts: int, instance: str, level: str) -> str:
    system, _, last = level.rpartition(" ")
    padded = f"{system} {last:<4}" if system else f"{last:<4}"
    # A job may set its file's time to any year; a prefix is as long in each.
    time = to_datetime(min(max(ts, 0), _LATEST)).strftime("%m/%d/%Y %H:%M:%S")
    return f"[{time} > {safe_text(instance)}: {padded}] "
