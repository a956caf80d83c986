"""What a pusher reads of a new process that didn't live long enough."""

from __future__ import annotations

import pytest

from gitdeploy.supervise.early import early_end, early_fix, ending


@pytest.mark.parametrize(
    ("seconds", "code", "words"),
    [
        (0.0, 3, "at once with exit code 3"),
        (0.009, 1, "at once with exit code 1"),
        (0.04, 3, "after 40 ms with exit code 3"),
        (1.44, 127, "after 1.4 s with exit code 127"),
        (2.0, 137, "after 2.0 s by SIGKILL (exit code 137)"),
        (0.5, 139, "after 500 ms by SIGSEGV (exit code 139)"),
        (0.5, 128, "after 500 ms with exit code 128"),
        (0.5, 255, "after 500 ms with exit code 255"),
        (0.5, None, "after 500 ms, with what exit code isn't known"),
    ],
)
def test_an_ending_is_told_by_time_and_code_or_signal(
    seconds: float, code: int | None, words: str
) -> None:
    assert ending(seconds, code) == words


def test_a_process_is_told_of_with_its_kind_and_what_becomes_of_the_old_one() -> None:
    end = "The new continuous/t ended at once with exit code 3"
    assert early_end("continuous/t", 0, 3, old=None) == f"{end}."
    assert early_end("continuous/t", 0, 3, old="runs on") == f"{end}; the old one runs on."


def test_the_fix_speaks_of_last_lines_only_where_there_are_some() -> None:
    need = "a new process must live for 3 s (swap_grace)."
    assert early_fix("run.py", 3.0, wrote=True) == (
        f"Mend what its last lines say and push again; {need}"
    )
    assert early_fix("run.py", 3.0, wrote=False) == (
        f"It wrote nothing: try run.py by hand, mend it and push again; {need}"
    )
