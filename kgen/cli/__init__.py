"""The `kgen` command: parse, call one function, print.

TensorFlow takes seconds to import; the commands that need it import it.
"""

import io
import sys
from typing import Any

import click

from kgen import __version__, files, interrupts
from kgen.cli import (
    evaluate,
    export,
    fit_prior,
    infer,
    look,
    messages,
    train,
    tune,
)
from kgen.cli.options import LISTS, Setting, nearest
from kgen.errors import InvalidArgument, WorkerLost

__all__ = ["Setting", "main"]

_TOO_LARGE = (
    "there is not enough memory for this. Make the pictures, the network, the "
    "batch or the number of samples smaller."
)


class Group(click.Group):
    """Offers the nearest command, and turns a user's mistakes into one line."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple:
        if args and args[0] not in self.commands and args[0][:1] != "-":
            hint = nearest(args[0], self.commands)
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> None:
        kwargs["standalone_mode"] = False
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Names of files that are no UTF-8 are printed as they are.
            sys.stdout.reconfigure(errors="surrogateescape")
        try:
            with interrupts.sigterm_as_interrupt():
                status = super().main(*args, **kwargs)
        except Exception as error:
            status = _explain(error)
            if status is None:
                raise
        except KeyboardInterrupt as error:
            status = messages.complain("interrupted.", interrupts.status(error))
        sys.exit(status if isinstance(status, int) else 0)


def _explain(error: Exception) -> int | None:
    """Says what an error means to a user.

    Returns:
        The exit status; None for an error that is a fault of kgen.
    """
    if isinstance(error, click.Abort):  # click has its own error for Ctrl-C
        cause = error.__cause__ or error
        return messages.complain("interrupted.", interrupts.status(cause))
    if isinstance(error, click.ClickException):
        return messages.complain(error.format_message(), error.exit_code)
    if isinstance(error, (InvalidArgument, OSError)):
        return messages.complain(messages.text_of(error), 2)
    if isinstance(error, WorkerLost):
        return messages.complain(messages.text_of(error), 1)
    number = files.error_number(error)
    if number in files.ADVICE:
        return messages.complain(messages.text_of(OSError(number, "")), 2)
    # TensorFlow's class can't be named here: it is imported late.
    if type(error).__name__ in ("MemoryError", "ResourceExhaustedError"):
        return messages.complain(_TOO_LARGE, 2)
    return None


@click.group(
    cls=Group,
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 90,
    },
    epilog=LISTS,
)
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Trains, judges and exports generative models.

    Start with: kgen train vae --export
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for command in (
    train.train,
    look.runs,
    look.show,
    look.data,
    infer.sample,
    infer.reconstruct,
    infer.impute,
    infer.denoise,
    infer.encode,
    infer.classify,
    infer.detect,
    fit_prior.fit_prior,
    evaluate.evaluate,
    evaluate.compare,
    tune.tune,
    export.export,
):
    main.add_command(command)
