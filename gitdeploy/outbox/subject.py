"""What a delivery tells of, as it was when it happened."""

from __future__ import annotations

import msgspec

from gitdeploy.store import Delivery, Deployment, Execution, Occurrence


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """An event that somebody published over the API; `body` is the JSON that they sent."""

    app: str
    body: str


Subject = Deployment | Execution | Occurrence | Published
_KINDS: dict[str, type[Deployment | Execution | Occurrence]] = {
    "deployment": Deployment,
    "execution": Execution,
    "occurrence": Occurrence,
}


def subject_of(delivery: Delivery) -> Subject:
    """The row that the trigger kept. Raises msgspec.DecodeError, ValidationError among them."""
    if delivery.kind == "published":
        return Published(app=delivery.app, body=delivery.subject)
    # not strict: SQLite's booleans are 0 and 1
    return msgspec.json.decode(delivery.subject, type=_KINDS[delivery.kind], strict=False)
