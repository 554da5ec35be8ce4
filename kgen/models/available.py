"""Methods that are there under a condition."""

from collections.abc import Callable
from typing import Any

from sklearn.utils import metaestimators

from kgen.params import Function


def available_if(
    condition: Callable[[Any], bool],
) -> Callable[[Function], Function]:
    """Decorates a method that an object has only under a condition.

    `hasattr` tells whether it has it. This is scikit-learn's decorator, which keeps
    no type.

    Args:
        condition: Function of the object, True if it has the method. Where it
            raises `AttributeError`, that error is the cause of the one that users
            get.
    """
    return metaestimators.available_if(condition)
