"""What is searched: from a dictionary to Keras Tuner's parameters."""

import contextlib
import dataclasses
import itertools
import json
import math
import re
import string
from collections.abc import Callable, Iterable
from typing import Any

import keras_tuner

from kgen.errors import InvalidArgument, invalid
from kgen.params import Options

# The greatest number that is searched, and how many values a step may reach.
_LARGEST = 1e30
_MOST_STEPS = 100_000
_FORMS = (
    '{"min": 4, "max": 64, "log": True}, {"values": [...]}, '
    '{"text": "adam:{rate}", "rate": {...}}, or a fixed value'
)
# Of the places of a text: wide ones would fill the memory.
_WIDE = re.compile(r"\{|\d{4}")


class Parameter:
    """Base of what one name of a space may be."""

    def choose(self, hp: keras_tuner.HyperParameters, name: str) -> Any:
        """The value of a trial; declares the parameter where it is new.

        It is None where the parameter is not active.
        """
        raise NotImplementedError

    def probes(self) -> list:
        """Values that show whether all can be built."""
        raise NotImplementedError

    def parameters(self, name: str) -> dict:
        """Keras Tuner's parameters that it consists of, by their names."""
        return {name: self}


@dataclasses.dataclass(frozen=True)
class Range(Parameter):
    """All numbers between two, integers if both ends are.

    Args:
        low: The smallest.
        high: The largest.
        log: Whether their logarithm is drawn uniformly.
        step: From one number to the next (a factor, if `log`), or None.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    def choose(self, hp: keras_tuner.HyperParameters, name: str) -> Any:
        if self.step is not None:
            return hp.Choice(name, self._steps(), ordered=True)
        sampling = "log" if self.log else "linear"
        if isinstance(self.low, int):
            # Keras Tuner's own step of 1 would be a factor in a log space.
            step = None if self.log else 1
            return self.value_of(
                hp.Int(name, self.low, self.high, step=step, sampling=sampling)
            )
        return hp.Float(name, self.low, self.high, sampling=sampling)

    def _steps(self):
        """All values; Keras Tuner's own sums of floats can miss the end."""
        values = (
            self.low * self.step**number
            if self.log
            else self.low + self.step * number
            for number in itertools.count()
        )
        end = self.high + 1e-9 * (self.high - self.low)
        values = itertools.takewhile(lambda value: value <= end, values)
        if isinstance(self.low, int):
            return list(values)
        return [float(f"{value:.12g}") for value in values]

    def value_of(self, chosen: int | float | None) -> int | float | None:
        """The value that Keras Tuner's choice stands for."""
        # On a log scale, its Bayesian search goes one beyond the end of integers.
        return None if chosen is None else min(chosen, self.high)

    def describe(self) -> dict:
        """The same as a dictionary that JSON can hold."""
        return {"min": self.low, "max": self.high, "log": self.log}

    def probes(self) -> list:
        return [self.low, self.high]


@dataclasses.dataclass(frozen=True)
class Values(Parameter):
    """One of a list.

    Args:
        values: What there is to choose from, of any types.
    """

    values: list

    def choose(self, hp: keras_tuner.HyperParameters, name: str) -> Any:
        chosen = hp.Choice(name, self._codes())
        return None if chosen is None else self.value_of(chosen)

    def value_of(self, chosen: int | float | str) -> Any:
        """The value that Keras Tuner's choice stands for."""
        return self.values[self._codes().index(chosen)]

    def describe(self) -> dict:
        """The same as a dictionary that JSON can hold."""
        return {"values": self.values}

    def _codes(self):
        """What stands for the values: Keras Tuner takes scalars of one type."""
        kinds = {type(value) for value in self.values}
        if kinds in ({int}, {float}, {str}):
            return self.values
        if kinds == {int, float}:
            return [float(value) for value in self.values]
        return [json.dumps(value) for value in self.values]

    def probes(self) -> list:
        return self.values


@dataclasses.dataclass(frozen=True)
class Text(Parameter):
    """A text with places for what is searched, such as `"adam:{rate}"`.

    Args:
        text: The text, with names in braces.
        parts: Dictionary from these names to a `Range` or `Values`.
    """

    text: str
    parts: dict

    def choose(self, hp: keras_tuner.HyperParameters, name: str) -> Any:
        chosen = {
            key: part.choose(hp, f"{name}.{key}")
            for key, part in self.parts.items()
        }
        return None if None in chosen.values() else self.text.format(**chosen)

    def parameters(self, name: str) -> dict:
        return {f"{name}.{key}": part for key, part in self.parts.items()}

    def probes(self) -> list:
        first = {key: part.probes()[0] for key, part in self.parts.items()}
        return [
            self.text.format(**{**first, key: value})
            for key, part in self.parts.items()
            for value in part.probes()
        ]


