"""What `kgen train --set`, studies and `create_model` take, model by model."""

import inspect

from kgen import densities, networks, registry
from kgen.models import VAE, factory
from kgen_docs.docstrings import arguments
from kgen_docs.markdown import table

# What `create_model` itself takes for a classifier.
_OF_CLASSIFIER = {
    "density": 'The density of each class: `"vae"`, or a name that '
    "`kgen.densities.get` takes.",
    "latent_prior": "p(z) of the VAE, if the density is one; as `prior` of `VAE`.",
}


def settings() -> str:
    """A section for each model: the names, defaults and meanings."""
    return "\n\n".join(_section(name) for name in registry.MODELS)


def _section(name):
    entry = registry.MODELS[name]
    chosen = {**entry.defaults, **entry.recipe}
    defaults = ", ".join(f"`{k}` {v}" for k, v in chosen.items())
    parts = [
        f"## {name}",
        f"`kgen.{entry.class_name}`: {entry.sentence}. "
        f"`kgen train {name}` starts from these defaults: {defaults}.",
    ]
    for title, rows in rows_of(name).items():
        if rows:
            head = ("name", *_families(name, title), "what it is")
            parts += [f"**{title}**", table(head, rows)]
    return "\n\n".join(parts)


def rows_of(name: str) -> dict[str, list[tuple]]:
    """Rows of a model's tables: a name, its defaults and its meaning.

    Args:
        name: A model's name.

    Returns:
        Dictionary from the tables' titles to their rows.

    Raises:
        ValueError: If no docstring says what a name means.
    """
    entry = registry.MODELS[name]
    by_network = {
        network: factory.options_of(name, network) for network in entry.networks
    }
    every = {k: None for options in by_network.values() for k in options}
    own = _documented(name)
    of_densities = _of_densities() if "density" in every else []
    of_networks = arguments(networks)
    model, builders = [], []
    counted = {row[0].strip("`") for row in of_densities}
    for option in every:
        if option in counted:
            continue
        found = {
            n: opts[option] for n, opts in by_network.items() if option in opts
        }
        if option in own:
            default = next(iter(found.values()))
            model.append((f"`{option}`", _typed(default), own[option]))
        elif option in of_networks:
            cells = [_typed(found[n]) if n in found else "" for n in by_network]
            builders.append((f"`{option}`", *cells, of_networks[option]))
        else:
            raise ValueError(f"No docstring tells what {option} of {name} is.")
    compile_ = arguments(entry.model_class.compile)
    training = [
        (f"`{option}`", _typed(default), compile_[option])
        for option, default in factory.compile_options_of(name).items()
    ]
    return {
        "Of the model": model,
        "Of `compile`": training,
        "Of the density, where it is in closed form": of_densities,
        "Of the networks": builders,
    }


def _families(name, title):
    """The headings of the columns with defaults."""
    if title == "Of the networks":
        return registry.MODELS[name].networks
    if title.startswith("Of the density"):
        return ("density", "default")
    return ("default",)


def _documented(name):
    """What docstrings say of the arguments that are no network's."""
    cls = registry.MODELS[name].model_class
    if not cls.needs_labels:
        return arguments(cls)
    found = arguments(VAE)
    return found | arguments(cls) | _OF_CLASSIFIER


def _of_densities():
    """Rows of the arguments of densities: names, density, default, meaning."""
    rows = []
    for name, named in densities.factory.DENSITIES.items():
        build = named.build()
        meanings = arguments(getattr(build, "func", build))
        rows += [
            (f"`{p.name}`", f"`{name}`", _typed(p.default), meanings[p.name])
            for p in inspect.signature(build).parameters.values()
            if p.name in densities.options()
        ]
    return sorted(rows)


def _typed(default):
    """A default as one would type it."""
    if isinstance(default, str):
        return f'`"{default}"`'
    if inspect.isclass(default) or callable(default):
        return f"`{default.__name__}`"
    return f"`{default}`"
