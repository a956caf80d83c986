"""Do an HTTP action: ask, ask again as its retry policy says, and at last do its error action.

As Azure Scheduler did: an answer from 200 to 299 is success; anything else, no answer included, is
a failure that is tried again; the error action is done when every try has failed ("Concepts,
terminology, and entities", "High availability and reliability"). Only what is refused here, before
it is sent, isn't tried again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from gitdeploy.clock import Clock
from gitdeploy.errors import Invalid
from gitdeploy.jobs.action import (
    HttpAction,
    HttpRequest,
    Reference,
    RetryPolicy,
    references,
    resolved,
)
from gitdeploy.logs import safe_text
from gitdeploy.net import LookUp, Outcome, OutgoingRequest, basic, send, shown, system_look_up
from gitdeploy.net.mask import Mask, secretive, secrets_of

Resolve = Callable[[Reference], Awaitable[str | None]]
Write = Callable[[str], None]

_REDIRECTS = 3
_KEEP = 4 << 10
_MOST_LINES = 40
_TEXTS = ("text/", "application/json", "application/xml", "application/problem")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOutcome:
    """How an action ended. `error` is a sentence where it failed; `status` is the last answer's.

    `error_action` is how the error action ended, where one was done; it changes nothing about
    whether the action failed.
    """

    success: bool
    tries: int
    status: int | None = None
    error: str | None = None
    error_action: ActionOutcome | None = None


async def perform(
    action: HttpAction,
    *,
    resolve_secret: Resolve,
    clock: Clock,
    allow_private: bool,
    write: Write,
    timeout: float = 60.0,
    look_up: LookUp = system_look_up,
) -> ActionOutcome:
    """Do it with all its tries and tell each step by `write`, a line without a secret at a time.

    `resolve_secret` gives the value of a reference, None where there is none. `timeout` is seconds
    for one try; waiting between them is the clock's. Cancelling ends it at once.
    """
    settings: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for reference in references(action):
        value = await resolve_secret(reference)
        if value is not None and reference.setting is not None:
            settings[reference.setting] = value
        elif value is not None and reference.secret is not None:
            secrets[reference.secret] = value
    hidden = [*settings.values(), *secrets.values()]

    async def done(given: HttpRequest, policy: RetryPolicy) -> ActionOutcome:
        try:
            request = resolved(given, settings, secrets)
        except Invalid as error:
            write(safe_text(f"Not sent: {error}"))
            return ActionOutcome(success=False, tries=0, error=str(error))
        asking = _Asking(
            outgoing(request, timeout=timeout), Mask([*hidden, *_secrets(request)]), write
        )
        return await asking.tries(policy, clock, allow_private=allow_private, look_up=look_up)

    outcome = await done(action.request, action.retry_policy)
    if outcome.success or action.error_action is None:
        return outcome
    write("Error action:")
    alternate = action.error_action
    return replace(outcome, error_action=await done(alternate.request, alternate.retry_policy))


def outgoing(request: HttpRequest, *, timeout: float) -> OutgoingRequest:
    """A request whose references are resolved, as it is sent. A body is plain text by default."""
    headers = {name: _text(value) for name, value in request.headers.items()}
    authorization = _authorization(request)
    if authorization is not None:
        headers = {n: v for n, v in headers.items() if n.lower() != "authorization"}
        headers["Authorization"] = authorization
    if request.body is not None and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    return OutgoingRequest(
        method=request.method,
        url=request.uri,
        headers=headers,
        body=None if request.body is None else _text(request.body).encode("utf-8", "replace"),
        redirects=_REDIRECTS,
        timeout=timeout,
        keep=_KEEP,
    )


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request, however often it is sent."""

    request: OutgoingRequest
    mask: Mask
    write: Write

    async def tries(
        self, policy: RetryPolicy, clock: Clock, *, allow_private: bool, look_up: LookUp
    ) -> ActionOutcome:
        pauses = (*policy.waits(), None)
        most = f" of {len(pauses)}" if len(pauses) > 1 else ""
        what = f"{self.request.method} {shown(self.request.url)}"
        for number, pause in enumerate(pauses, 1):
            self._tell(f"{what}, try {number}{most}" if most else what)
            outcome = await send(self.request, allow_private=allow_private, look_up=look_up)
            self._tell_answer(outcome)
            if outcome.ok:
                return ActionOutcome(success=True, tries=number, status=outcome.status)
            if pause is None or outcome.refused:
                break
            self._tell(f"Next try in {_span(pause)}")
            await clock.sleep(pause)
        if most:
            self._tell(f"Failed after {number} {'try' if number == 1 else 'tries'}")
        error = self._safe(outcome.error or f"The answer is {_head(outcome)}.")
        return ActionOutcome(success=False, tries=number, status=outcome.status, error=error)

    def _tell(self, line: str) -> None:
        self.write(self._safe(line))

    def _tell_answer(self, outcome: Outcome) -> None:
        took = _span(outcome.duration)
        if outcome.status is not None:
            size = f"{'more than ' if outcome.cut else ''}{len(outcome.body)} bytes"
            self._tell(f"{_head(outcome)} after {took}, {size}")
            for line in _body(outcome, self.mask):
                self.write(f"  {line}")
        if outcome.error is not None:
            self._tell(f"{outcome.error} ({took})")

    def _safe(self, line: str) -> str:
        return safe_text(self.mask.text(line))


def _authorization(request: HttpRequest) -> str | None:
    given = request.authentication
    if given is None:
        return None
    if given.type == "Bearer":
        return f"Bearer {_text(given.token)}"
    return basic(_text(given.username), _text(given.password))


def _secrets(request: HttpRequest) -> list[str]:
    """What of a resolved request must not be read in a log, beside values that stood elsewhere."""
    found = secrets_of(request.uri)
    found += [_text(value) for name, value in request.headers.items() if secretive(name)]
    authorization = _authorization(request)
    if authorization is not None and request.authentication is not None:
        given = request.authentication
        found += [authorization.partition(" ")[2], _text(given.password), _text(given.token)]
    return found


def _text(value: str | Reference | None) -> str:
    """What `resolved` has left: a text, or nothing."""
    return value if isinstance(value, str) else ""


def _head(outcome: Outcome) -> str:
    return f"{outcome.status} {outcome.reason}".rstrip()


def _body(outcome: Outcome, mask: Mask) -> list[str]:
    """The beginning of an answer's body as lines, where it is text."""
    headers = {name.lower(): value for name, value in outcome.headers}
    kind = headers.get("content-type", "text/plain").lower()
    plain = headers.get("content-encoding", "identity") == "identity"
    if not plain or not kind.startswith(_TEXTS):
        return []
    ended = outcome.error is None and not outcome.cut
    # a character cut in two at the end must not hide the beginning of a secret before it
    decoded = outcome.body.decode("utf-8", "ignore" if not ended else "replace")
    lines = mask.text(decoded, cut=not ended).splitlines()
    more = ["…"] if outcome.cut or len(lines) > _MOST_LINES else []
    return [*map(safe_text, lines[:_MOST_LINES]), *more]


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.4g} s" if seconds < 120 else f"{seconds / 60:.4g} min"