class Space:
    """What of a model is searched, and what is fixed.

    Args:
        entries: Dictionary from names to what they may be; see `HyperModel`.
        names: Names that are known.
        owner: Whose argument it is, for messages.

    Raises:
        InvalidArgument: If a name is unknown, an entry can't be read, or
            nothing is searched.
    """

    def __init__(self, entries: dict, names: Iterable[str], owner: str):
        if not isinstance(entries, dict):
            raise invalid("space", owner, "a dictionary", entries)
        self.searched, self.fixed = {}, {}
        for name, entry in entries.items():
            Options(names).check("space", owner, name)
            if isinstance(entry, dict):
                self.searched[name] = _parameter(entry, name, f"{owner}.space")
            else:
                self.fixed[name] = _plain(entry, name, f"{owner}.space")
        if not self.searched:
            raise InvalidArgument(
                f"The space of `{owner}` is empty: nothing in it is searched. "
                f"Expected at least one name with {_FORMS}."
            )

    @property
    def parameters(self) -> dict:
        """Dictionary from Keras Tuner's names to a `Range` or `Values` each.

        The places of a text have names of their own: `optimizer.rate`.
        """
        return {
            key: part
            for name, parameter in self.searched.items()
            for key, part in parameter.parameters(name).items()
        }

    def chosen(self, hp: keras_tuner.HyperParameters) -> dict:
        """The values of a trial's parameters, by Keras Tuner's names.

        Those that the trial's network does not know are left out.
        """
        return {
            name: parameter.value_of(hp.values[name])
            for name, parameter in self.parameters.items()
            if name in hp.values and hp.is_active(name)
        }

    def choose(
        self, hp: keras_tuner.HyperParameters, networks_of: Callable
    ) -> dict:
        """The settings of a trial.

        Args:
            hp: Keras Tuner's `HyperParameters`, which gets what is new to it.
            networks_of: Function from a name to the values of `network` that
                know it; or to None if all do.

        Returns:
            Dictionary from names to values, without those that the trial's
            network does not know.
        """
        settings = {}
        # The network first: others depend on it.
        for name in sorted(self.searched, key=lambda name: name != "network"):
            networks = networks_of(name)
            condition = contextlib.nullcontext()
            if networks is not None:
                condition = hp.conditional_scope("network", networks)
            with condition:
                value = self.searched[name].choose(hp, name)
            if networks is None or settings.get("network") in networks:
                settings[name] = value
        for name, value in self.fixed.items():
            networks = networks_of(name)
            if networks is None or settings["network"] in networks:
                settings[name] = value
        return settings


def _parameter(entry, name, owner):
    """The `Parameter` that a dictionary of a space describes."""
    keys = set(entry)
    if "text" in keys:
        return _text(entry, name, owner)
    if keys == {"values"}:
        return _values(entry["values"], name, owner)
    if {"min", "max"} <= keys <= {"min", "max", "log", "step"}:
        return _range(entry, name, owner)
    raise invalid(name, owner, _FORMS, entry)


def _values(values, name, owner):
    if not isinstance(values, (list, tuple)) or len(values) < 2:
        raise invalid(
            name,
            owner,
            "a list of two or more values (one alone is fixed: leave out the "
            "braces)",
            values,
        )
    values = [_plain(value, name, owner) for value in values]
    if len({json.dumps(value) for value in values}) < len(values):
        raise invalid(name, owner, "values that differ", values)
    return Values(values)


def _range(entry, name, owner):
    low, high = entry["min"], entry["max"]
    log, step = entry.get("log", False), entry.get("step")
    numbers = [low, high] if step is None else [low, high, step]
    is_right = (
        all(type(number) in (int, float) for number in numbers)
        and isinstance(log, bool)
        and -_LARGEST <= low < high <= _LARGEST
        and (not log or low > 0)
        and (step is None or step > (1 if log else 0))
    )
    if not is_right:
        raise invalid(
            name,
            owner,
            "numbers, min below max, min above 0 if log is true, and a step "
            "above 0 (a factor above 1 if log is true)",
            entry,
        )
    if any(isinstance(number, float) for number in numbers):
        low, high = float(low), float(high)
    if step is not None:
        span = math.log(high / low, step) if log else (high - low) / step
        if not 0.999999 <= span <= _MOST_STEPS:
            raise invalid(
                name,
                owner,
                "a step that reaches two values or more, "
                f"{_MOST_STEPS} at most",
                entry,
            )
    return Range(low, high, log, step)


def _text(entry, name, owner):
    text = entry["text"]
    parts = {key: part for key, part in entry.items() if key != "text"}
    try:
        fields = list(string.Formatter().parse(text))
    except (TypeError, ValueError):
        fields = []
    if any(_WIDE.search(form or "") for _, _, form, _ in fields):
        raise invalid(name, owner, "places of a fixed, small width", text)
    if not parts or {place for _, place, _, _ in fields if place} != set(parts):
        raise invalid(
            name,
            owner,
            'a text whose places are its other names: {"text": "adam:{rate}", '
            '"rate": {"min": 0.0001, "max": 0.01, "log": True}}',
            entry,
        )
    for key, part in parts.items():
        if not isinstance(part, dict) or "text" in part:
            raise invalid(f"{name}.{key}", owner, _FORMS, part)
        parts[key] = _parameter(part, f"{name}.{key}", owner)
    parameter = Text(text, parts)
    try:
        parameter.probes()
    except (LookupError, TypeError, ValueError, MemoryError) as error:
        expected = f"a text that can be filled in ({error})"
        raise invalid(name, owner, expected, text) from error
    return parameter


def _plain(value, name, owner):
    """A value as JSON gives it back; `"None"` is None, as for `--set`."""
    if isinstance(value, str) and value == "None":
        return None
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid(
            name, owner, "a number, a text or a list", value
        ) from error
