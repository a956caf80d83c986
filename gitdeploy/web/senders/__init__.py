"""What webhooks say, whoever sends them: GitHub, GitLab, Gitea, Bitbucket, Azure DevOps, a script.

In: the headers and the raw body of `POST /deploy`. Out: who sends it, whether its proof is right,
its delivery's id, and for each change a `Push` that may be fetched or `Nothing` with the reason;
what can't be read is `Invalid`. Pure functions, a file a sender; the table of all is `table.py`.
"""

from gitdeploy.web.senders.payload import payload_of
from gitdeploy.web.senders.proof import offers_proof, proven
from gitdeploy.web.senders.result import Nothing, Push, one_line
from gitdeploy.web.senders.sender import Change, Headers, Sender
from gitdeploy.web.senders.table import SENDERS, by_headers, delivery_of, recognise

__all__ = [
    "SENDERS",
    "Change",
    "Headers",
    "Nothing",
    "Push",
    "Sender",
    "by_headers",
    "delivery_of",
    "offers_proof",
    "one_line",
    "payload_of",
    "proven",
    "recognise",
]
