"""A request to an address that somebody else chose, and how it ended: data, and what is refused."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from yarl import URL

from gitdeploy.errors import Invalid

MAX_REDIRECTS = 3
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_METHODS_REFUSED = frozenset({"CONNECT", "TRACE"})
# They frame the message or belong to one connection: a second opinion smuggles a request.
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_HTTP_ONLY = "Write an http:// or https:// address."


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    """What to send, and the limits on it. Times are seconds, sizes bytes.

    `headers` and `body` may hold credentials and aren't part of the `repr`. Of the answer's body
    the first `keep` bytes are kept, up to `most` are read in all. `redirects` are followed, at
    most 3; none by default. With `insecure_ssl` any certificate will do.
    """

    method: str = "GET"
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    insecure_ssl: bool = False
    redirects: int = 0
    connect_timeout: float = 10.0
    timeout: float = 60.0
    keep: int = 16 << 10
    most: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a request ended; `duration` is seconds.

    `error` is one sentence for a person, with what to do about it, and None where a whole answer
    came, whatever its status; `status` is known as soon as the answer began. `refused`: by us,
    before anything was sent to where `error` names; trying again won't help. `url` is where the
    answer came from, without credentials and the values of its query.
    """

    url: str
    duration: float
    status: int | None = None
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    cut: bool = False
    error: str | None = None
    refused: bool = False

    @property
    def ok(self) -> bool:
        """A whole answer with a status from 200 to 299."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


def shown(url: str | URL) -> str:
    """A URL for a log: without credentials, fragment and the values of its query."""
    try:
        parsed = URL(url) if isinstance(url, str) else url
        names = [f"{name}=***" for name in parsed.query]
        plain = str(parsed.with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        return re.sub(r"(?s)//.*@", "//***@", str(url)).partition("?")[0][:200]
    return (f"{plain}?{'&'.join(names)}" if names else plain)[:300]


def check(request: OutgoingRequest) -> None:
    """Raise Invalid for what `send` wouldn't send, whatever its address turns out to be."""
    target(request.url)
    if not _TOKEN.fullmatch(request.method) or request.method.upper() in _METHODS_REFUSED:
        raise Invalid(
            f"{request.method[:40]!r} can't be used as a method.", "Write GET, POST, PUT, …"
        )
    seen: set[str] = set()
    for name, value in request.headers.items():
        lower = name.lower()
        if not _TOKEN.fullmatch(name):
            raise Invalid(
                f"{name[:100]!r} can't be a header's name.",
                "Use letters, digits and hyphens.",
            )
        if lower in _OURS:
            raise Invalid(f"The header {name} can't be given.", "It is set by the client itself.")
        if lower in seen:
            raise Invalid(f"The header {name} is given twice.", "Give it once.")
        if _CONTROL.search(value):
            raise Invalid(
                f"The value of the header {name} has a control character.",
                "Is there a line end in it?",
            )
        seen.add(lower)


def target(url: str) -> URL:
    """The URL's parts, its fragment dropped. Raises Invalid for all but plain http and https."""
    if url.startswith("-") or any(sign <= " " or sign == "\x7f" for sign in url):
        raise Invalid(f"{shown(url)!r} isn't a URL that can be asked.", _HTTP_ONLY)
    try:
        parsed = URL(url).with_fragment(None)
        good = parsed.scheme in ("http", "https") and parsed.raw_host and parsed.port
        _ = parsed.host, parsed.user, parsed.password  # decoded when they are asked for
    except ValueError as error:
        raise Invalid(f"{shown(url)!r} isn't a URL.", _HTTP_ONLY) from error
    if not good:
        raise Invalid(f"{shown(url)!r} isn't an http or https URL.", _HTTP_ONLY)
    return parsed


def without_credentials(url: URL) -> tuple[URL, str | None]:
    """The URL without `user:password@`, and the `Authorization` header that stands for them."""
    user, password = url.user, url.password
    if user is None and password is None:
        return url, None
    return url.with_user(None), basic(user or "", password or "")


def basic(user: str, password: str) -> str:
    """The `Authorization` header of RFC 7617, in UTF-8."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
