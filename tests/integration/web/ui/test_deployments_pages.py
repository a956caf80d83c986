"""The pages of deployments: the list, one with its log and what it changed, and what they can do."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import msgspec
import pytest

from gitdeploy.app import Server
from gitdeploy.store import Deployment
from tests.integration.web.conftest import SITE, Answer, Client, Site
from tests.integration.web.test_undo import send, zipped
from tests.integration.web.ui.browsing import Browsing, field
from tests.support import eventually

HERE = "/ui/shop/deployments"
BUILD = {".deployment": "[config]\ncommand = sh build.sh\n"}
GATE = "echo waiting; while ! [ -e open ]; do sleep 0.02; done; echo through\n"


@pytest.fixture
async def reader(admin: Client, shop: Site) -> Browsing:
    return await Browsing.begin(admin)


@pytest.fixture
async def onlooker(admin: Client, shop: Site) -> Browsing:
    """Somebody who may read and run."""
    return await Browsing.begin(await admin.token_for("run"))


def text(answer: Answer) -> str:
    """What is to be read on a page, in one line."""
    main = answer.text[answer.text.index("<main") :]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())


def rows(answer: Answer) -> list[str]:
    return re.findall(r'<tr id="d-([^"]+)"', answer.text)


async def begun(shop: Site, server: Server, message: str = "Wait") -> str:
    """A deployment that is under way until its gate opens; its commit."""
    shop.write({**BUILD, "build.sh": GATE})
    commit = shop.commit(message)
    await server.deployer.deploy(
        "shop", commit, ref="refs/heads/main", trigger="push", deployer="t", wait_turn=True
    )

    async def waits() -> bool:
        row = await server.store.deployments.get("shop", commit)
        return row is not None and row.status == "building"

    await eventually(waits)
    return commit


def open_gate(server: Server) -> None:
    for release in server.home.app("shop").releases.iterdir():
        (release / "open").touch()


async def failed(shop: Site, server: Server, message: str = "Broken") -> str:
    shop.write({**BUILD, "build.sh": "echo compiling; echo no such module >&2; exit 3\n"})
    commit = shop.commit(message)
    row = await server.deployer.deploy(
        "shop", commit, ref="refs/heads/main", trigger="push", deployer="t", wait_turn=True
    )
    assert (await server.deployer.wait("shop", row.id, row.attempt)).status == "failed"
    return commit


async def fill(server: Server, count: int) -> None:
    """Rows of deployments that nothing is left of."""
    for number in range(count):
        row = Deployment(
            app="shop",
            id=f"{number:040x}",
            attempt=1,
            status="failed" if number % 3 == 0 else "success",
            received_at=1_700_000_000_000_000 + number,
            started_at=1_700_000_000_000_000 + number,
            ended_at=1_700_000_001_000_000 + number,
            instance="here",
            trigger="push",
            commit_id=f"{number:040x}",
            message=f"Number {number}",
        )
        await server.store.deployments.begin(row)


async def test_the_list_says_what_by_whom_and_which_is_live(
    reader: Browsing, shop: Site, server: Server
) -> None:
    first = await shop.deploy({"index.txt": "1"}, "Good words\n\nand more of them")
    bad = await failed(shop, server)
    zipped_id = await send(server, {"index.txt": "2"})
    page = await reader.get(f"{HERE}/")
    assert rows(page) == [zipped_id, bad, first]
    said = text(page)
    assert "3 deployments" in said
    assert f"main@{first[:7]}" in said
    assert "Good words" in said
    assert "and more of them" not in said
    assert "git push · t" in said
    assert "Zip · ci" in said
    assert f"zip {zipped_id[:7]}" in said
    assert said.count("Live") == 1
    live = page.text.split(f'id="d-{zipped_id}"')[1].split("</tr>")[0]
    assert "Live" in live
    assert "roll-back" not in live
    assert f"{HERE}/{first}/roll-back" in page.text
    assert f'aria-label="Deploy again: {bad[:7]}"' in page.text


async def test_the_list_pages_through_all_and_filters(reader: Browsing, server: Server) -> None:
    await fill(server, 67)
    first = await reader.get(f"{HERE}/")
    assert rows(first)[0] == f"{66:040x}"
    assert len(rows(first)) == 30
    assert "67 deployments" in text(first)
    second = await reader.get(f"{HERE}/?page=2")
    last = await reader.get(f"{HERE}/?page=3")
    assert len(rows(last)) == 7
    every = rows(first) + rows(second) + rows(last)
    assert every == [f"{number:040x}" for number in reversed(range(67))]
    assert f"{HERE}/?page=2" in unescape(first.text)
    assert "?page=4" not in last.text
    bad = await reader.get(f"{HERE}/?status=failed")
    assert rows(bad) == [f"{number:040x}" for number in reversed(range(0, 67, 3))]
    good = await reader.get(f"{HERE}/?status=succeeded&page=2")
    assert len(rows(good)) == 44 - 30
    assert f"{HERE}/?status=succeeded" in good.text
    assert "in this state" in text(await reader.get(f"{HERE}/?status=open"))
    assert rows(await reader.get(f"{HERE}/?status=nonsense&page=x")) == rows(first)


async def test_an_app_without_deployments_says_how_to_make_one(reader: Browsing) -> None:
    page = await reader.get(f"{HERE}/")
    assert "Nothing was deployed yet" in text(page)
    assert "/shop.git main" in text(page)


async def test_one_has_its_facts_steps_log_and_changes(
    reader: Browsing, shop: Site, server: Server, admin: Client
) -> None:
    await shop.deploy({**SITE, "old.txt": "1\n", "web/a b.txt": "one\ntwo\n"}, "First")
    await admin.ask("POST", "/apps/shop/api/settings", {"COLOUR": "secret-red"})
    (shop.path / "old.txt").unlink()
    job = {"App_Data/jobs/triggered/report/run.py": "print('new')\n"}
    second = await shop.deploy({**job, "web/a b.txt": "one\n2\n"}, "Second\n\nwith a body")
    page = await reader.get(f"{HERE}/{second}/")
    said = text(page)
    for words in ("Succeeded", "Live", f"main@{second[:7]}", "Ada Lovelace", "with a body"):
        assert words in said, words
    for name in ("Check out", "Build", "Activate", "Clean up"):
        assert name in said, name
    assert "deployed release 2" in said
    assert "The log is complete." in said
    assert "data-stream" not in page.text
    changed = said[said.index("What changed") :]
    assert "Compared with" in changed
    assert "changed: triggered/report" in changed
    assert "removed: old.txt" in changed
    assert "changed: web/a b.txt" in changed
    assert "added: COLOUR" in changed
    assert "secret-red" not in page.text
    link = re.search(r'href="[^"]*(/ui/[^"]*/file\?path=web%2Fa%20b\.txt)"', page.text)
    assert link is not None
    diff = await reader.get(link[1])
    assert "-two</li>" in diff.text
    assert "+2</li>" in diff.text
    assert "@@ -1,2 +1,2 @@" in diff.text
    log = await reader.get(f"{HERE}/{second}/log")
    assert log.headers["Content-Type"].startswith("text/plain")
    assert "deployed   release 2" in log.text


async def test_the_first_one_and_one_that_changed_nothing_say_so(
    reader: Browsing, shop: Site
) -> None:
    first = await shop.deploy({"a.txt": "1"})
    second = await shop.deploy(message="Nothing in it")
    assert "the first deployment" in text(await reader.get(f"{HERE}/{first}/"))
    assert "Nothing: jobs, files and settings" in text(await reader.get(f"{HERE}/{second}/"))
    assert "text is the same" in text(await reader.get(f"{HERE}/{second}/file?path=a.txt"))
    await reader.get(f"{HERE}/{second}/file?path=b.txt", status=404)
    await reader.get(f"{HERE}/{'0' * 40}/", status=404)


async def test_a_failed_one_says_why_and_where(
    reader: Browsing, shop: Site, server: Server
) -> None:
    await shop.deploy({"a.txt": "1"})
    bad = await failed(shop, server, "Does not build")
    page = await reader.get(f"{HERE}/{bad}/")
    said = text(page)
    assert "Failed" in said
    assert "no such module" in said
    assert re.search(r'<li class="bad">.*<span>Build</span>', page.text)
    assert "added: build.sh" in said
    assert "Deploy again" in said


async def test_a_zip_has_no_commit_and_is_shown_all_the_same(
    reader: Browsing, shop: Site, server: Server
) -> None:
    first = await send(server, {"a.txt": "old\n", "b.bin": "\0"})
    second = await send(server, {"a.txt": "new\n", "b.bin": "\0\0"})
    page = await reader.get(f"{HERE}/{second}/")
    said = text(page)
    assert f"zip {second[:7]}" in said
    assert "Commit" not in said
    assert "changed: a.txt" in said
    diff = await reader.get(f"{HERE}/{second}/file?path=a.txt")
    assert "-old</li>" in diff.text
    assert "isn't text" in text(await reader.get(f"{HERE}/{second}/file?path=b.bin"))
    asked = await reader.get(f"{HERE}/{first}/roll-back")
    answer = await reader.post(
        f"{HERE}/{first}/roll-back", field(asked, "form_token"), live=field(asked, "live")
    )
    assert answer.status == 303, answer.text
    await server.deployer.wait("shop", first, 2)
    assert (server.home.app("shop").current / "a.txt").read_text() == "old\n"


async def test_a_roll_back_says_what_it_changes_and_does_it_for_a_reason(
    reader: Browsing, shop: Site, server: Server, admin: Client
) -> None:
    first = await shop.deploy({"a.txt": "good\n"}, "Good")
    await admin.ask("POST", "/apps/shop/api/settings", {"COLOUR": "red"})
    await shop.deploy({"a.txt": "bad\n", "b.txt": "more\n"}, "Bad")
    asked = await reader.get(f"{HERE}/{first}/roll-back")
    said = text(asked)
    assert "changed: a.txt" in said
    assert "removed: b.txt" in said
    assert "COLOUR" in said
    assert "without a build" in said
    token = field(asked, "form_token")
    link = re.search(r'href="[^"]*(/ui/[^"]*/file\?path=a\.txt[^"]*)"', asked.text)
    assert link is not None
    diff = await reader.get(unescape(link[1]))
    assert "-bad</li>" in diff.text
    assert "+good</li>" in diff.text

    sent = {"live": field(asked, "live"), "note": "<i>The second</i> breaks the till"}
    answer = await reader.post(f"{HERE}/{first}/roll-back", token, **sent)
    assert answer.status == 303, answer.text
    assert answer.headers["Location"].endswith(f"{HERE}/{first}/")
    await server.deployer.wait("shop", first, 2)
    page = await reader.get(f"{HERE}/{first}/")
    assert "<i>The second</i> breaks the till" in text(page)
    assert "<i>The" not in page.text
    assert (server.home.app("shop").current / "a.txt").read_text() == "good\n"
    audit = (await admin.get("/api/audit")).json
    done = next(one for one in audit if one["what"] == "page.deploy_again")
    assert done["on"] == f"shop/{first}"


async def test_a_roll_back_from_something_else_than_was_shown_is_asked_again(
    reader: Browsing, shop: Site, server: Server
) -> None:
    first = await shop.deploy({"a.txt": "1\n"})
    await shop.deploy({"a.txt": "2\n"})
    asked = await reader.get(f"{HERE}/{first}/roll-back")
    await shop.deploy({"c.txt": "3\n"})
    sent = {"live": field(asked, "live"), "note": "why"}
    answer = await reader.post(f"{HERE}/{first}/roll-back", field(asked, "form_token"), **sent)
    assert answer.status == 409
    assert "Something else is live" in text(answer)
    assert "removed: c.txt" in text(answer)
    assert 'value="why"' in answer.text
    row = await server.store.deployments.get("shop", first)
    assert row is not None
    assert row.attempt == 1


async def test_while_one_is_under_way_another_is_refused_and_it_can_be_cancelled(
    reader: Browsing, shop: Site, server: Server
) -> None:
    first = await shop.deploy({"a.txt": "1\n"})
    second = await begun(shop, server)
    page = await reader.get(f"{HERE}/{second}/")
    assert "Building" in text(page)
    assert "Still under way." in text(page)
    assert f'data-stream="{server.url}{HERE}/{second}/lines?after=' in page.text
    assert "What changed" not in text(page)
    assert f"{HERE}/{second}/cancel" in (await reader.get(f"{HERE}/?status=open")).text
    token = field(page, "form_token")
    refused = await reader.post(f"{HERE}/{first}/roll-back", token)
    assert refused.status == 409
    assert 'role="alert"' in refused.text
    done = await reader.post(f"{HERE}/{second}/cancel", token)
    assert done.status == 303
    said = text(await reader.get(f"{HERE}/{second}/"))
    assert "Cancelled by administrator." in said
    again = await reader.post(f"{HERE}/{second}/cancel", token)
    assert again.status == 303
    assert "Cancelled by administrator." in text(await reader.get(f"{HERE}/{second}/"))


async def test_the_log_comes_live_and_goes_on_where_it_was(
    reader: Browsing, shop: Site, server: Server
) -> None:
    commit = await begun(shop, server)
    page = await reader.get(f"{HERE}/{commit}/")
    address = re.search(r'data-stream="([^"]+)"', page.text)
    assert address is not None
    path = unescape(address[1]).removeprefix(server.url)

    async def listen(**headers: str) -> list[tuple[str, dict[str, Any]]]:
        """All of the stream's records with their ids, to its end."""
        sse = {"Accept": "text/event-stream", "Cookie": reader.cookie, **headers}
        answer = await reader.client.ask("GET", path, headers=sse)
        assert answer.status == 200
        found = re.findall(r"id: ?(\d+)\n(?:event: ?\S+\n)?data: ?(.*)\n", answer.text)
        return [(one, json.loads(data)) for one, data in found]

    open_gate(server)
    told = await listen()
    lines = [line for _, record in told for line in record["lines"]]
    assert any("through" in line for line in lines)
    assert told[-1][1]["end"] is True
    assert [record["end"] for _, record in told].count(True) == 1
    rest = await listen(**{"Last-Event-ID": told[1][0]})
    assert rest == told[2:]
    assert await listen(**{"Last-Event-ID": told[-1][0]}) == []


