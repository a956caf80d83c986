"""Uploaded and removed jobs, settings given over the API, secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitdeploy.store import SettingsRow, Store, Upload


@pytest.fixture
async def store(tmp_path: Path):
    store = Store(tmp_path / "db")
    store.open()
    await store.apps.create("shop", at=1)
    yield store
    store.close()


def upload(generation: int = 1, name: str = "mail") -> Upload:
    return Upload(
        app="shop",
        kind="triggered",
        name=name,
        generation=generation,
        body="{}",
        uploaded_at=5,
        who="ada",
    )


def settings(name: str = "mail") -> SettingsRow:
    return SettingsRow(app="shop", kind="triggered", name=name, base="b", body="{}")


async def test_an_upload_replaces_the_one_before_and_its_settings(store: Store) -> None:
    await store.uploads.put(upload(1))
    await store.uploads.put_settings(settings())
    await store.uploads.put(upload(2), keep_settings=True)
    assert await store.uploads.all("shop") == [upload(2)]
    assert await store.uploads.settings("shop") == [settings()]
    await store.uploads.put(upload(3))
    assert await store.uploads.settings("shop") == []


async def test_a_jobs_secrets_change_with_it_and_those_of_others_stay(store: Store) -> None:
    one, two, other = "triggered/mail/one", "triggered/mail/two", "triggered/mail2/one"
    await store.uploads.put(upload(name="mail2"), secrets={other: "o"})
    await store.uploads.put(upload(1), secrets={one: "1", two: "2"})
    await store.uploads.put(upload(2), keep=[one])
    assert await store.secrets.names("shop") == {one, other}
    await store.uploads.put_settings(settings(), secrets={two: "3"})
    assert await store.secrets.names("shop") == {two, other}
    assert await store.secrets.get("shop", two) == "3"
    await store.uploads.remove("shop", "triggered", "mail", release=None)
    assert await store.secrets.names("shop") == {other}


async def test_deleting_an_upload_leaves_the_deployed_job_alone(store: Store) -> None:
    await store.uploads.put(upload())
    await store.uploads.put_settings(settings())
    await store.uploads.remove("shop", "triggered", "mail", release=3)
    assert await store.uploads.all("shop") == []
    assert await store.uploads.settings("shop") == []
    assert await store.uploads.removed("shop") == []


async def test_deleting_a_deployed_job_is_remembered_with_its_release(store: Store) -> None:
    await store.uploads.remove("shop", "triggered", "mail", release=3)
    await store.uploads.remove("shop", "triggered", "mail", release=4)
    assert [(r.name, r.release) for r in await store.uploads.removed("shop")] == [("mail", 4)]
    await store.uploads.put(upload())
    assert await store.uploads.removed("shop") == []


async def test_secrets_are_replaced_below_their_job_and_no_others(store: Store) -> None:
    await store.secrets.replace("shop", "triggered/a/", {"triggered/a/one": "1"}, [])
    await store.secrets.replace("shop", "triggered/b/", {"triggered/b/one": "2"}, [])
    await store.secrets.replace("shop", "triggered/a/", {"triggered/a/two": "3"}, [])
    assert await store.secrets.get("shop", "triggered/a/one") is None
    assert await store.secrets.get("shop", "triggered/a/two") == "3"
    assert sorted(await store.secrets.values("shop")) == ["2", "3"]
    await store.secrets.replace("shop", "triggered/a/", {}, keep=["triggered/a/two"])
    assert await store.secrets.get("shop", "triggered/a/two") == "3"


async def test_all_of_it_goes_with_the_app(store: Store) -> None:
    await store.uploads.put(upload())
    await store.secrets.replace("shop", "x", {"x": "1"}, [])
    await store.apps.delete("shop")
    await store.apps.create("shop", at=2)
    assert await store.uploads.all("shop") == []
    assert await store.secrets.values("shop") == []
