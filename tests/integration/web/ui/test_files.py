"""The pages of an app's files: look, download, edit, upload, make, delete."""

from __future__ import annotations

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.integration.web.ui.browsing import Browsing, field

HERE = "/ui/shop/files"


@pytest.fixture
async def reader(admin: Client, shop: Site) -> Browsing:
    return await Browsing.begin(admin)


@pytest.fixture
def data(server: Server, shop: Site):
    folder = server.home.app("shop").data
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def test_directories_are_walked_from_the_top(reader: Browsing, shop: Site) -> None:
    await shop.deploy({"web/hello <b>.txt": "hi\n"})
    top = (await reader.get(f"{HERE}/")).text
    for name in ("site", "data", "LogFiles"):
        assert f'{HERE}/{name}/"' in top
    page = (await reader.get(f"{HERE}/site/wwwroot/web/")).text
    assert f"{HERE}/site/wwwroot/web/hello%20%3Cb%3E.txt" in page
    assert "hello &lt;b&gt;.txt" in page
    assert "makes a new release" in page
    shown = (await reader.get(f"{HERE}/site/wwwroot/web/hello%20%3Cb%3E.txt")).text
    assert "\nhi\n</textarea>" in shown


async def test_a_file_is_downloaded_under_its_name_and_never_rendered(
    reader: Browsing, data
) -> None:
    (data / "naïve.html").write_text("<script>1</script>")
    answer = await reader.get(f"{HERE}/data/na%C3%AFve.html?download")
    assert answer.body == b"<script>1</script>"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''na%C3%AFve.html"
    assert answer.headers["Content-Type"].startswith("text/plain")
    page = await reader.get(f"{HERE}/data/na%C3%AFve.html")
    assert "&lt;script&gt;1" in page.text
    assert "<script>1" not in page.text


async def test_a_text_is_edited_and_keeps_its_line_ends(reader: Browsing, data) -> None:
    (data / "a.txt").write_bytes("\r\n하나\r\ntwo\r\n".encode())
    page = await reader.get(f"{HERE}/data/a.txt")
    assert field(page, "newline") == "crlf"
    answer = await reader.post_form(
        f"{HERE}/data/a.txt",
        field(page, "form_token"),
        do="save",
        tag=field(page, "tag"),
        newline="crlf",
        text="\r\n 둘 \r\n",
    )
    assert answer.status == 303, answer.text
    assert (data / "a.txt").read_bytes() == "\r\n 둘 \r\n".encode()


async def test_a_conflict_keeps_both_sides(reader: Browsing, data) -> None:
    (data / "a.txt").write_text("first\n")
    page = await reader.get(f"{HERE}/data/a.txt")
    (data / "a.txt").write_text("somebody else's\n")
    sent = {"do": "save", "newline": "lf", "text": "mine\n"}
    token = field(page, "form_token")
    refused = await reader.post_form(f"{HERE}/data/a.txt", token, tag=field(page, "tag"), **sent)
    assert refused.status == 409
    assert "\nmine\n</textarea>" in refused.text
    assert "somebody else&#39;s" in refused.text
    assert (data / "a.txt").read_text() == "somebody else's\n"
    again = await reader.post_form(f"{HERE}/data/a.txt", token, tag=field(refused, "tag"), **sent)
    assert again.status == 303
    assert (data / "a.txt").read_text() == "mine\n"


async def test_a_file_that_went_meanwhile_is_a_conflict_too(reader: Browsing, data) -> None:
    (data / "a.txt").write_text("first\n")
    page = await reader.get(f"{HERE}/data/a.txt")
    (data / "a.txt").unlink()
    sent = {"do": "save", "newline": "lf", "text": "mine\n"}
    token = field(page, "form_token")
    refused = await reader.post_form(f"{HERE}/data/a.txt", token, tag=field(page, "tag"), **sent)
    assert refused.status == 409
    assert "isn&#39;t there any more" in refused.text
    again = await reader.post_form(f"{HERE}/data/a.txt", token, tag=field(refused, "tag"), **sent)
    assert again.status == 303
    assert (data / "a.txt").read_text() == "mine\n"


