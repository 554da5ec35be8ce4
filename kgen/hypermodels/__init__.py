"""Models in a space of settings, for Keras Tuner: one class for each model."""

import functools

from kgen import registry
from kgen.hypermodels.base import HyperModel
from kgen.params import Options, checked

_BY_CLASS = {entry.class_name: name for name, entry in registry.MODELS.items()}

__all__ = ["HyperModel", "get", *_BY_CLASS]


@checked(model=Options(registry.MODELS))
@functools.cache
def get(model: str) -> type[HyperModel]:
    """Returns the class of hypermodels for a model's name.

    Args:
        model: A name that `kgen.create_model` knows.

    Returns:
        A subclass of `HyperModel`, which is also here under the name of the
        model's class: `kgen.hypermodels.VAE` is `get("vae")`.

    Raises:
        InvalidArgument: If there is no such model.
    """
    name = registry.MODELS[model].class_name
    return type(
        name,
        (HyperModel,),
        {
            "__doc__": f"`kgen.{name}` in a space of settings; see "
            "`HyperModel`.",
            "__module__": __name__,
            "model": model,
        },
    )


def __getattr__(name: str) -> type[HyperModel]:
    if name not in _BY_CLASS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return get(_BY_CLASS[name])
