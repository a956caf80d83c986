"""Where a deployment's settings say that things lie: the source's root, the site, its files.

In a release the site's root is Kudu's wwwroot. SCM_REPOSITORY_PATH is the part of the repository
that counts, `project` the site in that, SCM_TARGET_PATH the folder of the site that its files are
put into, as when a repository is a single job.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gitdeploy.deploy.dotdeployment import NAME, read_dotdeployment, with_app_settings
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.tree import Manifest

REPOSITORY_PATH = "SCM_REPOSITORY_PATH"
TARGET_PATH = "SCM_TARGET_PATH"
_PROJECT_FILES = (".csproj", ".fsproj", ".vbproj", ".sln", ".slnx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Paths in a release, with slashes, "" for its root.

    `source` is where builds begin and `.deployment` is, `site` the site's root, `content` what
    the site's own files are in, `project_file` what of `content` `project` names, where it names
    a file. These are the places once `target` was made.
    """

    source: str = ""
    site: str = ""
    content: str = ""
    target: str = ""
    project_file: str = ""


def read_config(root: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """What steers a deployment, by key in lower case: app settings over `.deployment`.

    `root` is the release. Raises DeployError.
    """
    return with_app_settings(own_dotdeployment(root, settings), settings)


def own_dotdeployment(root: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """What `.deployment` says: that of SCM_REPOSITORY_PATH where there is one, else the root's.

    Raises DeployError.
    """
    of_root = read_dotdeployment(root)
    path = relative_path(with_app_settings(of_root, settings), REPOSITORY_PATH)
    if not path or not (own := read_dotdeployment(root / path)):
        return of_root
    return {**own, REPOSITORY_PATH.lower(): path}


def layout(config: Mapping[str, str]) -> Layout:
    """Where things will lie. Raises DeployError where a path is absolute or leads out."""
    source = relative_path(config, REPOSITORY_PATH)
    project = relative_path(config, "project")
    target = relative_path(config, TARGET_PATH)
    file = ""
    if project.lower().endswith(_PROJECT_FILES):
        folder, _, file = project.rpartition("/")
        project = folder
    site = _joined(source, project)
    content = _joined(site, target)
    return Layout(
        source=source if project else content,
        site=site,
        content=content,
        target=target,
        project_file=file,
    )


def relative_path(config: Mapping[str, str], key: str) -> str:
    """The value as a relative POSIX path, "" for the root.

    Backslashes are taken for slashes, as the value may come from Windows. Raises DeployError.
    """
    value = config.get(key.lower(), "").replace("\\", "/").strip()
    parts = [part for part in value.split("/") if part not in ("", ".")]
    if value.startswith("/") or ".." in parts or "\0" in value:
        where = "the site" if key == TARGET_PATH else "the repository"
        known = "project" if key == "project" else key
        raise DeployError(
            f"{known} = {value}: it isn't a path inside {where}.",
            f"Name a directory of {where} in {NAME} (or the app setting {key.upper()}).",
        )
    return str(PurePosixPath(*parts)) if parts else ""


def put_into_target(site: Path, target: str) -> None:
    """Move what is in the site's root into a folder of it; `.deployment` stays where it is."""
    aside = site / f".{uuid.uuid4().hex}"
    aside.mkdir(mode=0o755)
    for entry in list(site.iterdir()):
        if entry != aside and entry.name != NAME:
            entry.rename(aside / entry.name)
    place = site / target
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    aside.rename(place)


def moved_manifest(manifest: Manifest, site: str, target: str) -> Manifest:
    """The manifest after `put_into_target`."""
    prefix = f"{site}/" if site else ""

    def moved(path: str) -> str:
        if not path.startswith(prefix) or path == prefix + NAME:
            return path
        return f"{prefix}{target}/{path.removeprefix(prefix)}"

    return {moved(path): entry for path, entry in manifest.items()}


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)
