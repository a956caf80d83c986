"""Makes what runs equal what is desired: spawn, watch, restart, swap, run, schedule, stop.

In: the desired jobs of each app (from a deployment or the store), calls to run, stop, enable.
Out: processes through the sandbox's port, executions in the store, events. Processes outlive the
server; the next one adopts them.
"""

from gitdeploy.supervise.context import Desired
from gitdeploy.supervise.desired import load, put_together, roots
from gitdeploy.supervise.errors import SuperviseError, SwapFailed
from gitdeploy.supervise.processes import JobProcess
from gitdeploy.supervise.request import RunRequest
from gitdeploy.supervise.supervisor import Supervisor
from gitdeploy.supervise.swap import JobChange, Prepared
from gitdeploy.supervise.view import JobView

__all__ = [
    "Desired",
    "JobChange",
    "JobProcess",
    "JobView",
    "Prepared",
    "RunRequest",
    "SuperviseError",
    "Supervisor",
    "SwapFailed",
    "load",
    "put_together",
    "roots",
]
