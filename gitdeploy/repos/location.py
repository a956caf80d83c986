"""Where a remote repository is: the forms of a URL that can be fetched from. Pure.

git-fetch(1), "GIT URLS"; of them `http(s)://`, `ssh://`, `USER@HOST:PATH` and, where the operator
allows it, `file://`. Nothing that stands in a URL becomes an option or a command of a program.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import unquote

from yarl import URL

from gitdeploy.errors import GitdeployError

_INFO = "/info/refs"
_SSH_PORT = 22
_USER = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
_HOST = r"[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]"
_SSH = re.compile(rf"ssh://(?:({_USER})@)?({_HOST})(?::([0-9]{{1,5}}))?(/.*)", re.S)
_SCP = re.compile(rf"({_USER})@({_HOST}):([^:].*)", re.S)
_FORMS = "Use the repository's https:// address, or ssh://USER@HOST/PATH or USER@HOST:PATH."
_LONGEST = 4096


class FetchError(GitdeployError):
    """A fetch that can't be done; `what` never holds the URL's credentials.

    `temporary`: it may work later as it is, as the other side is down or busy. `after` is the
    number of seconds that the other side asks for.
    """

    def __init__(
        self, what: str, fix: str = "", *, temporary: bool = False, after: float | None = None
    ) -> None:
        super().__init__(what, fix)
        self.temporary = temporary
        self.after = after


@dataclass(frozen=True, slots=True)
class Location:
    """A repository over HTTP: `base` has no credentials, `authorization` is a header."""

    base: URL
    authorization: str | None

    def __str__(self) -> str:
        return str(self.base)

    @property
    def host(self) -> str:
        return self.base.host or ""

    def moved(self, to: str) -> Location:
        """Where a redirect of `info/refs` leads. Raises FetchError.

        Credentials stay with their host: they go along only to the same one, never from https to
        http.
        """
        target = self.base.with_path(self.base.path + _INFO).join(URL(to))
        if not target.path.endswith(_INFO):
            raise FetchError(
                f"{self} redirects to something that isn't a repository.",
                "Use the address that a browser shows for cloning.",
            )
        there = _http(str(target.with_query(None).with_fragment(None)))
        base = there.base.with_path(there.base.path.removesuffix(_INFO))
        if self.base.scheme == "https" and base.scheme != "https":
            raise FetchError(f"{self} redirects from https to http.", "Use its http address.")
        same_host = base.host == self.base.host
        same_port = base.port == self.base.port or (self.base.port, base.port) == (80, 443)
        kept = self.authorization if same_host and same_port else None
        return Location(base, there.authorization or kept)


@dataclass(frozen=True, slots=True)
class SshLocation:
    """A repository over ssh. `host` is a name or an address without brackets."""

    user: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port == _SSH_PORT and not self.path.startswith("/"):
            return f"{self.user}@{host}:{self.path}"
        port = "" if self.port == _SSH_PORT else f":{self.port}"
        return f"ssh://{self.user}@{host}{port}/{self.path.removeprefix('/')}"

    @property
    def known_as(self) -> str:
        """The name of the host in a known_hosts file (sshd(8))."""
        return self.host if self.port == _SSH_PORT else f"[{self.host}]:{self.port}"


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A repository in the server's own file system."""

    path: str

    host = ""

    def __str__(self) -> str:
        return f"file://{self.path}"


Source = Location | SshLocation | FileLocation


def parse_url(url: str, *, allow_file: bool = False) -> Source:
    """The parts of a repository's URL. Raises FetchError, which masks its credentials."""
    if (
        url.startswith("-")
        or "::" in url.partition("//")[0]
        or len(url) > _LONGEST
        or any(c <= " " or c == "\x7f" for c in url)
    ):
        raise FetchError(f"{_shown(url)!r} isn't a URL that can be fetched from.", _FORMS)
    if url.startswith("ssh://"):
        return _ssh(url)
    if url.startswith("file://"):
        return _file(url, allowed=allow_file)
    if "://" not in url and (match := _SCP.fullmatch(url)) is not None:
        return SshLocation(match[1], match[2].strip("[]"), _SSH_PORT, _path(match[3], url))
    return _http(url)


def _http(url: str) -> Location:
    shown = _shown(url)
    try:
        parsed = URL(url)
        host, port = parsed.host, parsed.port
        user, password = parsed.user, parsed.password
    except ValueError as error:
        raise FetchError(f"{shown!r} isn't a URL.", _FORMS) from error
    if parsed.scheme not in ("http", "https") or not host or not port:
        raise FetchError(f"{shown!r} isn't an http or https URL.", _FORMS)
    if parsed.query_string or parsed.fragment:
        raise FetchError(f"{shown!r} has a query or fragment.", "Leave out what follows the path.")
    authorization = None
    if user or password:
        plain = f"{user or ''}:{password or ''}".encode()
        authorization = "Basic " + base64.b64encode(plain).decode()
    base = parsed.with_user(None)
    return Location(base.with_path(base.path.rstrip("/")), authorization)


def _ssh(url: str) -> SshLocation:
    match = _SSH.fullmatch(url)
    if match is None or int(match[3] or _SSH_PORT) not in range(1, 65536):
        raise FetchError(
            f"{_shown(url)!r} isn't an ssh URL that can be fetched from.",
            "Write ssh://USER@HOST/PATH, without a password: the app's deploy key is used.",
        )
    path = unquote(match[4])
    if path.startswith("/~"):  # a home directory, which the other side's shell finds
        path = path[1:]
    port = int(match[3] or _SSH_PORT)
    return SshLocation(match[1] or "git", match[2].strip("[]"), port, _path(path, url))


def _file(url: str, *, allowed: bool) -> FileLocation:
    if not allowed:
        raise FetchError(
            f"{_shown(url)!r} is a file URL, which isn't allowed.",
            "The operator can allow it with allow_file_fetch = true.",
        )
    path = unquote(url.removeprefix("file://").removeprefix("localhost"))
    if not path.startswith("/"):
        raise FetchError(f"{_shown(url)!r} has no absolute path.", "Write file:///PATH.")
    return FileLocation(_path(path, url))


def _path(path: str, url: str) -> str:
    """The path as the other side gets it; it must not be read as an option there."""
    bare = path.strip("/")
    if not bare or path.startswith("-") or any(c < " " or c == "\x7f" for c in path):
        raise FetchError(f"{_shown(url)!r} has no path of a repository.", _FORMS)
    return path


def _shown(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", url)[:200]
