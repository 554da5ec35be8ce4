"""Options that several commands share, and the types of their values."""

import ast
import difflib
import json
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
)

from kgen import names, registry

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

LISTS = "\n".join(
    f"\b\n{title}:\n"
    + "\n".join(
        f"  {name:{max(map(len, entries))}}  {text}"
        for name, text in entries.items()
    )
    + "\n"
    for title, entries in (
        ("Models", {n: e.sentence for n, e in registry.MODELS.items()}),
        ("Networks", names.NETWORKS),
        ("Sources for --data", names.SOURCES),
    )
)


def nearest(value: str, options: Iterable[str]) -> str:
    """A question whether the nearest name is meant, or `""` if none is near."""
    close = difflib.get_close_matches(value.lower(), options, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def explained(entries: Mapping[str, str]) -> str:
    """Names with what they mean, for a help text."""
    return "; ".join(f"{name} ({text})" for name, text in entries.items())


class Name(click.ParamType):
    """One of a few names; offers the nearest."""

    def __init__(self, kind: str, options: Iterable[str]) -> None:
        self.name, self.options = kind, options

    def convert(
        self, value: str, param: click.Parameter, ctx: click.Context
    ) -> str:
        if value not in self.options:
            hint = nearest(value, self.options)
            known = ", ".join(self.options)
            self.fail(
                f"there is no {self.name} {value!r}.{hint} Known: {known}."
            )
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [
            CompletionItem(name)
            for name in self.options
            if name.startswith(incomplete)
        ]


class Setting(click.ParamType):
    """NAME=VALUE; the value as Python reads it, or else as text."""

    name = "NAME=VALUE"

    def convert(
        self, value: str, param: click.Parameter, ctx: click.Context
    ) -> tuple[str, Any]:
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            self.fail(
                f"expected NAME=VALUE, such as kl_weight=4, got {value!r}"
            )
        try:
            # As it will be read from config.json: (400,) becomes [400].
            read = json.loads(json.dumps(ast.literal_eval(text)))
        except (ValueError, SyntaxError, TypeError):
            read = text
        except (RecursionError, MemoryError):
            self.fail(f"the value of {name.strip()} is nested too deeply")
        return name.strip(), read

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        # Arguments are not parsed while an option lacks its value.
        typed = [*ctx.args, ctx.params.get("model")]
        chosen = [text for text in typed if text in names.SETTINGS]
        known = [names.SETTINGS[model] for model in chosen or names.SETTINGS]
        return [
            CompletionItem(f"{name}=")
            for name in sorted(set().union(*known))
            if name.startswith(incomplete)
        ]


@add_completion_class
class _Bash(BashComplete):
    """click's completion in bash, without a space after `NAME=`."""

    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)",
        "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace",
    )


class _Form(click.ParamType):
    """A value of a form that its name shows."""

    def get_metavar(
        self, param: click.Parameter, ctx: click.Context | None = None
    ) -> str:
        return self.name  # click would write it in capitals


class Kind(_Form):
    """COLUMN=KIND, as a pair."""

    name = "COLUMN=KIND"

    def convert(
        self,
        value: str | tuple[str, str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        column, _, kind = value.rpartition("=")
        if not column or kind not in names.COLUMN_KINDS:
            self.fail(
                f"expected COLUMN=KIND with a kind out of "
                f"{', '.join(names.COLUMN_KINDS)}, got {value!r}"
            )
        return column, kind


class Condition(_Form):
    """COLUMN=VALUE or COLUMN=LOW..HIGH, as a pair."""

    name = "COLUMN=VALUE"

    def convert(
        self,
        value: str | tuple[str, Any],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        column, equals, text = value.partition("=")
        if not column or not equals:
            self.fail(
                f"expected COLUMN=VALUE or COLUMN=LOW..HIGH, got {value!r}"
            )
        low, dots, high = text.partition("..")
        if dots and not (low and high):
            self.fail(
                f"expected both bounds in COLUMN=LOW..HIGH, got {value!r}"
            )
        return column, (low, high) if dots else text


class Shape(_Form):
    """HxWxC of pictures, or LxC of sequences."""

    name = "HxWxC"

    def convert(
        self,
        value: str | tuple[int, ...],
        param: click.Parameter,
        ctx: click.Context,
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = value.lower().split("x")
        if len(parts) not in (2, 3) or not all(map(str.isdigit, parts)):
            self.fail(
                "expected HxWxC of pictures, such as 28x28x1, or LxC of "
                f"sequences, such as 128x2, got {value!r}"
            )
        return tuple(int(part) for part in parts)


def none_as_nothing(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    """Returns None where `none` was typed; the callback of an option."""
    return None if value == "none" else value


def typed_names(ctx: click.Context) -> set[str]:
    """Names of the parameters that stand on the command line."""
    typed = click.core.ParameterSource.COMMANDLINE
    return {n for n in ctx.params if ctx.get_parameter_source(n) == typed}


seed = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True
)
other_data = click.option(
    "--data", metavar="SRC", help="Another source than the run's own."
)


best = click.option(
    "--best",
    "is_best",
    is_flag=True,
    help="Use best.keras, the best model of the training, and not the last one.",
)


def positive(name: str, default: int, text: str | None = None) -> Decorator:
    """An integer of at least 1."""
    return click.option(
        name,
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help=text,
    )


def overwrite(text: str) -> Decorator:
    """`--overwrite`, with its help."""
    return click.option("--overwrite", is_flag=True, help=text)


def check_out(
    out: pathlib.Path | None, endings: tuple[str, ...], overwrite: bool
) -> None:
    """Raises if a file can't be written, before TensorFlow is imported."""
    if out and out.suffix not in endings:
        raise click.UsageError(
            f"--out {out}: expected a name that ends in {' or '.join(endings)}."
        )
    if out and out.exists() and not overwrite:
        raise click.UsageError(
            f"{out} exists already. Pass --overwrite, or another --out."
        )


def training(name: str) -> Decorator:
    """An option for an integer whose default may differ between models."""
    default = f"default: {registry.TRAINING[name]}"
    for model, entry in registry.MODELS.items():
        own = {**entry.training, **entry.recipe}
        if name in own:
            default += f", {model} {own[name]}"
    option = f"--{name.replace('_', '-')}"
    return click.option(option, type=int, help=f"[{default}]")


def looks(function: Command) -> Command:
    """Options of a command that opens a source of pictures."""
    for option in (
        click.option(
            "--data-dir",
            type=click.Path(),
            help="Where TensorFlow Datasets keeps files.",
        ),
        click.option(
            "--image-shape",
            type=Shape(),
            help="Resize to; C is 1 (grey), 3 (colour) or 4 (with opacity). Of an "
            "array of sequences: LxC, their length and channels.",
        ),
        click.option(
            "--background",
            default="white",
            show_default=True,
            help="The colour behind transparent pictures, such as black or "
            "#ff8000.",
        ),
    ):
        function = option(function)
    return function


def trains(function: Command) -> Command:
    """Options of a command that trains on a source of its own."""
    network = click.option(
        "--network",
        type=Name("network", names.NETWORKS),
        default="conv",
        show_default=True,
    )
    data = click.option(
        "--data",
        metavar="SRC",
        default="digits",
        show_default=True,
        help="What to train on.",
    )
    return data(looks(network(function)))
