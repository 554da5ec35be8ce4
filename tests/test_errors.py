"""The form of the error messages."""

import numpy as np
import pytest

from kgen.errors import (
    InvalidArgument,
    check_int,
    check_number,
    invalid,
    unknown_name,
)


def test_the_message_names_all():
    error = invalid("latent_dim", "VAE", "a positive integer", 0)
    assert isinstance(error, InvalidArgument)
    assert isinstance(error, ValueError)
    assert str(error) == (
        "Invalid value for argument `latent_dim` of `VAE`. Expected a positive "
        "integer. Received: latent_dim=0"
    )


def test_an_unknown_name_is_answered_with_the_nearest():
    error = unknown_name("loss", "GAN", ["hinge", "minimax"], "minmax")
    assert "one of 'hinge', 'minimax' (did you mean 'minimax'?)" in str(error)
    assert "did you mean" not in str(unknown_name("loss", "GAN", ["hinge"], 3))
    error = unknown_name(
        "optimizer", "compile", ["adam", "sgd"], "adm:0.001:0.5"
    )
    assert "(did you mean 'adam'?)" in str(error) and "adm:0.001" in str(error)


@pytest.mark.parametrize("value", [1, np.int64(7), np.array(3)])
def test_integers_pass(value):
    number = check_int("n", "f", value)
    assert type(number) is int
    assert number == value


@pytest.mark.parametrize(
    "value", [0, -1, 1.0, "3", None, True, np.True_, np.array([1, 2])]
)
def test_what_is_no_positive_integer_does_not(value):
    with pytest.raises(InvalidArgument, match="Expected a positive integer"):
        check_int("n", "f", value)


def test_the_minimum_of_an_integer_is_said():
    assert check_int("n", "f", 0, minimum=0) == 0
    with pytest.raises(InvalidArgument, match="an integer of at least 2"):
        check_int("n", "f", 1, minimum=2)


@pytest.mark.parametrize("value", [0, 2.5, "0.1", np.float32(3)])
def test_numbers_pass(value):
    number = check_number("x", "f", value)
    assert type(number) is float
    assert number == float(value)


@pytest.mark.parametrize(
    "value", [-1e-9, float("nan"), float("inf"), "a", None, [1, 2], 10**400]
)
def test_what_is_no_number_does_not(value):
    with pytest.raises(InvalidArgument, match="a finite number of at least 0"):
        check_number("x", "f", value)
