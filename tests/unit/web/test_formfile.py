"""A form where a bare body is expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.web.formfile import unwrap

FILE = 'Content-Disposition: form-data; name="file"; filename="x.zip"\r\nContent-Type: x/y'
FIELD = 'Content-Disposition: form-data; name="note"'


def form(*parts: tuple[str, bytes], boundary: str = "BB", end: bytes = b"--\r\n") -> bytes:
    inner = b"".join(
        f"--{boundary}\r\n{headers}\r\n\r\n".encode() + body + b"\r\n" for headers, body in parts
    )
    return inner + f"--{boundary}".encode() + end


def unwrapped(path: Path, body: bytes, boundary: str = "BB") -> bytes:
    file = path / "body"
    file.write_bytes(body)
    unwrap(file, boundary)
    assert [entry.name for entry in path.iterdir()] == ["body"]
    return file.read_bytes()


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=2000).filter(lambda body: b"\r\n--BB" not in body))
def test_the_form_s_file_is_what_was_put_in(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    path = tmp_path_factory.mktemp("form")
    assert unwrapped(path, form((FILE, body))) == body


def test_other_fields_are_passed_over(tmp_path: Path) -> None:
    assert unwrapped(tmp_path, form((FIELD, b"hello"), (FILE, b"zip"), (FIELD, b"x"))) == b"zip"


def test_the_only_part_is_the_file_whatever_it_says(tmp_path: Path) -> None:
    assert unwrapped(tmp_path, form((FIELD, b"zip"))) == b"zip"


@pytest.mark.parametrize("body", [b"", b"PK\3\4rest", b"--other\r\n", b"-", b"--B"])
def test_a_bare_body_stays(tmp_path: Path, body: bytes) -> None:
    assert unwrapped(tmp_path, body) == body


@pytest.mark.parametrize(
    "body",
    [
        form((FILE, b"one"), (FILE, b"two")),
        form((FIELD, b"one"), (FIELD, b"two")),
        form(),
        form((FILE, b"zip"))[:-10],
        b"--BB\r\nno end of headers",
        b"--BB",
        form(*[(FIELD, b"x")] * 101),
    ],
)
def test_a_form_that_isn_t_one_file_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(Invalid):
        unwrapped(tmp_path, body)
    assert (tmp_path / "body").read_bytes() == body
