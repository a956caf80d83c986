"""What a sandbox shows of the disk, as options of bwrap(1).

The system read-only, chosen files of /etc, the spec's own paths, and where the interpreter lies
outside the system, its installation.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gitdeploy.sandbox.port import Spec

_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    "passwd", "group", "hosts", "hostname", "host.conf", "nsswitch.conf", "resolv.conf",
    "gai.conf", "protocols", "services", "networks", "mime.types", "locale.conf", "locale.alias",
    "localtime", "timezone", "ssl", "ca-certificates", "ca-certificates.conf", "pki",
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "pip.conf", "npmrc", "magic",
    "os-release", "debian_version", "inputrc", "terminfo", "fonts", "gitconfig", "java-17-openjdk",
)  # fmt: skip
_ETC_FAMILIES = ("python*", "node*", "npm*", "perl", "php")
_NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--new-session")
_MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class View:
    """`base` are the options that every sandbox of this server gets."""

    base: tuple[str, ...]
    interpreter: tuple[Path, ...]

    @classmethod
    def of_this_system(cls) -> View:
        """Look once at what this system has."""
        interpreter = _outside_usr(Path(sys.base_prefix))
        return cls(base=tuple(_base()), interpreter=interpreter)

    def options(self, spec: Spec, executable: str) -> Iterator[str]:
        """The options for one start, in the order in which bwrap does them."""
        yield from self.base
        shown = [*self.interpreter, *spec.readonly]
        for path in shown:
            yield from ("--ro-bind", str(path), str(path))
        for path in spec.writable:
            yield from ("--bind", str(path), str(path))
        visible = [Path("/usr"), *(Path(each) for each in _SYSTEM), *shown, *spec.writable]
        for path in _program_files(Path(executable), visible, spec):
            yield from ("--ro-bind", str(path), str(path))
        yield from ("--chdir", str(spec.cwd))


def _base() -> Iterator[str]:
    yield from _NAMESPACES
    if os.geteuid() == 0:
        yield from ("--cap-drop", "ALL")  # bwrap leaves root all capabilities otherwise
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    etc = Path("/etc")
    names = {name for name in _ETC if (etc / name).exists()}
    names |= {path.name for family in _ETC_FAMILIES for path in etc.glob(family) if path.exists()}
    for name in sorted(names):
        path = etc / name
        target = path.readlink() if path.is_symlink() else None
        if target is not None and Path(os.path.normpath(etc / target)).is_relative_to("/usr"):
            yield from ("--symlink", str(target), str(path))
        else:
            yield from ("--ro-bind", str(path), str(path))
    yield from ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")  # noqa: S108 - its own
    yield from ("--dir", "/run", "--dir", "/var", "--symlink", "../tmp", "/var/tmp")  # noqa: S108


def _program_files(executable: Path, visible: list[Path], spec: Spec) -> Iterator[Path]:
    """What must be shown so that the program can be executed: each link on the way to it, and
    the installation that it belongs to.
    """
    path = executable
    for _ in range(_MAX_LINKS):
        if not _is_below(path, visible):
            yield path
        if not path.is_symlink():
            break
        path = Path(os.path.normpath(path.parent / path.readlink()))
    real = path.resolve()
    prefix = real.parent.parent
    if real.parent.name == "bin" and not _is_below(prefix, visible) and _is_installation(prefix):
        inside = (spec.cwd, spec.directory, *spec.readonly, *spec.writable)
        if not any(each.is_relative_to(prefix) for each in inside):
            yield prefix


def _is_installation(prefix: Path) -> bool:
    """A directory like /opt/node, not somebody's home or the root."""
    homes = {Path("/"), Path("/home"), Path("/root"), Path.home()}
    return prefix not in homes and prefix.parent != Path("/home") and (prefix / "lib").is_dir()


def _outside_usr(prefix: Path) -> tuple[Path, ...]:
    return () if prefix.is_relative_to("/usr") else (prefix,)


def _is_below(path: Path, roots: list[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)
