"""Processes as Kudu shows them. Pure functions of what was found."""

from __future__ import annotations

import os
import pwd

import msgspec

from gitdeploy.clock import rfc3339
from gitdeploy.sandbox import Details
from gitdeploy.supervise import JobProcess
from gitdeploy.web.forwarded import Way
from gitdeploy.web.kudu.shapes import duration

_SECOND = 1_000_000


class Process(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Kudu's ProcessInfo as far as Linux knows it; sizes are bytes, times of CPU `hh:mm:ss.fffffff`.

    A list has of each only what stands before `parent`. `machineName` is the instance.
    `job` (`kind/name`) and `run` (the execution's id) are ours. Kudu's `environment_variables`
    aren't told: whatever a process was given would be read by everybody who may look.
    """

    id: int
    name: str
    machineName: str
    href: str
    user_name: str
    is_webjob: bool = False
    is_scm_site: bool = False
    description: str = ""
    job: str = ""
    run: str = ""
    parent: str = ""
    children: list[str] | None = None
    file_name: str = ""
    command_line: str = ""
    thread_count: int = 0
    start_time: str = ""
    time_stamp: str = ""
    total_cpu_time: str = ""
    user_cpu_time: str = ""
    privileged_cpu_time: str = ""
    working_set: int = 0
    peak_working_set: int = 0
    private_memory: int = 0
    virtual_memory: int = 0
    peak_virtual_memory: int = 0


def brief(one: JobProcess, way: Way) -> Process:
    """A process of a job, as it stands in a list."""
    told, execution = one.details, one.execution
    what = "run" if execution.kind == "triggered" else "process"
    return Process(
        id=told.pid,
        name=told.name,
        machineName=execution.instance,
        href=_address(execution.app, told.pid, way),
        user_name=_user(told.uid),
        is_webjob=True,
        description=f"{'The' if one.first else 'Below the'} {what} of {job_of(one)}",
        job=job_of(one),
        run=execution.id,
    )


def full(one: JobProcess, there: list[JobProcess], way: Way, *, line: str, now: int) -> Process:
    """All of it; `there` are the app's processes, `line` is what is told of its command line."""
    told, app = one.details, one.execution.app
    own = {each.details.pid for each in there}
    below = [each.details.pid for each in there if each.details.parent == told.pid]
    return msgspec.structs.replace(
        _used(brief(one, way), told, now),
        parent=_address(app, told.parent if told.parent in own else 0, way),
        children=[_address(app, pid, way) for pid in below],
        file_name=told.program,
        command_line=line,
    )


def server(told: Details, app: str, instance: str, way: Way, now: int) -> Process:
    """This server; neither its command line nor its program is anybody's business here."""
    known = Process(
        id=os.getpid(),
        name="gitdeploy",
        machineName=instance,
        href=_address(app, os.getpid(), way),
        user_name=_user(told.uid),
        is_scm_site=True,
        description="This server",
    )
    return _used(known, told, now)


def job_of(one: JobProcess) -> str:
    """`kind/name` of the job that it runs for."""
    return f"{one.execution.kind}/{one.execution.job}"


def _used(process: Process, told: Details, now: int) -> Process:
    return msgspec.structs.replace(
        process,
        thread_count=told.threads,
        start_time=rfc3339(told.started_at),
        time_stamp=rfc3339(now),
        total_cpu_time=_span(told.user + told.system),
        user_cpu_time=_span(told.user),
        privileged_cpu_time=_span(told.system),
        working_set=told.resident,
        peak_working_set=told.peak_resident,
        private_memory=told.private,
        virtual_memory=told.virtual,
        peak_virtual_memory=told.peak_virtual,
    )


def _address(app: str, pid: int, way: Way) -> str:
    return way.api(app, "processes", str(pid))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _span(seconds: float) -> str:
    return duration(round(seconds * _SECOND))