async def test_who_may_only_look_sees_no_button_and_is_refused(
    onlooker: Browsing, shop: Site, server: Server
) -> None:
    first = await shop.deploy({"a.txt": "1\n"})
    await shop.deploy({"a.txt": "2\n"})
    for path in (f"{HERE}/", f"{HERE}/{first}/"):
        page = await onlooker.get(path)
        for word in ("roll-back", "/cancel", 'type="file"'):
            assert word not in page.text, (path, word)
    token = await onlooker.token(f"{HERE}/")
    await onlooker.get(f"{HERE}/{first}/roll-back", status=403)
    for path in (f"{first}/roll-back", f"{first}/cancel"):
        assert (await onlooker.post(f"{HERE}/{path}", token)).status == 403
    sent = await onlooker.post_form(HERE, token, file=("a.zip", zipped({"a.txt": "3"})))
    assert sent.status == 403
    row = await server.store.deployments.get("shop", first)
    assert row is not None
    assert row.attempt == 1


@pytest.mark.parametrize("token", ["", "guess"])
async def test_a_form_that_is_not_ours_does_nothing(
    reader: Browsing, shop: Site, server: Server, token: str
) -> None:
    first = await shop.deploy({"a.txt": "1\n"})
    for path in (f"{HERE}/{first}/roll-back", f"{HERE}/{first}/cancel"):
        assert (await reader.post(path, token)).status == 403
    sent = await reader.post_form(HERE, token, file=("a.zip", zipped({"a.txt": "3"})))
    assert sent.status == 403
    assert len(await server.store.deployments.newest("shop")) == 1


