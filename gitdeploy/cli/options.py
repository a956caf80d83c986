"""Every option of config.Options as a flag, made from the struct so that none is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gitdeploy.config import Options, describe


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a click command with one flag per option; those not given arrive as None."""
    defaults = Options()
    for name in reversed(Options.__struct_fields__):
        default = getattr(defaults, name)
        text = describe(name)
        if default is not None:
            shown = str(default).lower() if isinstance(default, bool) else default
            text = f"{text} [default: {shown}]"
        flag = "--" + name.replace("_", "-")
        metavar = "true|false" if isinstance(default, bool) else None
        command = click.option(flag, name, default=None, metavar=metavar, help=text)(command)
    return command
