"""`Sender`: one line of the table of those whose webhooks are understood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from multidict import MultiMapping

from gitdeploy.web.senders.payload import Envelope
from gitdeploy.web.senders.result import Nothing, Push

Headers = MultiMapping[str]
Change = Push | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A kind of host that sends webhooks.

    `name` goes into records, `title` is the deployer of its deployments. `events` are the headers
    of which one names the event, in order of preference; a request that has one is this sender's.
    `matches` tells by the body, for requests without such a header.

    `signatures` are the headers with an HMAC-SHA256 in hex, with or without `sha256=`; `token` is
    the one with the secret itself; with `standard` it may sign as standardwebhooks.com has it, too.
    `deliveries` are the headers with the delivery's id, the one
    that stays the same when a delivery is repeated first; `delivery` finds it in the body.

    `read` gives each change of the event, one at least. Raises Invalid naming what is missing.
    """

    name: str
    title: str
    read: Callable[[Headers, bytes], Sequence[Change]]
    events: tuple[str, ...] = ()
    matches: Callable[[Envelope], bool] = lambda envelope: False
    signatures: tuple[str, ...] = ()
    signs_payload: bool = False
    token: str | None = None
    standard: bool = False
    deliveries: tuple[str, ...] = ()
    delivery: Callable[[bytes], str | None] = lambda payload: None

    def event(self, headers: Headers) -> str | None:
        """The event that the headers name, as they spell it."""
        for name in self.events:
            value = headers.get(name)
            if value:
                return value.strip()
        return None
