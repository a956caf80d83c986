from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gitdeploy.jobs.job import Job
from gitdeploy.supervise.reconcile import Action, Wanted, changes, diff, wanted

NAMES = st.sampled_from(["a", "b", "c", "d"])
IDENTITIES = st.sampled_from(["1", "2", "3"])


def test_an_untouched_job_is_kept() -> None:
    assert diff([Wanted(name="a", identity="1")], {"a": "1"}) == [Action(verb="keep", name="a")]


def test_a_changed_job_is_swapped_and_a_changed_singleton_replaced() -> None:
    assert diff(
        [Wanted(name="a", identity="2"), Wanted(name="b", identity="2", singleton=True)],
        {"a": "1", "b": "1"},
    ) == [Action(verb="swap", name="a"), Action(verb="replace", name="b")]


def test_a_new_singleton_just_starts() -> None:
    want = [Wanted(name="b", identity="2", singleton=True)]
    assert diff(want, {}) == [Action(verb="start", name="b")]


def test_what_is_not_desired_stops() -> None:
    assert diff([], {"a": "1"}) == [Action(verb="stop", name="a")]


def test_disabled_jobs_those_without_script_and_triggered_ones_are_not_kept_running(
    make_job: Callable[..., Job],
) -> None:
    jobs = [
        make_job(name="on"),
        make_job(name="off"),
        make_job(name="broken", script=None, error="No runnable script file was found."),
        make_job("triggered", name="mail"),
    ]
    assert [w.name for w in wanted(jobs, {}, frozenset({("continuous", "off")}))] == ["on"]


def test_nothing_is_wanted_of_a_stopped_app(make_job: Callable[..., Job]) -> None:
    assert wanted([make_job()], {"WEBJOBS_STOPPED": "1"}, frozenset()) == []


def test_a_disabled_triggered_job_does_not_disable_a_continuous_one_of_that_name(
    make_job: Callable[..., Job],
) -> None:
    assert len(wanted([make_job(name="x")], {}, frozenset({("triggered", "x")}))) == 1


def test_a_deployments_changes_are_told_for_both_kinds(make_job: Callable[..., Job]) -> None:
    before = [(make_job(name=n), i) for n, i in (("same", "1"), ("other", "1"), ("gone", "1"))]
    after = [(make_job(name=n), i) for n, i in (("same", "1"), ("other", "2"))]
    after.append((make_job("triggered", name="gone"), "1"))
    assert changes(before, after) == [
        ("continuous", "gone", "-"),
        ("continuous", "other", "~"),
        ("continuous", "same", "="),
        ("triggered", "gone", "+"),
    ]


class Reconciling(RuleBasedStateMachine):
    """Pushes, stops, crashes and reconciliations in any order: what runs follows what is desired."""

    def __init__(self) -> None:
        super().__init__()
        self.desired: dict[str, Wanted] = {}
        self.running: dict[str, tuple[str, int]] = {}  # identity and pid
        self.pids = 0
        self.reconciled = True

    @rule(name=NAMES, identity=IDENTITIES, singleton=st.booleans())
    def push(self, name: str, identity: str, singleton: bool) -> None:
        self.desired[name] = Wanted(name=name, identity=identity, singleton=singleton)
        self.reconciled = False

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.desired.pop(name, None)
        self.reconciled = False

    @rule(name=NAMES)
    def crash(self, name: str) -> None:
        self.running.pop(name, None)
        self.reconciled = False

    @rule()
    def reconcile(self) -> None:
        before = dict(self.running)
        most: dict[str, int] = {}
        actions = diff(self.desired.values(), {n: i for n, (i, _) in self.running.items()})
        assert len({action.name for action in actions}) == len(actions)
        for action in actions:
            most[action.name] = self.act(action)
        for name, (identity, pid) in before.items():
            want = self.desired.get(name)
            if want is not None and want.identity == identity:
                assert self.running[name][1] == pid, "an untouched job was restarted"
        for name, want in self.desired.items():
            if want.singleton:
                assert most[name] <= 1, "two processes of a singleton at a time"
        self.reconciled = True

    def act(self, action: Action) -> int:
        """Do it; the most processes of the job that ran at one time."""
        had = action.name in self.running
        match action.verb:
            case "keep":
                assert had
                return 1
            case "start":
                assert not had
                self.spawn(action.name)
                return 1
            case "swap":
                assert had
                self.spawn(action.name)
                return 2
            case "replace":
                assert had
                del self.running[action.name]
                self.spawn(action.name)
                return 1
            case "stop":
                del self.running[action.name]
                return 1

    def spawn(self, name: str) -> None:
        self.pids += 1
        self.running[name] = self.desired[name].identity, self.pids

    @invariant()
    def what_runs_is_what_is_desired(self) -> None:
        if self.reconciled:
            have = {name: identity for name, (identity, _) in self.running.items()}
            assert have == {name: want.identity for name, want in self.desired.items()}


Reconciling.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
TestReconciling = Reconciling.TestCase
