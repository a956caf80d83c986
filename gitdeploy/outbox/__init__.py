"""Hooks out: what happens to an app is told to the addresses that asked for it.

In: the rows that the store's triggers put into the outbox, in the transaction of what they tell.
Out: signed POSTs in one of three formats, each tried until it is taken or a day is over, and a
record of how that went. What a deployment or a run looks like as JSON is given by the caller.
"""

from gitdeploy.outbox.deliverer import Deliverer
from gitdeploy.outbox.formats import Message, Shown, View, message
from gitdeploy.outbox.subject import Published, Subject, subject_of

__all__ = [
    "Deliverer",
    "Message",
    "Published",
    "Shown",
    "Subject",
    "View",
    "message",
    "subject_of",
]
