"""Densities by their names."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from kgen.densities.base import Density
from kgen.densities.gaussian import FullGaussian
from kgen.densities.low_rank import LowRankGaussian
from kgen.densities.naive import NaiveBernoulli, NaiveGaussian
from kgen.errors import invalid
from kgen.params import Named, Options, resolve


def _named(cls, **arguments):
    return Named(functools.partial(functools.partial, cls, **arguments))


def _low_rank(rank=None):
    given = {} if rank is None else {"rank": rank}
    return functools.partial(LowRankGaussian, **given)


# Each builds a function of the shape of one example and the number of classes.
DENSITIES = {
    "naive_gaussian": _named(NaiveGaussian),
    "naive_bernoulli": _named(NaiveBernoulli),
    "full": _named(FullGaussian),
    "shared": _named(FullGaussian, shared=True),
    "low_rank": Named(_low_rank, ("", "RANK")),
}


def get(
    identifier: Density | str,
    input_shape: Sequence[int],
    num_classes: int,
    **options: Any,
) -> Density:
    """Turns a name into a density.

    Args:
        identifier: A `Density`, or one of `"naive_gaussian"`,
            `"naive_bernoulli"`, `"full"`, `"shared"`, `"low_rank"` (of rank 20)
            and `"low_rank:8"` (of that rank).
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        **options: Arguments of the density's class, such as `smoothing`.

    Returns:
        A `Density`.

    Raises:
        InvalidArgument: If a name is unknown (the nearest one is offered), or
            the density is for other data.
    """
    if isinstance(identifier, Density):
        given = tuple(identifier.input_shape), identifier.num_classes
        if options or given != (tuple(input_shape), num_classes):
            raise invalid(
                "density",
                "BayesClassifier",
                f"one for shape {tuple(input_shape)} and {num_classes} classes, "
                "with its own arguments and no others",
                f"one for {given[0]} and {given[1]} classes, {options}",
            )
        return identifier
    build = resolve(
        "density", "BayesClassifier", DENSITIES, identifier, ["vae"]
    )
    name = str(identifier).partition(":")[0]
    known = Options(_options_of(build))
    for option in options:
        known.check("options", f"the density {name}", option)
    return build(input_shape, num_classes, **{**options, **build.keywords})


def options() -> dict:
    """The arguments of all densities in closed form, with their defaults."""
    defaults = {}
    for named in DENSITIES.values():
        defaults.update(_options_of(named.build()))
    return defaults


def _options_of(build: Callable[..., Density]) -> dict:
    return {
        parameter.name: parameter.default
        for parameter in inspect.signature(build).parameters.values()
        if parameter.default is not parameter.empty
        and parameter.name != "shared"
    }
