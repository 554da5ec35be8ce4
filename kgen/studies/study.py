"""A study: what is searched, by what, how long; read from a TOML file."""

import dataclasses
import functools
import pathlib
import re
import tomllib

import keras_tuner

from kgen import hypermodels, names
from kgen.data import open_source
from kgen.data.examples import set_aside
from kgen.errors import (
    InvalidArgument,
    check_int,
    check_name,
    check_number,
    check_seed,
    invalid,
)
from kgen.models import checks, factory
from kgen.studies import objectives

TUNERS = ("random", "bayesian", "hyperband", "grid")
_DEEPEST = 100  # parts of a key
# Of successive epochs in Hyperband.
FACTOR = 3
_KEYS = {
    "model": str,
    "data": (str, dict),
    "objective": str,
    "direction": str,
    "tuner": str,
    "seeds": list,
    "budget": dict,
    "space": dict,
    "evaluation": dict,
}
_NEEDED = ("model", "objective", "tuner", "budget", "space")
_TABLES = {
    "data": {
        "source": str,
        "train": str,
        "validation": str,
        "image_shape": list,
        "data_dir": str,
        "background": str,
        "conditional": bool,
        "binarize": bool,
    },
    "budget": {
        "trials": int,
        "epochs": int,
        "minutes": (int, float),
    },
    "evaluation": {
        "num_samples": int,
        "importance_samples": int,
        "extractor": str,
        "every": int,
    },
}
_KINDS = {
    bool: "true or false",
    dict: "a table",
    float: "a number",
    int: "an integer",
    list: "a list",
    str: "a text",
}
# Sample metrics while searching: enough to rank, and quick.
_NUM_SAMPLES = 2000


class Data:
    """What a study trains on, and the part that judges its trials.

    The test split stays unseen, for the last judgement: trials are judged by
    the validation split, or else by a fifth of the training examples, always
    the same one, drawn from all over them.

    Args:
        source: As in `kgen.data.load`.
        train: The split to train on.
        validation: The split that judges; both or none of them are given.
        image_shape: As in `kgen.data.load`.
        data_dir: As in `kgen.data.load`.
        background: As in `kgen.data.load`.
        conditional: Whether networks take the labels.
        binarize: As in `kgen.data.load`.
    """

    def __init__(
        self,
        source="digits",
        train=None,
        validation=None,
        image_shape=None,
        data_dir=None,
        background="white",
        conditional=False,
        binarize=False,
    ):
        self.source = open_source(
            source, image_shape, data_dir, background=background
        )
        if (train is None) != (validation is None):
            raise invalid(
                "data",
                "study",
                "both of train and validation, or none",
                {"train": train, "validation": validation},
            )
        if train is None:
            examples = self._usual()
        else:
            self._check(train, validation)
            examples = map(self.source.examples, (train, validation))
        self._examples = dict(zip(("train", "validation"), examples))
        self.conditional, self.binarize = conditional, binarize
        if conditional and self.examples("train").labels is None:
            raise invalid(
                "conditional", "data", "data with labels", conditional
            )

    def _usual(self):
        """What to train on, and what to judge by, where nothing is said."""
        train = self.source.examples("train")
        if "validation" in self.source.splits:
            return train, self.source.examples("validation")
        if len(train) < 2:
            raise InvalidArgument(
                f"{self.source.name} has one training example: too few to set "
                "one aside by which trials are judged."
            )
        return map(train.select, set_aside(len(train), train.labels))

    def _check(self, train, validation):
        """Raises if the splits that a study names can't judge its trials."""
        for split in (train, validation):
            if split.partition("[")[0] in ("test", "all"):
                raise invalid(
                    "data",
                    "study",
                    "splits without test examples: those are for the last "
                    "judgement, and the tuner must not see them",
                    split,
                )
        if self.source.overlap(train, validation):
            raise invalid(
                "data",
                "study",
                "train and validation without examples in common",
                {"train": train, "validation": validation},
            )

    def examples(self, name):
        """The examples of `"train"` or `"validation"`."""
        return self._examples[name]

    def batches(self, name, batch_size, seed):
        """Batches of one of them; only `"train"` is shuffled."""
        return self.examples(name).batches(
            labels=self.conditional,
            batch_size=batch_size,
            shuffle=name == "train",
            seed=seed,
            binarize=self.binarize,
        )


