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
# Small files are copied in: a bind costs 130 µs here, a copy 20.
_ETC_FILES = (
    "passwd", "group", "hosts", "hostname", "host.conf", "nsswitch.conf", "resolv.conf",
    "gai.conf", "protocols", "services", "mime.types", "localtime", "timezone", "ld.so.cache",
    "pip.conf", "npmrc", "os-release", "gitconfig",
)  # fmt: skip
_ETC_DIRECTORIES = (
    "ssl", "pki", "alternatives", "fonts", "python3.*", "node*", "npm*", "php", "java*", "mono",
    "dotnet",
)  # fmt: skip
# bwrap covers /proc/irq and /proc/bus itself.
_KERNEL = ("sys", "sysrq-trigger", "fs", "acpi", "scsi", "mtrr")
_NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--new-session")
_MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class View:
    """`base` are the options that every sandbox of this server gets, `copied` the files that are
    read anew for each: resolv.conf changes under a running server.
    """

    base: tuple[str, ...]
    copied: tuple[Path, ...]
    interpreter: tuple[Path, ...]

    @classmethod
    def of_this_system(cls) -> View:
        """Look once at what this system has."""
        interpreter = _outside_usr(Path(sys.base_prefix))
        return cls(base=tuple(_base()), copied=_etc_files(), interpreter=interpreter)

    def options(self, spec: Spec, executable: str, opened: list[int]) -> Iterator[str]:
        """The options for one start, in the order in which bwrap does them.

        Descriptors that they name are appended to `opened`; the caller closes them.
        """
        yield from self.base
        for path in self.copied:
            try:
                opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            except FileNotFoundError:  # removed since the start
                continue
            yield from ("--perms", "0644", "--file", str(opened[-1]), str(path))
        shown = [*self.interpreter, *spec.readonly]
        for path in shown:
            yield from ("--ro-bind", str(path), str(path))
        for path in spec.writable:
            yield from ("--bind", str(path), str(path))
        visible = [Path("/usr"), *(Path(each) for each in _SYSTEM), *shown, *spec.writable]
        for path in _program_files(Path(executable), visible, spec):
            if path.is_symlink():  # bound, it would be a file: .NET looks beside what it's called
                yield from ("--symlink", str(path.readlink()), str(path))
            else:
                yield from ("--ro-bind", str(path), str(path))
        yield from ("--remount-ro", "/", "--chdir", str(spec.cwd))

    def copies(self) -> tuple[int, ...]:
        """When the files that are copied were last changed."""
        return tuple(_changed(path) for path in self.copied)


def _changed(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - on the way to a start
    except FileNotFoundError:
        return 0


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
    for name in _ETC_FILES:
        path = Path("/etc") / name
        if (target := _below_usr(path)) is not None:
            yield from ("--symlink", target, str(path))
    for pattern in _ETC_DIRECTORIES:
        for path in sorted(Path("/etc").glob(pattern)):
            if path.is_dir():
                yield from ("--ro-bind", str(path), str(path))
    yield from ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")  # noqa: S108 - its own
    # uid 0 may write sysctls (core_pattern!) even without capabilities, and bwrap 0.8 covers
    # them only where access(2) calls the directory itself writable
    for name in _KERNEL:
        path = Path("/proc") / name
        if _has_switches(path):
            yield from ("--ro-bind", str(path), str(path))
    yield from ("--dir", "/run", "--dir", "/var", "--symlink", "../tmp", "/var/tmp")  # noqa: S108


def _has_switches(path: Path) -> bool:
    """Whether there is a file that its owner may write."""
    files = [path] if path.is_file() else (f for f in path.rglob("*") if f.is_file())
    return any(file.stat().st_mode & 0o200 for file in files)


def _below_usr(path: Path) -> str | None:
    """The target of a link that leads into /usr, which the sandbox has too."""
    if not path.is_symlink():
        return None
    target = str(path.readlink())
    return target if Path(os.path.normpath(path.parent / target)).is_relative_to("/usr") else None


def _etc_files() -> tuple[Path, ...]:
    paths = (Path("/etc") / name for name in _ETC_FILES)
    return tuple(path for path in paths if path.is_file() and _below_usr(path) is None)


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
    prefix = _installation(real)
    if prefix is not None and not _is_below(prefix, visible):
        inside = (spec.cwd, spec.directory, *spec.readonly, *spec.writable)
        if not any(each.is_relative_to(prefix) for each in inside):
            yield prefix


def _installation(program: Path) -> Path | None:
    """A directory like /opt/node or /opt/microsoft/powershell/7, not somebody's home or the root."""
    place = program.parent
    if place.name == "bin" and (place.parent / "lib").is_dir():
        place = place.parent
    elif not ((place / f"{program.name}.dll").is_file() or (place / "host" / "fxr").is_dir()):
        return None  # neither a program of .NET with its libraries beside it nor dotnet itself
    homes = {Path("/"), Path("/home"), Path("/root"), Path.home()}
    return None if place in homes or place.parent == Path("/home") else place


def _outside_usr(prefix: Path) -> tuple[Path, ...]:
    return () if prefix.is_relative_to("/usr") else (prefix,)


def _is_below(path: Path, roots: list[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)
