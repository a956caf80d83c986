"""What follows from how a try went. Pure functions."""

from __future__ import annotations

from yarl import URL

from gitdeploy.net import Outcome, shown
from gitdeploy.net.mask import Mask, secrets_of
from gitdeploy.outbox.backoff import next_try, retry_after
from gitdeploy.store import Delivery, Hook, Try


def judged(hook: Hook, delivery: Delivery, outcome: Outcome, *, now: int, base: float) -> Try:
    """Taken with any 2xx; refused by us: given up; anything else, 410 too: tried again for a day.

    What is kept of the answer has none of the hook's secrets. `base` is seconds to the second try.
    """
    mask = Mask([hook.secret or "", hook.url, shown(hook.url), *secrets_of(hook.url)])
    next_at = None
    if not outcome.ok and not outcome.refused:
        next_at = next_try(
            delivery.tries + 1,
            first_at=now if delivery.first_at is None else delivery.first_at,
            now=now,
            base=base,
            asked=retry_after(outcome.status, outcome.headers),
        )
    return Try(
        at=now,
        state="delivered" if outcome.ok else "failed" if next_at is None else "pending",
        next_at=next_at,
        status=outcome.status,
        reason=mask.text(outcome.reason) if outcome.status is not None else None,
        error=None if outcome.error is None else mask.text(outcome.error),
        response=mask.text(outcome.body.decode(errors="replace"), cut=outcome.cut)
        if outcome.status is not None
        else None,
        duration_ms=round(outcome.duration * 1000, 1),
    )


def place(url: str) -> str:
    """Scheme, host and port of an address: whoever reads logs isn't to know the rest.

    The path of an incoming webhook, of Slack's for one, lets anybody write there.
    """
    return str(URL(url).origin())


def unsendable(failure: Exception, now: int) -> Try:
    """The end of a delivery that can't be put into words (its row is damaged)."""
    return Try(
        at=now,
        state="failed",
        next_at=None,
        status=None,
        reason=None,
        error=f"What is to be sent can't be made: {type(failure).__name__}.",
        response=None,
        duration_ms=0.0,
    )
