"""A model of kgen's in a space of settings, for Keras Tuner."""

import contextlib
import itertools
from collections.abc import Sequence
from typing import Any

import keras
import keras_tuner
import tensorflow as tf

from kgen import registry
from kgen.errors import InvalidArgument, check_keywords, invalid
from kgen.hypermodels import finite
from kgen.hypermodels.space import Space
from kgen.models import factory
from kgen.models.base import GenerativeModel
from kgen.networks.common import check_shape
from kgen.params import SEED, Instance, Integer, Optional, checked
from kgen.tables import Table

# Settings of a training that are no options of a model or of its `compile`.
_TRAINING = ("latent_dim", "network", "batch_size")


class HyperModel(keras_tuner.HyperModel):
    """Base of the classes of `kgen.hypermodels`, one for each model.

    Args:
        input_shape: Shape of one example, without the batch. A table has one of
            its own.
        space: Dictionary from names to what is searched, or None for the
            model's own. A name is any that `kgen train --set` takes, or
            `latent_dim`, `network` or `batch_size`; what it may be is one of
            `{"min": 4, "max": 64}`, all integers or numbers between two, with
            `"log": True` their logarithm drawn uniformly, and a `"step"` if
            wanted;
            `{"values": ["relu", "gelu"]}`, one of a list, of any types;
            `{"text": "adam:{rate}", "rate": {"min": 1e-4, "max": 1e-2}}`, a
            text with places for any of the two;
            or a plain value, which is fixed.
        num_classes: If given, the model is conditional; a classifier needs it. Of
            a table with a target, it is the number of its classes.
        seed: Integer for the models' own draws, or None.
        table: As in `kgen.create_model`.

    Others, `name` and `tunable`, are those of `keras_tuner.HyperModel`.

    Raises:
        InvalidArgument: If a name is unknown (the nearest one is offered), an
            entry can't be read, or nothing is searched.

    Example:

        tuner = keras_tuner.RandomSearch(
            kgen.hypermodels.VAE(input_shape=(8, 8, 1)),
            objective=keras_tuner.Objective("val_elbo", "max"),
            max_trials=20,
        )
        tuner.search(train, validation_data=validation, epochs=20)

    The losses of players, such as a GAN's, measure no quality:
    `kgen.callbacks.Evaluation` gives figures that do.
    """

    # The name by which `create_model` knows it; subclasses set it.
    model: str

    @checked(
        seed=Optional(SEED),
        table=Optional(Instance(Table, "a kgen.data.Table")),
    )
    def __init__(
        self,
        input_shape: Sequence[int] | None = None,
        space: dict | None = None,
        num_classes: int | None = None,
        seed: int | None = None,
        table: Table | None = None,
        **kwargs: Any,
    ):
        owner = type(self).__name__
        known = ("input_shape", "space", "num_classes", "seed", "table")
        check_keywords(owner, (*known, "name", "tunable"), kwargs)
        super().__init__(**kwargs)
        if table is not None:
            input_shape = table.shape if input_shape is None else input_shape
            num_classes = num_classes or len(table.class_names) or None
        if input_shape is None:
            raise invalid("input_shape", owner, "a shape, or a table", None)
        self.input_shape = check_shape(input_shape)
        self.num_classes = num_classes
        self.seed, self.table = seed, table
        entry = registry.MODELS[self.model]
        if entry.model_class.needs_labels and num_classes is None:
            raise invalid("num_classes", owner, "a positive integer", None)
        self._network = factory.family_of(None, self.input_shape, table)
        if space is None:
            known = self.names([self._network])
            default = entry.space
            space = {k: v for k, v in default.items() if k in known}
        self._networks = _networks(space, self._network, owner)
        self.space = Space(space, self.names(self._networks), owner)

    @classmethod
    def names(cls, networks: list | tuple = ("conv", "dense")) -> list[str]:
        """The names that a space may hold.

        Args:
            networks: Names of network families, one of which must know it.
        """
        options = {}
        for network in networks:
            options.update(factory.options_of(cls.model, network))
        options.update(factory.compile_options_of(cls.model))
        options.update(dict.fromkeys(_TRAINING))
        # A study has seeds of its own; the best of several would be luck.
        options.pop("seed", None)
        return list(options)

    def settings(self, hp: keras_tuner.HyperParameters) -> dict:
        """The settings of a trial.

        Args:
            hp: `keras_tuner.HyperParameters`, which gets what is new to it.

        Returns:
            Dictionary from names to values.
        """
        return self.space.choose(hp, self._networks_of)

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Tells Keras Tuner all of the space, also what one trial leaves out.

        Args:
            hp: `keras_tuner.HyperParameters`.
        """
        self.settings(hp)

    def build(self, hp: keras_tuner.HyperParameters) -> GenerativeModel:
        """A model of a trial, compiled.

        Args:
            hp: `keras_tuner.HyperParameters`.
        """
        return self.build_from(self.settings(hp))

    def build_from(self, settings: dict) -> GenerativeModel:
        """A model of these settings, compiled.

        Args:
            settings: What `settings` returned.

        Raises:
            InvalidArgument: If a value is out of range.
        """
        options = {"network": self._network, **settings}
        options.pop("batch_size", None)
        return factory.compiled_model(
            self.model,
            input_shape=self.input_shape,
            num_classes=self.num_classes,
            seed=self.seed,
            table=self.table,
            **options,
        )

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: GenerativeModel,
        x: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains a trial's model, in batches of its own size if searched.

        Args:
            hp: `keras_tuner.HyperParameters`.
            model: What `build` returned.
            x: As in `keras.Model.fit`.
            *args: Others of its arguments.
            **kwargs: The same, by name.

        Returns:
            The `History`.

        Raises:
            FatalValueError: Of Keras Tuner: if the size of a batch is given
                twice. It ends a search, whose trials would all fail.
        """
        size = self.settings(hp).get("batch_size")
        if size is not None:
            if kwargs.get("batch_size") is not None:
                raise keras_tuner.errors.FatalValueError(
                    "The space has a `batch_size`; leave it out of `search`."
                )
            size = Integer(1).check("batch_size", type(self).__name__, size)
            if isinstance(x, tf.data.Dataset):
                x = _rebatched(x, size, kwargs.get("steps_per_epoch"))
            else:
                kwargs["batch_size"] = size
        return model.fit(x, *args, **kwargs)

    def first(self, network: str | None = None) -> dict:
        """The settings of the space's first values, as those of `settings`.

        Args:
            network: That of the trial, in the place of the first one; or None.
        """
        hp = keras_tuner.HyperParameters()
        if network is not None:
            hp.values["network"] = network
        return self.settings(hp)

    def count(self) -> int:
        """How many numbers and choices are searched.

        Returns:
            The dimension of the space, as a tuner sees it.
        """
        return len(self._parameters())

    def endless(self) -> list[str]:
        """Names of parameters without an end, such as numbers without a step.

        Those of a text's places have the text's name before them.
        """
        return finite.endless(self._parameters())

    def combinations(self, most: int) -> int | None:
        """How many combinations of values there are, if not more than `most`.

        Args:
            most: Where counting ends.

        Returns:
            Integer, `most` at most; None if the space has no end.
        """
        space = self._parameters()
        if finite.endless(space):
            return None
        return len(list(itertools.islice(finite.combinations(space), most)))

    def _parameters(self):
        """Keras Tuner's parameters of all of the space."""
        hp = keras_tuner.HyperParameters()
        self.declare_hyperparameters(hp)
        return hp.space

    def check(self) -> GenerativeModel:
        """Builds a model of each end and value of what is searched.

        Others are at their first value meanwhile. The network is the first one
        that knows what is searched.

        Returns:
            The model of all first values.

        Raises:
            InvalidArgument: If one can't be built; the message tells which.
        """
        first = self.first()
        self._check_batch_size(first)
        with _explained("The space's first values"):
            model = self.build_from(first)
        built = [first]
        for name, value, settings in self._probes():
            with _explained(f"The space's {name}={value!r}"):
                self._check_batch_size(settings)
                if settings not in built:
                    self.build_from(settings)
                    built.append(settings)
        return model

    def _probes(self):
        """Names, each value that shows something of them, and a trial's settings."""
        for name, parameter in self.space.searched.items():
            for value in parameter.probes():
                (network, *_) = self._networks_of(name) or [None]
                first = self.first(value if name == "network" else network)
                yield name, value, {**first, name: value}

    def _check_batch_size(self, settings):
        if "batch_size" in settings:
            owner, size = f"{type(self).__name__}.space", settings["batch_size"]
            Integer(1).check("batch_size", owner, size)

    def _networks_of(self, name):
        """The networks that know a name, or None where all do."""
        knowing = [n for n in self._networks if name in self.names([n])]
        return None if len(knowing) == len(self._networks) else knowing


