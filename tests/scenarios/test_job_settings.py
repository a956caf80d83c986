"""App settings and the environment of jobs, variable by variable, as the API's description has them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.actors import Developer, Server
from tests.scenarios.kudu_client import Kudu, until

SHOW = """\
import json, os, sys
print(json.dumps({"environment": dict(os.environ), "argv": sys.argv[1:], "cwd": os.getcwd()}))
sys.stdout.flush()
"""
STAY = "import time\ntime.sleep(1000)\n"
OF_THE_SERVER = {"SERVER_SECRET": "only the server's", "AWS_SESSION_TOKEN": "also"}
SLEEP = "exec sleep 1000\n"


class World:
    """A running server, and a developer for each app."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server = server
        self.root = root

    def developer(self, app: str) -> Developer:
        return Developer(self.root / app, self.server, app=app)

    def app(self, name: str) -> Kudu:
        kudu = Kudu(self.server.url, name)
        kudu("PUT", f"{self.server.url}/api/apps/{name}")
        return kudu


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("settings")
    server = Server(root / "home", "--swap-grace", "0.3", "--grace", "5", env=OF_THE_SERVER)
    asyncio.run(server.start())
    yield World(server, root)
    asyncio.run(server.end())


def python(kudu: Kudu, kind: str, name: str, text: str) -> None:
    """PUT a Python script."""
    headers = {"Content-Disposition": "attachment; filename=run.py"}
    kudu("PUT", f"/api/{kind}webjobs/{name}", text.encode(), headers, expect=200)


def log(kudu: Kudu, kind: str, name: str) -> str:
    return kudu("GET", f"/api/{kind}webjobs/{name}/log", expect=200).body.decode()


def shown_by_run(kudu: Kudu, name: str, query: str = "") -> Any:
    done = kudu.run(name, query)
    return {**json.loads(kudu("GET", f"{done['url']}/log").body), "run": done}


def set_to(kudu: Kudu, **settings: str | None) -> None:
    kudu("POST", "/api/settings", settings, expect=204)


def pid(kudu: Kudu, name: str) -> int:
    return int(until(lambda: kudu("GET", f"/api/continuouswebjobs/{name}").json["pid"]))


@pytest.mark.parametrize("deployed", [True, False], ids=["deployed", "uploaded"])
def test_the_environment_of_a_job_is_exactly_what_is_told(world: World, deployed: bool) -> None:
    app = f"whole-{'deployed' if deployed else 'uploaded'}"
    kudu = world.app(app)
    names = {"triggered": "once", "continuous": "kept"}
    set_to(kudu, MY_SETTING="its value", lower_case="x")
    if deployed:
        repo = world.developer(app)
        repo.job(f"triggered/{names['triggered']}", "run.py", SHOW)
        repo.job(f"continuous/{names['continuous']}", "run.py", SHOW + STAY)
        asyncio.run(repo.push())
    else:
        python(kudu, "triggered", names["triggered"], SHOW)
        python(kudu, "continuous", names["continuous"], SHOW + STAY)
    run = shown_by_run(kudu, names["triggered"], "?arguments=a%20%27b%20c%27")
    kept = json.loads(until(lambda: log(kudu, "continuous", names["continuous"])))
    own = {"triggered": {"WEBJOBS_COMMAND_ARGUMENTS"}}
    own["continuous"] = {"WEBJOBS_PORT", "WEBJOBS_SHUTDOWN_FILE"}
    for kind, found in (("triggered", run), ("continuous", kept)):
        environment: dict[str, str] = found["environment"]
        assert set(environment) == {
            *("MY_SETTING", "lower_case", "HOME", "LANG", "PATH", "PWD", "PYTHONUNBUFFERED"),
            *("WEBROOT_PATH", "WEBJOBS_PATH", "WEBJOBS_NAME", "WEBJOBS_TYPE", "WEBJOBS_DATA_PATH"),
            *("WEBJOBS_RUN_ID", "WEBJOBS_EXECUTION"),
            *own[kind],
        }
        assert environment["MY_SETTING"] == "its value"
        assert environment["WEBJOBS_NAME"] == names[kind]
        assert environment["WEBJOBS_TYPE"] == kind
        assert environment["WEBJOBS_PATH"] == environment["PWD"] == found["cwd"]
        assert environment["WEBJOBS_PATH"].endswith(f"App_Data/jobs/{kind}/{names[kind]}")
        assert Path(environment["WEBJOBS_DATA_PATH"]).is_dir()
        assert environment["WEBJOBS_DATA_PATH"].endswith(f"data/jobs/{kind}/{names[kind]}")
        assert re.fullmatch(r"\d{18}", environment["WEBJOBS_RUN_ID"])
        assert environment["WEBJOBS_EXECUTION"].startswith(f"{app}/{kind}/{names[kind]}/")
        assert Path(environment["HOME"]).is_dir()
        if deployed:
            assert environment["WEBJOBS_PATH"].startswith(environment["WEBROOT_PATH"] + "/")
        assert not any(value in str(found) for value in OF_THE_SERVER.values())
    assert run["environment"]["WEBJOBS_RUN_ID"] == run["run"]["id"]
    assert run["environment"]["WEBJOBS_COMMAND_ARGUMENTS"] == "a 'b c'"
    assert run["argv"] == ["a", "b c"]
    assert 1024 <= int(kept["environment"]["WEBJOBS_PORT"]) < 65536
    assert not Path(kept["environment"]["WEBJOBS_SHUTDOWN_FILE"]).exists()


