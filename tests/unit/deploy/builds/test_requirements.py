"""What a site needs of Python."""

from __future__ import annotations

import pytest

from gitdeploy.deploy.builds.requirements import python_needs, requirements_needs
from gitdeploy.deploy.errors import DeployError

MANIFEST = {"libs/foo/pyproject.toml": (0o100644, "a"), "App_Data/jobs/x/run.py": (0o100644, "b")}
OTHER = {**MANIFEST, "libs/foo/pyproject.toml": (0o100644, "c")}


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_txt", ".txt").replace("_toml", ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def needs(root, manifest=MANIFEST):
    found = python_needs(root, manifest)
    assert found is not None
    return found


def test_a_site_without_python_files_needs_nothing(tmp_path):
    assert python_needs(tmp_path, MANIFEST) is None


def test_the_digest_follows_the_requirements_and_what_they_include(tmp_path):
    write(tmp_path, requirements_txt="-r more/base.txt\nhttpx==1\n", more__base_txt="a==1\n")
    before = needs(tmp_path)
    assert before.arguments == ("-r", "requirements.txt")
    assert not before.bound
    assert needs(tmp_path, OTHER) == before
    write(tmp_path, more__base_txt="a==2\n")
    assert needs(tmp_path).digest != before.digest


@pytest.mark.parametrize(
    "line",
    [
        "./libs/foo",
        "foo @ file:./libs/foo",
        "file:libs/foo",
        "libs/foo-1.0-py3-none-any.whl",
        "foo-1.tar.gz  # c",
    ],
)
def test_a_local_requirement_makes_the_sources_count(tmp_path, line):
    write(tmp_path, requirements_txt=line + "\n")
    assert needs(tmp_path, OTHER).digest != needs(tmp_path).digest
    assert not needs(tmp_path).bound


@pytest.mark.parametrize("line", ["-e ./libs/foo", "--editable=./libs/foo", "-e.", "--editable ."])
def test_an_editable_requirement_binds_the_environment_to_the_release(tmp_path, line):
    write(tmp_path, requirements_txt=line + "\n")
    assert needs(tmp_path).bound


@pytest.mark.parametrize("line", ["# -e .", "foo==1 # ./x", "--extra-index-url https://x/y", ""])
def test_comments_and_options_are_not_local(tmp_path, line):
    write(tmp_path, requirements_txt=line + "\n")
    assert needs(tmp_path).digest == needs(tmp_path, OTHER).digest


@pytest.mark.parametrize(
    "line", ["-r ../x.txt", "-r missing.txt", "--requirement=/etc/passwd", "-cmissing"]
)
def test_an_include_outside_or_missing_is_named_with_its_line(tmp_path, line):
    write(tmp_path, requirements_txt="a\\\n==1\n" + line + "\n")
    with pytest.raises(DeployError, match=r"requirements.txt, line 3: "):
        python_needs(tmp_path, MANIFEST)


def test_requirements_that_include_each_other_end(tmp_path):
    write(tmp_path, requirements_txt="-r requirements.txt\na\n")
    assert needs(tmp_path).source == "requirements.txt"


def test_a_pyproject_of_tool_settings_needs_nothing(tmp_path):
    write(tmp_path, pyproject_toml="[tool.ruff]\nline-length = 100\n")
    assert python_needs(tmp_path, MANIFEST) is None


def test_a_package_is_installed_itself_and_its_sources_count(tmp_path):
    write(tmp_path, pyproject_toml='[build-system]\nrequires=[]\n[project]\nname="x"\n')
    assert needs(tmp_path).arguments == (".",)
    assert needs(tmp_path).digest != needs(tmp_path, OTHER).digest


def test_a_project_that_is_no_package_brings_its_dependencies_only(tmp_path):
    write(tmp_path, pyproject_toml='[project]\nname="x"\ndependencies=["httpx>=1"]\n')
    assert needs(tmp_path).arguments == ("--", "httpx>=1")
    assert needs(tmp_path) == needs(tmp_path, OTHER)


def test_a_lock_file_decides_before_the_project(tmp_path):
    write(tmp_path, pyproject_toml='[project]\nname="x"\n')
    assert python_needs(tmp_path, MANIFEST) is None
    (tmp_path / "uv.lock").write_text("version = 1\n")
    first = needs(tmp_path)
    assert first.source == "uv.lock"
    (tmp_path / "uv.lock").write_text("version = 1\nrevision = 2\n")
    assert needs(tmp_path).digest != first.digest