@contextlib.contextmanager
def _explained(what):
    """Within it, an error says what of a space can't be built."""
    try:
        yield
    except (
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        LookupError,
        tf.errors.OpError,  # kgen's, Keras's, TensorFlow's
    ) as error:
        raise InvalidArgument(f"{what} can't be built: {error}") from error


def _networks(space, default, owner):
    """Names of the network families that a space may build."""
    entry = (
        space.get("network", default) if isinstance(space, dict) else default
    )
    if isinstance(entry, dict):
        entry = entry.get("values")
    networks = [entry] if isinstance(entry, str) else entry
    if not isinstance(networks, (list, tuple)):
        raise invalid("network", f"{owner}.space", "names of networks", entry)
    return list(networks)


def _rebatched(dataset, size, steps=None):
    """A dataset in other batches, whose number Keras must know.

    Keras runs several steps at once, and would run past the end. Where an epoch
    is of so many steps, there is no end to know of.
    """
    cardinality = dataset.cardinality()
    rebatched = dataset.rebatch(size)
    if cardinality == tf.data.UNKNOWN_CARDINALITY and steps is not None:
        return rebatched
    if cardinality != tf.data.INFINITE_CARDINALITY:
        cardinality = -(-_count(dataset) // size)
    return rebatched.apply(tf.data.experimental.assert_cardinality(cardinality))


def _count(dataset):
    """How many examples a dataset of batches has."""
    counter = getattr(dataset, "epoch_counter", None)
    epoch = None if counter is None else counter.numpy()
    examples = dataset.reduce(
        tf.constant(0, "int64"),
        lambda count, batch: (
            count + tf.shape(tf.nest.flatten(batch)[0], "int64")[0]
        ),
    )
    if counter is not None:
        counter.assign(epoch)  # this pass does not count as an epoch
    return int(examples)