@pytest.mark.parametrize("level", ["none", "process", "sandbox"])
def test_nothing_of_the_servers_reaches_a_run_at_any_isolation(tmp_path: Path, level: str) -> None:
    server = Server(tmp_path / "home", "--grace", "2", "--isolation", level, env=OF_THE_SERVER)
    asyncio.run(server.start())
    try:
        kudu = World(server, tmp_path).app("demo")
        python(kudu, "triggered", "show", SHOW)
        shown = [shown_by_run(kudu, "show") for _ in range(3)]  # the later ones stood by
        assert {frozenset(each["environment"]) for each in shown} == {
            frozenset(
                {
                    *("HOME", "LANG", "PATH", "PWD", "PYTHONUNBUFFERED", "WEBROOT_PATH"),
                    *("WEBJOBS_PATH", "WEBJOBS_NAME", "WEBJOBS_TYPE", "WEBJOBS_DATA_PATH"),
                    *("WEBJOBS_RUN_ID", "WEBJOBS_EXECUTION", "WEBJOBS_COMMAND_ARGUMENTS"),
                }
            )
        }
        for each in shown:
            assert each["environment"]["WEBJOBS_RUN_ID"] == each["run"]["id"]
    finally:
        asyncio.run(server.end())


def test_what_a_run_has_without_arguments_is_empty(world: World) -> None:
    kudu = world.app("bare")
    python(kudu, "triggered", "show", SHOW)
    found = shown_by_run(kudu, "show")
    assert found["environment"]["WEBJOBS_COMMAND_ARGUMENTS"] == ""
    assert found["argv"] == []


def test_the_shutdown_file_comes_into_being_when_a_job_is_stopped(world: World) -> None:
    kudu = world.app("shutdown")
    wait = 'until [ -e "$WEBJOBS_SHUTDOWN_FILE" ]; do sleep 0.05; done; echo seen\n'
    kudu.put_script("continuous", "polite", f"echo waiting; {wait}")
    until(lambda: "waiting" in log(kudu, "continuous", "polite"))
    kudu("POST", "/api/continuouswebjobs/polite/stop", expect=200)
    assert "seen" in log(kudu, "continuous", "polite")


def test_data_outlive_the_run_and_the_replacement_of_the_job(world: World) -> None:
    kudu = world.app("data")
    count = 'echo x >> "$WEBJOBS_DATA_PATH/count"; wc -l < "$WEBJOBS_DATA_PATH/count"\n'
    kudu.put_script("triggered", "counter", count)
    kudu.run("counter")
    kudu.put_script("triggered", "counter", "# another\n" + count)
    assert kudu("GET", f"{kudu.run('counter')['url']}/log").body.strip() == b"2"


