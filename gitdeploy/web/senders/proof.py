"""Whether a webhook knows the app's secret: an HMAC over the body, or the secret itself.

Every value of every header that the sender may prove itself with is compared, in constant time
each; a header that only another sender uses proves nothing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
from collections.abc import Iterable

from gitdeploy.web.senders.payload import form_payload
from gitdeploy.web.senders.sender import Headers, Sender

HUB = "X-Hub-Signature-256"
"""What GitHub made of WebSub's `X-Hub-Signature`; scripts without a format of their own use it."""

_PREFIX = "sha256="
_VERSION = "v1,"
_ENCODED = "whsec_"
_LONGEST_FORM = 1 << 20  # taking a form apart is slow, and nobody has proven anything yet


def offers_proof(sender: Sender | None, headers: Headers) -> bool:
    """Whether there is anything to compare; says nothing about whether it is right."""
    return bool(
        _signatures(sender, headers) or _tokens(sender, headers) or _standard(sender, headers)
    )


def proven(sender: Sender | None, headers: Headers, body: bytes, secret: str) -> bool:
    """Whether the sender knows the secret; None is a script.

    The HMAC is over the raw body. Gitea and Forgejo sign what is in a form's field `payload`
    instead of the form around it, so that counts too for those.
    """
    texts = [body]
    if sender is not None and sender.signs_payload and len(body) <= _LONGEST_FORM:
        inner = form_payload(body)
        texts += [] if inner is None else [inner]
    good = _matches(_tokens(sender, headers), [secret])
    good |= _matches(_standard(sender, headers), _standard_digests(headers, body, secret))
    digests = [hmac.new(secret.encode(), text, hashlib.sha256).hexdigest() for text in texts]
    return _matches(_signatures(sender, headers), digests) or good


def _matches(given: Iterable[str], expected: list[str]) -> bool:
    good = False
    for value in given:
        for wanted in expected:
            good |= hmac.compare_digest(value.encode("utf-8", "replace"), wanted.encode())
    return good


def _signatures(sender: Sender | None, headers: Headers) -> list[str]:
    """The hex digests, without their prefix; those of other algorithms aren't looked at."""
    found = []
    for name in (HUB,) if sender is None else sender.signatures:
        for value in headers.getall(name, []):
            for part in value.split(","):
                digest = part.strip().lower().removeprefix(_PREFIX)
                if "=" not in digest:
                    found.append(digest)
    return found


def _tokens(sender: Sender | None, headers: Headers) -> list[str]:
    if sender is None or sender.token is None:
        return []
    return headers.getall(sender.token, [])


def _standard(sender: Sender | None, headers: Headers) -> list[str]:
    """The signatures of version 1 in base64, of which there may be several in one header."""
    if sender is None or not sender.standard:
        return []
    parts = [part for value in headers.getall("webhook-signature", []) for part in value.split()]
    return [part.removeprefix(_VERSION) for part in parts if part.startswith(_VERSION)]


def _standard_digests(headers: Headers, body: bytes, secret: str) -> list[str]:
    """What these signatures should be; the key is the secret, or what `whsec_` encodes."""
    place = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}."
    keys = [secret.encode()]
    if secret.startswith(_ENCODED):
        with contextlib.suppress(ValueError):
            keys.append(base64.b64decode(secret.removeprefix(_ENCODED), validate=True))
    signed = place.encode("utf-8", "replace") + body
    digests = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    return [base64.b64encode(digest).decode() for digest in digests]
