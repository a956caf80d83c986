"""A job's page as HTML: what it says, how it pages through its runs, what its forms do."""

from __future__ import annotations

import html
import re

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import SITE, Client, Site
from tests.integration.web.ui.browsing import Browsing, field
from tests.integration.web.ui.running import past, ran, under_way

ROW = re.compile(r'<tr id="run-(\d+)"')
JOB = "/ui/shop/jobs/report/"


@pytest.fixture
async def reader(admin: Client, shop: Site) -> Browsing:
    await shop.deploy(SITE)
    return await Browsing.begin(admin)


def facts(text: str) -> dict[str, str]:
    """The pairs of the page's list of facts, without tags."""
    found = re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", text, re.DOTALL)
    return {name: html.unescape(re.sub(r"<[^>]+>", "", value)).strip() for name, value in found}


def link(text: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', text)
    assert found, f"no link {rel}"
    return html.unescape(found[1]).partition("#")[0]


async def test_a_job_says_what_it_runs_when_and_how_its_runs_ended(
    reader: Browsing, admin: Client
) -> None:
    for arguments in ("", "0", "4"):
        await ran(admin, "report", arguments)
    text = (await reader.get(JOB)).text
    told = facts(text)
    assert told["Command"].startswith("run.py")
    assert told["Schedule"] == "On demand"
    assert (told["Succeeded"], told["Failed"]) == ("2", "1")
    assert "Usual duration" in told
    assert len(ROW.findall(text)) == 3
    assert "Durations of the last runs: 2 succeeded, 1 failed." in text
    nightly = facts((await reader.get("/ui/shop/jobs/nightly/")).text)
    assert nightly["Schedule"].startswith("Runs at 03:00 every day")
    assert "0 0 3 * * *" in nightly["Schedule"]
    assert nightly["Last run"] == "Never ran"
    assert "Next run" in nightly


async def test_a_continuous_job_says_its_process_and_has_no_form_to_run_it(
    reader: Browsing,
) -> None:
    text = (await reader.get("/ui/shop/jobs/ticker/")).text
    told = facts(text)
    assert told["Process"].isdigit()
    assert told["Restarts"] == "0"
    assert 'name="arguments"' not in text
    assert "/ui/shop/jobs/ticker/output" in text
    await reader.get("/ui/shop/jobs/ticker/runs", status=404)


async def test_the_runs_page_through_all_that_is_kept_and_back(
    reader: Browsing, server: Server
) -> None:
    known = await past(server, "report", 60)
    seen: list[str] = []
    address, pages = JOB, []
    while True:
        text = (await reader.get(address)).text
        pages.append(ROW.findall(text))
        seen += pages[-1]
        if 'rel="next"' not in text:
            break
        address = link(text, "next")
    assert [len(one) for one in pages] == [25, 25, 10]
    assert seen == known
    text = (await reader.get(address)).text
    for expected in reversed(pages[:-1]):
        text = (await reader.get(link(text, "prev"))).text
        assert ROW.findall(text) == expected
    assert 'rel="prev"' not in text


async def test_runs_are_narrowed_by_their_result_and_stay_so_on_the_next_page(
    reader: Browsing, server: Server
) -> None:
    known = await past(server, "report", 160)
    bad = [run for place, run in enumerate(known, 1) if place % 5 == 0]
    text = (await reader.get(f"{JOB}?result=failed")).text
    assert ROW.findall(text) == bad[:25]
    older = link(text, "next")
    assert "result=failed" in older
    assert ROW.findall((await reader.get(older)).text) == bad[25:]
    assert (
        "No run that is kept has this result." in (await reader.get(f"{JOB}?result=stopped")).text
    )
    assert ROW.findall((await reader.get(f"{JOB}?result=nonsense")).text) == known[:25]
    for odd in ("before=x'--", "after=%00", "before=0", "after=9" * 30):
        await reader.get(f"{JOB}?{odd}")


async def test_a_run_with_arguments_leads_to_its_page(
    reader: Browsing, admin: Client, server: Server
) -> None:
    token = await reader.token(JOB)
    done = await reader.post(f"{JOB}runs", token, arguments="""one 'two three' $(date) "a<b" """)
    latest = (await admin.get("/apps/shop/api/triggeredwebjobs/report")).json["latest_run"]
    assert done.status == 303
    assert done.headers["Location"] == f"{server.url}{JOB}runs/{latest['id']}"
    assert latest["who"] == "administrator"
    page = (await reader.get(f"{JOB}runs/{latest['id']}")).text
    assert facts(page)["Arguments"] == """one 'two three' $(date) "a<b\""""
    assert facts(page)["Started by"] == "administrator"


async def test_arguments_that_cannot_be_split_are_shown_at_their_field(
    reader: Browsing, admin: Client
) -> None:
    token = await reader.token(JOB)
    for typed, reason in (
        ('now "and then', "A quote isn&#39;t closed"),
        ("to be continued \\", "The backslash at the end"),
        ("<x> " + "y" * 8000, "8000"),
    ):
        wrong = await reader.post(f"{JOB}runs", token, arguments=typed)
        assert wrong.status == 400
        assert f'value="{html.escape(typed).replace("&quot;", "&#34;")}"' in wrong.text
        assert 'aria-invalid="true" aria-describedby="arguments-wrong' in wrong.text
        said = re.search(r'id="arguments-wrong" role="alert">([^<]*)<', wrong.text)
        assert said, wrong.text
        assert reason in said[1]
    assert (await admin.get("/apps/shop/api/triggeredwebjobs/report")).json["latest_run"] is None
    again = await reader.get(f"{JOB}runs", status=302)  # loaded again, it is the job's page
    assert "/ui/shop/jobs/report/?kind=triggered" in again.headers["Location"]


async def test_a_run_beside_another_is_refused_at_the_field(
    reader: Browsing, admin: Client
) -> None:
    run = await under_way(admin, "slow")
    token = await reader.token("/ui/shop/jobs/slow/")
    busy = await reader.post("/ui/shop/jobs/slow/runs", token, arguments="typed before")
    assert busy.status == 409
    assert 'value="typed before"' in busy.text
    said = re.search(r'id="arguments-wrong" role="alert">([^<]*)<', busy.text)
    assert said, busy.text
    assert said[1] == "A run of slow is under way. Wait for its end, or stop it first."
    assert facts(busy.text)["Succeeded"] == "0"
    stop = {"kind": "triggered", "run": run, "next": f"{admin.url}/ui/shop/jobs/slow/"}
    done = await reader.post("/ui/shop/jobs/slow/stop", token, **stop)
    assert (done.status, done.headers["Location"]) == (303, stop["next"])
    assert "Stopped" in (await reader.get("/ui/shop/jobs/slow/")).text


async def test_values_of_the_environment_never_leave_the_server(
    reader: Browsing, admin: Client
) -> None:
    settings = {"API_KEY": "hush-9f3a", "PLAIN": "also-kept-back"}
    assert (await admin.ask("POST", "/apps/shop/api/settings", settings)).status in (200, 204)
    text = (await reader.get(JOB)).text
    assert "API_KEY" in text
    assert "WEBJOBS_DATA_PATH" in text
    for value in settings.values():
        assert value not in text


async def test_a_name_that_two_jobs_have_is_one_page_each(
    reader: Browsing, server: Server, admin: Client, shop: Site
) -> None:
    await shop.deploy({"App_Data/jobs/continuous/report/run.py": "import time\ntime.sleep(99)\n"})
    both = (await reader.get(JOB)).text
    assert "Runs continuously" in both
    assert facts(both)["Process"].isdigit()
    text = (await reader.get(f"{JOB}?kind=triggered")).text
    assert facts(text)["Schedule"] == "On demand"
    assert "edit?kind=triggered#drop" in text
    token = field(await reader.get(JOB), "form_token")
    wrong = await reader.post(f"{JOB}runs", token, arguments="'")
    assert wrong.status == 400
    assert 'id="arguments-wrong"' in wrong.text
    await past(server, "report", 30)
    text = (await reader.get(f"{JOB}?kind=triggered&result=success")).text
    assert "kind=triggered&amp;result=success" in text.replace("&amp;before", "&before")


async def test_what_a_job_lacks_is_said_where_it_is_looked_at(reader: Browsing, shop: Site) -> None:
    await shop.deploy(
        {
            "App_Data/jobs/triggered/empty/notes.txt": "no script\n",
            "App_Data/jobs/triggered/odd/run.sh": "exit 0\n",
            "App_Data/jobs/triggered/odd/settings.job": '{"schedule": "61 * * * * *"}',
        }
    )
    empty = (await reader.get("/ui/shop/jobs/empty/")).text
    assert 'class="note bad"' in empty
    assert 'name="arguments"' not in empty
    token = field(await reader.get(JOB), "form_token")
    refused = await reader.post("/ui/shop/jobs/empty/runs", token)
    assert refused.status in (400, 409)
    assert 'role="alert"' in refused.text
    assert "61 is above 59" in (await reader.get("/ui/shop/jobs/odd/")).text


async def test_an_action_runs_without_arguments_and_hides_what_may_be_secret(
    reader: Browsing, shop: Site
) -> None:
    action = (
        '{"action": {"type": "http", "request": {"method": "PUT",'
        ' "uri": "http://127.0.0.1:9/a?key=hush-71"}}}'
    )
    await shop.deploy({"App_Data/jobs/triggered/ping/settings.job": action})
    text = (await reader.get("/ui/shop/jobs/ping/")).text
    assert facts(text)["Command"].startswith("PUT http://127.0.0.1:9/a")
    assert "hush-71" not in text
    assert 'name="arguments"' not in text
    assert "Run once" in text
    assert "#drop" not in text


async def test_a_job_is_deleted_after_a_question_that_says_what_goes(
    reader: Browsing, admin: Client, server: Server
) -> None:
    await ran(admin, "report")
    question = await reader.get(f"{JOB}delete?kind=triggered")
    assert "1 run with its log" in question.text
    assert "the next deployment brings it again" in question.text
    token = field(question, "form_token")
    for credentials in ("guess", ""):
        refused = await reader.post(f"{JOB}delete", credentials, kind="triggered")
        assert refused.status == 403
    mere = await Browsing.begin(await admin.token_for("run"))
    await mere.get(f"{JOB}delete?kind=triggered", status=403)
    own = await mere.token(JOB)
    assert (await mere.post(f"{JOB}delete", own, kind="triggered")).status == 403
    assert "delete?kind" not in (await mere.get(JOB)).text
    await reader.get(JOB)
    done = await reader.post(f"{JOB}delete", token, kind="triggered")
    assert (done.status, done.headers["Location"]) == (303, f"{server.url}/ui/shop/")
    await reader.get(JOB, status=404)
    assert not server.home.app("shop").executions("triggered", "report").exists()


async def test_who_may_only_read_sees_no_buttons_and_is_refused(
    reader: Browsing, admin: Client
) -> None:
    only = await Browsing.begin(await admin.token_for("read"))
    page = await only.get(JOB)
    for hidden in ("Run once", "edit?kind", "delete?kind", "Stop schedule"):
        assert hidden not in page.text
    assert (await only.post(f"{JOB}runs", field(page, "form_token"))).status == 403
    other = await Browsing.begin(await admin.token_for("admin", apps=["other"]))
    await other.get(JOB, status=404)


async def test_the_page_speaks_korean(reader: Browsing, admin: Client) -> None:
    await ran(admin, "report")
    reader.cookie += "; gitdeploy_lang=ko"
    text = (await reader.get(JOB)).text
    for word in (
        "최근 작업 실행",
        "요청 시",
        "한 번 실행",
        "종료 코드",
        "웹 작업",
        "새 버전 업로드",
    ):
        assert word in text, word
