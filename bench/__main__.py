"""`python -m bench [NAME …]`: run the comparisons and write bench/results.md."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import keeping, output, push, schedules, swap, trigger
from bench.table import Row, render

BENCHES = {
    "push": push.run,
    "swap": swap.run,
    "trigger": trigger.run,
    "output": output.run,
    "schedules": schedules.run,
    "keeping": keeping.run,
}


def main() -> None:
    """Exit code 0 whatever the figures are: they are reported, not judged."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="default: all")
    parser.add_argument("-n", "--rounds", type=int, default=30, help="pairs a comparison")
    parser.add_argument("--no-write", action="store_true", help="print the table only")
    chosen = parser.parse_args()
    rows: list[Row] = []
    for name in chosen.names or BENCHES:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="gitdeploy-bench-") as directory:
            rows += BENCHES[name](Path(directory), chosen.rounds)
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
    machine = (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {git.stdout.strip()}, "
        f"Linux {platform.release().split('-')[0]}"
    )
    text = render(rows, machine=machine, rounds=chosen.rounds)
    print(text)
    if not chosen.no_write and not chosen.names:
        (Path(__file__).parent / "results.md").write_text(text)


if __name__ == "__main__":
    main()
