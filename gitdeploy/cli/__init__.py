"""The command line: one file a command, each put together from the rooms by app.py."""

from __future__ import annotations

import importlib

import click

from gitdeploy import __version__

_COMMANDS = {
    "serve": "Serve git, the jobs API and the dashboard from a home directory.",
    "demo": "Show it all: a server, a real push, a job's live log, a run.",
}


class _Lazy(click.Group):
    """Imports a command when it is asked for: `gitdeploy --help` needs none of the rooms."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(f"gitdeploy.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gitdeploy")
def main() -> None:
    """`git push` your background jobs to a machine of your own."""
