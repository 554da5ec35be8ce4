"""What `.keras` files hold of a model: its arguments, random streams, and facts."""

import inspect
import json
import os
import re
import zipfile
from typing import Any

import keras

from kgen import damage, files
from kgen.errors import InvalidArgument
from kgen.models.draws import seed_generators
from kgen.params import Boolean, Path, checked

# The files in the archive of a model.
MEMBERS = ("config.json", "model.weights.h5")
# A file with facts about the model, beside Keras's own in the archive.
_FACTS = "kgen.json"
# Keras's message about a class or function that it can't find.
_MISSING = re.compile(
    r"Could not (?:locate|deserialize) (class|function) '(\w+)'"
)


def arguments_of(cls: type[Any]) -> list[str]:
    """The names of the arguments of a class, without `**kwargs`."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [
        parameter.name
        for parameter in parameters
        if parameter.name != "self" and parameter.kind != parameter.VAR_KEYWORD
    ]


def save_streams(model: keras.Model, store: dict) -> None:
    """Adds the states of a model's random streams, which Keras does not save.

    Args:
        model: The model.
        store: What Keras passes to `save_own_variables`.
    """
    for index, generator in enumerate(seed_generators(model)):
        store[f"seed_{index}"] = generator.state.numpy()


def load_streams(model: keras.Model, store: Any) -> dict:
    """Restores what `save_streams` added.

    Args:
        model: The model.
        store: What Keras passes to `load_own_variables`.

    Returns:
        Dictionary of all the rest in the store.
    """
    rest = {key: store[key] for key in store.keys()}  # noqa: SIM118
    for index, generator in enumerate(seed_generators(model)):
        state = rest.pop(f"seed_{index}", None)
        if state is not None:
            generator.state.assign(state)
    return rest


def save_with_facts(
    path: str | os.PathLike, model: keras.Model, facts: dict[str, Any]
) -> None:
    """Writes the archive of a model, whole or not at all.

    Args:
        path: The file, whose name ends in `.keras`.
        model: The model.
        facts: What `facts_of` will return: a dictionary that JSON can hold.
    """
    with files.new_file(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_FACTS, json.dumps(facts))


def facts_of(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the facts that `save_with_facts` was given; `{}` if there are none.

    Args:
        path: The file.

    Raises:
        ValueError: If the facts in the file can't be understood.
    """
    with zipfile.ZipFile(path) as archive:
        if _FACTS not in archive.namelist():
            return {}
        try:
            facts = json.loads(archive.read(_FACTS))
        except (RecursionError, zipfile.BadZipFile) as error:
            raise ValueError(str(error)) from error
    if not isinstance(facts, dict):
        raise ValueError(f"{_FACTS} in it is no object")
    return facts


class UnknownClass(InvalidArgument):
    """A saved model has a class or function that is not known here."""


class DamagedFile(InvalidArgument):
    """The archive of a saved model is not what was written."""


@checked(compile=Boolean())
def load_model(
    filepath: str | os.PathLike,
    compile: bool = True,
    custom_objects: dict | None = None,
    safe_mode: bool = True,
) -> keras.Model:
    """Loads a model that `save` wrote.

    It is `keras.saving.load_model`, which finds kgen's classes only once they
    are imported.

    Args:
        filepath: The `.keras` file.
        compile: Whether to restore the optimizer and its state, too.
        custom_objects: Dictionary from names to your own classes and functions
            that the model uses. Those that are registered by
            `@keras.saving.register_keras_serializable()` need only be imported.
        safe_mode: False to allow for `Lambda` layers, whose code is in the file
            and is run: only for files that you trust.

    Returns:
        The model, with its weights, optimizer and random streams.

    Raises:
        FileNotFoundError: If there is no such file.
        InvalidArgument: If the file is damaged, or the model has a class that
            is not known here.
    """
    path = Path().check("filepath", "load_model", filepath)
    try:
        return keras.saving.load_model(
            filepath, custom_objects, compile, safe_mode=safe_mode
        )
    except MemoryError:
        raise
    except Exception as error:  # damaged files make Keras raise of all kinds
        _raise_missing(error, filepath)
        if not path.exists() and "://" not in str(filepath):
            raise FileNotFoundError(f"There is no file {path}.") from error
        is_archive = path.suffix == ".keras" and path.is_file()
        reason = is_archive and damage.archive_damage(path, MEMBERS)
        if reason:
            raise DamagedFile(
                f"{path} can't be read: it is damaged ({reason}). Put it back "
                "from a copy."
            ) from error
        raise


def _raise_missing(error, filepath):
    """Raises `UnknownClass` where Keras has said that it knows no such class."""
    missing = isinstance(error, TypeError) and _MISSING.search(str(error))
    if missing:
        kind, name = missing.groups()
        raise UnknownClass(
            f"The {kind} `{name}` of {filepath} is not known here. Import the "
            "module that defines it before loading, where it has the decorator "
            "`@keras.saving.register_keras_serializable()`, or load by "
            f"`kgen.load_model(path, custom_objects={{{name!r}: {name}}})`."
        ) from error