def test_connection_strings_come_under_exactly_their_names(world: World) -> None:
    kudu = world.app("connections")
    kinds = ("SQL", "MYSQL", "SQLAZURE", "CUSTOM", "POSTGRESQL")
    strings = {
        f"{kind}CONNSTR_My.Db": f"Server=tcp:{kind};Password='a b;c=\"d\"';ä" for kind in kinds
    }
    set_to(kudu, **strings)
    python(kudu, "triggered", "show", SHOW)
    environment = shown_by_run(kudu, "show")["environment"]
    assert {key: environment.get(key) for key in strings} == strings
    assert {key for key in environment if "CONNSTR" in key} == set(strings)


def test_a_setting_cant_pretend_to_be_another_execution(world: World) -> None:
    kudu = world.app("pretender")
    set_to(kudu, WEBJOBS_NAME="other", WEBJOBS_RUN_ID="1", WEBJOBS_DATA_PATH="/x", HOME="/tmp")
    python(kudu, "triggered", "show", SHOW)
    found = shown_by_run(kudu, "show")
    environment = found["environment"]
    assert environment["WEBJOBS_NAME"] == "show"
    assert environment["WEBJOBS_RUN_ID"] == found["run"]["id"]
    assert environment["WEBJOBS_DATA_PATH"].endswith("/triggered/show")
    assert environment["HOME"] == "/tmp"


def test_webjobs_restart_time_is_the_wait_before_a_start(world: World) -> None:
    kudu = world.app("restarts")
    set_to(kudu, WEBJOBS_RESTART_TIME="1")
    python(kudu, "continuous", "short", "import time\nprint(time.time())\n")

    def starts() -> list[float] | None:
        times = [float(line) for line in log(kudu, "continuous", "short").split()]
        return times if len(times) >= 3 else None

    first, second, third = until(starts)[:3]
    assert 1.0 <= second - first < 5
    assert 1.0 <= third - second < 6


def test_webjobs_idle_timeout_ends_a_run_that_does_nothing(world: World) -> None:
    kudu = world.app("idle")
    set_to(kudu, WEBJOBS_IDLE_TIMEOUT="1")
    kudu.put_script("triggered", "lazy", SLEEP)
    kudu.put_script("triggered", "busy", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.4; done\n")
    lazy = kudu.run("lazy")
    assert lazy["status"] == "Failed"
    assert "WEBJOBS_IDLE_TIMEOUT" in lazy["error"]
    assert kudu.run("busy")["status"] == "Success"


def history(kudu: Kudu, job: str) -> list[str]:
    found = kudu("GET", f"/api/triggeredwebjobs/{job}/history", expect=200).json["runs"]
    return [run["id"] for run in found]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"WEBJOBS_HISTORY_SIZE": "2"}, 2),
        ({"WEBJOBS_HISTORY_MB": "0.005"}, 2),
        ({"WEBJOBS_HISTORY_DAYS": "0.00000001"}, 1),
    ],
)
def test_the_history_settings_say_how_many_runs_are_kept(
    world: World, settings: dict[str, str], kept: int
) -> None:
    [name] = settings
    kudu = world.app(name.lower().replace("_", "-"))
    kudu.put_script("triggered", "loud", "head -c 2000 /dev/zero | tr '\\0' x; echo\n")
    made = [kudu.run("loud") for _ in range(4)]
    assert len(history(kudu, "loud")) == 4
    set_to(kudu, **settings)
    made.append(kudu.run("loud"))
    expected = [run["id"] for run in made[::-1][:kept]]
    until(lambda: history(kudu, "loud") == expected)
    for run in made[:-kept]:
        kudu("GET", run["url"], expect=404)
        kudu("GET", run["output_url"], expect=404)
    for run in made[-kept:]:
        kudu("GET", run["output_url"], expect=200)


def test_a_size_set_during_a_run_counts_when_that_run_has_ended(world: World) -> None:
    kudu = world.app("sized-late")
    waits = 'until [ -e "$WEBJOBS_DATA_PATH/go" ]; do sleep 0.05; done\n'
    kudu.put_script("triggered", "job", 'touch "$WEBJOBS_DATA_PATH/go"\n' + waits)
    for _ in range(3):
        kudu.run("job")
    kudu.put_script("triggered", "job", 'rm "$WEBJOBS_DATA_PATH/go"; sleep 1\n')
    started = kudu("POST", "/api/triggeredwebjobs/job/run", expect=202)
    set_to(kudu, WEBJOBS_HISTORY_SIZE="1")
    last = kudu.ended(started.headers["Location"])
    until(lambda: history(kudu, "job") == [last["id"]], limit=10)


