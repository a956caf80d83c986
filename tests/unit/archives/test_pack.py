"""A directory as a zip."""

from __future__ import annotations

import io
import os
import socket
import stat
import zipfile

import pytest

from gitdeploy.archives import ArchiveError, ZipLimits, extract, pack
from tests.unit.archives.crafted import LIMITS, files

WIDE = ZipLimits(entries=10_000, unpacked=1 << 30, ratio=100_000)


def packed(root) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(pack(root))))


@pytest.fixture
def site(tmp_path):
    root = tmp_path / "site"
    (root / "lib/empty").mkdir(parents=True)
    (root / "run.py").write_bytes(b"print(1)\n")
    (root / "tool").write_bytes(b"#!/bin/sh\n")
    (root / "tool").chmod(0o700)
    (root / "lib/작업.txt").write_bytes(b"x" * 1000)
    return root


def test_a_packed_directory_comes_back_the_same(site, tmp_path):
    data = b"".join(pack(site))
    extracted = extract(io.BytesIO(data), tmp_path / "back", limits=LIMITS)
    assert files(tmp_path / "back") == files(site)
    assert (tmp_path / "back/lib/empty").is_dir()
    assert extracted.manifest["tool"][0] == 0o100755
    assert extracted.manifest["run.py"][0] == 0o100644


def test_the_order_is_that_of_names_and_the_bytes_are_always_the_same(site):
    assert packed(site).namelist() == ["lib/", "lib/empty/", "lib/작업.txt", "run.py", "tool"]
    assert b"".join(pack(site)) == b"".join(pack(site))


def test_modes_times_and_the_utf8_flag_are_told(site):
    os.utime(site / "run.py", (0, 0))
    os.utime(site / "tool", (1_000_000_000, 1_000_000_000))
    infos = {info.filename: info for info in packed(site).infolist()}
    assert infos["tool"].external_attr >> 16 == stat.S_IFREG | 0o755
    assert infos["run.py"].external_attr >> 16 == stat.S_IFREG | 0o644
    assert infos["lib/"].external_attr == (stat.S_IFDIR | 0o755) << 16 | 0x10
    assert infos["run.py"].date_time == (1980, 1, 1, 0, 0, 0)
    assert infos["tool"].date_time == (2001, 9, 9, 1, 46, 40)
    assert infos["lib/작업.txt"].flag_bits & 0x800


def test_links_within_are_files_and_nothing_is_followed_outside(site, tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "site-secret").write_text("s3cret")  # begins with the directory's own path
    (site / "within").symlink_to("lib/작업.txt")
    (site / "absolute").symlink_to(site / "tool")
    for name, target in {
        "outside": "../secret", "neighbour": "../site-secret", "device": "/dev/zero", "gone": "no",
        "loop": "loop", "folder": "lib", "home": "..", "by-fd": "/proc/self/fd/0",
        "through": "run.py/x",
    }.items():  # fmt: skip
        (site / name).symlink_to(target)
    archive = packed(site)
    assert archive.namelist() == [
        "absolute", "lib/", "lib/empty/", "lib/작업.txt", "run.py", "tool", "within",
    ]  # fmt: skip
    assert archive.read("within") == b"x" * 1000
    assert archive.getinfo("absolute").external_attr >> 16 == stat.S_IFREG | 0o755


def test_a_folder_that_becomes_a_link_while_it_is_packed_isnt_followed(site, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s3cret")
    (site / "a").write_bytes(os.urandom(1 << 20))  # more than a piece, so that packing pauses
    pieces = pack(site)
    first = next(pieces)
    (site / "lib").rename(tmp_path / "was-lib")
    (site / "lib").symlink_to(outside)
    archive = zipfile.ZipFile(io.BytesIO(first + b"".join(pieces)))
    assert archive.namelist() == ["a", "run.py", "tool"]


def test_pipes_sockets_and_devices_are_left_out_and_dont_block(site):
    os.mkfifo(site / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(site / "socket"))
        assert packed(site).namelist()[-2:] == ["run.py", "tool"]


def test_names_a_zip_cant_carry_are_percent_encoded(tmp_path):
    root = tmp_path / "r"
    root.mkdir()
    for name in (b"a\\b", b"line\nbreak", b"caf\xe9", "ü".encode()):
        with open(os.path.join(os.fsencode(root), name), "wb") as file:
            file.write(name)
    assert packed(root).namelist() == ["a%5Cb", "caf%E9", "line%0Abreak", "ü"]
    extract(io.BytesIO(b"".join(pack(root))), tmp_path / "back", limits=LIMITS)


def test_a_file_that_grows_is_packed_up_to_its_length(site):
    (site / "a.log").write_bytes(os.urandom(1 << 20))
    pieces = pack(site)
    first = next(pieces)
    with (site / "a.log").open("ab") as log:
        log.write(b"more")
    archive = zipfile.ZipFile(io.BytesIO(first + b"".join(pieces)))
    assert archive.getinfo("a.log").file_size == 1 << 20
    assert archive.testzip() is None


def test_a_file_that_shrinks_or_vanishes_leaves_a_whole_zip(site):
    (site / "a.log").write_bytes(os.urandom(1 << 20))
    pieces = pack(site)
    first = next(pieces)
    (site / "a.log").write_bytes(b"")
    (site / "run.py").unlink()
    archive = zipfile.ZipFile(io.BytesIO(first + b"".join(pieces)))
    assert archive.testzip() is None
    assert "tool" in archive.namelist()


def test_pieces_are_small_and_closing_leaves_no_descriptor(site):
    (site / "lib/big").write_bytes(os.urandom(4 << 20))
    assert max(map(len, pack(site))) < 512 << 10
    before = len(os.listdir("/proc/self/fd"))
    pieces = pack(site)
    next(pieces)
    assert len(os.listdir("/proc/self/fd")) > before
    pieces.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_directory_that_isnt_there_is_told_before_the_first_piece(tmp_path):
    with pytest.raises(FileNotFoundError):
        next(pack(tmp_path / "no"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError):
        next(pack(tmp_path / "file"))


def test_too_many_folders_are_told_by_name(tmp_path):
    deep = tmp_path / "r" / "/".join(["d"] * 99)
    deep.mkdir(parents=True)
    (deep / "f").write_text("x")
    extract(io.BytesIO(b"".join(pack(tmp_path / "r"))), tmp_path / "t", limits=LIMITS)
    (deep / "d/d").mkdir(parents=True)
    with pytest.raises(ArchiveError, match=r"d/d/d/.*more than 100 folders"):
        list(pack(tmp_path / "r"))


def test_what_cant_be_read_is_told_by_name(site, monkeypatch):
    real = os.open

    def denied(path, flags, *more, **named):
        if path == "run.py":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ArchiveError, match=r"run\.py can't be read: Permission denied"):
        list(pack(site))
