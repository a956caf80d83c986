"""What lasts: rows of apps, tokens, deployments, releases, jobs, executions, occurrences, hooks.

In come typed values, out go frozen structs; nobody above this room writes SQL. A promise made to
a client is on the disk before the method returns. Times are microseconds since the epoch; a
change of state is one statement that names the state it leaves.
"""

from gitdeploy.store.apps import App
from gitdeploy.store.audit import AuditEntry
from gitdeploy.store.database import Database, StoreError, StoreFull
from gitdeploy.store.deployments import Deployment, Release
from gitdeploy.store.executions import Execution
from gitdeploy.store.hooks import Hook, HookFormat
from gitdeploy.store.jobs import JobRow
from gitdeploy.store.occurrences import Occurrence
from gitdeploy.store.outbox import Delivery, Try
from gitdeploy.store.sessions import Session
from gitdeploy.store.store import Store
from gitdeploy.store.tokens import Token
from gitdeploy.store.uploads import RemovedJob, SettingsRow, Upload

__all__ = [
    "App",
    "AuditEntry",
    "Database",
    "Delivery",
    "Deployment",
    "Execution",
    "Hook",
    "HookFormat",
    "JobRow",
    "Occurrence",
    "Release",
    "RemovedJob",
    "Session",
    "SettingsRow",
    "Store",
    "StoreError",
    "StoreFull",
    "Token",
    "Try",
    "Upload",
]
