"""Sessions as they are listed and ended; the audit log by who and what."""

from __future__ import annotations

from gitdeploy.store import AuditEntry, Session, Store, Token


def session(token: str, at: int, expires: int = 1000) -> Session:
    return Session(token_id=token, form_token="f", created_at=at, expires_at=expires)


async def filled(store: Store) -> None:
    for name, expires in (("t1", None), ("t2", 50)):
        token = Token(
            id=name, name=f"n-{name}", scopes=["read"], apps=None, expires_at=expires, created_at=1
        )
        await store.tokens.add(token, f"hash-{name}")
    for number, token_id in enumerate(("t1", "t2", "admin:new", "admin:old", "gone")):
        await store.sessions.add(f"h{number}", session(token_id, number))


async def test_only_sessions_that_count_are_listed_newest_first(store: Store) -> None:
    await filled(store)
    now = await store.sessions.open(at=10, admin="admin:new", limit=10)
    assert [(each.token_id, each.token) for each in now] == [
        ("admin:new", None),
        ("t2", "n-t2"),
        ("t1", "n-t1"),
    ]
    later = await store.sessions.open(at=50, admin="admin:new", limit=10)
    assert [each.token_id for each in later] == ["admin:new", "t1"]
    assert await store.sessions.open(at=1000, admin="admin:new", limit=10) == []
    own = await store.sessions.open(at=10, admin="admin:new", token="t1", limit=10)
    assert [each.token_id for each in own] == ["t1"]
    second = await store.sessions.open(at=10, admin="admin:new", limit=1, skip=1)
    assert [each.token_id for each in second] == ["t2"]


async def test_a_listed_session_has_an_id_that_is_not_its_cookies_hash(store: Store) -> None:
    await filled(store)
    found = await store.sessions.open(at=10, admin="admin:new", limit=10)
    ids = {each.id for each in found}
    assert len(ids) == 3
    assert not ids & {"h0", "h1", "h2"}
    assert await store.sessions.end(session=found[0].id) == ["h2"]
    assert await store.sessions.get("h2", at=10) is None
    assert await store.sessions.end(session=found[0].id) == []


async def test_a_token_ends_its_own_sessions_alone_and_keeps_the_one_named(store: Store) -> None:
    await filled(store)
    await store.sessions.add("h9", session("t1", 9))
    keep = (await store.sessions.open(at=10, admin="", token="t1", limit=1))[0].id
    other = (await store.sessions.open(at=10, admin="", token="t2", limit=1))[0].id
    assert await store.sessions.end(session=other, token="t1") == []
    assert await store.sessions.end(token="t1", but=keep) == ["h0"]
    assert await store.sessions.get("h9", at=10) is not None
    assert sorted(await store.sessions.end(but=keep)) == ["h1", "h2", "h3", "h4"]


async def test_the_audit_log_is_read_by_who_and_what_page_by_page(store: Store) -> None:
    for number in range(10):
        await store.audit.add(
            AuditEntry(
                at=number,
                who=("ann", "bob")[number % 2],
                what=("app.create", "token.delete", "git.push")[number % 3],
                target="x",
                address="",
                result="",
            )
        )
    assert await store.audit.values("who") == ["ann", "bob"]
    assert await store.audit.values("what") == ["app.create", "git.push", "token.delete"]
    first = await store.audit.page(who=None, what=None, limit=4)
    assert [each.entry.at for each in first] == [9, 8, 7, 6]
    rest = await store.audit.page(who=None, what=None, before=first[-1].number, limit=100)
    assert [each.entry.at for each in rest] == [5, 4, 3, 2, 1, 0]
    both = await store.audit.page(who="ann", what="app.create", limit=100)
    assert [each.entry.at for each in both] == [6, 0]
    assert await store.audit.page(who="ann'", what=None, limit=1) == []


async def test_an_empty_audit_log_names_nobody(store: Store) -> None:
    assert await store.audit.values("who") == []