async def test_saving_below_the_site_makes_a_release(
    reader: Browsing, shop: Site, server: Server
) -> None:
    await shop.deploy({"index.txt": "old\n"})
    before = await server.store.releases.active("shop")
    page = await reader.get(f"{HERE}/site/wwwroot/index.txt")
    answer = await reader.post_form(
        f"{HERE}/site/wwwroot/index.txt",
        field(page, "form_token"),
        do="save",
        tag=field(page, "tag"),
        newline="lf",
        text="new\r\n",
    )
    assert answer.status == 303, answer.text
    after = await server.store.releases.active("shop")
    assert before is not None
    assert after is not None
    assert after.number > before.number
    assert "\nnew\n</textarea>" in (await reader.get(f"{HERE}/site/wwwroot/index.txt")).text


async def test_a_file_is_uploaded_and_replaced_only_where_that_was_asked(
    reader: Browsing, data
) -> None:
    token = await reader.token(f"{HERE}/data/")
    sent = {"do": "upload"}
    answer = await reader.post_form(f"{HERE}/data", token, file=("C:\\my\\b.bin", b"\0\1"), **sent)
    assert answer.status == 303, answer.text
    assert (data / "b.bin").read_bytes() == b"\0\1"
    page = (await reader.get(f"{HERE}/data/b.bin")).text
    assert "isn&#39;t a text" in page
    refused = await reader.post_form(f"{HERE}/data", token, file=("b.bin", b"new"), **sent)
    assert refused.status == 409
    assert 'role="alert"' in refused.text
    assert (data / "b.bin").read_bytes() == b"\0\1"
    sent["replace"] = "yes"
    answer = await reader.post_form(f"{HERE}/data", token, file=("b.bin", b"new"), **sent)
    assert answer.status == 303
    assert (data / "b.bin").read_bytes() == b"new"
    for name in ("..", "a\0b"):
        bad = await reader.post_form(f"{HERE}/data", token, file=(name, b"1"), do="upload")
        assert bad.status == 400
    none = await reader.post_form(f"{HERE}/data", token, file=("", b""), do="upload")
    assert none.status == 400
    assert "Choose a file" in none.text


async def test_directories_are_made_and_deleted_with_what_is_in_them(
    reader: Browsing, data
) -> None:
    token = await reader.token(f"{HERE}/data/")
    assert (await reader.post(f"{HERE}/data", token, do="folder", name="x/y")).status == 303
    assert (data / "x/y").is_dir()
    again = await reader.post(f"{HERE}/data", token, do="folder", name="x/y")
    assert again.status == 409
    assert 'value="x/y"' in again.text, "what was typed stays"
    assert (await reader.post(f"{HERE}/data", token, do="folder", name="../z")).status == 400
    (data / "x/y/file").write_text("1")
    asked = await reader.get(f"{HERE}/data/x/?delete")
    assert "Delete x?" in asked.text
    assert (data / "x").exists(), "a link alone deletes nothing"
    answer = await reader.post(f"{HERE}/data/x", token, do="delete", folder="yes")
    assert answer.status == 303
    assert not (data / "x").exists()


async def test_a_file_is_deleted_only_as_it_was_seen(reader: Browsing, data) -> None:
    (data / "a.txt").write_text("1")
    asked = await reader.get(f"{HERE}/data/a.txt?delete")
    token, tag = field(asked, "form_token"), field(asked, "tag")
    (data / "a.txt").write_text("22")
    refused = await reader.post(f"{HERE}/data/a.txt", token, do="delete", tag=tag)
    assert refused.status == 409
    tag = field(await reader.get(f"{HERE}/data/a.txt?delete"), "tag")
    assert (await reader.post(f"{HERE}/data/a.txt", token, do="delete", tag=tag)).status == 303
    assert not (data / "a.txt").exists()


