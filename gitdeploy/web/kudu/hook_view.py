"""Hooks as the API shows them, and what their deliveries tell of. Pure functions."""

from __future__ import annotations

import http
from collections.abc import Callable
from typing import Any

import msgspec
from yarl import URL

from gitdeploy.clock import rfc3339
from gitdeploy.events.redact import MASK
from gitdeploy.outbox import Published, Shown, Subject
from gitdeploy.store import Delivery, Deployment, Execution, Hook, HookFormat, Occurrence
from gitdeploy.store.outbox import DeliveryState
from gitdeploy.web.forwarded import Way
from gitdeploy.web.kudu import job_view, shapes
from gitdeploy.web.kudu.deployment_view import deployment

# Fields of Kudu's own hooks, which are not named as those of its API, by the API's names.
_IN_KUDUS_HOOKS = {
    "status_text": "statusText",
    "author_email": "authorEmail",
    "received_time": "receivedTime",
    "start_time": "startTime",
    "end_time": "endTime",
    "last_success_end_time": "lastSuccessEndTime",
    "is_temp": "isTemporary",
    "is_readonly": "isReadOnly",
    "site_name": "siteName",
}


class HookShown(msgspec.Struct, frozen=True, kw_only=True):
    """A hook; `last_…` tell of the newest try. From `format` on the fields are ours.

    The secret is never shown: `signed` says whether there is one. Without the scope `deploy`, `url`
    is only the beginning of the address.
    """

    id: str
    event: str
    url: str
    insecure_ssl: bool
    last_status: str | None
    last_reason: str | None
    last_datetime: str | None
    last_context: str | None
    format: HookFormat
    signed: bool
    created: str
    who: str


