"""Times, spans and sizes as a reader sees them: in the chosen language and zone, 24 hours a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from gitdeploy.clock import rfc3339, to_datetime
from gitdeploy.web.ui.language import Words
from gitdeploy.web.ui.preferences import Preferences

_SECOND, _MINUTE, _HOUR, _DAY = 1, 60, 3600, 86_400
_SIZES = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Show:
    """Formats for one page; `now` and all moments are microseconds since the epoch."""

    words: Words
    preferences: Preferences
    now: int
    zone: tzinfo = field(init=False)
    """Found out once: the server's own is a link on the disk."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "zone", self.preferences.shown_in)

    def at(self, moment: int) -> datetime:
        """A moment in the chosen zone."""
        return to_datetime(moment).astimezone(self.zone)

    def time(self, moment: int | None) -> str:
        """`2026-11-24 13:05:00`."""
        return "" if moment is None else f"{self.at(moment):%Y-%m-%d %H:%M:%S}"

    def clock(self, moment: int | None) -> str:
        """`13:05` today, `Tue 13:05` within six days, else the date with it."""
        if moment is None:
            return ""
        at, today = self.at(moment), self.at(self.now)
        days = abs((at.date() - today.date()).days)
        if days == 0:
            return f"{at:%H:%M}"
        if days < 7:
            return f"{self.words('weekday.short.' + str(at.weekday()))} {at:%H:%M}"
        return f"{at:%Y-%m-%d %H:%M}"

    def iso(self, moment: int | None) -> str:
        """RFC 3339 in UTC, for `datetime` attributes."""
        return "" if moment is None else rfc3339(moment)

    def offset(self) -> str:
        """The chosen zone's offset now, `UTC+09:00`."""
        offset = f"{self.at(self.now):%z}"
        return "UTC" if offset in ("", "+0000") else f"UTC{offset[:3]}:{offset[3:]}"

    def ago(self, moment: int | None) -> str:
        """How far a moment is from now, behind or ahead, in one unit."""
        if moment is None:
            return ""
        seconds = (self.now - moment) / 1_000_000
        span = self.rough(abs(seconds))
        if abs(seconds) < 1:
            return self.words("span.now")
        return self.words("span.ago" if seconds > 0 else "span.ahead", span=span)

    def rough(self, seconds: float) -> str:
        """`39 s`, `12 min`, `3 h`, `24 d` in the language's own short words."""
        for unit, length, upto in (
            ("seconds", _SECOND, _MINUTE),
            ("minutes", _MINUTE, _HOUR),
            ("hours", _HOUR, 2 * _DAY),
        ):
            if seconds < upto:
                return self.words(f"span.{unit}", n=int(seconds // length))
        return self.words("span.days", n=int(seconds // _DAY))

    def duration(self, seconds: float | None) -> str:
        """`0.4 s`, `0:38`, `1:02:03`."""
        if seconds is None:
            return ""
        if seconds < 10:
            return f"{max(0.0, seconds):.1f} s"
        minutes, rest = divmod(int(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

    def took(self, begun: int | None, ended: int | None) -> str:
        """The duration between two moments."""
        return "" if begun is None or ended is None else self.duration((ended - begun) / 1e6)

    def size(self, count: int | None) -> str:
        """Bytes in powers of 1000: `18.2 kB`."""
        if count is None:
            return ""
        value = float(count)
        for unit in _SIZES:
            if value < 1000 or unit == _SIZES[-1]:
                break
            value /= 1000
        return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