async def test_who_may_only_read_sees_no_form_and_changes_nothing(
    admin: Client, shop: Site, data
) -> None:
    (data / "a.txt").write_text("1\n")
    reader = await Browsing.begin(await admin.token_for("read"))
    page = await reader.get(f"{HERE}/data/a.txt")
    assert "<textarea" not in page.text
    assert "Only to be read" in page.text
    token = field(page, "form_token")
    refused = await reader.post(f"{HERE}/data/a.txt", token, do="delete", tag="*")
    assert refused.status == 403
    refused = await reader.post_form(f"{HERE}/data", token, do="upload", file=("x", b"1"))
    assert refused.status == 403
    assert [each.name for each in data.iterdir()] == ["a.txt"]


async def test_a_form_of_another_session_changes_nothing(reader: Browsing, data) -> None:
    refused = await reader.post_form(f"{HERE}/data", "made-up", do="upload", file=("x", b"1"))
    assert refused.status == 403
    assert list(data.iterdir()) == []


async def test_logs_and_the_repository_are_read_only(reader: Browsing, shop: Site) -> None:
    await shop.deploy({"App_Data/jobs/triggered/report/run.py": "print(1)\n"})
    page = await reader.get(f"{HERE}/site/repository/App_Data/jobs/triggered/report/run.py")
    assert "print(1)" in page.text
    assert "<textarea" not in page.text
    token = field(page, "form_token")
    refused = await reader.post(f"{HERE}/site/repository", token, do="folder", name="x")
    assert refused.status == 405


async def test_a_long_directory_is_filtered_sorted_and_shown_in_pages(
    reader: Browsing, data
) -> None:
    for number in range(450):
        (data / f"file-{number:03}.txt").write_text("x" * number)
    page = (await reader.get(f"{HERE}/data/")).text
    assert "file-000.txt" in page
    assert "file-300.txt" not in page
    assert "?page=2" in page
    assert "file-300.txt" in (await reader.get(f"{HERE}/data/?page=2")).text
    found = (await reader.get(f"{HERE}/data/?find=-44")).text
    assert "file-449.txt" in found
    assert "file-000.txt" not in found
    largest = (await reader.get(f"{HERE}/data/?sort=-size")).text
    assert largest.index("file-449.txt") < largest.index("file-300.txt")
    assert 'aria-sort="descending"' in largest


async def test_the_end_of_a_long_log_is_shown(reader: Browsing, data) -> None:
    (data / "long.log").write_text("".join(f"line {n}\n" for n in range(60_000)))
    page = (await reader.get(f"{HERE}/data/long.log")).text
    assert "line 59999" in page
    assert "line 1\n" not in page
    assert "Only the end" in page


async def test_a_file_with_mixed_line_ends_is_not_edited(reader: Browsing, data) -> None:
    (data / "mixed.txt").write_bytes(b"a\r\nb\n\x1b[31mc")
    page = (await reader.get(f"{HERE}/data/mixed.txt")).text
    assert "<textarea" not in page
    assert "\\x1b[31mc" in page


async def test_a_new_text_file_is_written(reader: Browsing, data) -> None:
    opened = await reader.get(f"{HERE}/data/?new=notes/a.txt", status=303)
    assert opened.headers["Location"].endswith(f"{HERE}/data/notes/a.txt?new")
    page = await reader.get(f"{HERE}/data/notes/a.txt?new")
    assert field(page, "tag") == ""
    answer = await reader.post_form(
        f"{HERE}/data/notes/a.txt",
        field(page, "form_token"),
        do="save",
        tag="",
        newline="lf",
        text="hello",
    )
    assert answer.status == 303, answer.text
    assert (data / "notes/a.txt").read_text() == "hello"


@pytest.mark.parametrize("path", ["nowhere", "data/none", "site/wwwroot/none"])
async def test_a_path_that_leads_nowhere_is_a_page_of_its_own(reader: Browsing, path: str) -> None:
    assert "<main" in (await reader.get(f"{HERE}/{path}", status=404)).text
