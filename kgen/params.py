"""What arguments may be: constraints, and the form `"name:number"`.

A function declares its constraints in a table, and its body needs no checks:

    @params.checked(num_samples=Integer(1), seed=Optional(SEED))
    def sample(self, num_samples, seed=None):

What is passed on is what the constraint returned: an `int` for NumPy's integers,
a `float` for `1` or `"0.5"`. Defaults are not checked. Above a class, such as a
dataclass of settings, the table is that of the arguments of its `__init__`.
"""

import dataclasses
import functools
import inspect
import operator
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from kgen.errors import InvalidArgument, invalid, one_line, unknown_name

# What int32 and float32 can hold.
_LARGEST_INTEGER = 2**31 - 1
_LARGEST_NUMBER = 3.4028235e38

Function = TypeVar("Function", bound=Callable)


class Constraint:
    """Base of what an argument may be."""

    def check(self, argument: str, owner: str, value: Any) -> Any:
        """Returns the value in its usual type, or raises.

        Args:
            argument: Name of the argument, for the message.
            owner: Name of the class or function that it was given to.
            value: What was given.

        Raises:
            InvalidArgument: If the value is not allowed.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Integer(Constraint):
    """An integer between two bounds, which are included.

    Args:
        minimum: The least one.
        maximum: The greatest one; None for the greatest int32.
    """

    minimum: int = 1
    maximum: int | None = None

    def check(self, argument: str, owner: str, value: Any) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        most = _LARGEST_INTEGER if self.maximum is None else self.maximum
        is_fine = number is not None and self.minimum <= number <= most
        if number is None or not is_fine or is_boolean(value):
            raise invalid(argument, owner, self._expected(number), value)
        return number

    def _expected(self, number: int | None) -> str:
        if self.maximum is not None:
            return f"an integer from {self.minimum} to {self.maximum}"
        if number is not None and number > _LARGEST_INTEGER:
            return f"an integer of at most {_LARGEST_INTEGER}"
        if self.minimum == 1:
            return "a positive integer"
        return f"an integer of at least {self.minimum}"


@dataclasses.dataclass(frozen=True)
class Count(Integer):
    """A positive integer; text such as `"10"`, behind a colon, is converted."""

    def check(self, argument: str, owner: str, value: Any) -> int:
        is_text = isinstance(value, str) and value.isdecimal()
        return super().check(argument, owner, int(value) if is_text else value)


@dataclasses.dataclass(frozen=True)
class Number(Constraint):
    """A finite number between two bounds; text such as `"0.5"` is converted.

    Args:
        minimum: The least one.
        maximum: The greatest one, or None.
        below: A bound that the number must not reach, or None.
    """

    minimum: float = 0.0
    maximum: float | None = None
    below: float | None = None

    def check(self, argument: str, owner: str, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        most = _LARGEST_NUMBER if self.maximum is None else self.maximum
        is_fine = self.minimum <= number <= most
        is_fine = is_fine and (self.below is None or number < self.below)
        if not is_fine or is_boolean(value):
            raise invalid(argument, owner, self._expected(), value)
        return number

    def _expected(self) -> str:
        if self.below is not None:
            return f"a number in [{self.minimum:g}, {self.below:g})"
        if self.maximum is not None:
            return f"a number from {self.minimum:g} to {self.maximum:g}"
        return f"a finite number of at least {self.minimum:g}"


@dataclasses.dataclass(frozen=True)
class Boolean(Constraint):
    """True or False; a text such as `"off"` would count as true."""

    def check(self, argument: str, owner: str, value: Any) -> bool:
        if not is_boolean(value):
            raise invalid(argument, owner, "True or False", repr(value))
        return bool(value)


@dataclasses.dataclass(frozen=True)
class Options(Constraint):
    """One of several names; for an unknown one, the nearest is offered.

    Args:
        names: All of them.
    """

    names: Iterable[str]

    def check(self, argument: str, owner: str, value: Any) -> str:
        if not isinstance(value, str) or value not in self.names:
            raise unknown_name(argument, owner, self.names, value)
        return value


@dataclasses.dataclass(frozen=True)
class Text(Constraint):
    """Any text that is not empty.

    Args:
        expected: What it stands for, in words, for the message.
    """

    expected: str = "text"

    def check(self, argument: str, owner: str, value: Any) -> str:
        if not isinstance(value, str) or not value:
            raise invalid(argument, owner, self.expected, repr(value))
        return value


@dataclasses.dataclass(frozen=True)
class Path(Constraint):
    """A path, which is returned as a `pathlib.Path`."""

    def check(self, argument: str, owner: str, value: Any) -> pathlib.Path:
        try:
            return pathlib.Path(value)
        except TypeError as error:
            raise invalid(argument, owner, "a path", repr(value)) from error


@dataclasses.dataclass(frozen=True)
class Instance(Constraint):
    """An object of a class, or of one of several.

    Args:
        types: What `isinstance` takes.
        expected: What that is, in words.
    """

    types: type | tuple[type, ...]
    expected: str

    def check(self, argument: str, owner: str, value: Any) -> Any:
        if not isinstance(value, self.types):
            raise invalid(argument, owner, self.expected, value)
        return value


@dataclasses.dataclass(frozen=True)
class Optional(Constraint):
    """None, or what another constraint allows.

    Args:
        constraint: The other one.
    """

    constraint: Constraint

    def check(self, argument: str, owner: str, value: Any) -> Any:
        if value is None:
            return None
        return self.constraint.check(argument, owner, value)


@dataclasses.dataclass(frozen=True)
class Each(Constraint):
    """A sequence whose items another constraint allows; returned as a tuple.

    Args:
        constraint: What each item may be.
        expected: What the sequence is, in words.
    """

    constraint: Constraint
    expected: str

    def check(self, argument: str, owner: str, value: Any) -> tuple:
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise invalid(argument, owner, self.expected, value)
        return tuple(
            self.constraint.check(argument, owner, item) for item in value
        )


@dataclasses.dataclass(frozen=True)
class Built(Constraint):
    """What a function makes of a user's value, such as Keras of a name.

    Args:
        build: Function of the value; it may raise anything.
        expected: What it takes, in words.
    """

    build: Callable
    expected: str

    def check(self, argument: str, owner: str, value: Any) -> Any:
        try:
            return self.build(value)
        except InvalidArgument:
            raise
        except Exception as error:  # of any kind: it is not kgen's code
            reason = one_line(error)
            if len(reason) > 200:
                reason = f"{reason[:200]}..."
            expected = f"{self.expected} ({type(error).__name__}: {reason})"
            raise invalid(argument, owner, expected, value) from error


# What TensorFlow takes as a seed everywhere.
SEED = Integer(0, _LARGEST_INTEGER)


def checked(**constraints: Constraint) -> Callable[[Function], Function]:
    """Decorates a function, method or class whose arguments have constraints.

    Messages name the function, a method together with its object's class, and
    for `__init__` the class alone.

    Args:
        **constraints: By the arguments' names.
    """

    def decorate(function):
        if isinstance(function, type):
            function.__init__ = decorate(function.__init__)
            return function
        signature = inspect.signature(function)
        is_method = next(iter(signature.parameters), None) == "self"

        @functools.wraps(function)
        def call(*args, **kwargs):
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError:
                # Python's own message, which names the function.
                return function(*args, **kwargs)
            owner = function.__name__
            if is_method:
                owner = _owner(bound.arguments["self"], owner)
            for name, constraint in constraints.items():
                if name in bound.arguments:
                    bound.arguments[name] = constraint.check(
                        name, owner, bound.arguments[name]
                    )
            return function(*bound.args, **bound.kwargs)

        # For `inspect.getfullargspec`, by which Keras reads `__init__`, and which
        # does not look at the wrapped function.
        call.__signature__ = signature
        return call

    return decorate


def _owner(instance, method):
    name = type(instance).__name__
    return name if method == "__init__" else f"{name}.{method}"


class Described:
    """Base of objects that Keras saves by the arguments of their `__init__`.

    Each argument is an attribute of the same name. A subclass is registered as
    serialisable.
    """

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds the object that `get_config` described."""
        return cls(**config)


