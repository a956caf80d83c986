"""Push options."""

from __future__ import annotations

from gitdeploy.deploy.options import parse_options


def test_without_options_a_push_deploys_and_waits_without_colours():
    options = parse_options([])
    assert (options.deploy, options.wait, options.color) == (True, True, False)


def test_the_options_are_read_and_the_last_one_wins():
    given = ["gitdeploy.deploy=skip", "gitdeploy.wait=true", "gitdeploy.wait=false"]
    options = parse_options([*given, "gitdeploy.color=always"])
    assert (options.deploy, options.wait, options.color) == (False, False, True)
    assert options.warnings == ()


def test_options_of_hooks_are_left_alone():
    assert parse_options(["ci.skip", "gitdeployment=x"]).warnings == ()


def test_an_unknown_option_is_told_with_what_was_meant():
    (warning,) = parse_options(["gitdeploy.deplyo=skip"]).warnings
    assert "gitdeploy.deplyo isn't an option" in warning
    assert "gitdeploy.deploy" in warning


def test_a_bad_value_is_told_with_the_good_ones():
    options = parse_options(["gitdeploy.wait=no"])
    assert options.wait
    assert "true" in options.warnings[0]


def test_cancel_needs_no_value():
    assert parse_options(["gitdeploy.cancel"]).cancel
    assert parse_options(["gitdeploy.cancel=true"]).cancel
    assert not parse_options(["gitdeploy.cancel", "gitdeploy.cancel=false"]).cancel
