"""A study: settings, data, a space, and what trials are judged by."""

import dataclasses
import functools
import os
import pathlib

import tensorflow as tf

from kgen import hypermodels, registry
from kgen.data import open_source
from kgen.data.examples import AnyExamples, set_aside
from kgen.errors import InvalidArgument, invalid
from kgen.models import checks, factory
from kgen.models.base import GenerativeModel
from kgen.studies import objectives
from kgen.studies.keras_tuner_adapter import FACTOR, hyperband_draws
from kgen.studies.study_file import Settings, read_settings


class Data:
    """What a study trains on, and the part that judges its trials.

    Trials are judged by the validation split, or if there is none by a fifth of the
    training examples, which is drawn at random and always the same. The test split is
    not used, so that it can judge the best settings in the end.

    Args:
        source: As in `kgen.data.load`.
        train: The split to train on.
        validation: The split that judges; both or none of them are given.
        image_shape: As in `kgen.data.load`.
        data_dir: As in `kgen.data.load`.
        background: As in `kgen.data.load`.
        conditional: Whether networks take the labels.
        binarize: As in `kgen.data.load`.

    Raises:
        InvalidArgument: If the splits can't judge a study's trials, or there
            are no labels where `conditional`.
    """

    def __init__(
        self,
        source: str | os.PathLike = "digits",
        train: str | None = None,
        validation: str | None = None,
        image_shape: list | tuple | None = None,
        data_dir: str | None = None,
        background: str = "white",
        conditional: bool = False,
        binarize: bool = False,
    ):
        self.source = open_source(
            source, image_shape, data_dir, background=background
        )
        if train is None and validation is None:
            examples = self._default_examples()
        else:
            splits = self._checked_splits(train, validation)
            examples = map(self.source.examples, splits)
        self._examples = dict(zip(("train", "validation"), examples))
        self.conditional, self.binarize = conditional, binarize
        if conditional and self.examples("train").labels is None:
            raise invalid(
                "conditional", "data", "data with labels", conditional
            )

    def _default_examples(self):
        train = self.source.examples("train")
        if "validation" in self.source.splits:
            return train, self.source.examples("validation")
        if len(train) < 2:
            raise InvalidArgument(
                f"{self.source.name} has one training example: too few to set "
                "one aside by which trials are judged."
            )
        return map(train.select, set_aside(len(train), train.labels))

    def _checked_splits(self, train, validation):
        """Returns both; raises if they can't be used."""
        splits = {"train": train, "validation": validation}
        if None in splits.values():
            expected = "both of train and validation, or none"
            raise invalid("data", "study", expected, splits)
        for split in splits.values():
            if split.partition("[")[0] in ("test", "all"):
                raise invalid(
                    "data",
                    "study",
                    "splits without test examples: those are for the last "
                    "judgement, and the tuner must not see them",
                    split,
                )
        if self.source.overlap(train, validation):
            expected = "train and validation without examples in common"
            raise invalid("data", "study", expected, splits)
        return train, validation

    def examples(self, name: str) -> AnyExamples:
        """The examples of `"train"` or `"validation"`."""
        return self._examples[name]

    def batches(self, name: str, batch_size: int, seed: int) -> tf.data.Dataset:
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
    """A study that `read` has checked.

    Args:
        path: Its file.
        settings: What the file says.
    """

    path: pathlib.Path
    settings: Settings

    @property
    def folder(self) -> pathlib.Path:
        """The folder of its trials, beside the file."""
        return self.path.with_suffix(".trials")

    @property
    def results_file(self) -> pathlib.Path:
        """Where its results are written: beside the file."""
        return self.path.with_suffix(".results.json")

    @property
    def picture_file(self) -> pathlib.Path:
        """Where its picture is drawn: beside the file."""
        return self.path.with_suffix(".png")

    @functools.cached_property
    def data(self) -> Data:
        """The data, opened."""
        data = dict(self.settings.data)
        if registry.MODELS[self.settings.model].model_class.needs_labels:
            data["conditional"] = True
        return Data(**data)

    @functools.cached_property
    def objective(self) -> objectives.Objective:
        """What trials are judged by."""
        return objectives.find(
            self.settings.objective,
            self.settings.direction,
            self.hypermodel(),
            self.first_model,
            self.path.name,
        )

    @functools.cached_property
    def first_model(self) -> GenerativeModel:
        """That of the space's first values, once all of the space is checked."""
        return self.hypermodel().check()

    def hypermodel(self, seed: int | None = None) -> hypermodels.HyperModel:
        """The model in the study's space; where that says nothing, with defaults.

        Args:
            seed: Integer for the models' own draws, or None.
        """
        model, shape = self.settings.model, self.data.examples("train").shape
        table = self.data.source.table
        defaults = registry.MODELS[model].defaults
        fixed = {
            "latent_dim": defaults["latent_dim"],
            "batch_size": defaults["batch_size"],
            "network": factory.family_of(None, shape, table),
        }
        classes = (
            self.data.source.num_classes if self.data.conditional else None
        )
        return hypermodels.get(model)(
            shape,
            {**fixed, **self.settings.space},
            num_classes=classes,
            seed=seed,
            table=table,
        )


def read(path: str | os.PathLike, source: str | None = None) -> Study:
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
    study = Study(path, read_settings(path, source))
    if study.objective.is_log and study.settings.evaluation:
        raise invalid(
            "evaluation",
            path.name,
            f"nothing: {study.objective.name} is a log of `fit`, and takes no "
            "settings",
            study.settings.evaluation,
        )
    check_tuner(study)
    for name in ("train", "validation"):
        batches = study.data.batches(name, 64, 0)
        checks.check_data(
            study.first_model, batches, argument="data", owner=path.name
        )
    return study


def check_tuner(study: Study, trials: int | None = None) -> None:
    """Raises if a study's tuner can't search its space.

    Args:
        study: A `Study`.
        trials: How many there are to be, in the place of its own number; or
            None.

    Raises:
        InvalidArgument: The message says what to do.
    """
    owner, tuner = study.path.name, study.settings.tuner
    trials = trials or study.settings.trials
    hypermodel = study.hypermodel()
    if tuner == "grid" and (endless := hypermodel.endless()):
        raise InvalidArgument(
            f"{owner}: a grid can't visit all of {', '.join(endless)}. Give a "
            "step, or a list of values, or take another tuner."
        )
    if tuner == "hyperband":
        _check_hyperband(owner, study.settings.epochs, trials, hypermodel)
    first = max(3, 3 * hypermodel.count())
    if tuner == "bayesian" and trials and trials <= first:
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
    drawn = hyperband_draws(epochs)
    if trials is not None:
        drawn = min(drawn, trials)
    available = hypermodel.combinations(drawn)
    if available is not None and available < drawn:
        raise InvalidArgument(
            f"{owner}: Hyperband begins with {drawn} different settings for "
            f"{epochs} epochs, and the space has {available}. Search more, or "
            "take the tuner grid, which runs them all."
        )
