"""What is wrong with a field, in the reader's language, and at which field a setting's fault is."""

from __future__ import annotations

import re

from gitdeploy.errors import GitdeployError
from gitdeploy.jobs import ScheduleError, SettingError
from gitdeploy.web.ui.language import Words

# What the rooms below say in English, and the texts that say the same in each language. What isn't
# here is shown as it was said.
_SAID: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (r"it is longer than (?P<n>\d+) characters", "longer"),
        (r"it is longer than (?P<n>\d+) bytes", "longer_bytes"),
        (r"it is empty, so nothing", "nothing_matches"),
        (r"it is empty", "cron_empty"),
        (r"it has 5 fields, six", "cron_five"),
        (r"it has (?P<n>\d+) fields?, six", "cron_count"),
        (r"(?P<given>\S+) isn't known here", "unknown"),
        (r"nothing may follow (?P<given>\S+)", "cron_follows"),
        (r"a value is missing", "cron_missing"),
        (r"the range (?P<given>\S+) runs backwards", "cron_backwards"),
        (r"(?P<given>\S+) isn't a week of a month", "cron_week"),
        (r"(?P<given>\S+) is below (?P<n>-?\d+)", "below"),
        (r"(?P<given>\S+) is above (?P<n>-?\d+)", "above"),
        (r"(?P<given>'.*') isn't a value of this field", "cron_value"),
        (r"(?P<given>'.*') isn't a step", "cron_step"),
        (r"no day ever matches", "cron_never"),
        (r"isn't a time zone", "timezone"),
        (r"it is before startTime", "end_before_start"),
        (r"it isn't between the years", "year"),
        (r"seconds\" need \"minutes\"", "seconds_alone"),
        (r"a character that must be percent-encoded", "url_encode"),
        (r"it holds a name or a password", "url_password"),
        (r"it isn't an (http or https )?address", "url"),
        (r"it isn't a header's name", "header_name"),
        (r"this header is made by the client itself", "header_ours"),
        (r"a character that no header may have", "header_character"),
        (r"it is too long, or has a control character", "secret_text"),
        (r"it isn't between 0 and (?P<n>\d+) seconds", "seconds_range"),
        (r"it isn't between 1 second and 31 days", "interval_range"),
        (r"No runnable script file was found", "no_script"),
        (r"is kept apart|isn't kept for this job", "secret_gone"),
        (r"has no script, only the action", "needs_script"),
    )
)

_PLACE = re.compile(r"([a-z ]+) \(character (\d+)\): ")
_SETTINGS = {
    "schedule": "cron",
    "timezone": "timezone",
    "recurrence.interval": "interval",
    "recurrence.frequency": "unit",
    "recurrence.startTime": "start_date",
    "recurrence.endTime": "end_date",
    "recurrence.count": "count",
    "recurrence.schedule.hours": "hours",
    "recurrence.schedule.minutes": "minutes",
    "recurrence.schedule.seconds": "seconds",
    "recurrence.schedule.weekDays": "week_day",
    "recurrence.schedule.monthDays": "month_day",
    "recurrence.schedule.monthlyOccurrences": "occurrence",
}
_ACTION = {
    "request.uri": "url",
    "request.method": "method",
    "request.headers": "headers",
    "request.body": "body",
    "request.authentication.username": "username",
    "request.authentication.password": "password",
    "request.authentication.token": "token",
    "retryPolicy.retryCount": "retry_count",
    "retryPolicy.retryInterval": "retry_interval",
    "retryPolicy.maximumInterval": "retry_most",
}


def told(error: GitdeployError, words: Words) -> str:
    """An error as a reader sees it at a field: where, what, and what to do."""
    reason = getattr(error, "reason", "") or error.what
    where = ""
    place = _PLACE.match(reason)
    if place is not None:  # a schedule's, also where it was found among settings
        field = words.get(f"job_form.cron_field.{place[1].replace(' ', '_')}", place[1])
        where = words("job_form.at", field=field, position=place[2])
        reason = reason[place.end() :]
    for pattern, key in _SAID:
        found = pattern.search(reason)
        if found is not None:
            return where + words(f"job_form.wrong.{key}", **found.groupdict())
    sentence = f"{reason[0].upper()}{reason[1:]}".rstrip(".")
    return f"{where}{sentence}. {error.fix}".strip()


def field_of(error: GitdeployError, *, otherwise: str = "form", json: bool = False) -> str:
    """The field that an error is about; `json` where the recurrence was written as JSON."""
    if isinstance(error, ScheduleError):
        return "timezone" if error.field == "timezone" else "cron"
    if not isinstance(error, SettingError):
        return otherwise
    key = re.sub(r"\[\d+\]", "", error.key)
    if key.startswith("action."):
        rest = key.removeprefix("action.")
        prefix = "e" if rest.startswith("errorAction") else "a"
        rest = rest.removeprefix("errorAction.")
        near = next((name for path, name in _ACTION.items() if rest.startswith(path)), "url")
        return f"{prefix}_{near}"
    if json and key.startswith("recurrence"):
        return "recurrence_json"
    near = next((name for path, name in _SETTINGS.items() if key.startswith(path)), "")
    return near or ("interval" if key.startswith("recurrence") else key)
