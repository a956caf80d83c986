"""From a commit to running jobs: checkout → build → discover → validate → activate → prune.

In: pushes and requests to deploy a commit of an app. Out: release directories, the jobs that the
supervisor should run, a record in the store, and a log of each attempt that anybody may follow.
"""

from gitdeploy.deploy.builds import reap_builds
from gitdeploy.deploy.command import CommandResult, Commands
from gitdeploy.deploy.deployer import END, Deployer
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.packing import Parcel, check_filename
from gitdeploy.deploy.releases import clear_cache
from gitdeploy.deploy.uploads import JobUploads, swap_error
from gitdeploy.supervise import SwapFailed

__all__ = [
    "END",
    "CommandResult",
    "Commands",
    "DeployError",
    "Deployer",
    "JobUploads",
    "Parcel",
    "SwapFailed",
    "check_filename",
    "clear_cache",
    "reap_builds",
    "swap_error",
]
