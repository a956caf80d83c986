"""What somebody likes: language, theme and time zone, in cookies that only pages see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from aiohttp import web

from gitdeploy.jobs.zones import local_zone, zone
from gitdeploy.web.ui.language import LANGUAGES, preferred

Theme = Literal["auto", "light", "dark"]
Clock = Literal["server", "browser", "utc"]
THEMES: tuple[Theme, ...] = ("auto", "light", "dark")
CLOCKS: tuple[Clock, ...] = ("server", "browser", "utc")
LANGUAGE_COOKIE, THEME_COOKIE = "gitdeploy_lang", "gitdeploy_theme"
CLOCK_COOKIE, ZONE_COOKIE = "gitdeploy_clock", "gitdeploy_zone"
LASTS = 366 * 86_400
"""Seconds that a choice is kept."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """`browser_zone` is what the browser has told of its own, None where it hasn't."""

    language: str
    theme: Theme
    clock: Clock
    browser_zone: str | None

    @property
    def shown_in(self) -> tzinfo:
        """The zone that times are shown in."""
        if self.clock == "utc":
            return UTC
        if self.clock == "browser" and self.browser_zone is not None:
            return ZoneInfo(self.browser_zone)
        return local_zone()


def preferences(request: web.Request) -> Preferences:
    """From the cookies; what isn't known counts as not chosen."""
    cookies = request.cookies
    language = cookies.get(LANGUAGE_COOKIE, "")
    if language not in LANGUAGES:
        language = preferred(request.headers.get("Accept-Language", ""))
    theme: Theme = next((one for one in THEMES if one == cookies.get(THEME_COOKIE)), "auto")
    clock: Clock = next((one for one in CLOCKS if one == cookies.get(CLOCK_COOKIE)), "server")
    return Preferences(language, theme, clock, known_zone(cookies.get(ZONE_COOKIE, "")))


def known_zone(name: str) -> str | None:
    """The name where it is an IANA zone's (a browser may know newer ones than this machine)."""
    return name if name and zone(name) is not None else None
