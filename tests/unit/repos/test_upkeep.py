import pytest

from gitdeploy.repos.upkeep import Stored, plan

NOW = 1_800_000_000.0
DAY = 86_400


def stored(**values: int | float | None) -> Stored:
    base: dict[str, int | float | None] = {
        "packs": 1,
        "loose": 0,
        "pack_bytes": 1000,
        "largest": 1000,
        "bitmap_at": NOW - DAY,
    }
    return Stored(**{**base, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "work"),
    [
        (stored(), None),
        (stored(packs=10, loose=500), None),
        (stored(packs=11), "geometric"),
        (stored(loose=501), "geometric"),
        (stored(packs=11, largest=400), "full"),
        (stored(packs=11, bitmap_at=None), "full"),
        (stored(packs=3, bitmap_at=None), None),
        (stored(packs=2, bitmap_at=NOW - 8 * DAY), "full"),
        (stored(loose=1, bitmap_at=NOW - 8 * DAY), "full"),
        (stored(bitmap_at=NOW - 8 * DAY), None),
        (stored(packs=0, loose=501, pack_bytes=0, largest=0, bitmap_at=None), "full"),
    ],
)
def test_what_is_due_follows_from_what_is_stored(found: Stored, work: str | None) -> None:
    assert plan(found, NOW) == work
