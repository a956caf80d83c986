"""Why there was no run: the notes of the supervisor, in words of the catalogue."""

from __future__ import annotations

import pytest

from gitdeploy.store import Occurrence
from gitdeploy.store.occurrences import OccurrenceState
from gitdeploy.web.ui.lost import Why, why


@pytest.mark.parametrize(
    ("state", "note", "told"),
    [
        ("missed", "Missed 1 schedules, most recent at 2026-11-24T03:00:00Z", Why("missed")),
        ("missed", "Missed 12 schedules, most recent at …", Why("missed_many", 12)),
        ("missed", "Missed 10000 or more schedules, most recent", Why("missed_more", 10000)),
        ("missed", "of another version", Why("missed", told="of another version")),
        ("dropped", "Dropped: A run of night-ly is under way.", Why("busy")),
        ("dropped", "Dropped: The jobs of shop are stopped.", Why("stopped")),
        (
            "dropped",
            "Not started: python3 isn't there. Install it.",
            Why("refused", told="python3 isn't there. Install it."),
        ),
        ("dropped", "", Why("refused")),
    ],
)
def test_a_note_becomes_a_reason(state: OccurrenceState, note: str, told: Why) -> None:
    assert why(Occurrence(app="shop", job="night-ly", due_at=1, state=state, note=note)) == told