def is_boolean(value: Any) -> bool:
    """Whether a value is True or False, also of NumPy, which is not imported."""
    return type(value).__name__ in ("bool", "bool_")


@dataclasses.dataclass(frozen=True)
class Named:
    """What one name stands for in texts such as `"gaussian:0.1"`.

    Args:
        build: Function of the values behind the colons, as texts; it checks
            them.
        forms: What may follow the name, such as `("", "LOW:HIGH")`.
    """

    NO_VALUES: ClassVar = ("",)

    build: Callable
    forms: tuple[str, ...] = NO_VALUES


def resolve(
    argument: str,
    owner: str,
    table: Mapping[str, Named],
    identifier: Any,
    others: Iterable[str] = (),
) -> Any:
    """What a text such as `"name"` or `"name:number"` stands for.

    Args:
        argument: Name of the argument, for messages.
        owner: Name of the class or function that it was given to.
        table: What each name stands for.
        identifier: The text.
        others: Names that the caller knows besides, for the message.

    Returns:
        What the name's `build` returned.

    Raises:
        InvalidArgument: If the name is unknown (the nearest one is offered) or
            is followed by other values than it takes.
    """
    name, *values = str(identifier).split(":")
    if name not in table:
        raise unknown_name(argument, owner, [*table, *others], identifier)
    named = table[name]
    counts = {len(form.split(":")) if form else 0 for form in named.forms}
    if len(values) not in counts:
        expected = " or ".join(
            f'"{name}:{form}"' if form else f'"{name}"' for form in named.forms
        )
        raise invalid(argument, owner, expected, repr(identifier))
    return named.build(*values)
