"""What is searched, in words: from a dictionary to Keras Tuner's parameters."""

import contextlib
import dataclasses
import itertools
import json
import math
import re
import string

from kgen.errors import InvalidArgument, check_name, invalid

# Of a number that is searched, and of the values that a step may reach.
_LARGEST = 1e30
_MOST_STEPS = 100_000
_FORMS = (
    '{"min": 4, "max": 64, "log": True}, {"values": [...]}, '
    '{"text": "adam:{rate}", "rate": {...}}, or a fixed value'
)
# Of the places of a text: wide ones would fill the memory.
_WIDE = re.compile(r"\{|\d{4}")


@dataclasses.dataclass(frozen=True)
class Range:
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

    def choose(self, hp, name):
        """The value of a trial; declares the parameter where it is new."""
        if self.step is not None:
            return hp.Choice(name, self.steps(), ordered=True)
        options = {"sampling": "log" if self.log else "linear"}
        if isinstance(self.low, int):
            # Keras Tuner's own step of 1 would be a factor in a log space.
            options["step"] = None if self.log else 1
            return self.value_of(hp.Int(name, self.low, self.high, **options))
        return hp.Float(name, self.low, self.high, **options)

    def steps(self):
        """All there is; Keras Tuner's own sums of floats can miss the end."""
        raw = (
            self.low * self.step**number
            if self.log
            else self.low + self.step * number
            for number in itertools.count()
        )
        end = self.high + 1e-9 * (self.high - self.low)
        kept = itertools.takewhile(lambda value: value <= end, raw)
        if isinstance(self.low, int):
            return list(kept)
        return [float(f"{value:.12g}") for value in kept]

    def parameters(self, name):
        """What Keras Tuner knows of it, by name."""
        return {name: self}

    def value_of(self, chosen):
        """The value that Keras Tuner's choice stands for."""
        # Its Bayesian search goes one beyond the end of whole numbers' logs.
        return None if chosen is None else min(chosen, self.high)

    def describe(self):
        """The same as a dictionary that JSON can hold."""
        return {"min": self.low, "max": self.high, "log": self.log}

    def probes(self):
        """Values that show whether all can be had: the two ends."""
        return [self.low, self.high]


@dataclasses.dataclass(frozen=True)
class Values:
    """One of a list.

    Args:
        values: What there is to choose from, of any types.
    """

    values: list

    def choose(self, hp, name):
        """The value of a trial; declares the parameter where it is new."""
        chosen = hp.Choice(name, self._codes())
        return None if chosen is None else self.value_of(chosen)

    def parameters(self, name):
        """What Keras Tuner knows of it, by name."""
        return {name: self}

    def value_of(self, chosen):
        """The value that Keras Tuner's choice stands for."""
        return self.values[self._codes().index(chosen)]

    def describe(self):
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

    def probes(self):
        """Values that show whether all can be had: all of them."""
        return self.values


@dataclasses.dataclass(frozen=True)
class Text:
    """A text with places for what is searched, such as `"adam:{rate}"`.

    Args:
        text: The text, with names in braces.
        parts: Dictionary from these names to a `Range` or `Values`.
    """

    text: str
    parts: dict

    def choose(self, hp, name):
        """The value of a trial; declares the parameters where they are new."""
        chosen = {
            key: part.choose(hp, f"{name}.{key}")
            for key, part in self.parts.items()
        }
        return None if None in chosen.values() else self.text.format(**chosen)

    def parameters(self, name):
        """What Keras Tuner knows of it, by name."""
        return {f"{name}.{key}": part for key, part in self.parts.items()}

    def probes(self):
        """Values that show whether all can be had: each part's own in turn."""
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

    def __init__(self, entries, names, owner):
        if not isinstance(entries, dict):
            raise invalid("space", owner, "a dictionary", entries)
        self.searched, self.fixed = {}, {}
        for name, entry in entries.items():
            check_name("space", owner, names, name)
            if isinstance(entry, dict):
                self.searched[name] = _parameter(entry, name, owner)
            else:
                self.fixed[name] = _plain(entry, name, owner)
        if not self.searched:
            raise InvalidArgument(
                f"The space of `{owner}` is empty: nothing in it is searched. "
                f"Expected at least one name with {_FORMS}."
            )

    @property
    def parameters(self):
        """Dictionary from Keras Tuner's names to a `Range` or `Values` each.

        The places of a text have names of their own: `optimizer.rate`.
        """
        found = {}
        for name, one in self.searched.items():
            found.update(one.parameters(name))
        return found

    def chosen(self, hp):
        """The values of a trial's parameters, by Keras Tuner's names.

        Args:
            hp: Keras Tuner's `HyperParameters`.

        Returns:
            Dictionary, without those that the trial's network does not know.
        """
        return {
            name: one.value_of(hp.values[name])
            for name, one in self.parameters.items()
            if name in hp.values and hp.is_active(name)
        }

    def choose(self, hp, scope=lambda name: None):
        """The settings of a trial.

        Args:
            hp: Keras Tuner's `HyperParameters`.
            scope: Function from a name to the values of `network` that know
                it, where not all do; or None.

        Returns:
            Dictionary from names to values, without those that the trial's
            network does not know.
        """
        settings = {}
        # The network first: others hang on it.
        for name in sorted(self.searched, key=lambda name: name != "network"):
            families = scope(name)
            context = contextlib.nullcontext()
            if families is not None:
                context = hp.conditional_scope("network", families)
            with context:
                value = self.searched[name].choose(hp, name)
            network = settings.get("network")
            if families is None or network in families:
                settings[name] = value
        for name, value in self.fixed.items():
            families = scope(name)
            if families is None or settings["network"] in families:
                settings[name] = value
        return settings


