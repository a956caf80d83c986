"""Lines for cmd: words stay words, and nothing in them is read as anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.jobs import Job, uses_wine
from gitdeploy.jobs.windows import batch_line, by_mono, is_batch, is_dotnet

SCRIPT = Path("/site/jobs/run.cmd")
HEAD = '"Z:\\site\\jobs\\run.cmd"'
WORDS = st.lists(st.text(st.characters(exclude_characters="%\r\n\0", exclude_categories=["Cs"])))


def windows_words(line: str) -> list[str]:
    """The words of a command line by the rules of Microsoft's C runtime since 2008."""
    words: list[str] = []
    at, end = 0, len(line)
    while at < end:
        word, quoted = "", False
        while at < end and (quoted or line[at] not in " \t"):
            slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
            at += slashes
            if at < end and line[at] == '"':
                word += "\\" * (slashes // 2)
                at += 1
                if slashes % 2:
                    word += '"'
                elif quoted and line[at : at + 1] == '"':
                    word, at = word + '"', at + 1
                else:
                    quoted = not quoted
            else:
                word += "\\" * slashes
                if at < end and (quoted or line[at] not in " \t"):
                    word, at = word + line[at], at + 1
        words.append(word)
        while at < end and line[at] in " \t":
            at += 1
    return words


@given(WORDS)
@settings(deadline=None, max_examples=300)
def test_a_program_that_gets_the_line_has_the_words(words: list[str]) -> None:
    assert windows_words(batch_line(SCRIPT, words)) == ["Z:\\site\\jobs\\run.cmd", *words]


@given(WORDS)
@settings(deadline=None, max_examples=300)
def test_what_cmd_reads_beside_words_stands_between_quotes(words: list[str]) -> None:
    quoted = False
    for sign in batch_line(SCRIPT, words):
        if sign == '"':
            quoted = not quoted
        elif not quoted:
            assert sign not in "&|<>^()!,;='`\t\v\f\u00a0", sign
    assert not quoted


def test_plain_words_are_not_quoted() -> None:
    words = [
        "plain",
        "--x:1",
        "C:\\new\\",
        "*.txt",
        "이름",
        "",
        "a b",
        "x&calc",
        'say "hi"',
        "e \\",
    ]
    assert batch_line(SCRIPT, words) == (
        HEAD + ' plain --x:1 C:\\new\\ *.txt 이름 "" "a b" "x&calc" "say ""hi""" "e \\\\"'
    )


@pytest.mark.parametrize("word", ["%PATH%", "50%", "a\nb", "a\rb"])
def test_what_cmd_would_read_again_is_refused(word: str) -> None:
    with pytest.raises(Invalid, match="can't be passed to a batch file"):
        batch_line(SCRIPT, [word])


def test_a_line_that_is_too_long_is_refused() -> None:
    assert len(batch_line(SCRIPT, ["x" * 7900])) < 8000
    with pytest.raises(Invalid, match="more than a batch file takes"):
        batch_line(SCRIPT, ["x" * 8000])


@pytest.mark.parametrize("name", ['a"b.cmd', "100%.cmd"])
def test_a_script_that_cmd_cannot_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="can't be run by cmd"):
        batch_line(Path("/site") / name, [])


def pe(*, dotnet: bool) -> bytes:
    """A PE header and no more."""
    head = bytearray(1024)
    head[:2] = b"MZ"
    head[0x3C:0x40] = (0x80).to_bytes(4, "little")
    head[0x80:0x84] = b"PE\0\0"
    head[0x98:0x9A] = (0x20B).to_bytes(2, "little")
    if dotnet:
        at = 0x98 + 112 + 14 * 8
        head[at : at + 4] = (0x2008).to_bytes(4, "little")
    return bytes(head)


def test_a_program_of_dotnet_is_told_by_its_header(tmp_path: Path) -> None:
    file = tmp_path / "run.exe"
    file.write_bytes(pe(dotnet=False))
    assert not is_dotnet(file)
    file.write_bytes(pe(dotnet=True))
    assert is_dotnet(file)
    file.write_bytes(b"MZ")
    assert not is_dotnet(file)
    assert not is_dotnet(tmp_path / "none.exe")


def test_a_program_of_dotnet_is_monos_unless_wine_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.exe").write_bytes(pe(dotnet=True))
    monkeypatch.setattr("gitdeploy.jobs.windows.WINE_MONO", ())
    assert by_mono(tmp_path / "run.exe")
    monkeypatch.setattr("gitdeploy.jobs.windows.WINE_MONO", (str(tmp_path),))
    assert not by_mono(tmp_path / "run.exe")


def test_wine_is_used_for_what_mono_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitdeploy.jobs.windows.WINE_MONO", ())
    (tmp_path / "own.exe").write_bytes(pe(dotnet=True))
    (tmp_path / "run.exe").write_bytes(pe(dotnet=False))
    used = {
        name: uses_wine(
            Job(kind="triggered", name="x", directory="", script=name, host="wine"), tmp_path
        )
        for name in ("own.exe", "run.exe", "run.BAT")
    }
    assert used == {"own.exe": False, "run.exe": True, "run.BAT": True}
    other = Job(kind="triggered", name="x", directory="", script="run.sh", host="bash")
    assert not uses_wine(other, tmp_path)
    assert is_batch("RUN.CMD")
    assert not is_batch("cmd.exe")
