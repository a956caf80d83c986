"""What a page says where something didn't work: in its reader's language, with what to do."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gitdeploy.app import Server
from gitdeploy.errors import Conflict, GitdeployError, Invalid, Unavailable
from gitdeploy.store import StoreFull
from gitdeploy.web.ui.language import words
from tests.integration.web.conftest import SITE, Answer, Client, Site
from tests.integration.web.ui.browsing import Browsing

KOREAN = {"Accept-Language": "ko-KR,ko;q=0.9"}
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def options() -> dict[str, object]:
    return {"max_site_size": 1 << 20}


@pytest.fixture
async def pages(admin: Client) -> Browsing:
    return await Browsing.begin(admin)


def main(answer: Answer) -> str:
    """The words of the page's own part."""
    inside = answer.text.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", "<" + inside))


def has_english(answer: Answer) -> bool:
    """Whether a sentence of the page's own part is English; names and codes don't count."""
    inside = answer.text.partition("<main")[2].partition("</main>")[0]
    inside = re.sub(r'<span lang="en">.*?</span>', "", inside, flags=re.DOTALL)
    return bool(
        re.search(r"\b(?:the|is|not|this|was|Sign in)\b", re.sub(r"<[^>]*>", " ", "<" + inside))
    )


async def test_a_page_that_isnt_there_says_so_in_each_language(pages: Browsing) -> None:
    korean = await pages.get("/ui/-/nowhere/", status=404, **KOREAN)
    assert '<html lang="ko"' in korean.text
    assert "찾을 수 없습니다" in korean.text
    assert "이 주소에는 페이지가 없습니다." in main(korean)
    assert "앱 목록으로" in main(korean)
    assert not has_english(korean)
    english = await pages.get("/ui/-/nowhere/", status=404, **ENGLISH)
    assert "There is no page at this address." in main(english)
    assert "begin at the list of apps" in main(english)


async def test_what_an_address_names_and_isnt_there_is_named(pages: Browsing, shop: Site) -> None:
    for path, text in (
        ("/ui/nothing/", "nothing 앱이 없거나 볼 수 있는 권한이 없습니다."),
        ("/ui/shop/jobs/none/", "shop에 none 작업이 없습니다."),
    ):
        answer = await pages.get(path, status=404, **KOREAN)
        assert text in main(answer)
        assert not has_english(answer)


async def test_a_missing_permission_is_named(admin: Client, shop: Site) -> None:
    await shop.deploy(SITE)
    reader = await Browsing.begin(await admin.token_for("read"))
    token = await reader.token("/ui/shop/")
    address = "/ui/shop/jobs/report/run"
    refused = await reader.post(address, token)
    assert refused.status == 403
    assert "This takes the permission run, which your token lacks." in main(refused)
    assert "Sign in with a token that has run." in main(refused)
    reader.cookie += "; gitdeploy_lang=ko"
    refused = await reader.post(address, token)
    assert refused.status == 403
    assert "run 권한이 필요하지만 현재 토큰에는 없습니다." in main(refused)
    assert not has_english(refused)


async def test_a_form_that_is_out_of_date_or_foreign_is_told_apart(
    pages: Browsing, shop: Site
) -> None:
    pages.cookie += "; gitdeploy_lang=ko"
    refused = await pages.post("/ui/", "another-token", name="x")
    assert refused.status == 403
    assert "오래된 양식입니다." in main(refused)
    foreign = await pages.client.ask(
        "POST",
        "/ui/",
        b"name=x",
        headers={"Cookie": pages.cookie, "Sec-Fetch-Site": "cross-site", "Accept": "text/html"},
    )
    assert foreign.status == 403
    assert "다른 사이트에서 보낸 양식입니다." in main(foreign)


async def test_a_token_for_one_app_is_told_that_the_server_isnt_its(
    admin: Client, shop: Site
) -> None:
    narrow = await Browsing.begin(await admin.token_for("admin", apps=["shop"]))
    answer = await narrow.get("/ui/-/tokens/", status=403, **KOREAN)
    assert "권한이 없습니다" in main(answer)
    assert "일부 앱에만 사용할 수 있는 토큰입니다." in main(answer)
    assert not has_english(answer)


