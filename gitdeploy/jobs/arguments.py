"""Arguments of a run: split as a POSIX shell would, nothing in them is executed."""

from __future__ import annotations

import shlex

from gitdeploy.errors import Invalid


def split_arguments(text: str | None) -> list[str]:
    """Words of the text; quotes and backslashes as in sh, no expansion of anything.

    Raises Invalid for a quote that isn't closed, a backslash at the end, a NUL.
    """
    if not text:
        return []
    if "\0" in text:
        raise Invalid("arguments: they hold a NUL character.", "Leave it out.")
    try:
        return shlex.split(text)
    except ValueError as error:
        reason = {
            "No closing quotation": "a quote isn't closed",
            "No escaped character": "a backslash at the end escapes nothing",
        }.get(str(error), str(error))
        raise Invalid(
            f"arguments: {reason} in {text[:100]!r}.", "Close it, or put a backslash before it."
        ) from error
