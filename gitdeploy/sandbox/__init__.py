"""How a process is started and ended whole: one port, the levels none, process and sandbox.

In: a `Spec` (argv, environment, what it may see). Out: a `Handle` that outlives the server.
Knows nothing of jobs or builds, which both start through it.
"""

from gitdeploy.sandbox.census import everybody
from gitdeploy.sandbox.details import Details, details
from gitdeploy.sandbox.errors import SandboxError, SpawnError
from gitdeploy.sandbox.holders import Holders, choose
from gitdeploy.sandbox.members import end_below, members
from gitdeploy.sandbox.port import Handle, Isolation, Spec
from gitdeploy.sandbox.standby import MOST_STANDING
from gitdeploy.sandbox.usage import Usage, measure

__all__ = [
    "MOST_STANDING",
    "Details",
    "Handle",
    "Holders",
    "Isolation",
    "SandboxError",
    "SpawnError",
    "Spec",
    "Usage",
    "choose",
    "details",
    "end_below",
    "everybody",
    "measure",
    "members",
]
