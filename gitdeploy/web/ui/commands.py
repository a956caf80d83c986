"""What the command palette offers: of an app its pages, jobs and deployments, and what a reader may
choose for himself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from gitdeploy.store.overview import AppOverview, Past
from gitdeploy.supervise import JobView
from gitdeploy.web.forwarded import Way
from gitdeploy.web.principal import Principal
from gitdeploy.web.ui import navigation
from gitdeploy.web.ui.language import DEFAULT, Words, words
from gitdeploy.web.ui.preferences import CLOCKS, THEMES, Preferences


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry. It has one of: `go`, a page's address; `post`, that of a form with `fields` (the page
    adds its own token), asked about first where it has `ask`; `copy`, a text; `do`, something that
    scripts do. `also` is the text in English, which finds it in any language."""

    text: str
    hint: str
    icon: str
    also: str = ""
    go: str = ""
    post: str = ""
    fields: dict[str, str] = {}
    ask: str = ""
    copy: str = ""
    do: str = ""


class Key(msgspec.Struct, frozen=True):
    """Keys that are pressed one after the other, and what they do; `letter` is true of those that can
    be turned off."""

    keys: tuple[str, ...]
    text: str
    letter: bool


class Commands(msgspec.Struct, frozen=True):
    """All that the palette and the help on keys show; `words` are texts of theirs."""

    commands: list[Command]
    keys: list[Key]
    words: dict[str, str]


class Seen(NamedTuple):
    """An app as its commands need it."""

    app: str
    views: Sequence[JobView]
    overview: AppOverview


