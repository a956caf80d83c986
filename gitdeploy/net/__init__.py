"""Requests that the server makes on behalf of others: fetching, actions, hooks out.

In: a URL that somebody else chose. Out: an answer, or a refusal that says why. Every connection
goes to an address that was judged first, so nobody reaches our own network through us.
"""

from gitdeploy.net.addresses import AddressRefused, LookUp, judged, refusal, system_look_up
from gitdeploy.net.client import send
from gitdeploy.net.outgoing import Outcome, OutgoingRequest, basic, check, shown
from gitdeploy.net.pinned import Pinned, pinned

__all__ = [
    "AddressRefused",
    "LookUp",
    "Outcome",
    "OutgoingRequest",
    "Pinned",
    "basic",
    "check",
    "judged",
    "pinned",
    "refusal",
    "send",
    "shown",
    "system_look_up",
]