@dataclasses.dataclass(frozen=True)
class Study:
    """A study, as its file says it, and checked.

    Args:
        path: Its file.
        said: Dictionary of all that the file says.
    """

    path: pathlib.Path
    said: dict

    @property
    def model(self):
        """The model's name."""
        return self.said["model"]

    @property
    def seeds(self):
        """The seeds that each trial is trained with."""
        return tuple(self.said.get("seeds", [0]))

    @property
    def budget(self):
        """`trials`, `epochs` and `minutes`, None where there is no limit."""
        return {**dict.fromkeys(_TABLES["budget"]), **self.said["budget"]}

    @property
    def evaluation(self):
        """How sample metrics are computed."""
        return {"num_samples": _NUM_SAMPLES, **self.said.get("evaluation", {})}

    @property
    def data_settings(self):
        """The arguments of `Data`."""
        data = self.said.get("data", {})
        return {"source": data} if isinstance(data, str) else data

    @property
    def folder(self):
        """Where its trials are kept: beside the file."""
        return self.path.with_suffix(".trials")

    @property
    def results_file(self):
        """Where its results are written: beside the file."""
        return self.path.with_suffix(".results.json")

    @property
    def picture_file(self):
        """Where its picture is drawn: beside the file."""
        return self.path.with_suffix(".png")

    @functools.cached_property
    def space(self):
        """What is searched, as `kgen.hypermodels` reads it."""
        return self.hypermodel().space

    @functools.cached_property
    def data(self):
        """The data, opened."""
        data = dict(self.data_settings)
        if factory.MODELS[self.model].needs_labels:
            data["conditional"] = True
        return Data(**data)

    @functools.cached_property
    def objective(self):
        """The `Objective`."""
        return objectives.find(
            self.said["objective"],
            self.said.get("direction"),
            self.hypermodel(),
            self.first_model,
            self.path.name,
        )

    @functools.cached_property
    def first_model(self):
        """That of the space's first values, once all of the space is checked."""
        return self.hypermodel().check()

    def hypermodel(self, seed=None):
        """The model in the study's space, beside `kgen train`'s own defaults.

        Args:
            seed: Integer for the models' own draws, or None.
        """
        shape = self.data.examples("train").shape
        usual = {**names.TRAINING, **names.TRAINING_OF.get(self.model, {})}
        fixed = {name: usual[name] for name in ("latent_dim", "batch_size")}
        fixed["network"] = "conv" if len(shape) == 3 else "dense"
        classes = None
        if self.data.conditional:
            classes = self.data.source.num_classes
        return hypermodels.get(self.model)(
            shape,
            {**fixed, **self.said["space"]},
            num_classes=classes,
            seed=seed,
        )


def read(path, source=None):
    """Reads a study, and checks all of it.

    Args:
        path: A TOML file with `model`, `data`, `objective`, `direction`,
            `tuner`, `seeds` and the tables `budget` (`trials`, `epochs`,
            `minutes`), `space` (as in `kgen.hypermodels.HyperModel`), `data`
            (as in `kgen.studies.Data`) and `evaluation` (`num_samples`,
            `importance_samples`, `extractor`, `every`).
        source: Data in the place of the study's own, as in `kgen.data.load`; or
            None.

    Returns:
        A `Study`.

    Raises:
        FileNotFoundError: If there is no such file.
        InvalidArgument: If it can't be read, a name is unknown (the nearest
            one is offered), a value can't be built, the tuner can't search the
            space, or the objective does not compare across it.

    Example:

        study = kgen.studies.read("tuning/vae_digits.toml")
    """
    path = pathlib.Path(path)
    try:
        said = _parsed(path.read_text())
    except RecursionError as error:
        raise InvalidArgument(f"{path} is nested too deeply.") from error
    except ValueError as error:  # TOML's own, of bytes, of endless digits
        raise InvalidArgument(f"{path} can't be read: {error}.") from error
    _check_keys(said, path.name)
    study = Study(path, said)
    if source is not None:
        data = {**study.data_settings, "source": source}
        study = Study(path, {**said, "data": data})
    _check_numbers(study)
    for seed in study.seeds:
        check_seed(path.name, seed, optional=False)
    if len(set(study.seeds)) < max(1, len(study.seeds)) or not study.seeds:
        raise invalid("seeds", path.name, "seeds that differ", study.seeds)
    if study.objective.is_log and "evaluation" in said:
        raise invalid(
            "evaluation",
            path.name,
            f"nothing: {study.objective.name} is a log of `fit`, and takes no "
            "settings",
            said["evaluation"],
        )
    check_tuner(study)
    for name in ("train", "validation"):
        batches = study.data.batches(name, 64, 0)
        checks.check_data(
            study.first_model, batches, argument="data", owner=path.name
        )
    return study


