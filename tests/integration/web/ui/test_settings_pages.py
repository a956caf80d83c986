"""An app's settings, attributes, deploy key and hooks, as forms without JavaScript."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import SITE, Answer, Client, Site
from tests.integration.web.ui.browsing import Browsing, field
from tests.support import eventually

HERE = "/ui/shop/settings"
HOOKS = "/ui/shop/hooks"
PUBLIC = "https://93.184.216.34/in"


@pytest.fixture
async def reader(admin: Client, shop: Site) -> Browsing:
    return await Browsing.begin(admin)


def words(answer: Answer) -> str:
    """What the page says, without its marks."""
    text = re.sub(r"<[^>]+>", " ", answer.text)
    return html.unescape(re.sub(r"\s+", " ", text))


async def send(reader: Browsing, path: str, **fields: str) -> Answer:
    return await reader.post(path, await reader.token(path), **fields)


async def said(reader: Browsing, answer: Answer) -> str:
    """What the page says that a form leads to."""
    assert answer.status == 303, words(answer)
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    page = await reader.get(
        answer.headers["Location"].partition("#")[0].removeprefix(reader.client.url),
        Cookie=f"{reader.cookie}; {cookie}",
    )
    return words(page)


def invalid(answer: Answer) -> set[str]:
    """The names of the fields that are marked as wrong, each with its reason beside it."""
    found: set[str] = set()
    for tag in re.findall(
        r"<(?:input|textarea|fieldset)[^>]*aria-invalid=\"true\"[^>]*>", answer.text
    ):
        described = re.search(r'aria-describedby="(wrong-[a-z_]+)', tag)
        assert described, tag
        assert f'id="{described[1]}"' in answer.text
        found.add(described[1].removeprefix("wrong-"))
    return found


async def test_a_value_is_hidden_until_it_is_asked_for(reader: Browsing, admin: Client) -> None:
    secret = "line one\nline <two> & more"
    added = await send(reader, HERE, do="add", key="API_KEY", value="\r\n".join(secret.split("\n")))
    assert "API_KEY is saved. No running job is restarted." in await said(reader, added)
    assert (await admin.get("/apps/shop/api/settings")).json == {"API_KEY": secret}
    page = await reader.get(f"{HERE}/")
    assert "API_KEY" in page.text
    assert "line one" not in page.text
    shown = await reader.get(f"{HERE}/?show=API_KEY")
    assert html.escape(secret, quote=False) in shown.text
    assert "no-store" in shown.headers["Cache-Control"]
    assert "line one" not in (await reader.get(f"{HERE}/?show=OTHER")).text


async def test_a_setting_is_changed_and_deleted(reader: Browsing, admin: Client) -> None:
    await send(reader, HERE, do="add", key="A", value=" spaces stay ")
    assert (await admin.get("/apps/shop/api/settings")).json == {"A": " spaces stay "}
    await send(reader, HERE, do="change", key="A", value="")
    assert (await admin.get("/apps/shop/api/settings")).json == {"A": ""}
    assert "A is deleted" in await said(reader, await send(reader, HERE, do="remove", key="A"))
    assert (await admin.get("/apps/shop/api/settings")).json == {}
    log = (await admin.get("/api/audit")).json
    assert [entry["what"] for entry in log[:3]] == [
        "settings.delete",
        "settings.merge",
        "settings.merge",
    ]
    assert log[0]["on"] == "shop: A"


async def test_a_bad_setting_is_refused_at_its_field_and_stays_typed(
    reader: Browsing, admin: Client
) -> None:
    await send(reader, HERE, do="add", key="THERE", value="1")
    for key, value, wrong in (
        ("A=B", "kept", "key"),
        ("", "kept", "key"),
        ("THERE", "kept", "key"),
        ("NUL", "kept\0", "value"),
    ):
        answer = await send(reader, HERE, do="add", key=key, value=value)
        assert answer.status == 400
        assert invalid(answer) == {wrong}
        assert "kept" in answer.text
        assert f'value="{key}"' in answer.text
    refused = await send(reader, HERE, do="change", key="THERE", value="kept\0")
    assert refused.status == 400
    assert invalid(refused) == {"value"}
    assert (await admin.get("/apps/shop/api/settings")).json == {"THERE": "1"}


async def test_the_page_says_which_jobs_a_change_restarts(
    reader: Browsing, shop: Site, server: Server
) -> None:
    assert "a change restarts none" in words(await reader.get(f"{HERE}/"))
    await shop.deploy(SITE)

    def pid() -> int | None:
        return next(
            each.pid for each in server.supervisor.jobs("shop") if each.job.name == "ticker"
        )

    async def runs() -> bool:
        return pid() is not None

    await eventually(runs)
    before = pid()
    assert "A change restarts the jobs that run now: ticker." in words(await reader.get(f"{HERE}/"))
    changed = await send(reader, HERE, do="add", key="QUEUE", value="orders")
    assert "Saved. Restarting: ticker." in await said(reader, changed)

    async def another() -> bool:
        return pid() not in (before, None)

    await eventually(another)
    same = await send(reader, HERE, do="change", key="QUEUE", value="orders")
    assert "No running job is restarted" in await said(reader, same)
    steering = await send(reader, HERE, do="add", key="WEBJOBS_HISTORY_SIZE", value="9")
    assert "No running job is restarted" in await said(reader, steering)


async def test_many_settings_are_paged_and_a_shown_one_is_on_its_page(
    reader: Browsing, server: Server
) -> None:
    many = {f"KEY_{n:03}": f"value {n}" for n in range(450)}
    await server.store.apps.merge_settings("shop", many)
    page = await reader.get(f"{HERE}/")
    assert "KEY_199" in page.text
    assert "KEY_200" not in page.text
    assert "KEY_449" in (await reader.get(f"{HERE}/?page=3")).text
    assert "value 321" in (await reader.get(f"{HERE}/?show=KEY_321")).text


async def test_the_apps_attributes_are_changed_by_one_form(reader: Browsing, admin: Client) -> None:
    changed = await send(
        reader,
        HERE,
        do="attributes",
        branch="release",
        locked="a freeze over the holidays",
        strict="on",
        idle_timeout="90.5",
    )
    assert changed.status == 303
    app = (await admin.get("/api/apps/shop")).json
    assert (app["branch"], app["locked"], app["strict"]) == (
        "release",
        "a freeze over the holidays",
        True,
    )
    assert (app["always_on"], app["idle_timeout"]) == (False, 90.5)
    page = await reader.get(f"{HERE}/")
    assert 'value="90.5"' in page.text
    await send(reader, HERE, do="attributes", always_on="on")
    app = (await admin.get("/api/apps/shop")).json
    assert (app["branch"], app["locked"], app["strict"]) == ("main", None, False)
    assert (app["always_on"], app["idle_timeout"]) == (True, None)


async def test_each_bad_attribute_is_told_at_its_field_and_nothing_changes(
    reader: Browsing, admin: Client
) -> None:
    refused = await send(
        reader, HERE, do="attributes", branch="refs/heads/x", locked="x" * 501, idle_timeout="soon"
    )
    assert refused.status == 400
    assert invalid(refused) == {"branch", "locked", "idle_timeout"}
    assert 'value="refs/heads/x"' in refused.text
    for idle in ("0", "nan", "inf", "1e99"):
        refused = await send(reader, HERE, do="attributes", idle_timeout=idle)
        assert refused.status == 400, idle
    app = (await admin.get("/api/apps/shop")).json
    assert (app["branch"], app["locked"], app["idle_timeout"]) == ("main", None, None)


async def test_a_webhook_secret_is_made_shown_once_and_works(
    reader: Browsing, admin: Client
) -> None:
    made = await send(reader, HERE, do="make_webhook_secret")
    assert made.status == 303
    assert made.headers["Location"].endswith("/ui/shop/settings/#webhook")
    other = await Browsing.begin(admin)
    assert 'class="secret"' not in (await other.get(f"{HERE}/")).text, "another session's"
    page = await reader.get(f"{HERE}/")
    found = re.search(r'class="secret"><code>([\w-]{40,})</code>', page.text)
    assert found
    assert found[1] not in (await reader.get(f"{HERE}/")).text
    assert (await admin.get("/api/apps/shop")).json["webhook_secret"] is True
    sender = admin.with_token(found[1])
    ping = await sender.ask("POST", "/apps/shop/deploy", {}, headers={"X-GitHub-Event": "ping"})
    assert ping.status not in (401, 403)
    short = await send(reader, HERE, do="webhook_secret", webhook_secret="2srt4u")
    assert invalid(short) == {"webhook_secret"}
    assert "2srt4u" not in short.text, "what was typed is a secret"
    await send(reader, HERE, do="remove_webhook_secret")
    assert (await admin.get("/api/apps/shop")).json["webhook_secret"] is False


async def test_the_status_token_is_kept_where_its_field_stays_empty(
    reader: Browsing, admin: Client
) -> None:
    url = "https://git.example.org/api/v1"
    done = await send(reader, HERE, do="status", status_token="a-token-of-a-host", status_url=url)
    assert done.status == 303
    assert "a-token-of-a-host" not in (await reader.get(f"{HERE}/")).text
    await send(reader, HERE, do="status", status_token="", status_url="")
    app = (await admin.get("/api/apps/shop")).json
    assert (app["status_token"], app["status_url"]) == (True, None)
    wrong = await send(reader, HERE, do="status", status_token="a b", status_url="ftp://x/")
    assert invalid(wrong) == {"status_token", "status_url"}
    await send(reader, HERE, do="remove_status")
    assert (await admin.get("/api/apps/shop")).json["status_token"] is False


async def test_the_deploy_key_is_made_shown_and_removed(reader: Browsing, admin: Client) -> None:
    assert "has no deploy key" in words(await reader.get(f"{HERE}/"))
    assert (await send(reader, HERE, do="make_key")).status == 303
    key = (await admin.get("/apps/shop/api/sshkey")).json
    assert key.startswith("ssh-ed25519 ")
    assert html.escape(key) in (await reader.get(f"{HERE}/")).text
    assert (await send(reader, HERE, do="remove_key")).status == 303
    assert (await admin.get("/apps/shop/api/sshkey")).json is None


async def test_an_app_is_deleted_by_typing_its_name(reader: Browsing, admin: Client) -> None:
    wrong = await send(reader, HERE, do="delete", name="sho")
    assert wrong.status == 400
    assert invalid(wrong) == {"name"}
    assert (await admin.get("/api/apps/shop")).status == 200
    gone = await send(reader, HERE, do="delete", name="shop")
    assert gone.headers["Location"].endswith("/ui/")
    assert (await admin.get("/api/apps/shop")).status == 404
    assert (await admin.get("/api/audit")).json[0]["what"] == "app.delete"


async def test_scopes_hide_and_refuse_what_they_do_not_allow(admin: Client, shop: Site) -> None:
    await admin.ask("POST", "/apps/shop/api/settings", {"A": "1"})
    readers = {
        scope: await Browsing.begin(await admin.token_for(scope)) for scope in ("read", "deploy")
    }
    page = await readers["read"].get(f"{HERE}/?show=A")
    assert "<pre>1</pre>" in page.text
    assert 'name="do"' not in page.text
    page = await readers["deploy"].get(f"{HERE}/")
    assert 'value="add"' in page.text
    assert 'value="attributes"' not in page.text
    assert 'value="delete"' not in page.text
    for scope, refused in (
        ("read", ("add", "change", "remove", "attributes", "delete")),
        ("deploy", ("attributes", "make_key", "make_webhook_secret", "status", "delete")),
    ):
        token = field(await readers[scope].get(f"{HERE}/"), "form_token")
        for do in refused:
            answer = await readers[scope].post(HERE, token, do=do, key="B", value="1", name="shop")
            assert answer.status == 403, (scope, do)
    assert (await admin.get("/apps/shop/api/settings")).json == {"A": "1"}
    assert (await admin.get("/api/apps/shop")).status == 200


async def test_a_foreign_form_changes_nothing(reader: Browsing, admin: Client) -> None:
    for path in (HERE, HOOKS, "/ui/-/tokens", "/ui/-/sessions"):
        answer = await reader.post(path, "guess", do="add", key="A", value="1")
        assert answer.status == 403, path
    assert (await admin.get("/apps/shop/api/settings")).json == {}


async def test_another_apps_settings_are_not_there(admin: Client, shop: Site) -> None:
    await admin.ask("PUT", "/api/apps/garden")
    stranger = await Browsing.begin(await admin.token_for("admin", apps=["garden"]))
    token = await stranger.token("/ui/garden/settings/")
    for path in (HERE, HOOKS):
        assert (await stranger.get(path, status=404)).status == 404
        assert (await stranger.post(path, token, do="add", key="A", value="1")).status == 404


async def test_a_hook_is_added_listed_and_deleted(reader: Browsing, admin: Client) -> None:
    added = await send(
        reader,
        HOOKS,
        do="add",
        event="postdeployment",
        url="https://me:hidden@93.184.216.34/in",
        format="slack",
        secret="signs it",
    )
    assert "is added" in await said(reader, added)
    [hook] = (await admin.get("/apps/shop/api/hooks")).json
    assert (hook["event"], hook["format"], hook["signed"]) == ("PostDeployment", "slack", True)
    page = await reader.get(f"{HOOKS}/")
    assert f"/ui/shop/hooks/{hook['id']}/" in page.text
    assert "hidden@" not in page.text
    assert "signs it" not in page.text
    watcher = await Browsing.begin(await admin.token_for("read"))
    seen = await watcher.get(f"{HOOKS}/")
    assert "93.184.216.34/in" not in seen.text, "the path may be a credential"
    assert 'value="remove"' not in seen.text
    assert "Nothing was sent" in words(await reader.get(f"{HOOKS}/{hook['id']}/"))
    assert (await send(reader, HOOKS, do="remove", id=hook["id"])).status == 303
    assert (await admin.get("/apps/shop/api/hooks")).json == []
    assert (await reader.get(f"{HOOKS}/{hook['id']}/", status=404)).status == 404


@pytest.mark.parametrize(
    ("fields", "wrong", "status"),
    [
        ({"event": "a b", "url": "ftp://x/", "secret": "s" * 300}, {"event", "url", "secret"}, 400),
        ({"event": "JobCrashed", "url": "http://127.0.0.1/"}, {"url"}, 400),
        ({"event": "JobCrashed", "url": ""}, {"url"}, 400),
        ({"event": "JobCrashed", "url": PUBLIC}, {"url"}, 409),
    ],
)
async def test_a_bad_hook_is_told_at_its_fields(
    reader: Browsing, admin: Client, fields: dict[str, Any], wrong: set[str], status: int
) -> None:
    await admin.ask("POST", "/apps/shop/api/hooks", {"url": PUBLIC, "event": "PostDeployment"})
    answer = await send(reader, HOOKS, do="add", **fields)
    assert answer.status == status
    assert invalid(answer) == wrong
    assert f'value="{html.escape(fields["event"])}"' in answer.text
    assert len((await admin.get("/apps/shop/api/hooks")).json) == 1


async def test_deliveries_are_paged_and_one_is_sent_again(
    reader: Browsing, admin: Client, server: Server
) -> None:
    made = await admin.ask("POST", "/apps/shop/api/hooks", {"url": PUBLIC, "event": "Mine"})
    hook = made.json["id"]
    for number in range(60):
        await server.store.outbox.publish("shop", "Mine", f'{{"n":{number}}}', at=number)

    def settle(c: Any) -> None:
        c.execute(
            "UPDATE outbox SET state = 'failed', next_at = NULL, tries = 3, status = 500,"
            " reason = 'Internal', response = '<b>oh</b>', error = NULL"
        )

    await server.store.database.write(settle)
    page = await reader.get(f"{HOOKS}/{hook}/")
    assert 'id="delivery-60"' in page.text
    assert 'id="delivery-10"' not in page.text
    assert "&lt;b&gt;oh&lt;/b&gt;" in page.text
    assert "?before=11" in page.text
    older = await reader.get(f"{HOOKS}/{hook}/?before=11")
    assert 'id="delivery-10"' in older.text
    assert 'id="delivery-11"' not in older.text
    token = field(page, "form_token")
    again = await reader.post(f"{HOOKS}/{hook}", token, n="7")
    assert "Delivery 7 is sent again" in await said(reader, again)
    newest = (await server.store.outbox.newest("shop", hook, limit=1))[0]
    assert (newest.n, newest.redelivery_of) == (61, 7)
    for wrong in ("999", "x", "", "9" * 40):
        assert (await reader.post(f"{HOOKS}/{hook}", token, n=wrong)).status == 404
