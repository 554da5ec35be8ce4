"""The public names, for mkdocstrings."""

import importlib
import inspect


def api(module: str) -> str:
    """A section for each public name of a module.

    Args:
        module: Its dotted name.

    Returns:
        Markdown, with directives of mkdocstrings.
    """
    found = importlib.import_module(module)
    parts = [inspect.getdoc(found) or ""]
    for path, value in public_names(module).items():
        if callable(value):
            parts.append(_directive(path, value))
        elif not inspect.ismodule(value):
            name = path.rpartition(".")[2]
            names = ", ".join(f"`{entry}`" for entry in value)
            parts.append(f"### `{name}` {{: #{path} }}\n\nThe names {names}.")
    return "\n\n".join(parts)


def public_names(module: str) -> dict[str, object]:
    """The public names of a module, and of the modules that are among them.

    Args:
        module: Its dotted name.

    Returns:
        Dictionary from dotted names to what they name.
    """
    found = importlib.import_module(module)
    names = getattr(found, "__all__", None) or [
        name
        for name, value in vars(found).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module
    ]
    public = {}
    for name in names:
        value = getattr(found, name)
        if inspect.ismodule(value):
            public |= {
                f"{module}.{name}.{inner}": function
                for inner, function in vars(value).items()
                if inspect.isfunction(function)
                and not inner.startswith("_")
                and function.__module__ == value.__name__
            }
        else:
            public[f"{module}.{name}"] = value
    return public


def _directive(path, value):
    """By where the name is defined, under the name that users write."""
    defined = inspect.unwrap(value)
    place = f"{defined.__module__}.{defined.__qualname__}"
    module = importlib.import_module(defined.__module__)
    if vars(module).get(defined.__name__) is not value:  # it is made when used
        return f"### `{path}` {{: #{path} }}\n\n{inspect.getdoc(value)}"
    heading = path.replace("kgen.models.", "kgen.")  # where users find it
    return f"::: {place}\n    options:\n      heading: {heading}"