def test_webjobs_stopped_means_that_nothing_runs(world: World) -> None:
    kudu = world.app("stopped")
    kudu.put_script("continuous", "ticker", SLEEP)
    kudu.put_script("triggered", "long", SLEEP)
    kudu.put_script("triggered", "often", "true\n")
    kudu("PUT", "/api/triggeredwebjobs/often/settings", {"schedule": "* * * * * *"})
    pid(kudu, "ticker")
    until(lambda: history(kudu, "often"))
    going = kudu("POST", "/api/triggeredwebjobs/long/run", expect=202).headers["Location"]
    set_to(kudu, WEBJOBS_STOPPED="1")
    until(lambda: kudu("GET", "/api/continuouswebjobs/ticker").json["status"] == "Stopped")
    assert kudu.ended(going)["status"] == "Stopped"
    kudu("POST", "/api/triggeredwebjobs/long/run", expect=409)
    before = history(kudu, "often")
    asyncio.run(asyncio.sleep(2.1))  # two due times pass
    assert history(kudu, "often") == before
    kudu("DELETE", "/api/settings/WEBJOBS_STOPPED", expect=204)
    pid(kudu, "ticker")
    until(lambda: history(kudu, "often") != before)


def test_webjobs_disable_schedule_stops_schedules_alone(world: World) -> None:
    kudu = world.app("unscheduled")
    set_to(kudu, WEBJOBS_DISABLE_SCHEDULE="1")
    kudu.put_script("continuous", "ticker", SLEEP)
    kudu.put_script("triggered", "often", "true\n")
    kudu("PUT", "/api/triggeredwebjobs/often/settings", {"schedule": "* * * * * *"})
    pid(kudu, "ticker")
    asyncio.run(asyncio.sleep(2.1))  # two due times pass
    assert history(kudu, "often") == []
    assert kudu.run("often")["trigger"].startswith("External - ")
    set_to(kudu, WEBJOBS_DISABLE_SCHEDULE="0")
    until(lambda: len(history(kudu, "often")) > 1)


def test_webjobs_root_path_says_where_jobs_are_from_the_next_deployment_on(world: World) -> None:
    kudu = world.app("moved")
    repo = world.developer("moved")
    repo.write("work/jobs/continuous/there/run.sh", SLEEP)
    repo.write("work/jobs/triggered/mail/run.sh", "pwd\n")
    repo.job("continuous/here", "run.sh", SLEEP)

    def names() -> set[str]:
        return {job["name"] for job in kudu("GET", "/api/webjobs").json}

    asyncio.run(repo.push())
    assert names() == {"here"}
    before = pid(kudu, "here")
    set_to(kudu, WEBJOBS_ROOT_PATH="\\work\\jobs\\")
    assert (names(), pid(kudu, "here")) == ({"here"}, before), "with the next deployment"
    asyncio.run(repo.push())
    assert names() == {"there", "mail"}
    there = pid(kudu, "there")
    done = kudu.run("mail")
    assert kudu("GET", f"{done['url']}/log").body.endswith(b"/work/jobs/triggered/mail\n")
    repo.write("work/jobs/triggered/mail/run.sh", "pwd; true\n")
    asyncio.run(repo.push())
    assert pid(kudu, "there") == there, "another job's files aren't its own"
    set_to(kudu, WEBJOBS_ROOT_PATH="../elsewhere")
    words = asyncio.run(repo.push())
    assert "WEBJOBS_ROOT_PATH" in words
    assert "../elsewhere" in words
    assert names() == {"here"}


