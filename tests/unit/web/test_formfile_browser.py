"""A browser's form with a file, taken apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.web.formfile import take_apart

BOUNDARY = "----WebKitFormBoundaryAbC123"


def form(*parts: tuple[str, bytes], end: bool = True) -> bytes:
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
        for head, data in parts
    )
    return body + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


def taken(path: Path, body: bytes, longest: int = 1000):
    file = path / "body"
    file.write_bytes(body)
    found = take_apart(file, BOUNDARY, longest=longest)
    return found, file.read_bytes()


def test_fields_and_the_file_are_told_apart(tmp_path):
    found, data = taken(
        tmp_path,
        form(
            ('name="do"', b"upload"),
            ('name="file"; filename="a %22b%22.zip"\r\nContent-Type: application/zip', b"PK\r\n\0"),
            ('name="tick"', b"1"),
            ('name="tick"', "둘".encode()),
        ),
    )
    assert found.fields == {"do": ["upload"], "tick": ["1", "둘"]}
    assert found.filename == 'a "b".zip'
    assert data == b"PK\r\n\0"


def test_a_form_without_a_file_leaves_nothing(tmp_path):
    found, data = taken(tmp_path, form(('name="do"', b"save")))
    assert (found.fields, found.filename, data) == ({"do": ["save"]}, "", b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"something else",
        form(('name="a"', b"1"), end=False),
        form(('name="a"; filename="1"', b""), ('name="b"; filename="2"', b"")),
        form(('name="long"', b"x" * 1001)),
        f"--{BOUNDARY}\r\nno end of headers".encode(),
    ],
)
def test_a_form_that_is_cut_off_or_too_much_is_refused(tmp_path, body):
    with pytest.raises(Invalid):
        taken(tmp_path, body)


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=200), value=st.binary(max_size=50))
def test_bytes_that_look_like_a_form_stay_bytes_of_the_file(tmp_path, data, value):
    if f"\r\n--{BOUNDARY}".encode() in b"\r\n" + data + b"\r\n" + value:
        return
    found, kept = taken(tmp_path, form(('name="v"', value), ('name="file"; filename="f"', data)))
    assert kept == data
    assert found.fields == {"v": [value.decode("utf-8", "replace")]}
