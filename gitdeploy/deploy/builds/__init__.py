"""Builds: what a site's own files ask for is found out, installed and compiled.

In: a checked-out release and the app's settings. Out: the release ready to run, the Python
environments that it needs, and a DeployError that says which command failed and why.
"""

from gitdeploy.deploy.builds.environment import build_environment, shown_to_builds
from gitdeploy.deploy.builds.python import is_complete
from gitdeploy.deploy.builds.runner import BuildRunner, Command, reap_builds

__all__ = [
    "BuildRunner",
    "Command",
    "build_environment",
    "is_complete",
    "reap_builds",
    "shown_to_builds",
]
