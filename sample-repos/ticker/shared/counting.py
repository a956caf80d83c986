"""Shared by every job of this repository: a counter that survives restarts."""

from pathlib import Path


class Counter:
    """Keeps a number in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def value(self) -> int:
        try:
            return int(self.path.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def add(self) -> int:
        number = self.value() + 1
        self.path.write_text(f"{number}\n")
        return number
