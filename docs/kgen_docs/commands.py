"""The commands, as click knows them."""

import inspect

import click

from kgen import cli
from kgen.cli import options
from kgen_docs.markdown import table


def commands() -> str:
    """A section for each command, with its arguments and options."""
    root = click.Context(cli.main, info_name="kgen")
    return "\n\n".join(
        _section(command, click.Context(command, root, name))
        for name, command in sorted(cli.main.commands.items())
    )


def lists() -> str:
    """What the help texts call models, networks and sources."""
    lines = options.LISTS.replace("\b\n", "").strip()
    return f"```text\n{lines}\n```"


def _section(command, context):
    usage = " ".join(command.collect_usage_pieces(context))
    text = inspect.cleandoc(command.help or "").replace("\b\n", "\n")
    rows = [
        (f"`{names}`", text)
        for parameter in command.get_params(context)
        for names, text in [parameter.get_help_record(context) or ("", "")]
        if names
    ]
    parts = [
        f"## kgen {context.info_name}",
        f"```text\nkgen {context.info_name} {usage}\n```",
        text,
        table(("option", "what it does"), rows),
    ]
    return "\n\n".join(parts)
