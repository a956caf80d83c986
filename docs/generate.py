"""Writes the parts of docs/ that are made from the code; a test holds them against it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitdeploy.config import FIXED, SIZES, Options, describe

HERE = Path(__file__).parent


def configuration() -> str:
    """docs/configuration.md, from the options' struct."""
    lines = [
        "# Options",
        "",
        "<!-- made by `make docs` from gitdeploy/config.py -->",
        "",
        "Each option is a flag of `gitdeploy serve`, an environment variable and a key of",
        "`HOME/gitdeploy.toml`; the order of strength is flag, variable, file, default. An unknown",
        "key or a bad value stops the start with a message that names it. SIGHUP reads all of them",
        "again; those marked † need a restart. Sizes take a unit (`512k`, `100m`, `2g`), times are",
        "seconds, booleans `true` or `false`.",
        "",
        "| flag | variable | key | default | |",
        "| --- | --- | --- | --- | --- |",
    ]
    defaults = Options()
    for field in msgspec.structs.fields(Options):
        name = field.name
        default = getattr(defaults, name)
        if default is None:
            shown = ""
        elif isinstance(default, bool):
            shown = str(default).lower()
        elif name in SIZES:
            shown = _size(default)
        else:
            shown = f"{default:g}" if isinstance(default, float) else str(default)
        key = "" if name == "home" else f"`{name}`"
        flag = "--" + name.replace("_", "-")
        mark = " †" if name in FIXED else ""
        lines.append(
            f"| `{flag}` | `GITDEPLOY_{name.upper()}` | {key} | {shown and f'`{shown}`'} "
            f"| {describe(name)}{mark} |"
        )
    return "\n".join([*lines, ""])


def _size(number: int) -> str:
    for unit, factor in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if number % factor == 0:
            return f"{number // factor}{unit}"
    return str(number)


DOCUMENTS = {"configuration.md": configuration}


def main() -> None:
    for name, make in DOCUMENTS.items():
        (HERE / name).write_text(make())
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