async def test_a_run_that_is_under_way_is_told_above_the_list(
    pages: Browsing, shop: Site, server: Server
) -> None:
    await shop.deploy(SITE)
    pages.cookie += "; gitdeploy_lang=ko"
    token = await pages.token("/ui/shop/")
    assert (await pages.post("/ui/shop/jobs/slow/run", token)).status == 303
    refused = await pages.post("/ui/shop/jobs/slow/run", token)
    assert refused.status == 303
    pages.cookie += "; " + refused.headers["Set-Cookie"].partition(";")[0]
    told = await pages.get("/ui/shop/")
    assert "slow 작업이 실행 중입니다." in main(told)
    assert not has_english(told)


async def test_what_is_too_large_names_the_limit(pages: Browsing, shop: Site) -> None:
    pages.cookie += "; gitdeploy_lang=ko"
    token = await pages.token("/ui/")
    refused = await pages.post("/ui/", token, name="x" * 900_000)
    assert refused.status == 413
    assert "너무 큽니다" in main(refused)
    assert re.search(r"보낸 내용이 \d+바이트를 넘습니다", main(refused))


async def test_too_many_tries_say_how_long_to_wait(pages: Browsing) -> None:
    stranger = pages.client
    for _ in range(40):
        answer = await stranger.ask(
            "POST", "/ui/sign-in", b"token=wrong", headers={"Accept": "text/html", **KOREAN}
        )
        if answer.status == 429:
            break
    assert answer.status == 429
    assert "로그인에 너무 여러 번 실패했습니다." in main(answer)
    assert f"{answer.headers['Retry-After']}초 기다린 후" in main(answer)


@pytest.mark.parametrize(
    ("error", "status", "title", "what", "detail"),
    [
        (lambda: StoreFull(), 507, "디스크가 가득 찼습니다", "서버에 쓸 공간이 없습니다.", ""),
        (lambda: RuntimeError("a secret of ours"), 500, "서버 오류입니다", "서버의 문제입니다", ""),
        (
            lambda: Unavailable("The server is stopping.", "Try again in a moment."),
            503,
            "사용할 수 없습니다",
            "서버를 중지하는 중입니다.",
            "",
        ),
        (
            lambda: Unavailable("The moon is in the way.", "Wait for the night."),
            503,
            "사용할 수 없습니다",
            "지금은 서버가 이 작업을 할 수 없습니다.",
            "The moon is in the way. Wait for the night.",
        ),
        (
            lambda: Conflict("The sheep are counted.", "Count them again."),
            409,
            "지금은 할 수 없습니다",
            "현재 상태 또는 진행 중인 작업과 충돌합니다.",
            "The sheep are counted. Count them again.",
        ),
        (
            lambda: Invalid(words("ko")("files.bad_name")),
            400,
            "요청을 처리할 수 없습니다",
            words("ko")("files.bad_name"),
            "",
        ),
    ],
)
async def test_each_failure_is_told_by_its_kind(
    pages: Browsing,
    shop: Site,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    error: Callable[[], Exception],
    status: int,
    title: str,
    what: str,
    detail: str,
) -> None:
    def fail(app: str) -> None:
        raise error()

    monkeypatch.setattr(server.supervisor, "jobs", fail)
    answer = await pages.get("/ui/shop/", status=status, **KOREAN)
    assert f"<h1>{title}</h1>" in answer.text
    assert what in main(answer)
    assert not has_english(answer)
    kept = re.search(r'<span lang="en">(.*?)</span>', answer.text)
    assert (kept[1] if kept else "") == detail
    assert "a secret of ours" not in answer.text
    if status == 500:
        number = re.search(r"오류 번호: <code>([0-9a-f]{12})</code>", answer.text)
        assert number
    english = await pages.get("/ui/shop/", status=status, **ENGLISH)
    raised = error()
    if isinstance(raised, GitdeployError) and not detail:
        return
    assert 'lang="en">' not in english.text.partition("<main")[2]
    if detail:
        assert str(getattr(raised, "what", "")) in main(english)


async def test_a_client_that_asks_for_json_still_gets_the_problem(pages: Browsing) -> None:
    answer = await pages.get("/ui/-/nowhere/", status=404, Accept="application/json")
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["detail"] == "There is nothing at this path."
