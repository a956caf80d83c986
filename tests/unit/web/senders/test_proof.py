"""Signatures and tokens of webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from gitdeploy.web.senders import SENDERS, by_headers, offers_proof, proven
from tests.unit.web.senders.conftest import document

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
# docs.github.com, "Validating webhook deliveries", the values for testing
HEX = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

GITHUB = ("X-GitHub-Event", "push")
GITEA = ("X-Gitea-Event", "push")
FORGEJO = ("X-Forgejo-Event", "push")
BITBUCKET = ("X-Event-Key", "repo:push")
GITLAB = ("X-Gitlab-Event", "Push Hook")


def check(*headers: tuple[str, str], body: bytes = BODY, secret: str = SECRET) -> tuple[bool, bool]:
    """Whether there is a proof, and whether it is right."""
    known = CIMultiDict(headers)
    sender = by_headers(known)
    return offers_proof(sender, known), proven(sender, known, body, secret)


@pytest.mark.parametrize(
    "headers",
    [
        (GITHUB, ("X-Hub-Signature-256", f"sha256={HEX}")),
        (GITHUB, ("X-Hub-Signature-256", f"sha256=00, sha256={HEX.upper()}")),
        (GITHUB, ("X-Hub-Signature-256", "sha256=00"), ("X-Hub-Signature-256", f"sha256={HEX}")),
        (GITEA, GITHUB, ("X-Gitea-Signature", HEX)),
        (GITEA, ("X-Hub-Signature-256", f"sha256={HEX}")),
        (FORGEJO, GITEA, ("X-Forgejo-Signature", HEX)),
        (FORGEJO, ("X-Gitea-Signature", HEX)),
        (BITBUCKET, ("X-Hub-Signature", f"sha256={HEX}")),
        (GITLAB, ("X-Gitlab-Token", SECRET)),
        (("X-Hub-Signature-256", f"sha256={HEX}"),),
    ],
)
def test_each_senders_own_proof_is_right_for_this_body_and_secret_alone(
    headers: tuple[tuple[str, str], ...],
) -> None:
    assert check(*headers) == (True, True)
    assert check(*headers, secret=SECRET + " ") == (True, False)
    if GITLAB not in headers:
        assert check(*headers, body=BODY + b" ") == (True, False)


@pytest.mark.parametrize(
    "headers",
    [
        (GITHUB,),
        (GITHUB, ("X-Gitlab-Token", SECRET)),
        (GITHUB, ("X-Gitea-Signature", HEX)),
        (GITHUB, ("X-Hub-Signature", f"sha256={HEX}")),
        (GITHUB, ("X-Hub-Signature-256", f"sha1={HEX}")),
        (GITLAB, ("X-Hub-Signature-256", f"sha256={HEX}")),
        (BITBUCKET, ("X-Hub-Signature-256", f"sha256={HEX}")),
        (("X-Gitlab-Token", SECRET),),
    ],
)
def test_another_senders_proof_is_none(headers: tuple[tuple[str, str], ...]) -> None:
    assert check(*headers) == (False, False)


def test_gitea_signs_what_is_in_the_form() -> None:
    payload = json.dumps(document("gitea_push")).encode()
    body = b"payload=" + quote_plus(payload).encode()
    inner = hmac.new(SECRET.encode(), payload, hashlib.sha256).hexdigest()
    assert check(GITEA, ("X-Gitea-Signature", inner), body=body) == (True, True)
    assert check(GITHUB, ("X-Hub-Signature-256", inner), body=body) == (True, False)


@given(st.binary(max_size=40), st.text(max_size=20), st.text(max_size=80), st.sampled_from(SENDERS))
@settings(deadline=None, max_examples=300)
def test_no_other_text_is_a_proof(body: bytes, secret: str, text: str, index: object) -> None:
    secret = secret.encode("utf-8", "replace").decode() or "s"
    sender = next(known for known in SENDERS if known is index)
    right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    names = [*sender.signatures, *([sender.token] if sender.token else [])]
    if right in text.lower() or text == secret:
        return
    headers = CIMultiDict([(name, text) for name in names])
    assert not proven(sender, headers, body, secret)
    assert not proven(sender, CIMultiDict(), body, secret)


# The example of standardwebhooks.com's specification, "Signature scheme".
STANDARD = {
    "X-Gitlab-Event": "Push Hook",
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_gitlab_may_sign_as_standard_webhooks_do() -> None:
    def good(body: bytes = STANDARD_BODY, secret: str = STANDARD_SECRET, **change: str) -> bool:
        headers = {**STANDARD, **{name.replace("_", "-"): v for name, v in change.items()}}
        offered, right = check(*headers.items(), body=body, secret=secret)
        assert offered
        return right

    assert good()
    assert good(webhook_signature=f"v1,AAAA {STANDARD['webhook-signature']} v2,x")
    assert not good(body=STANDARD_BODY + b" ")
    assert not good(secret=STANDARD_SECRET[:-1] + "x")
    assert not good(webhook_id="another")
    assert not good(webhook_timestamp="1614265331")
    plain = "a plain signing token"
    text = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + STANDARD_BODY
    digest = base64.b64encode(hmac.new(plain.encode(), text, hashlib.sha256).digest()).decode()
    assert good(secret=plain, webhook_signature=f"v1,{digest}")
    assert check(("X-GitHub-Event", "push"), *list(STANDARD.items())[1:]) == (False, False)
