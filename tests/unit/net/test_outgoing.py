import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.net import OutgoingRequest, check, shown

URL = "https://example.org/hook"


def test_an_ordinary_request_passes() -> None:
    headers = {"X-Api-Key": "a b\tc", "Content-Type": "text/plain; charset=utf-8", "Host": "x"}
    check(OutgoingRequest(method="PATCH", url=URL + "?a=1#b", headers=headers, body=b"x"))
    check(OutgoingRequest(url="http://ada:pass@[2001:db8::1]:8080/"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://[::1",
        "http://xn--a.example/",
        "http://a\\@example.org/",
        "http://example.org/ HTTP/1.1",
        "http://example.org/\r\nX: y",
        "http://exa\tmple.org/",
        "http://example.org/\x7f",
        "--upload-pack=x",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(OutgoingRequest(url=url))
    assert caught.value.fix


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\n", "CONNECT", "trace", "GET /x HTTP/1.1"])
def test_what_is_no_method_is_refused(method: str) -> None:
    with pytest.raises(Invalid, match="method"):
        check(OutgoingRequest(url=URL, method=method))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "b\r\nX-Evil: 1"),
        ("X-A", "b\nc"),
        ("X-A", "b\rc"),
        ("X-A", "b\x00"),
        ("X-A", "b\x7f"),
        ("X-A\r\nX-Evil", "1"),
        ("X A", "1"),
        ("X-A:", "1"),
        ("", "1"),
        ("Ä", "1"),
        ("Content-Length", "3"),
        ("transfer-encoding", "chunked"),
        ("Connection", "X-A"),
        ("Upgrade", "h2c"),
        ("Proxy-Authorization", "Basic x"),
        ("TE", "trailers"),
        ("Expect", "100-continue"),
    ],
)
def test_a_header_that_would_inject_or_frame_is_refused(name: str, value: str) -> None:
    with pytest.raises(Invalid, match="header") as caught:
        check(OutgoingRequest(url=URL, headers={name: value}))
    assert "Evil: 1" not in str(caught.value)


def test_a_header_that_is_given_twice_is_refused() -> None:
    with pytest.raises(Invalid, match="twice"):
        check(OutgoingRequest(url=URL, headers={"X-A": "1", "x-a": "2"}))


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=20), st.text(max_size=20))
def test_no_header_that_passes_has_a_line_end(name: str, value: str) -> None:
    try:
        check(OutgoingRequest(url=URL, headers={name: value}))
    except Invalid:
        return
    assert name.isascii() and not set(name + value) & set("\r\n\0")
    assert ":" not in name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ada:hush@example.org/a", "https://example.org/a"),
        (
            "https://example.org:8443/a?sig=hush&n=hush#hush",
            "https://example.org:8443/a?sig=***&n=***",
        ),
        ("http://[::1", "http://[::1"),
        ("http://ada:hu/sh@[::1/?sig=hush", "http://***@[::1/"),
        ("http://example.org/%0d%0ahush", "http://example.org/%0D%0Ahush"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, expected: str) -> None:
    assert shown(url) == expected


def test_the_repr_of_a_request_has_no_secret() -> None:
    request = OutgoingRequest(
        url="https://ada:hush@example.org/?sig=hush", headers={"X-Key": "hush"}, body=b"hush"
    )
    assert "hush" not in repr(request)


@pytest.mark.parametrize(
    "url", ["ftp://ada:hush@example.org/", "http://ada:hush@exam ple/", "http://ada:hush@[::1"]
)
def test_a_refused_urls_credentials_are_not_told(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(OutgoingRequest(url=url))
    assert "hush" not in str(caught.value)
