"""The fields of a form for a job that is there, and of one for a new job."""

from __future__ import annotations

from gitdeploy.jobs import Job
from gitdeploy.web.ui.jobform.doing import action_fields
from gitdeploy.web.ui.jobform.reading import How
from gitdeploy.web.ui.jobform.when import Fields, when_fields

_DEFAULTS: dict[str, str] = {
    "how": "demand",
    "repeat": "recurring",
    "interval": "1",
    "unit": "day",
    "start": "now",
    "end": "never",
    "month_by": "start",
    "start_time": "09:00",
    "end_time": "23:59",
    "overlap": "drop",
    **{
        f"{prefix}_{name}": value
        for prefix in "ae"
        for name, value in (
            ("method", "POST"),
            ("auth", "none"),
            ("retry", "none"),
            ("retry_count", "4"),
            ("retry_interval", "30"),
            ("retry_interval_unit", "s"),
            ("retry_most", "1"),
            ("retry_most_unit", "h"),
        )
    },
}


def blank_fields() -> Fields:
    """Of a new job."""
    return {name: [value] for name, value in _DEFAULTS.items()}


def how_of(job: Job) -> How:
    """Which of the four ways a job runs."""
    if job.kind == "continuous":
        return "continuous"
    if job.action is not None:
        return "http"
    raw = job.settings.raw
    scheduled = raw.get("schedule") is not None or raw.get("recurrence") is not None
    return "schedule" if scheduled else "demand"


def job_fields(job: Job) -> tuple[Fields, set[str]]:
    """Of a job as it is, and the names of fields whose value is kept and never shown."""
    settings, how = job.settings, how_of(job)
    fields = blank_fields()
    fields |= {"name": [job.name], "how": [how], "overlap": [settings.overlap]}
    kept: set[str] = set()
    when = when_fields(settings)
    if how in ("schedule", "http"):
        fields |= when
    if job.action is not None:
        more, kept = action_fields(job.action)
        fields |= more
    if settings.is_singleton:
        fields["is_singleton"] = ["on"]
    for name in ("stopping_wait_time", "restart_time", "timeout"):
        value = getattr(settings, name)
        if value is not None:
            fields[name] = [f"{value:g}"]
    return fields, kept
