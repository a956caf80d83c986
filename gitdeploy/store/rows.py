"""Small helpers that the table files share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


def to_struct(kind: type[S], row: sqlite3.Row, **decoded: Any) -> S:
    """A row as its struct: columns by field name, `decoded` replaces those kept as JSON."""
    values = {key: row[key] for key in row.keys() if key in kind.__struct_fields__}  # noqa: SIM118
    return kind(**{**values, **decoded})


def assignments(columns: Iterable[str]) -> str:
    """`a = :a, b = :b` for an UPDATE; the names come from the caller's code, never from outside."""
    return ", ".join(f"{column} = :{column}" for column in columns)
