"""What a study's TOML file says, read and checked in one place."""

import dataclasses
import pathlib
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from kgen import registry
from kgen.errors import InvalidArgument, invalid
from kgen.params import SEED, Instance, Integer, Number, Options, Text
from kgen.studies.keras_tuner_adapter import TUNERS

_DEEPEST = 100  # parts of a key
# Sample metrics while searching: enough to rank, and quick.
_NUM_SAMPLES = 2000
_TEXT, _TABLE = Text("a text"), Instance(dict, "a table")
_BOOLEAN, _LIST = Instance(bool, "true or false"), Instance(list, "a list")
_KEYS = {
    "model": Options(registry.MODELS),
    "data": Instance((str, dict), "a text or a table"),
    "objective": _TEXT,
    "direction": Options(("min", "max")),
    "tuner": Options(TUNERS),
    "seeds": _LIST,
    "budget": _TABLE,
    "space": _TABLE,
    "evaluation": _TABLE,
}
_NEEDED = ("model", "objective", "tuner", "budget", "space")
_DATA = {
    "source": _TEXT,
    "train": _TEXT,
    "validation": _TEXT,
    "image_shape": _LIST,
    "data_dir": _TEXT,
    "background": _TEXT,
    "conditional": _BOOLEAN,
    "binarize": _BOOLEAN,
}
_BUDGET = {"trials": Integer(1), "epochs": Integer(1), "minutes": Number(0.0)}
_EVALUATION = {
    "num_samples": Integer(2),
    "importance_samples": Integer(1),
    "extractor": _TEXT,
    "every": Integer(1),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a study's file says.

    Args:
        model: The model's name.
        objective: Name of the figure that trials are judged by.
        tuner: Name of the search, out of `TUNERS`.
        space: As in `kgen.hypermodels.HyperModel`.
        epochs: How long each trial is trained, in Hyperband the longest ones.
        trials: How many trials there are at most, or None.
        minutes: After how many no trial is begun, or None.
        data: Arguments of `kgen.studies.Data`.
        direction: `"min"`, `"max"`, or None for the objective's own.
        seeds: Those that each trial is trained with.
        evaluation: What the file says of how sample metrics are computed.
    """

    model: str
    objective: str
    tuner: str
    space: dict
    epochs: int
    trials: int | None
    minutes: float | None
    data: dict
    direction: str | None
    seeds: tuple[int, ...]
    evaluation: dict

    @property
    def evidence_options(self) -> dict:
        """How sample metrics are computed, with defaults."""
        return {"num_samples": _NUM_SAMPLES, **self.evaluation}

    def lasting(self) -> dict:
        """What must not change between one trial and another, for JSON."""
        return {
            "model": self.model,
            "data": self.data,
            "objective": self.objective,
            "tuner": self.tuner,
            "seeds": list(self.seeds),
            "space": self.space,
            "evaluation": self.evidence_options,
            "epochs": self.epochs,
        }


def read_settings(path: pathlib.Path, source: str | None = None) -> Settings:
    """Reads a study's file.

    Args:
        path: The TOML file.
        source: Data in the place of the study's own, or None.

    Raises:
        FileNotFoundError: If there is no such file.
        InvalidArgument: If it can't be read, a key or name is unknown (the
            nearest one is offered), or a value is of the wrong type or out of
            range.
    """
    owner = path.name
    try:
        content = _parse(path.read_text())
    except RecursionError as error:
        raise InvalidArgument(f"{path} is nested too deeply.") from error
    except ValueError as error:  # TOML's own, of bytes, of endless digits
        raise InvalidArgument(f"{path} can't be read: {error}.") from error
    content = _check(content, _KEYS, None, owner)
    for key in _NEEDED:
        if key not in content:
            raise InvalidArgument(
                f"{owner} lacks `{key}`. Expected at least "
                f"{', '.join(_NEEDED)}."
            )
    data = content.get("data", {})
    data = {"source": data} if isinstance(data, str) else data
    data = _check(data, _DATA, "data", owner)
    if source is not None:
        data["source"] = source
    budget = _check(content["budget"], _BUDGET, "budget", owner)
    needed = ["epochs"]
    if content["tuner"] in ("random", "bayesian"):
        needed.append("trials")
    for name in needed:
        if name not in budget:
            raise invalid(f"budget.{name}", owner, "a positive integer", None)
    evaluation = content.get("evaluation", {})
    return Settings(
        model=content["model"],
        objective=content["objective"],
        tuner=content["tuner"],
        space=content["space"],
        epochs=budget["epochs"],
        trials=budget.get("trials"),
        minutes=budget.get("minutes"),
        data=data,
        direction=content.get("direction"),
        seeds=_seeds(content.get("seeds", [0]), owner),
        evaluation=_check(evaluation, _EVALUATION, "evaluation", owner),
    )


def _parse(text):
    """TOML as a dictionary; a RecursionError if it is nested too deeply."""
    # A dotted key of very many parts would take tomllib all memory there is.
    if re.search(rf"(?:[\w\"'-]+\s*\.\s*){{{_DEEPEST}}}", text):
        raise RecursionError
    return tomllib.loads(text)


def _check(
    entries: Mapping, known: Mapping, table: str | None, owner: str
) -> dict[str, Any]:
    """A table as a dictionary; raises if a name or a value is wrong."""
    content = {}
    for key, value in entries.items():
        Options(known).check(table or "key", owner, key)
        name, constraint = f"{table}.{key}" if table else key, known[key]
        # Elsewhere a text may stand for a number; TOML has types.
        if isinstance(constraint, Number) and isinstance(value, str):
            raise invalid(name, owner, "a number", repr(value))
        content[key] = constraint.check(name, owner, value)
    return content


def _seeds(seeds, owner):
    seeds = tuple(SEED.check("seed", owner, seed) for seed in seeds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise invalid("seeds", owner, "seeds that differ", seeds)
    return seeds
