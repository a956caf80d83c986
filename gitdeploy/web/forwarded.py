"""The way in: scheme, host and prefix by which a client reached us, and from where it came.

Kudu's clients ask `url`, `log_url`, `Location` … as they stand, so these are built from the request.
`X-Forwarded-Proto`, `-Host`, `-Prefix` and `-For` are believed only from a peer on this machine,
and of a list only the last part, which is the one that our own proxy wrote.

Which names in `Host` are good (docs/security.md, web): a request with a token may come under any
well-formed name, as it proves itself without help of the browser. A page, which lives by a cookie,
answers only under names that a stranger's DNS can't point here: addresses, localhost, the listen
address's and the machine's own name, `scm_domain` and names below it. A proxy on this machine that
sends `X-Forwarded-Host` vouches for the name that it passes on.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from gitdeploy.config import Options, split_listen
from gitdeploy.errors import Invalid

_HOST = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Way:
    """Scheme, host with port, the prefix that a proxy cut off, and the app named by the host."""

    scheme: str
    host: str
    prefix: str = ""
    scm: str | None = None

    @property
    def base(self) -> str:
        """`http://HOST:PORT` and the prefix, without a slash at the end."""
        return f"{self.scheme}://{self.host}{self.prefix}"

    def app(self, app: str) -> str:
        """The base address of an app's API for this client, without a slash at the end."""
        return self.base if self.scm == app else f"{self.base}/apps/{app}"

    def api(self, app: str, *parts: str) -> str:
        """An address below the app's `/api`; each part is quoted."""
        return "/".join((f"{self.app(app)}/api", *(quote(part, safe="") for part in parts)))

    def vfs(self, app: str, *parts: str) -> str:
        """A file's address as Kudu gives it, below the app's `/vfs`; each part is quoted."""
        return "/".join((f"{self.app(app)}/vfs", *(quote(part, safe="") for part in parts)))

    def page(self, *parts: str) -> str:
        """A page's address; it ends in a slash."""
        return "/".join((f"{self.base}/ui", *(quote(part, safe="") for part in parts), ""))


def way_in(request: web.Request, scm_domain: str | None = None) -> Way:
    """How this request came in. Raises Invalid where the host's name is malformed."""
    scheme = "https" if request.secure else "http"
    host, prefix = request.headers.get("Host", ""), ""
    if _is_local(request):
        scheme = _last(request, "X-Forwarded-Proto") or scheme
        host = _last(request, "X-Forwarded-Host") or host
        prefix = (_last(request, "X-Forwarded-Prefix") or "").rstrip("/")
    if not host:
        host = _own_address(request)
    if not _HOST.fullmatch(host):
        raise Invalid(f"The host {host!r} isn't a name and port.", "Send a plain Host header.")
    if scheme not in ("http", "https") or not _PREFIX.fullmatch(prefix):
        raise Invalid("X-Forwarded-Proto or X-Forwarded-Prefix is malformed.", "Mend the proxy.")
    return Way(scheme, host, prefix, scm_app(request, scm_domain))


def scm_app(request: web.Request, scm_domain: str | None) -> str | None:
    """The app that the host names, `{app}.scm.DOMAIN`, or None."""
    if not scm_domain:
        return None
    host = request.headers.get("Host", "")
    if _is_local(request):
        host = _last(request, "X-Forwarded-Host") or host
    name = _without_port(host).lower().rstrip(".")
    ending = f".scm.{scm_domain.lower()}"
    return name.removesuffix(ending) if name.endswith(ending) and name != ending else None


def client_address(request: web.Request) -> str:
    """The client's address, as far as it can be believed."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    address = str(peer[0]) if isinstance(peer, tuple) else ""
    if _is_local(request):
        claimed = _last(request, "X-Forwarded-For")
        if claimed and _parse_address(claimed):
            return claimed
    return address or "local"


def page_host_allowed(request: web.Request, options: Options) -> bool:
    """Whether a page may answer under the name that the request was sent to."""
    if _is_local(request) and _last(request, "X-Forwarded-Host"):
        return True
    host = _without_port(request.headers.get("Host", "")).lower().rstrip(".")
    if not host or _parse_address(host) or host == "localhost" or host.endswith(".localhost"):
        return True
    own = {split_listen(options.listen)[0].lower(), socket.gethostname().lower()}
    domain = (options.scm_domain or "").lower()
    return host in own or (bool(domain) and (host == domain or host.endswith(f".{domain}")))


def _is_local(request: web.Request) -> bool:
    """Whether the peer is a process of this machine (loopback or a Unix socket)."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if not isinstance(peer, tuple):
        return True
    address = _parse_address(str(peer[0]))
    return address is not None and address.is_loopback


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _without_port(host: str) -> str:
    match = _HOST.fullmatch(host)
    return match[1].strip("[]") if match else ""


def _own_address(request: web.Request) -> str:
    """What an HTTP/1.0 client without a Host header has connected to."""
    own = request.transport.get_extra_info("sockname") if request.transport else None
    if not isinstance(own, tuple):
        return "localhost"
    host = f"[{own[0]}]" if ":" in str(own[0]) else str(own[0])
    return f"{host}:{own[1]}"


def _last(request: web.Request, header: str) -> str:
    values = request.headers.getall(header, [])
    return values[-1].rpartition(",")[2].strip() if values else ""
