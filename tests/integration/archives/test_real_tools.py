"""Zips of tools that people have, and ours read by them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from gitdeploy.archives import ArchiveError, ZipLimits, extract, pack
from gitdeploy.archives.directory import read_directory
from gitdeploy.archives.plan import plan
from gitdeploy.config import Options
from tests.unit.archives.crafted import files

LIMITS = ZipLimits.of(Options())
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "Asia/Seoul"}

needs_zip = pytest.mark.skipif(shutil.which("zip") is None, reason="zip isn't installed")
needs_unzip = pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip isn't installed")


def run(*command: str, cwd, stdin: bytes | None = None) -> bytes:
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, input=stdin, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def site(tmp_path):
    root = tmp_path / "site"
    job = root / "App_Data/jobs/triggered/작업"
    job.mkdir(parents=True)
    (job / "run.py").write_bytes(b"print('hi')\n" * 500)
    (job / "run.sh").write_bytes(b"#!/bin/sh\n")
    (job / "run.sh").chmod(0o755)
    (root / "é ü.bin").write_bytes(os.urandom(300_000))
    (root / "empty").mkdir()
    (root / "nothing").write_bytes(b"")
    return root


@needs_zip
@pytest.mark.parametrize(
    "options",
    [["-r"], ["-rD"], ["-r0"], ["-rX9"], ["-r", "-fz"], ["-r", "-UN=UTF8"], ["-rj"], ["-rll"]],
)
def test_what_zip_made_is_taken(options, site, tmp_path):
    run("zip", "-q", *options, tmp_path / "a.zip", ".", cwd=site)
    extracted = extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)
    if "-rj" in options:
        assert set(files(tmp_path / "t")) == {"run.py", "run.sh", "é ü.bin", "nothing"}
        return
    assert extracted.manifest["App_Data/jobs/triggered/작업/run.sh"][0] == 0o100755
    if "-rll" not in options:  # -ll changes the ends of lines
        assert files(tmp_path / "t") == files(site)
    assert (tmp_path / "t/empty").is_dir() == ("-rD" not in options)


@needs_zip
def test_what_zip_streamed_is_taken(site, tmp_path):
    (tmp_path / "a.zip").write_bytes(run("zip", "-qr", "-", ".", cwd=site))
    extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)
    assert files(tmp_path / "t") == files(site)


@needs_zip
def test_what_zip_read_from_a_pipe_is_refused_as_one(tmp_path):
    data = run("zip", "-q", "-", "-", cwd=tmp_path, stdin=b"echo hi\n" * 99)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ArchiveError, match="- in the zip is refused: it is a named pipe"):
        extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)


@needs_zip
def test_a_zip_that_was_changed_by_zip_is_taken(site, tmp_path):
    run("zip", "-qr", tmp_path / "a.zip", ".", cwd=site)
    (site / "nothing").write_bytes(b"something")
    run("zip", "-q", tmp_path / "a.zip", "nothing", cwd=site)
    run("zip", "-qd", tmp_path / "a.zip", "é*", cwd=site)
    run("zip", "-qz", tmp_path / "a.zip", cwd=site, stdin=b"a comment\n.\n")
    (site / "é ü.bin").unlink()
    extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)
    assert files(tmp_path / "t") == files(site)


@needs_zip
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-r", "-P", "word"], "is encrypted"),
        (["-ry"], r"link in the zip .*symbolic link"),
        (["-r", "-Z", "bzip2"], "compressed with bzip2"),
        (["-r", "-s", "64k"], "split"),
    ],
)
def test_what_zip_made_with_a_password_links_or_bzip2_is_refused(options, reason, site, tmp_path):
    (site / "link").symlink_to("nothing")
    run("zip", "-q", *options, tmp_path / "a.zip", ".", cwd=site)
    with pytest.raises(ArchiveError, match=reason):
        extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)
    assert not (tmp_path / "t").exists()
    if reason == "split":
        with pytest.raises(ArchiveError, match=reason):
            extract(tmp_path / "a.z01", tmp_path / "t", limits=LIMITS)


@needs_zip
def test_a_zip_with_a_git_directory_in_it_is_refused(site, tmp_path):
    run("git", "init", "-q", cwd=site)
    run("zip", "-qr", tmp_path / "a.zip", ".", cwd=site)
    with pytest.raises(ArchiveError, match=r"\.git.* spells \.git"):
        extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)


@needs_zip
def test_the_shell_s_way_to_break_an_upload_is_told(site, tmp_path):
    data = run("zip", "-qr", "-", ".", cwd=site)
    (tmp_path / "a.zip").write_bytes(data.replace(b"\n", b"").replace(b"\r", b""))  # curl -d
    with pytest.raises(ArchiveError):
        extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)
    (tmp_path / "a.zip").write_bytes(data[:-1])
    with pytest.raises(ArchiveError, match=r"cut off.*--data-binary"):
        extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)


def test_what_python_made_is_taken(site, tmp_path):
    shutil.make_archive(str(tmp_path / "a"), "zip", site)
    extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)
    assert files(tmp_path / "t") == files(site)


def test_what_python_s_command_line_made_is_taken(site, tmp_path):
    run(sys.executable, "-m", "zipfile", "-c", str(tmp_path / "a.zip"), ".", cwd=site)
    extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)
    assert files(tmp_path / "t") == files(site)


def test_python_with_zip64_for_each_file_is_taken(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a", "b"):
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(name.encode() * 1000)
    extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)
    assert files(tmp_path / "t") == {"a": b"a" * 1000, "b": b"b" * 1000}


def test_more_than_65535_entries_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(66_000):
            archive.writestr(f"{number // 1000}/{number}", b"")
    with (tmp_path / "a.zip").open("rb") as file:
        entries = plan(file, read_directory(file, LIMITS), LIMITS, root_length=10)
    assert {entry.path for entry in entries} == {f"{n // 1000}/{n}" for n in range(66_000)}


@needs_unzip
def test_what_was_packed_is_unpacked_by_unzip_and_by_python(site, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"".join(pack(site)))
    run("unzip", "-q", "-d", str(tmp_path / "by-unzip"), str(tmp_path / "a.zip"), cwd=tmp_path)
    assert files(tmp_path / "by-unzip") == files(site)
    job = "App_Data/jobs/triggered/작업/"
    assert os.access(tmp_path / "by-unzip" / job / "run.sh", os.X_OK)
    unpacked, packed = (root / job / "run.py" for root in (tmp_path / "by-unzip", site))
    assert int(unpacked.stat().st_mtime) == int(packed.stat().st_mtime)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "by-python")
    assert files(tmp_path / "by-python") == files(site)


def test_what_is_packed_with_zip64_is_read_again(site, tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)  # instead of 2 GiB: minutes of packing
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    data = b"".join(pack(site))
    assert b"PK\x06\x06" in data
    (tmp_path / "a.zip").write_bytes(data)
    extract(tmp_path / "a.zip", tmp_path / "t", limits=LIMITS)
    assert files(tmp_path / "t") == files(site)
