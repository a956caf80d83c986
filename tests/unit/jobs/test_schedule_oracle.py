"""NCRONTAB against croniter where both should agree, and an oracle that looks at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitdeploy.jobs import Schedule, ScheduleError
from tests.unit.jobs import oracle

BERLIN = "Europe/Berlin"


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    """`*`, values, ranges, steps of `*` and ranges, lists: what croniter reads alike.

    It takes a range of one value (`0-0`) for all values, so there is none.
    """
    number = st.integers(low, high)
    pairs = st.lists(number, min_size=2, max_size=2, unique=True)
    ranges = pairs.map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.integers(1, high)
    term = st.one_of(
        number.map(str),
        ranges,
        st.tuples(st.just("*") | ranges, steps).map(lambda t: f"{t[0]}/{t[1]}"),
    )
    return st.just("*") | st.lists(term, min_size=1, max_size=3).map(",".join)


expressions = st.tuples(
    fields(0, 59), fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6)
).map(" ".join)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@settings(deadline=None, max_examples=150)
@given(expressions, moments)
def test_it_agrees_with_croniter_where_clocks_do_not_change(
    expression: str, after: datetime
) -> None:
    try:
        schedule = Schedule.parse(expression, "UTC")
    except ScheduleError as error:
        assert "no day ever matches" in error.reason
        return
    oracle = croniter(
        expression, after, second_at_beginning=True, day_or=False, max_years_between_matches=60
    )
    now = after
    for _ in range(5):
        found = schedule.next(now)
        assert found is not None
        assert found == oracle.get_next(datetime)
        now = found


in_days = st.tuples(
    st.just("0"), fields(0, 59), fields(0, 23), st.just("*"), st.just("*"), fields(0, 6)
).map(" ".join)


@settings(deadline=None, max_examples=150)
@given(in_days, st.sampled_from(oracle.EDGES), st.integers(-1000, 2000))
def test_it_agrees_with_an_oracle_that_looks_at_every_minute(
    expression: str, edge: tuple[str, datetime], minutes: int
) -> None:
    zone, day = edge
    after = day.replace(tzinfo=UTC) + timedelta(minutes=minutes)
    until = after + timedelta(days=3)
    expected = oracle.walk(oracle.cron(expression), zone, after, until)[:60]
    found = [t.astimezone(UTC) for t in Schedule.parse(expression, zone).occurrences(after, 60)]
    assert [t for t in found if t <= until] == expected


@settings(deadline=None, max_examples=150)
@given(expressions, moments, st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe"]))
def test_in_any_zone_due_times_ascend_and_show_what_was_asked_for(
    expression: str, after: datetime, zone: str
) -> None:
    try:
        schedule = Schedule.parse(expression, zone)
    except ScheduleError:
        assume(False)
    naive = Schedule.parse(expression, "UTC")
    now = after
    for _ in range(4):
        found = schedule.next(now)
        assert found is not None
        assert found > now
        assert found.fold == 0
        wall = found.replace(tzinfo=UTC)
        before = naive.next(wall - timedelta(seconds=1))
        if before != wall:  # then it stands for a time in a gap that ends here
            earlier = (found.astimezone(UTC) - timedelta(seconds=1)).astimezone(found.tzinfo)
            gap = found.replace(tzinfo=None) - earlier.replace(tzinfo=None)
            assert gap > timedelta(seconds=1)
            assert before is not None
        now = found


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("0123456789*/,-#LW? MONFEBjan\t"), max_size=40) | st.text())
def test_any_text_is_a_schedule_or_a_refusal_with_a_remedy(text: str) -> None:
    try:
        schedule = Schedule.parse(text, "UTC")
    except ScheduleError as error:
        assert error.reason
        assert error.fix
    else:
        assert schedule.next(datetime(2026, 1, 1, tzinfo=UTC)) is not None