def test_a_changed_setting_restarts_exactly_the_jobs_that_it_reaches(world: World) -> None:
    kudu, other = world.app("reached"), world.app("unreached")
    repo = world.developer("reached")
    repo.job("continuous/deployed", "run.sh", SLEEP)
    repo.job("continuous/single", "run.sh", SLEEP, {"is_singleton": True})
    repo.job("continuous/off", "run.sh", SLEEP)
    asyncio.run(repo.push())
    kudu.put_script("continuous", "uploaded", SLEEP)
    other.put_script("continuous", "other", SLEEP)
    kudu("POST", "/api/continuouswebjobs/off/stop", expect=200)

    def pids() -> dict[str, int]:
        return {name: pid(kudu, name) for name in ("deployed", "single", "uploaded")}

    before, others = pids(), pid(other, "other")
    for name, value in (
        ("WEBJOBS_RESTART_TIME", "7"),
        ("WEBJOBS_IDLE_TIMEOUT", "9"),
        ("WEBJOBS_HISTORY_SIZE", "9"),
        ("WEBJOBS_HISTORY_DAYS", "9"),
        ("WEBJOBS_HISTORY_MB", "9"),
        ("WEBJOBS_DISABLE_SCHEDULE", "1"),
        ("WEBJOBS_LOG_TRIGGERED_JOBS_TO_APP_LOGS", "1"),
        ("WEBJOBS_ROOT_PATH", "App_Data/jobs"),
        ("WEBJOBS_STOPPED", "0"),
    ):
        set_to(kudu, **{name: value})
        assert pids() == before, name
        kudu("DELETE", f"/api/settings/{name}", expect=204)
        assert pids() == before, name

    def changed(change: Callable[[], None]) -> None:
        nonlocal before
        change()
        after = until(
            lambda: now if not set((now := pids()).values()) & set(before.values()) else 0
        )
        assert set(after) == set(before)
        before = after

    changed(lambda: set_to(kudu, COLOUR="blue"))
    set_to(kudu, COLOUR="blue")
    assert pids() == before, "it is as it was"
    changed(lambda: set_to(kudu, COLOUR="red"))
    changed(lambda: set_to(kudu, COLOUR=None))
    kudu("DELETE", "/api/settings/COLOUR", expect=204)
    assert pids() == before, "it wasn't there"
    assert kudu("GET", "/api/continuouswebjobs/off").json["status"] == "Stopped"
    assert pid(other, "other") == others


LIES: list[tuple[Any, dict[str, str]]] = [
    ({"A": "1"}, {"Content-Type": "application/json"}),
    ({"A": "1"}, {"Content-Type": "text/plain"}),
    ({"A": "1"}, {"Content-Type": "multipart/form-data"}),
    ({"A": "1"}, {"Content-Type": "application/x-www-form-urlencoded"}),
    ({"A": "1"}, {}),
    ('{"A": "1"}', {"Content-Type": "application/json"}),
    (b'\xef\xbb\xbf{"A": "1"}', {"Content-Type": "application/json; charset=utf-8"}),
    ({"key": "A", "value": "1"}, {"Content-Type": "application/json"}),
    ({"A": 1}, {"Content-Type": "application/json"}),
]


@pytest.mark.parametrize("number", range(len(LIES)))
def test_settings_are_taken_however_they_are_sent(world: World, number: int) -> None:
    body, headers = LIES[number]
    kudu = world.app(f"lies-{number}")
    kudu("POST", "/api/settings", body, headers, expect=204)
    assert kudu("GET", "/api/settings", expect=200).json == {"A": "1"}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    kudu("POST", "/api/settings", iter([raw[:3], raw[3:]]), headers, expect=204)
    assert kudu("GET", "/api/settings/A", expect=200).json == "1"


def test_settings_answer_in_every_spelling(world: World) -> None:
    kudu = world.app("spelt")
    for number, path in enumerate(("/api/settings", "/settings", "/api/settings/", "/settings/")):
        kudu("POST", path, {f"N{number}": "x y", "KEPT": str(number)}, expect=204)
        assert kudu("GET", path, expect=200).json == {f"N{number}": "x y", "KEPT": str(number)}
        one = f"{path.rstrip('/')}/N{number}" + ("/" if path.endswith("/") else "")
        assert kudu("GET", one, expect=200).json == "x y"
        kudu("DELETE", one, expect=204)
        kudu("GET", one, expect=404)
        kudu("DELETE", one, expect=204)


@pytest.mark.parametrize("body", ["A", "[]", "{", 3, ["A"], {"key": "", "value": "1"}, {"A": {}}])
def test_what_isnt_settings_is_refused_and_changes_nothing(world: World, body: Any) -> None:
    kudu = world.app("refused")
    set_to(kudu, KEPT="yes")
    kudu("POST", "/api/settings", body, expect=400)
    assert kudu("GET", "/api/settings").json == {"KEPT": "yes"}
