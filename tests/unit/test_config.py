"""Options: flag before variable before file before default, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitdeploy import config
from gitdeploy.config import ConfigError, Options, load


def test_each_source_beats_the_ones_behind_it(tmp_path: Path) -> None:
    (tmp_path / "gitdeploy.toml").write_text('grace = 1\nlisten = "127.0.0.1:1"\nstrict = true\n')
    environment = {"GITDEPLOY_HOME": str(tmp_path), "GITDEPLOY_LISTEN": "127.0.0.1:2"}
    options = load({"grace": "3"}, environment)
    assert (options.grace, options.listen, options.strict) == (3.0, "127.0.0.1:2", True)
    assert options.build_timeout == 900.0
    assert options.home == tmp_path


@pytest.mark.parametrize(
    ("text", "size"), [("12", 12), ("2k", 2048), ("100M", 100 << 20), ("2 GiB", 2 << 30)]
)
def test_sizes_have_units(tmp_path: Path, text: str, size: int) -> None:
    assert load({"home": tmp_path, "max_push_size": text}, {}).max_push_size == size


@pytest.mark.parametrize(
    ("flags", "environment", "toml", "named"),
    [
        ({}, {"GITDEPLOY_LISTN": "x"}, "", "GITDEPLOY_LISTN"),
        ({}, {}, "listn = 1", "listn"),
        ({}, {}, "grace = [", "gitdeploy.toml"),
        ({"strict": "maybe"}, {}, "", "--strict"),
        ({"grace": "soon"}, {}, "", "--grace"),
        ({"grace": "-1"}, {}, "", "grace"),
        ({"listen": "8080"}, {}, "", "listen"),
        ({"listen": "h:99999"}, {}, "", "listen"),
        ({"isolation": "jail"}, {}, "", "--isolation"),
        ({"max_push_size": "big"}, {}, "", "--max-push-size"),
        ({"admin_token": "short"}, {}, "", "admin_token"),
        ({"keep_releases": "0"}, {}, "", "keep_releases"),
        ({"max_refs": "0"}, {}, "", "max_refs"),
        ({"max_push_objects": "-1"}, {}, "", "max_push_objects"),
        ({}, {}, "log_retention = -1", "log_retention"),
        ({"swap_grace": "nan"}, {}, "", "swap_grace"),
        ({"grace": "inf"}, {}, "", "grace"),
        ({"scm_domain": "example.org/x"}, {}, "", "scm_domain"),
        ({}, {"GITDEPLOY_SCM_DOMAIN": ""}, "", "scm_domain"),
        ({"instance": "a/b"}, {}, "", "instance"),
        ({}, {"GITDEPLOY_INSTANCE": ""}, "", "instance"),
        ({}, {"GITDEPLOY_HOME": ""}, "", "GITDEPLOY_HOME"),
        ({}, {}, 'home = "/x"', "--home DIR"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(
    tmp_path: Path, flags: dict, environment: dict, toml: str, named: str
) -> None:
    (tmp_path / "gitdeploy.toml").write_text(toml)
    with pytest.raises(ConfigError) as refused:
        load({"home": str(tmp_path), **flags}, environment)
    assert named in str(refused.value)


def test_a_misspelt_key_is_answered_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_push_size"):
        load({"home": tmp_path}, {"GITDEPLOY_MAX_PUSHSIZE": "1"})


def test_every_option_is_described_and_sizes_are_options() -> None:
    for name in Options.__struct_fields__:
        assert config.describe(name).endswith(".")
    assert set(Options.__struct_fields__) >= config.SIZES
    assert set(Options.__struct_fields__) >= config.FIXED


def test_a_reload_takes_over_what_it_may_and_names_the_rest(tmp_path: Path) -> None:
    current = load({"home": tmp_path}, {})
    fresh = load({"home": tmp_path, "grace": "5", "listen": "127.0.0.1:9"}, {})
    assert config.reload(current, fresh) == (["grace"], ["listen"])
    assert (current.grace, current.listen) == (5.0, "127.0.0.1:8080")
