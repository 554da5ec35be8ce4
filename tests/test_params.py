"""Constraints of arguments: what passes, and the exact messages."""

import pathlib

import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.params import (
    SEED,
    Boolean,
    Built,
    Described,
    Each,
    Instance,
    Integer,
    Named,
    Number,
    Optional,
    Options,
    Path,
    Text,
    checked,
    resolve,
)


def message(function, *args):
    """What is said of an argument, without its name and owner."""
    with pytest.raises(InvalidArgument) as error:
        function(*args)
    before = "Invalid value for argument `n` of `f`. Expected "
    assert str(error.value).startswith(before)
    return str(error.value).removeprefix(before)


@pytest.mark.parametrize("value", [1, np.int64(7), np.array(3)])
def test_integers_pass(value):
    number = Integer().check("n", "f", value)
    assert type(number) is int
    assert number == value


@pytest.mark.parametrize(
    "value", [0, -1, 1.0, "3", None, True, np.True_, np.array([1, 2])]
)
def test_what_is_no_positive_integer_does_not(value):
    said = message(Integer(1).check, "n", "f", value)
    assert said == f"a positive integer. Received: n={value}"


def test_the_minimum_of_an_integer_is_said():
    assert Integer(0).check("n", "f", 0) == 0


@pytest.mark.parametrize("value", [0, 2.5, "0.1", np.float32(3)])
def test_numbers_pass(value):
    number = Number().check("n", "f", value)
    assert type(number) is float
    assert number == float(value)


@pytest.mark.parametrize(
    "value", [-1e-9, float("nan"), float("inf"), "a", None, [1, 2], 10**400]
)
def test_what_is_no_number_does_not(value):
    said = message(Number().check, "n", "f", value)
    assert said.startswith("a finite number of at least 0. Received: n=")


@pytest.mark.parametrize(
    ("constraint", "value", "said"),
    [
        (Integer(2), 1, "an integer of at least 2. Received: n=1"),
        (Integer(0, 9), 10, "an integer from 0 to 9. Received: n=10"),
        (
            Integer(),
            2**31,
            "an integer of at most 2147483647. Received: n=2147483648",
        ),
        (SEED, -1, "an integer from 0 to 2147483647. Received: n=-1"),
        (SEED, None, "an integer from 0 to 2147483647. Received: n=None"),
        (Number(0.5), 0, "a finite number of at least 0.5. Received: n=0"),
        (Number(maximum=1.0), 2, "a number from 0 to 1. Received: n=2"),
        (Number(below=1.0), "1", "a number in [0, 1). Received: n=1"),
        (Number(), True, "a finite number of at least 0. Received: n=True"),
        (Boolean(), "off", "True or False. Received: n='off'"),
        (Boolean(), 1, "True or False. Received: n=1"),
        (
            Options(["hinge", "minimax"]),
            "hing",
            "one of 'hinge', 'minimax' (did you mean 'hinge'?). "
            "Received: n='hing'",
        ),
        (Options(["hinge"]), 3, "one of 'hinge'. Received: n=3"),
        (Text("a colour"), "", "a colour. Received: n=''"),
        (Text("a colour"), 3, "a colour. Received: n=3"),
        (Path(), 3, "a path. Received: n=3"),
        (Instance(int, "a count"), "3", "a count. Received: n=3"),
        (Optional(Integer()), 0, "a positive integer. Received: n=0"),
        (Each(Integer(), "numbers"), 3, "numbers. Received: n=3"),
        (Each(Integer(), "numbers"), "12", "numbers. Received: n=12"),
        (
            Each(Integer(), "numbers"),
            [1, 0],
            "a positive integer. Received: n=0",
        ),
        (
            Built(int, "digits"),
            "x",
            "digits (ValueError: invalid literal for int() with base 10: 'x'). "
            "Received: n=x",
        ),
    ],
)
def test_messages(constraint, value, said):
    assert message(constraint.check, "n", "f", value) == said


@pytest.mark.parametrize(
    ("constraint", "value", "expected"),
    [
        (Integer(0, 9), np.int32(9), 9),
        (Number(-1.0, maximum=1.0), -1, -1.0),
        (Number(below=1.0), "0.9", 0.9),
        (Boolean(), np.True_, True),
        (Options({"hinge": 1}), "hinge", "hinge"),
        (Text(), " ", " "),
        (Path(), "a/b", pathlib.Path("a/b")),
        (Instance((int, str), "either"), "3", "3"),
        (Optional(Integer()), None, None),
        (Optional(Integer()), 3, 3),
        (Each(Integer(), "numbers"), np.array([3, 4]), (3, 4)),
        (Built(int, "digits"), "12", 12),
    ],
)
def test_what_is_allowed_is_converted(constraint, value, expected):
    found = constraint.check("n", "f", value)
    assert found == expected
    assert type(found) is type(expected)


@checked(n=Integer(), rate=Number())
def function(n, rate=2, *, other=None):
    return n, rate, other


class Example:
    @checked(n=Integer())
    def __init__(self, n):
        self.n = n

    @checked(rate=Number())
    def method(self, rate):
        return rate


def test_a_table_checks_arguments_however_they_are_given():
    assert function(np.int64(3), other="x") == (3, 2, "x")
    assert function(n=1, rate="0.5") == (1, 0.5, None)
    assert Example(2).method(rate=1) == 1.0


@pytest.mark.parametrize(
    ("call", "owner"),
    [
        (lambda: function(0), "`n` of `function`"),
        (lambda: function(1, rate=-1), "`rate` of `function`"),
        (lambda: Example(0), "`n` of `Example`"),
        (lambda: Example(1).method(-1), "`rate` of `Example.method`"),
    ],
)
def test_a_table_names_the_owner(call, owner):
    with pytest.raises(InvalidArgument, match=f"argument {owner}"):
        call()


TABLE = {
    "plain": Named(lambda: "plain"),
    "noise": Named(lambda *texts: texts, ("LEVEL", "LOW:HIGH")),
}


def test_a_name_stands_for_what_its_entry_builds():
    assert resolve("n", "f", TABLE, "plain") == "plain"
    assert resolve("n", "f", TABLE, "noise:1") == ("1",)
    assert resolve("n", "f", TABLE, "noise:1:x") == ("1", "x")


@pytest.mark.parametrize(
    ("identifier", "said"),
    [
        ("plain:1", "\"plain\". Received: n='plain:1'"),
        (
            "noise",
            '"noise:LEVEL" or "noise:LOW:HIGH". Received: n=\'noise\'',
        ),
        (
            "nois:1",
            "one of 'plain', 'noise', 'more' (did you mean 'noise'?). "
            "Received: n='nois:1'",
        ),
        (None, "one of 'plain', 'noise', 'more'. Received: n=None"),
    ],
)
def test_other_names_and_values_are_refused(identifier, said):
    assert message(resolve, "n", "f", TABLE, identifier, ["more"]) == said


class _Scaled(Described):
    def __init__(self, scale, kind="round"):
        self.scale, self.kind = scale, kind


def test_an_object_is_described_by_the_arguments_of_its_class():
    config = _Scaled(2).get_config()
    assert config == {"scale": 2, "kind": "round"}
    copy = _Scaled.from_config({**config, "kind": "square"})
    assert (copy.scale, copy.kind) == (2, "square")
    assert Described.from_config(Described().get_config()).get_config() == {}