async def test_names_from_outside_are_never_markup(
    reader: Browsing, shop: Site, server: Server
) -> None:
    evil = "<script>alert(1)</script>"
    name = "<img src=x onerror=alert(1)>.txt"
    commit = await shop.deploy({name: f"{evil}\n"}, f'{evil} & "more"\n\n{evil}')
    row = await server.store.deployments.get("shop", commit)
    assert row is not None
    fields = {"author": evil, "pusher": evil, "deployer": f"{evil}2", "note": evil}
    await server.store.deployments.update("shop", commit, **fields)
    paths = [f"{HERE}/", f"{HERE}/{commit}/", f"{HERE}/{commit}/roll-back"]
    page = await reader.get(paths[1])
    link = re.search(r'href="[^"]*(/ui/[^"]*/file\?path=[^"]+)"', page.text)
    assert link is not None
    for path in (*paths, unescape(link[1])):
        answer = await reader.get(path)
        assert "<script>alert" not in answer.text, path
        assert "<img" not in answer.text, path
    assert f"+{evil}" in unescape((await reader.get(unescape(link[1]))).text)


async def test_a_zip_of_the_form_becomes_the_site(
    reader: Browsing, shop: Site, server: Server
) -> None:
    token = await reader.token(f"{HERE}/")
    nothing = await reader.post_form(HERE, token, message="Mine")
    assert nothing.status == 400
    assert "Choose a zip first." in text(nothing)
    assert 'value="Mine"' in nothing.text
    wrong = await reader.post_form(HERE, token, file=("<b>.zip", b"no zip"))
    assert wrong.status == 400
    assert "<b>.zip isn't a zip" in text(wrong)
    sent = await reader.post_form(
        HERE, token, file=("site.zip", zipped({"a.txt": "3\n"})), message="Mine"
    )
    assert sent.status == 303, sent.text
    (row,) = await server.store.deployments.newest("shop")
    assert sent.headers["Location"].endswith(f"{HERE}/{row.id}/")
    ended = await server.deployer.wait("shop", row.id, 1)
    assert (ended.status, ended.message, ended.deployer) == ("success", "Mine", "administrator")
    assert (server.home.app("shop").current / "a.txt").read_text() == "3\n"