class Offer:
    """Makes commands in a reader's language."""

    def __init__(self, way: Way, principal: Principal, chosen: Preferences) -> None:
        self._way = way
        self._principal = principal
        self._chosen = chosen
        self._words = words(chosen.language)
        self._english = None if chosen.language == DEFAULT else words(DEFAULT)

    def all(self, seen: Seen | None, apps: Sequence[str]) -> Commands:
        """The commands of an app's pages, or of the server's where there is none."""
        found = list(self._pages(seen))
        if seen is not None:
            found += self._deploying(seen)
            found += self._jobs(seen)
        found += self._apps([name for name in apps if seen is None or name != seen.app])
        found += self._own()
        return Commands(found, self._keys(seen), _texts(self._words))

    def _make(
        self, key: str, icon: str, hint: str, names: Mapping[str, str] | None = None, **act: object
    ) -> Command:
        names = names or {}
        text = self._words(key, **names)
        also = self._english(key, **names) if self._english is not None else ""
        made = {"text": text, "hint": self._words(f"palette.hint.{hint}"), "icon": icon}
        return Command(**made, also=also, **act)  # type: ignore[arg-type]

    def _pages(self, seen: Seen | None) -> Iterator[Command]:
        way = self._way
        for one in navigation.sections(self._principal, of_app=seen is not None):
            if seen is not None:
                address = way.page(seen.app, *([] if one.key == "jobs" else [one.key]))
            else:
                address = way.page(*([] if one.key == "apps" else ["-", one.key]))
            yield self._make(f"nav.{one.key}", one.icon, "page", go=address)
        if seen is not None:
            yield self._make("palette.all_apps", "grid", "page", go=way.page())

    def _apps(self, apps: Sequence[str]) -> Iterator[Command]:
        for name in apps:
            yield self._make("palette.app", "grid", "app", {"name": name}, go=self._way.page(name))

    def _jobs(self, seen: Seen) -> Iterator[Command]:
        for view in seen.views:
            past = seen.overview.past.get(view.job.key, [])
            yield from self._job(seen.app, view, past[0] if past else None)

    def _job(self, app: str, view: JobView, newest: Past | None) -> Iterator[Command]:
        name, kind = view.job.name, view.job.kind
        address = self._way.page(app, "jobs", name)
        named, fields = {"name": name}, {"kind": kind}
        if self._principal.may("run"):
            if kind == "continuous":
                verb, icon = ("stop", "stop") if view.enabled else ("start", "play")
                yield self._make(
                    f"palette.{verb}", icon, verb, named, post=f"{address}{verb}", fields=fields
                )
            elif view.status == "Running" and newest is not None and newest.ended_at is None:
                yield self._make(
                    "palette.stop_run",
                    "stop",
                    "stop",
                    named,
                    post=f"{address}stop",
                    fields={**fields, "run": newest.id},
                    ask=self._words("palette.ask_stop_run", name=name),
                )
            elif view.job.runnable:
                yield self._make("palette.run", "play", "run", named, post=f"{address}run")
            if kind == "triggered" and view.job.settings.scheduled:
                verb, icon = ("stop", "pause") if view.enabled else ("start", "clock")
                yield self._make(
                    f"palette.{verb}_schedule",
                    icon,
                    verb,
                    named,
                    post=f"{address}{verb}",
                    fields=fields,
                )
        log = ""
        if kind == "continuous":
            log = f"{address}output"
        elif newest is not None:
            log = f"{address}runs/{quote(newest.id, safe='')}"
        if log:
            yield self._make("palette.log", "lines", "log", named, go=log)
        yield self._make("palette.job", "jobs", "page", named, go=address)

    def _deploying(self, seen: Seen) -> Iterator[Command]:
        way, app = self._way, seen.app
        live, newest = seen.overview.live, seen.overview.newest
        if newest is not None:
            address = way.page(app, "deployments", newest.id)
            yield self._make("palette.newest_deployment", "deploy", "log", go=address)
        if self._principal.may("deploy"):
            if live is not None:
                named = {"commit": (live.commit_id or live.id)[:7]}
                address = f"{way.page(app, 'deployments', live.id)}roll-back"
                yield self._make("palette.redeploy", "restart", "deploy", named, go=address)
            address = way.page(app, "deployments")
            yield self._make("palette.roll_back", "deploy", "deploy", go=address)
            address = way.page(app, "jobs", "-", "add")
            yield self._make("palette.add_job", "plus", "page", go=address)
        yield self._make("palette.remote", "copy", "copy", copy=f"{way.base}/{app}.git")

    def _own(self) -> Iterator[Command]:
        """What changes nothing but for the reader himself."""
        preferences = f"{self._way.page('-')}preferences"
        chosen, other = self._chosen, "ko" if self._chosen.language == DEFAULT else DEFAULT
        for theme in THEMES:
            if theme != chosen.theme:
                yield self._prefer(preferences, "theme", theme, "moon")
        for clock in CLOCKS:
            if clock != chosen.clock:
                yield self._prefer(preferences, "clock", clock, "clock")
        yield self._prefer(preferences, "language", other, "globe")
        yield self._make("palette.help", "list", "keys", do="help")
        yield self._make("palette.letters", "list", "keys", do="letters")
        yield self._make("session.out", "person", "own", post=f"{self._way.page()}sign-out")

    def _prefer(self, address: str, what: str, value: str, icon: str) -> Command:
        key = f"palette.{what}"
        one = f"preferences.{what}.{value}"
        also = "" if self._english is None else self._english(key, value=self._english(one))
        return Command(
            text=self._words(key, value=self._words(one)),
            hint=self._words("palette.hint.own"),
            icon=icon,
            also=also,
            post=address,
            fields={what: value},
        )

    def _keys(self, seen: Seen | None) -> list[Key]:
        say = self._words
        keys = [
            Key(("Ctrl", "K"), say("palette.open"), False),
            Key(("Esc",), say("palette.key.close"), False),
            Key(("/",), say("palette.key.search"), True),
            Key(("?",), say("palette.help"), True),
        ]
        for one in navigation.sections(self._principal, of_app=seen is not None):
            letter = navigation.LETTERS.get(one.key)
            if letter is not None:
                text = say("palette.key.go", page=say(f"nav.{one.key}"))
                keys.append(Key(("g", letter), text, True))
        if seen is not None:
            keys.append(Key(("j", "k"), say("palette.key.rows"), True))
            keys.append(Key(("r",), say("palette.key.run"), True))
        return keys


def _texts(say: Words) -> dict[str, str]:
    names = (
        "none",
        "help",
        "letters_label",
        "letters_on",
        "letters_off",
        "close",
        "move",
        "choose",
    )
    return {"copied": say("common.copied")} | {name: say(f"palette.{name}") for name in names}
