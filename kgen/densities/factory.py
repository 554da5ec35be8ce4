"""Densities by their names."""

import functools
import inspect

from kgen.densities.base import Density
from kgen.densities.gaussian import FullGaussian
from kgen.densities.low_rank import LowRankGaussian
from kgen.densities.naive import NaiveBernoulli, NaiveGaussian
from kgen.errors import check_name, invalid, unknown_name

DENSITIES = {
    "naive_gaussian": NaiveGaussian,
    "naive_bernoulli": NaiveBernoulli,
    "full": FullGaussian,
    "shared": functools.partial(FullGaussian, shared=True),
    "low_rank": LowRankGaussian,
}


def get(identifier, input_shape, num_classes, **options):
    """Turns a name into a density, once, at the border.

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
        InvalidArgument: If a name is unknown (the nearest one is offered).
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
    name, colon, rank = str(identifier).partition(":")
    if name not in DENSITIES or (colon and name != "low_rank"):
        known = [*DENSITIES, "vae"]
        raise unknown_name("density", "BayesClassifier", known, identifier)
    if colon:
        options["rank"] = int(rank) if rank.isdecimal() else rank
    known = _options_of(DENSITIES[name])
    for option in options:
        check_name("options", f"the density {name}", known, option)
    return DENSITIES[name](input_shape, num_classes, **options)


def options():
    """The arguments of all densities in closed form, with their defaults."""
    found = {}
    for build in DENSITIES.values():
        found.update(_options_of(build))
    return found


def _options_of(build):
    return {
        parameter.name: parameter.default
        for parameter in inspect.signature(build).parameters.values()
        if parameter.default is not parameter.empty
        and parameter.name != "shared"
    }