async def test_a_long_log_has_its_end_and_all_its_steps(
    reader: Browsing, shop: Site, server: Server
) -> None:
    build = "i=0; while [ $i -lt 900 ]; do echo line $i; i=$((i+1)); done\n"
    commit = await shop.deploy({**BUILD, "build.sh": build})
    page = await reader.get(f"{HERE}/{commit}/")
    said = text(page)
    assert "Only the newest part is shown" in said
    assert "line 899" in said
    assert "line 100 " not in said
    for name in ("Check out", "Build", "Activate"):
        assert name in said
    assert "line 100\n" in (await reader.get(f"{HERE}/{commit}/log")).text


async def test_one_that_was_made_elsewhere_can_only_be_looked_at(
    reader: Browsing, shop: Site, admin: Client
) -> None:
    body = {"status": 4, "message": "By hand", "deployer": "ops"}
    made = await admin.ask("PUT", "/apps/shop/api/deployments/by-hand", body)
    assert made.status == 200, made.text
    page = await reader.get(f"{HERE}/by-hand/")
    assert "Made elsewhere · ops" in text(page)
    assert "roll-back" not in page.text
    token = await reader.token(f"{HERE}/")
    assert (await reader.post(f"{HERE}/by-hand/roll-back", token)).status == 409


async def test_in_korean_nothing_is_left_in_english(
    reader: Browsing, shop: Site, server: Server
) -> None:
    first = await shop.deploy({"a.txt": "1\n"})
    await shop.deploy({"a.txt": "2\n"})
    korean = {"Cookie": f"{reader.cookie}; gitdeploy_lang=ko"}
    for path, words in (
        (f"{HERE}/", ("배포 2개", "서비스 중", "되돌리기")),
        (f"{HERE}/{first}/", ("변경 내용", "로그가 끝났습니다", "단계")),
        (f"{HERE}/{first}/roll-back", ("변경될 내용", "취소")),
    ):
        page = await reader.client.ask("GET", path, headers=korean)
        for word in words:
            assert word in page.text, (path, word)


def test_a_state_of_the_filter_is_one_of_the_store() -> None:
    """No deployment is in no filter."""
    from gitdeploy.web.ui.views.deployments import _FILTERS

    states = {state for named in _FILTERS.values() for state in named}
    known = msgspec.inspect.type_info(Deployment).fields
    status = next(one for one in known if one.name == "status")
    assert states == set(status.type.values)
