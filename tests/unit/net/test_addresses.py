import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.net.addresses import AddressRefused, CheckedResolver, refusal


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.9.1", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("fd00::1", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("224.0.0.1", "multicast"),
        ("ff0e::1", "multicast"),
        ("100.64.0.1", "reserved"),
        ("0.1.2.3", "private"),
        ("255.255.255.255", "private"),
        ("198.18.0.1", "private"),
        ("::ffff:8.8.8.8", "IPv4 address in IPv6"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::7f00:1", "IPv4 address in IPv6"),
        ("64:ff9b::7f00:1", "NAT64"),
        ("64:ff9b:1::1", "NAT64"),
        ("2002:7f00:1::", "6to4"),
        ("2001:0:1::1", "Teredo"),
        ("fec0::1", "reserved"),
        ("example.org", "not an address"),
        ("127.1", "not an address"),
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_named(address: str, kind: str) -> None:
    found = refusal(address)
    assert found is not None
    if address != "::ffff:127.0.0.1":  # newer Pythons call it loopback, older ones see the carrier
        assert kind in found


@pytest.mark.parametrize("address", ["8.8.8.8", "140.82.121.4", "2606:50c0:8000::153"])
def test_a_public_address_passes(address: str) -> None:
    assert refusal(address) is None


@settings(deadline=None, max_examples=300)
@given(st.ip_addresses(v=4))
def test_no_carrier_gives_a_refused_address_a_second_chance(address: object) -> None:
    import ipaddress

    number = int(ipaddress.IPv4Address(str(address)))
    for base in ("::ffff:0:0", "::", "64:ff9b::", "::ffff:0:0:0"):
        carried = ipaddress.IPv6Address(int(ipaddress.IPv6Address(base)) + number)
        assert refusal(str(carried)) is not None
    assert refusal(str(ipaddress.IPv6Address((0x2002 << 112) + (number << 80)))) is not None


async def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "10.0.0.7"]

    resolver = CheckedResolver(allow_private=False, setting="allow_private_fetch", look_up=look_up)
    with pytest.raises(AddressRefused) as caught:
        await resolver.resolve("rebound.example", 443)
    assert "rebound.example" in caught.value.what
    assert "10.0.0.7 is a private address" in caught.value.what
    assert "allow_private_fetch = true" in caught.value.fix


async def test_an_operator_who_allows_it_gets_the_private_address() -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return ["10.0.0.7", "::1"]

    resolver = CheckedResolver(allow_private=True, setting="x", look_up=look_up)
    found = await resolver.resolve("inside.example", 80)
    assert [(r["host"], r["port"]) for r in found] == [("10.0.0.7", 80), ("::1", 80)]
    only_six = await resolver.resolve("inside.example", 80, socket.AF_INET6)
    assert [r["host"] for r in only_six] == ["::1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "::ffff:10.0.0.1", "169.254.169.254"])
def test_a_literal_address_is_judged_too(host: str) -> None:
    resolver = CheckedResolver(allow_private=False, setting="allow_private_fetch")
    with pytest.raises(AddressRefused):
        resolver.check_host(host)
    CheckedResolver(allow_private=True, setting="x").check_host(host)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "[v1:x]"])
def test_an_address_in_a_spelling_that_only_the_system_reads_is_refused(host: str) -> None:
    resolver = CheckedResolver(allow_private=False, setting="allow_private_fetch")
    with pytest.raises(AddressRefused, match="not an address"):
        resolver.check_host(host)


def test_a_name_is_left_to_the_look_up() -> None:
    CheckedResolver(allow_private=False, setting="x").check_host("localhost")