class DeliveryShown(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery: `state` is pending, delivered or failed, `id` the receiver's `X-Gitdeploy-Delivery`.

    `status`, `reason`, `error`, `response` (its first KiB) and `duration_ms` are those of the
    newest try; `next_try` is null once it has ended.
    """

    n: int
    id: str
    event: str
    time: str
    subject: str
    state: DeliveryState
    tries: int
    first_try: str | None
    last_try: str | None
    next_try: str | None
    status: int | None
    reason: str | None
    error: str | None
    response: str | None
    duration_ms: float | None
    redelivery_of: int | None
    redeliver_url: str


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """A process of a continuous job that ended although nobody had asked for it."""

    id: str
    job_name: str
    job_type: str
    status: str
    start_time: str | None
    end_time: str | None
    duration: str
    exit_code: int | None
    signal: str | None
    error: str | None
    url: str
    extra_info_url: str
    log_url: str
    instance: str
    deployment: str | None
    release: int | None


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """Due times of a triggered job that passed without a run; `due` is the newest of them."""

    job_name: str
    job_type: str
    due: str
    note: str
    url: str
    extra_info_url: str
    history_url: str


def hook_shown(
    hook: Hook, last: Delivery | None, context: Callable[[Delivery], str], *, whole: bool
) -> HookShown:
    """A hook; `context` makes the text that a delivery sends, `whole` shows where to."""
    return HookShown(
        id=hook.id,
        event=hook.event,
        url=address(hook.url, whole=whole),
        insecure_ssl=hook.insecure_ssl,
        last_status=None if last is None else _status_word(last.status),
        last_reason=None if last is None else last.error or last.reason,
        last_datetime=None if last is None else _time(last.last_at),
        last_context=None if last is None else context(last),
        format=hook.format,
        signed=hook.secret is not None,
        created=rfc3339(hook.created_at),
        who=hook.who,
    )


def delivery_shown(delivery: Delivery, subject: str, way: Way) -> DeliveryShown:
    """A delivery; `subject` is where below the app's address what it tells of is."""
    where = ("hooks", delivery.hook, "deliveries", str(delivery.n), "redeliver")
    pending = delivery.state == "pending"
    return DeliveryShown(
        n=delivery.n,
        id=delivery.id,
        event=delivery.event,
        time=rfc3339(delivery.at),
        subject=subject,
        state=delivery.state,
        tries=delivery.tries,
        first_try=_time(delivery.first_at),
        last_try=_time(delivery.last_at),
        next_try=_time(delivery.next_at or delivery.at) if pending else None,
        status=delivery.status,
        reason=delivery.reason,
        error=delivery.error,
        response=delivery.response,
        duration_ms=delivery.duration_ms,
        redelivery_of=delivery.redelivery_of,
        redeliver_url=way.api(delivery.app, *where),
    )


def address(url: str, *, whole: bool) -> str:
    """A hook's address without its password; not `whole`, without all that may be a credential.

    A user without a password is a token.
    """
    parsed = URL(url)
    if not whole:
        return f"{parsed.scheme}://{parsed.raw_authority.rpartition('@')[2]}/{MASK}"
    secret = parsed.raw_password or parsed.raw_user
    return url if secret is None else url.replace(f"{secret}@", f"{MASK}@", 1)


def view(hook: Hook, subject: Subject) -> Shown:
    """What a hook tells of, with links that lead in by the way that the hook was made."""
    way = msgspec.json.decode(hook.way, type=Way)
    match subject:
        case Deployment():
            kudu, data, page, path = _deployment(subject, way)
        case Execution(kind="triggered"):
            data = job_view.run(subject, way, subject.ended_at or subject.created_at)
            page = way.page(hook.app, "jobs", subject.job, "runs", subject.id)
            kudu, path = data, f"triggeredwebjobs/{subject.job}/history/{subject.id}"
        case Execution():
            kudu = data = _crash(subject, way)
            page, path = data.extra_info_url, f"continuouswebjobs/{subject.job}"
        case Occurrence():
            kudu = data = _missed(subject, way)
            page, path = data.extra_info_url, f"triggeredwebjobs/{subject.job}"
        case Published():
            kudu = data = msgspec.Raw(subject.body.encode())
            page, path = way.page(hook.app), f"hooks/publish/{hook.event}"
    return Shown(kudu=kudu, data=data, page=page, source=way.app(hook.app), path=path)


def _deployment(row: Deployment, way: Way) -> tuple[Any, Any, str, str]:
    data = deployment(row, way)
    fields: dict[str, Any] = msgspec.to_builtins(data)
    fields |= {kudus: fields[ours] for ours, kudus in _IN_KUDUS_HOOKS.items()}
    # in Kudu's hooks it is a word (its wiki, "Web hooks")
    fields |= {"status": row.status, "hostName": way.host}
    return fields, data, way.page(row.app, "deployments", row.id), f"deployments/{row.id}"


def _crash(row: Execution, way: Way) -> Crash:
    ended = row.ended_at or row.created_at
    url = way.api(row.app, "continuouswebjobs", row.job)
    return Crash(
        id=row.id,
        job_name=row.job,
        job_type="continuous",
        status=row.status.capitalize(),
        start_time=_time(row.started_at),
        end_time=rfc3339(ended),
        duration=shapes.duration(ended - (row.started_at or ended)),
        exit_code=row.exit_code,
        signal=job_view.signal_name(row.exit_code),
        error=row.error,
        url=url,
        extra_info_url=way.page(row.app, "jobs", row.job),
        log_url=f"{url}/log",
        instance=row.instance,
        deployment=row.deployment,
        release=row.release,
    )


def _missed(row: Occurrence, way: Way) -> Missed:
    url = way.api(row.app, "triggeredwebjobs", row.job)
    return Missed(
        job_name=row.job,
        job_type="triggered",
        due=rfc3339(row.due_at),
        note=row.note,
        url=url,
        extra_info_url=way.page(row.app, "jobs", row.job),
        history_url=f"{url}/history",
    )


def _status_word(status: int | None) -> str:
    """As .NET names a status: `OK`, `NotFound`; `Failure` without an answer."""
    if status is None:
        return "Failure"
    try:
        return http.HTTPStatus(status).phrase.replace(" ", "").replace("-", "")
    except ValueError:
        return str(status)


def _time(moment: int | None) -> str | None:
    return None if moment is None else rfc3339(moment)
