"""What can go wrong in this room."""

from __future__ import annotations

from gitdeploy.errors import GitdeployError, Invalid


class HostMissing(GitdeployError):
    """The program that runs a kind of script isn't on this machine; `fix` installs it."""

    def __init__(self, program: str, install: str) -> None:
        super().__init__(f"{program} isn't installed.", f"Install it: {install}")
        self.program = program


class ScheduleError(Invalid):
    """A schedule that can't be accepted.

    `position` counts the expression's characters from 1 (0: it is not about one place), `field`
    is the name of the field at fault or empty, `reason` one clause without a full stop.
    """

    def __init__(self, *, position: int, field: str, reason: str, fix: str) -> None:
        where = f"{field} (character {position}): " if field and position else ""
        super().__init__(f"{where}{reason}.", fix)
        self.position = position
        self.field = field
        self.reason = f"{where}{reason}"


class SettingError(Invalid):
    """A value of a settings object that can't be accepted.

    `key` is the path of the value at fault (`recurrence.schedule.hours[1]`), `value` what stands
    there as JSON, shortened; `reason` one clause without a full stop.
    """

    def __init__(self, *, key: str, value: str, reason: str, fix: str) -> None:
        super().__init__(f"{key} = {value}: {reason}.", fix)
        self.key = key
        self.value = value
        self.reason = reason