@pytest.mark.parametrize(
    "text", ["[project\n", '[project]\ndependencies = "x"\n', "[project]\ndependencies = [1]\n"]
)
def test_a_broken_pyproject_is_named(tmp_path, text):
    write(tmp_path, pyproject_toml=text)
    with pytest.raises(DeployError, match=r"pyproject.toml"):
        python_needs(tmp_path, MANIFEST)


def test_requirements_that_are_not_utf8_are_named(tmp_path):
    (tmp_path / "requirements.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(DeployError, match=r"requirements.txt isn't UTF-8"):
        python_needs(tmp_path, MANIFEST)


@pytest.mark.parametrize(
    ("pyproject", "arguments", "package"),
    [
        ('[project]\nname="x"\ndependencies=["a"]\n', ("--", "a"), False),
        ('[build-system]\nrequires=[]\n[tool.poetry]\nname="x"\n', (".",), True),
        ("[tool.poetry]\npackage-mode = false\n", None, False),
        ("[build-system]\nrequires=[]\n[tool.poetry]\npackage-mode = false\n", None, False),
    ],
)
def test_without_poetry_its_lock_file_leaves_what_pip_understands(
    tmp_path, pyproject, arguments, package
):
    write(tmp_path, pyproject_toml=pyproject)
    (tmp_path / "poetry.lock").write_text('[[package]]\nname = "a"\nversion = "1"\n')
    found = needs(tmp_path)
    assert (found.source, found.arguments, found.package) == ("poetry.lock", arguments, package)
    (tmp_path / "poetry.lock").write_text('[[package]]\nname = "a"\nversion = "2"\n')
    assert needs(tmp_path).digest != found.digest


def test_a_path_that_poetry_locked_counts_by_its_files(tmp_path):
    write(tmp_path, pyproject_toml='[project]\nname="x"\ndependencies=["a"]\n')
    (tmp_path / "poetry.lock").write_text(
        '[[package]]\nname = "a"\nversion = "1"\n[package.source]\ntype = "directory"\nurl = "lib"\n'
    )
    one, two = (python_needs(tmp_path, {"lib/a.py": (0o100644, blob)}) for blob in "12")
    assert one.digest != two.digest


def test_a_pipfile_decides_where_neither_requirements_nor_a_lock_file_does(tmp_path):
    (tmp_path / "Pipfile").write_text('[packages]\na = "*"\n')
    assert (needs(tmp_path).source, needs(tmp_path).arguments) == ("Pipfile", None)
    (tmp_path / "Pipfile.lock").write_text('{"default": {"a": {"version": "==1"}}}')
    assert (needs(tmp_path).source, needs(tmp_path).lines) == ("Pipfile.lock", ("a==1",))
    write(tmp_path, pyproject_toml='[project]\nname="x"\ndependencies=["a"]\n')
    assert needs(tmp_path).source == "Pipfile.lock"
    (tmp_path / "uv.lock").write_text("version = 1\n")
    assert needs(tmp_path).source == "uv.lock"
    (tmp_path / "requirements.txt").write_text("a\n")
    assert needs(tmp_path).source == "requirements.txt"


def test_the_paths_of_a_jobs_requirements_begin_in_its_folder(tmp_path):
    job = tmp_path / "jobs" / "x"
    job.mkdir(parents=True)
    (job / "requirements.txt").write_text("./lib\n")
    manifest = {"jobs/x/lib/a.py": (0o100644, "1"), "lib/a.py": (0o100644, "2")}
    first = requirements_needs(tmp_path, manifest, "jobs/x")
    elsewhere = {**manifest, "lib/a.py": (0o100644, "3")}
    assert requirements_needs(tmp_path, elsewhere, "jobs/x") == first
    own = {**manifest, "jobs/x/lib/a.py": (0o100644, "4")}
    assert requirements_needs(tmp_path, own, "jobs/x").digest != first.digest


def test_an_editable_install_of_a_job_counts_the_jobs_files_too(tmp_path):
    job = tmp_path / "App_Data" / "jobs" / "continuous" / "x"
    job.mkdir(parents=True)
    (job / "requirements.txt").write_text("-e .\n")
    folder = "App_Data/jobs/continuous/x"
    one, two = (
        requirements_needs(tmp_path, {f"{folder}/a.py": (0o100644, blob)}, folder) for blob in "12"
    )
    assert one.bound
    assert one.digest != two.digest
