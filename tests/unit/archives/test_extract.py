"""What a zip that is taken becomes on disk."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import zipfile

import pytest

from gitdeploy.archives import extract
from gitdeploy.config import Options
from tests.support import git
from tests.unit.archives.crafted import LIMITS, Item, build, field, files, unicode_path, unpacked


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_files_have_their_bytes_and_only_their_executable_bit(tmp_path):
    data = build(
        Item(b"run.sh", b"#!/bin/sh\n", system=3, mode=stat.S_IFREG | 0o4777),
        Item(b"secret", b"s", system=3, mode=stat.S_IFREG | 0o600),
        Item(b"from.windows", b"w", system=0, mode=0o777),
        Item(b"stored", b"x", method=0, system=3),
        Item(b"empty"),
    )
    previous = os.umask(0o077)
    try:
        extracted = unpacked(data, tmp_path / "t")
    finally:
        os.umask(previous)
    root = tmp_path / "t"
    assert files(root) == {
        "run.sh": b"#!/bin/sh\n", "secret": b"s", "from.windows": b"w", "stored": b"x", "empty": b"",
    }  # fmt: skip
    assert mode(root) == mode(root / "run.sh") == 0o755
    assert mode(root / "secret") == mode(root / "from.windows") == mode(root / "stored") == 0o644
    assert extracted.size == 13
    assert extracted.manifest["run.sh"][0] == 0o100755
    assert extracted.manifest["secret"][0] == 0o100644


def test_the_manifest_has_git_s_ids(tmp_path):
    extracted = unpacked(build(Item(b"a", b"some text\n" * 99), Item(b"b")), tmp_path / "t")
    for name, (_, blob) in extracted.manifest.items():
        said = git("hash-object", "--no-filters", str(tmp_path / "t" / name), cwd=tmp_path)
        assert blob == str(getattr(said, "stdout", said)).strip()


def test_a_windows_zip_with_backslashes_and_no_folder_entries_becomes_folders(tmp_path):
    names = [b"jobs\\run.cmd", b"jobs\\lib\\a.py", b"App_Data\\jobs\\triggered\\x\\run.ps1"]
    unpacked(build(*[Item(name, name) for name in names]), tmp_path / "t")
    assert files(tmp_path / "t") == {
        name.decode().replace("\\", "/"): name for name in names
    }  # fmt: skip


def test_a_folder_of_windows_is_one_by_its_attribute_or_its_backslash(tmp_path):
    unpacked(
        build(Item(b"a", dos=0x10), Item(b"b\\"), Item(b"c/d/"), Item(b"a\\x", b"1"),
              Item(b"e", system=3, mode=stat.S_IFDIR | 0o700, dos=0x10), Item(b"c/")),
        tmp_path / "t",
    )  # fmt: skip
    assert sorted(str(p.relative_to(tmp_path / "t")) for p in (tmp_path / "t").rglob("*")) == [
        "a", "a/x", "b", "c", "c/d", "e",
    ]  # fmt: skip
    assert (tmp_path / "t/e").is_dir()
    assert mode(tmp_path / "t/e") == 0o755


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (Item("ü한.txt".encode(), flags=1 << 11), "ü한.txt"),
        (Item("ü한.txt".encode()), "ü한.txt"),
        (Item(b"\x81.txt"), "ü.txt"),
        (Item(b"\x81.txt", extra=unicode_path(b"\x81.txt", "한.txt")), "한.txt"),
        (Item(b"a.txt", extra=unicode_path(b"a.txt", "한.txt")), "한.txt"),
        (Item(b"a.txt", extra=unicode_path(b"old.txt", "한.txt")), "a.txt"),
        (Item(b"a.txt", extra=unicode_path(b"a.txt", "한.txt", version=2)), "a.txt"),
        (Item(b"a.txt", extra=unicode_path(b"a.txt", "한.txt"), flags=1 << 11), "a.txt"),
        (Item("u\u0308.txt".encode()), "ü.txt"),
        (Item(b"a.txt", extra=field(0x5455, b"\x01\0\0\0\0") + b"\0\0\0"), "a.txt"),
    ],
)
def test_a_name_is_read_in_the_encoding_that_it_has(item, name, tmp_path):
    item.data = b"x"
    unpacked(build(item), tmp_path / "t")
    assert files(tmp_path / "t") == {name: b"x"}


def test_zip64_is_read(tmp_path):
    big = Item(
        b"wide", b"x" * 99, size=0xFFFFFFFF, packed_size=0xFFFFFFFF, offset=0xFFFFFFFF,
        disk=0xFFFF, method=0, packed=b"x" * 99, extra=field(1, struct.pack("<3QL", 99, 99, 0, 0)),
        local_extra=field(1, struct.pack("<2Q", 99, 99)),
    )  # fmt: skip
    unpacked(build(big, Item(b"small", b"s"), zip64=True), tmp_path / "t")
    assert files(tmp_path / "t") == {"wide": b"x" * 99, "small": b"s"}


def test_data_descriptors_comments_and_folders_packed_as_nothing_are_taken(tmp_path):
    data = build(
        Item(b"a", b"1" * 50, descriptor=True, comment=b"first"),
        Item(b"d/", descriptor=True),
        Item(b"d/b", b"2", descriptor=True, method=0),
        comment=b"made by PK\x05\x06 hand",
    )
    unpacked(data, tmp_path / "t")
    assert files(tmp_path / "t") == {"a": b"1" * 50, "d/b": b"2"}


def test_a_zip_filled_up_with_nuls_to_a_block_is_taken(tmp_path):
    data = build(Item(b"a", b"x"), comment=b"c")
    unpacked(data + bytes(10240 - len(data)), tmp_path / "t")
    assert files(tmp_path / "t") == {"a": b"x"}


def test_an_empty_zip_is_an_empty_directory(tmp_path):
    assert unpacked(build(), tmp_path / "t").manifest == {}
    assert os.listdir(tmp_path / "t") == []


def test_a_file_s_data_is_unpacked_whatever_its_blocks(tmp_path):
    noise, text = os.urandom(3 << 20), b"line\n" * 400_000
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("noise", noise)
        archive.writestr("text", text, compresslevel=1)
        archive.writestr("stored", noise, zipfile.ZIP_STORED)
    limits = type(LIMITS)(entries=9, unpacked=64 << 20, ratio=1000)
    path = tmp_path / "a.zip"
    path.write_bytes(data.getvalue())
    extract(path, tmp_path / "t", limits=limits)
    assert files(tmp_path / "t") == {"noise": noise, "text": text, "stored": noise}


def test_what_lies_in_a_hundred_folders_is_taken(tmp_path):
    name = b"/".join([b"d"] * 99 + [b"f"])
    unpacked(build(Item(name, b"x")), tmp_path / "t")
    assert subprocess.run(
        ["find", "t", "-type", "f"], cwd=tmp_path, capture_output=True, text=True
    ).stdout.strip() == "t/" + name.decode()  # fmt: skip


def test_the_limits_are_those_of_the_options():
    limits = type(LIMITS).of(Options(max_zip_entries=3, max_unzipped_size=4, max_zip_ratio=5))
    assert (limits.entries, limits.unpacked, limits.ratio) == (3, 4, 5)