def _parsed(text):
    """TOML as a dictionary; a RecursionError if it is nested too deeply."""
    # A dotted key of very many parts would take tomllib all memory there is.
    if re.search(rf"(?:[\w\"'-]+\s*\.\s*){{{_DEEPEST}}}", text):
        raise RecursionError
    return tomllib.loads(text)


def _check_keys(said, owner):
    _check_table(said, _KEYS, "key", owner)
    for key in _NEEDED:
        if key not in said:
            raise InvalidArgument(
                f"{owner} lacks `{key}`. Expected at least "
                f"{', '.join(_NEEDED)}."
            )
    check_name("model", owner, factory.MODELS, said["model"])
    check_name("tuner", owner, TUNERS, said["tuner"])
    for table, known in _TABLES.items():
        entries = said.get(table, {})
        if isinstance(entries, dict):
            _check_table(entries, known, table, owner)


def _check_table(entries, known, table, owner):
    """Raises if a key is unknown, or its value is of the wrong type."""
    for key, value in entries.items():
        check_name(table, owner, known, key)
        kinds = known[key] if isinstance(known[key], tuple) else (known[key],)
        boolean = isinstance(value, bool) and bool not in kinds
        if boolean or not isinstance(value, kinds):
            expected = " or ".join(_KINDS[kind] for kind in kinds)
            name = key if known is _KEYS else f"{table}.{key}"
            raise invalid(name, owner, expected, repr(value))


def _check_numbers(study):
    owner = f"{study.path.name}"
    budget = study.budget
    for name in ("trials", "epochs"):
        if budget[name] is not None:
            check_int(f"budget.{name}", owner, budget[name])
    for name, value in study.said.get("evaluation", {}).items():
        if name != "extractor":
            least = 2 if name == "num_samples" else 1
            check_int(f"evaluation.{name}", owner, value, least)
    if budget["minutes"] is not None:
        check_number("budget.minutes", owner, budget["minutes"])
    needed = ["epochs"]
    if study.said["tuner"] in ("random", "bayesian"):
        needed.append("trials")
    for name in needed:
        if budget[name] is None:
            raise invalid(f"budget.{name}", owner, "a positive integer", None)


def check_tuner(study, trials=None):
    """Raises if a study's tuner can't search its space.

    Args:
        study: A `Study`.
        trials: How many there are to be, in the place of its own number; or
            None.

    Raises:
        InvalidArgument: The message says what to do.
    """
    owner, tuner = study.path.name, study.said["tuner"]
    trials = trials or study.budget["trials"]
    hypermodel = study.hypermodel()
    if tuner == "grid" and (endless := hypermodel.endless()):
        raise InvalidArgument(
            f"{owner}: a grid can't visit all of {', '.join(endless)}. Give a "
            "step, or a list of values, or take another tuner."
        )
    if tuner == "hyperband":
        _check_hyperband(owner, study.budget["epochs"], trials, hypermodel)
    first = max(3, 3 * hypermodel.count())
    if tuner == "bayesian" and trials <= first:
        raise InvalidArgument(
            f"{owner}: the Bayesian tuner draws its first {first} trials at "
            f"random, and there are {trials}. Give more, search less, or take "
            "another tuner."
        )


def _check_hyperband(owner, epochs, trials, hypermodel):
    if epochs < FACTOR:
        raise InvalidArgument(
            f"{owner}: Hyperband stops trials early, and with {epochs} epochs "
            f"there is no earlier. Give at least {FACTOR}, or take another "
            "tuner."
        )
    drawn = _drawn_by_hyperband(epochs)
    if trials is not None:
        drawn = min(drawn, trials)
    there = hypermodel.combinations(drawn)
    if there is not None and there < drawn:
        raise InvalidArgument(
            f"{owner}: Hyperband begins with {drawn} different settings for "
            f"{epochs} epochs, and the space has {there}. Search more, or take "
            "the tuner grid, which runs them all."
        )


def _drawn_by_hyperband(epochs):
    """How many settings all brackets begin with, no two alike."""
    oracle = keras_tuner.oracles.HyperbandOracle(
        keras_tuner.Objective("value", "min"), max_epochs=epochs, factor=FACTOR
    )
    brackets = range(oracle._get_num_brackets())
    return sum(oracle._get_size(number, 0) for number in brackets)
