"""What the documentation says is held against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import DOCUMENTS
from gitdeploy.config import Options

ROOT = Path(__file__).parents[2]
EVENT = re.compile(
    r"\.(?:debug|info|warning|error|exception|adebug|ainfo)\(\s*\"([a-z_]+\.[a-z_]+)\"", re.S
)


def logged() -> set[str]:
    return {
        name
        for path in (ROOT / "gitdeploy").rglob("*.py")
        for name in EVENT.findall(path.read_text())
    }


def test_every_event_is_listed_and_every_listed_event_is_logged() -> None:
    listed = set(
        re.findall(r"^\| `([a-z_]+\.[a-z_]+)`", (ROOT / "docs/events.md").read_text(), re.M)
    )
    assert logged() - listed == set(), "not in docs/events.md"
    assert listed - logged() == set(), "in docs/events.md, but never logged"


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_generated_documents_are_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == DOCUMENTS[name](), "run make docs"


def test_links_between_documents_lead_somewhere() -> None:
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_readme_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.index("make demo") < text.index("## ")
    assert text.index("make test") < text.index("## ")


def test_options_that_others_rely_on_are_there() -> None:
    named = """admin_token listen home grace create_on_push scm_domain isolation metrics_public
    allow_private_fetch allow_private_hooks allow_commands max_push_size max_job_size build_timeout
    swap_grace strict"""
    assert set(named.split()) <= set(Options.__struct_fields__)