def _parameter(entry, name, owner):
    """What a dictionary of a space says."""
    keys = set(entry)
    if "text" in keys:
        return _text(entry, name, owner)
    if keys == {"values"}:
        return _values(entry["values"], name, owner)
    if {"min", "max"} <= keys <= {"min", "max", "log", "step"}:
        return _range(entry, name, owner)
    raise invalid(name, f"{owner}.space", _FORMS, entry)


def _values(values, name, owner):
    if not isinstance(values, (list, tuple)) or len(values) < 2:
        raise invalid(
            name,
            f"{owner}.space",
            "a list of two or more values (one alone is fixed: leave out the "
            "braces)",
            values,
        )
    values = [_plain(value, name, owner) for value in values]
    texts = [json.dumps(value) for value in values]
    if len(set(texts)) < len(texts):
        raise invalid(name, f"{owner}.space", "values that differ", values)
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
            f"{owner}.space",
            "numbers, min below max, min above 0 if log is true, and a step "
            "above 0 (a factor above 1 if log is true)",
            entry,
        )
    if any(isinstance(number, float) for number in numbers):
        low, high = float(low), float(high)
    found = Range(low, high, log, step)
    if step is None:
        return found
    span = math.log(high / low, step) if log else (high - low) / step
    if not 0.999999 <= span <= _MOST_STEPS:
        raise invalid(
            name,
            f"{owner}.space",
            f"a step that reaches two values or more, {_MOST_STEPS} at most",
            entry,
        )
    return found


def _text(entry, name, owner):
    text = entry["text"]
    parts = {key: part for key, part in entry.items() if key != "text"}
    try:
        fields = list(string.Formatter().parse(text))
    except (TypeError, ValueError):
        fields = []
    places = [place for _, place, _, _ in fields]
    if any(_WIDE.search(form or "") for _, _, form, _ in fields):
        raise invalid(
            name, f"{owner}.space", "places of a fixed, small width", text
        )
    if not parts or {place for place in places if place} != set(parts):
        raise invalid(
            name,
            f"{owner}.space",
            'a text whose places are its other names: {"text": "adam:{rate}", '
            '"rate": {"min": 0.0001, "max": 0.01, "log": True}}',
            entry,
        )
    for key, part in parts.items():
        if not isinstance(part, dict) or "text" in part:
            raise invalid(f"{name}.{key}", f"{owner}.space", _FORMS, part)
    found = {
        key: _parameter(part, f"{name}.{key}", owner)
        for key, part in parts.items()
    }
    one = Text(text, found)
    try:
        one.probes()
    except (LookupError, TypeError, ValueError, MemoryError) as error:
        raise invalid(
            name,
            f"{owner}.space",
            f"a text that can be filled in ({error})",
            text,
        ) from error
    return one


def _plain(value, name, owner):
    """A value as JSON gives it back; `"None"` is None, as for `--set`."""
    if isinstance(value, str) and value == "None":
        return None
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid(
            name, f"{owner}.space", "a number, a text or a list", value
        ) from error
