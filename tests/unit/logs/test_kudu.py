"""An execution's log in Kudu's form."""

from __future__ import annotations

from gitdeploy.logs import kudu_line, kudu_log
from gitdeploy.logs.trim import note_path

TS = 1_795_468_839_000_000


def test_a_line_has_kudu_s_form_and_a_level_of_four() -> None:
    assert kudu_line(TS, "1a2b3c", "INFO", "hi") == "[11/23/2026 21:20:39 > 1a2b3c: INFO] hi"
    assert kudu_line(TS, "1a2b3c", "ERR", b"\x1b[1m") == (
        "[11/23/2026 21:20:39 > 1a2b3c: ERR ] \\x1b[1m"
    )
    assert kudu_line(TS, "i", "SYS ERR", "x") == "[11/23/2026 21:20:39 > i: SYS ERR ] x"


async def test_an_execution_is_framed_by_the_system_s_lines(watcher, execution) -> None:
    execution.at(TS + 1_000_000, b"hello\r\n")
    execution.at(TS + 2_000_000, b"oops\n", "stderr")
    execution.end(3, TS + 3_000_000)
    pieces = kudu_log(
        watcher, execution.directory, instance="i", started_at=TS, script="run.sh", host="bash"
    )
    assert b"".join([piece async for piece in pieces]).decode() == (
        "[11/23/2026 21:20:39 > i: SYS INFO] Status changed to Initializing\n"
        "[11/23/2026 21:20:39 > i: SYS INFO] Run script 'run.sh' with script host - 'bash'\n"
        "[11/23/2026 21:20:39 > i: SYS INFO] Status changed to Running\n"
        "[11/23/2026 21:20:40 > i: INFO] hello\n"
        "[11/23/2026 21:20:41 > i: ERR ] oops\n"
        "[11/23/2026 21:20:42 > i: SYS ERR ] Job failed due to exit code 3\n"
        "[11/23/2026 21:20:42 > i: SYS INFO] Status changed to Failed\n"
    )


async def test_what_was_dropped_is_said(watcher, execution) -> None:
    execution.at(TS, b"one\ntwo\n")
    note_path(execution.directory / "stdout").write_text('{"offset":4,"bytes":4,"lines":1}')
    execution.end(None, TS)
    pieces = kudu_log(
        watcher,
        execution.directory,
        instance="i",
        started_at=TS,
        script="r",
        host="b",
        status="Aborted",
    )
    text = b"".join([piece async for piece in pieces]).decode()
    assert "SYS WARN] The first 1 lines (4 bytes) of stdout were dropped" in text
    assert "INFO] two\n" in text
    assert "INFO] one" not in text
    assert "The exit code was lost" in text
    assert text.endswith("Status changed to Aborted\n")
