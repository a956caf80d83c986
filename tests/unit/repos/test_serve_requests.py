import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.repos.pktline import DELIM, FLUSH, pkt
from gitdeploy.repos.requests import fetch_digest, parse_command, wants_anything
from gitdeploy.repos.serve import protocol_version

A, B = "a" * 40, "b" * 40


def v2(*arguments: str, agent: str = "git/2.39", command: str = "fetch") -> bytes:
    head = [pkt(f"command={command}\n"), pkt(f"agent={agent}"), pkt("object-format=sha1")]
    return b"".join([*head, DELIM, *(pkt(f"{a}\n") for a in arguments), FLUSH])


def v0(*haves: str, want: str = A, agent: str = "git/2.39", more: tuple[str, ...] = ()) -> bytes:
    first = pkt(f"want {want} ofs-delta side-band-64k agent={agent}\n")
    wants = b"".join(pkt(f"want {oid}\n") for oid in more)
    return first + wants + FLUSH + b"".join(pkt(f"have {h}\n") for h in haves) + pkt("done\n")


def test_a_command_is_split_into_its_parts() -> None:
    command = parse_command(v2("want " + A, "done"))
    assert command is not None
    assert command.name == "fetch"
    assert command.arguments == (b"want " + A.encode(), b"done")
    assert command.capabilities == (b"agent=git/2.39", b"object-format=sha1")


def test_a_command_needs_no_arguments() -> None:
    command = parse_command(pkt("command=ls-refs\n") + FLUSH)
    assert command is not None and command.arguments == ()


def test_a_command_may_stand_behind_its_capabilities() -> None:
    """git before 2.31 says the object format first."""
    head = pkt("object-format=sha1") + pkt("command=fetch") + pkt("agent=git/2.30.0")
    body = head + DELIM + pkt(f"want {A}\n") + pkt("done\n") + FLUSH
    command = parse_command(body)
    assert command is not None
    assert command.name == "fetch"
    assert command.capabilities == (b"object-format=sha1", b"agent=git/2.30.0")
    assert fetch_digest("f", 2, body) == fetch_digest("f", 2, v2("want " + A, "done"))


@pytest.mark.parametrize("body", [b"", FLUSH])
def test_a_client_may_say_goodbye(body: bytes) -> None:
    assert parse_command(body) is None


@pytest.mark.parametrize(
    "body",
    [
        pkt("fetch\n") + FLUSH,
        pkt("object-format=sha1") + FLUSH,
        pkt("command=fetch") + pkt("command=ls-refs") + FLUSH,
        pkt("object-format=sha1") + DELIM + pkt("command=fetch") + FLUSH,
        DELIM + FLUSH,
        pkt("command=fetch\n"),
        pkt("command=fetch\n") + FLUSH + pkt("command=fetch\n") + FLUSH,
        pkt("command=fetch\n") + DELIM + DELIM + FLUSH,
        pkt("command=fetch\n") + pkt("object-format=sha256") + FLUSH,
        b"00",
        b"zzzz",
        b"0010half",
    ],
)
def test_what_is_not_a_command_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_command(body)


def test_the_clients_name_and_the_order_of_wants_do_not_count() -> None:
    one = fetch_digest("f", 2, v2("want " + A, "want " + B, "ofs-delta", "done"))
    two = fetch_digest("f", 2, v2("ofs-delta", "want " + B, "want " + A, "done", agent="jgit"))
    assert one == two
    assert fetch_digest("f", 0, v0(B)) == fetch_digest("f", 0, v0(B, agent="libgit2"))


def test_all_else_counts() -> None:
    bodies = [
        v2("want " + A, "done"),
        v2("want " + A),
        v2("want " + B, "done"),
        v2("want " + A, "deepen 1", "done"),
        v2("want " + A, "have " + B, "done"),
        v2("want " + A, "no-progress", "done"),
    ]
    digests = {fetch_digest("f", 2, body) for body in bodies}
    digests.add(fetch_digest("g", 2, bodies[0]))
    digests |= {fetch_digest("f", 0, body) for body in (v0(), v0(B), v0(more=(B,)))}
    digests.add(fetch_digest("f", 1, v0()))
    assert len(digests) == 11


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(body: bytes) -> None:
    for version in (0, 2):
        try:
            fetch_digest("f", version, body)
        except Invalid:
            continue


def test_a_goodbye_in_protocol_0_wants_nothing() -> None:
    assert not wants_anything(FLUSH)
    assert wants_anything(v0())


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (None, 0),
        ("", 0),
        ("version=2", 2),
        ("version=1", 1),
        ("version=1:version=2", 2),
        ("key=3:version=2", 2),
        ("version=7", 0),
        ("version=", 0),
    ],
)
def test_the_highest_known_version_is_spoken(header: str | None, version: int) -> None:
    assert protocol_version(header) == version
