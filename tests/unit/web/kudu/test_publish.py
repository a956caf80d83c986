"""What the query of `/api/publish` comes to."""

from __future__ import annotations

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.web.errors import Unsupported
from gitdeploy.web.kudu.publish import Wanted, wanted_by


@pytest.mark.parametrize(
    ("kind", "path", "clean", "wanted"),
    [
        ("zip", "", None, Wanted("zip", "", True)),
        ("ZIP", "", False, Wanted("zip", "", False)),
        ("zip", "a/b/", None, Wanted("zip", "a/b", True)),
        ("zip", "/home/site/wwwroot", None, Wanted("zip", "", True)),
        ("zip", "/home/site/wwwroot/a", False, Wanted("zip", "a", False)),
        ("zip", "home/site/wwwroot/a", False, Wanted("zip", "a", False)),
        ("zip", "%HOME%/site/wwwroot/a", False, Wanted("zip", "a", False)),
        ("static", "a/b.css", None, Wanted("static", "a/b.css", False)),
        ("static", "/home/site/wwwroot/b.css", None, Wanted("static", "b.css", False)),
        ("static", "a/b.css", True, Wanted("static", "a/b.css", True)),
        ("startup", "", None, Wanted("startup", "startup.sh", False)),
        ("startup", "ignored.sh", None, Wanted("startup", "startup.sh", False)),
        ("script", "x.sh", None, Wanted("script", "scripts/x.sh", False)),
        ("script", "/home/site/scripts/a/x.sh", None, Wanted("script", "scripts/a/x.sh", False)),
    ],
)
def test_type_and_path_say_where_to(
    kind: str, path: str, clean: bool | None, wanted: Wanted
) -> None:
    assert wanted_by(kind, path, clean) == wanted


@pytest.mark.parametrize(
    ("kind", "path", "clean"),
    [
        ("", "", None),
        ("exe", "", None),
        ("static", "", None),
        ("static", "a/", None),
        ("static", "../x", None),
        ("static", "/etc/passwd", None),
        ("static", "/home/data/x", None),
        ("static", "/home/site/wwwroot2/x", None),
        ("static", "x", True),
        ("static", ".git/config", None),
        ("zip", "a/../../b", None),
        ("zip", "/home", None),
        ("script", "", None),
        ("script", "/home/site/wwwroot/x.sh", None),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(kind: str, path: str, clean: bool | None) -> None:
    with pytest.raises(Invalid):
        wanted_by(kind, path, clean)


@pytest.mark.parametrize("kind", ["war", "jar", "ear", "lib", "Jar"])
def test_what_needs_a_java_server_is_told_so(kind: str) -> None:
    with pytest.raises(Unsupported):
        wanted_by(kind, "x", None)
