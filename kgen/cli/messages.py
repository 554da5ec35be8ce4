"""What the command says on stderr, each in one line."""

import os
import shutil
import sys

import click

from kgen import files, terminal
from kgen.errors import one_line


def complain(message: str, status: int | None) -> int | None:
    """Says what is wrong; returns `status`."""
    passing("")
    click.echo(f"kgen: {message}", err=True)
    return status


def progress(text: str) -> None:
    """Reports the progress of something in a line."""
    click.echo(text, err=True)


def starting(what: str) -> None:
    """Says on a terminal what a command does, before TensorFlow is imported."""
    if sys.stderr.isatty():
        progress(terminal.wrapped(f"{what}. Starting TensorFlow ..."))


def passing(text: str) -> None:
    """Reports the progress of something in a line that the next one replaces.

    It does so only on a terminal.
    """
    if sys.stderr.isatty():
        room = shutil.get_terminal_size().columns - 1
        click.echo(f"\r\x1b[K{text[:room]}", err=True, nl=False)


def text_of(error: Exception | str) -> str:
    """Returns an error's text in one line; of the system's errors, with advice."""
    text = str(error)
    if isinstance(error, OSError) and error.errno:
        place = f"{error.filename}: " if error.filename else ""
        text = place + (error.strerror or os.strerror(error.errno))
        advice = files.ADVICE.get(error.errno)
        text += f". {advice}." if advice else ""
    return one_line(text)
