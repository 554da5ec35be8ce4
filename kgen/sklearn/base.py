"""The base of the estimators: they train a kgen model on rows of a table."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from kgen import densities, optimizers
from kgen.callbacks import Diverged, Guard
from kgen.data import pipeline
from kgen.errors import InvalidArgument, invalid
from kgen.models import checks, create_model
from kgen.params import Constraint, Instance, Integer, Optional

FLOATS = [np.float64, np.float32]
# Every processor takes a multiple of so many rows together in a product of matrices.
_ROWS = 64
# Rows in each step of counting. The result does not depend on this number.
COUNTED_AT_ONCE = 4096
# The arguments that all estimators have.
TRAINING: dict[str, Constraint] = {
    "epochs": Integer(),
    "batch_size": Integer(),
    "options": Optional(
        Instance(dict, "a dictionary of arguments of `create_model`")
    ),
}


class Estimator(BaseEstimator):
    """Base of estimators that train a kgen model with dense networks."""

    _model: str
    # As scikit-learn demands, arguments are checked by `fit`.
    _constraints: ClassVar[dict[str, Constraint]] = TRAINING

    def __init__(
        self,
        latent_dim: int = 2,
        *,
        hidden_units: tuple[int, ...] = (128, 64),
        activation: str = "relu",
        likelihood: str = "gaussian:learned",
        optimizer: str | keras.optimizers.Optimizer = "adam",
        epochs: int = 100,
        batch_size: int = 64,
        options: dict[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.latent_dim = latent_dim
        self.hidden_units = hidden_units
        self.activation = activation
        self.likelihood = likelihood
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.options = options
        self.random_state = random_state
        self.verbose = verbose

    def _fit_model(self, X, y=None):
        """Trains a new model; y holds classes from 0, or -1 where unknown."""
        owner = type(self).__name__
        check_arguments(self, "network", "num_classes", "input_shape")
        seed = new_seed(check_random_state(self.random_state))
        with np.errstate(over="ignore"):  # which is found by the check
            X = X.astype("float32")
        advice = (
            "Standardise the features, or lower the learning rate, such as "
            'optimizer="adam:0.0001".'
        )
        with seeded(seed), in_words(owner, advice):
            model = create_model(
                self._model,
                input_shape=X.shape[1:],
                network="dense",
                **self._structure(X),
                **(self.options or {}),
            )
            # All rows: of a dataset, the model looks at the first batch.
            checks.check_data(model, X, y, "X", f"{owner}.fit")
            self._train(model, X, y, seed)
        self.model_ = model
        return self

    def _new_optimizer(self):
        if isinstance(self.optimizer, keras.optimizers.Optimizer):
            # An object keeps its state; each fit begins with none.
            return optimizers.another(self.optimizer)
        return self.optimizer

    def _structure(self, X):
        """Arguments of `create_model`, beside the data's shape."""
        return {
            "latent_dim": self.latent_dim,
            "hidden_units": self.hidden_units,
            "activation": self.activation,
            "likelihood": self.likelihood,
        }

    def _density_for(self, density, size):
        """The density's name, with a rank that `size` features allow for."""
        name, _, rank = density.partition(":")
        if name != "low_rank":
            return density
        if size == 1:
            raise InvalidArgument(
                f'`{type(self).__name__}`: "low_rank" needs two features; '
                'n_features=1. Pass "full".'
            )
        options = {**densities.options(), **(self.options or {})}
        rank = rank or str(options["rank"])
        if rank.isdecimal():
            rank = min(int(rank), size - 1)
        return f"{name}:{rank}"

    def _train(self, model, X, y, seed):
        """Trains, and raises `Diverged` if a number is no longer finite."""
        model.compile(optimizer=self._new_optimizer())
        rows = pipeline.batches(
            X, y, batch_size=self.batch_size, shuffle=True, seed=seed
        )
        in_one_pass(model, rows, self.epochs, self.verbose)

    def _validated(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=FLOATS, reset=False)


def check_arguments(estimator: BaseEstimator, *given: str) -> None:
    """Raises unless an estimator's arguments are as `_constraints` has them.

    Args:
        estimator: The estimator.
        *given: What it gives to `create_model` itself, beside its arguments:
            `options` must have none of it.
    """
    owner = type(estimator).__name__
    for name, constraint in estimator._constraints.items():
        constraint.check(name, owner, getattr(estimator, name))
    others = {*given, *estimator.get_params(deep=False)}
    if others.intersection(estimator.options or ()):
        raise invalid(
            "options",
            owner,
            f"a dictionary of arguments of `create_model`, without {', '.join(given)} "
            "and the estimator's own",
            estimator.options,
        )


@contextlib.contextmanager
def in_words(owner: str, advice: str) -> Iterator[None]:
    """Says what to do where a training diverges."""
    try:
        yield
    except Diverged as error:
        raise InvalidArgument(
            f"The training of `{owner}` diverged. {error.fault} {advice}"
        ) from error


def in_one_pass(
    model: keras.Model, rows: tf.data.Dataset, epochs: int, verbose: int
) -> None:
    """Trains, and raises `Diverged` if a number is no longer finite.

    For Keras it is one pass: on small tables its epochs cost more than steps.

    Args:
        model: The model, compiled.
        rows: Batches of an epoch.
        epochs: How many epochs.
        verbose: 1 shows a progress bar.
    """
    model.fit(rows.repeat(epochs), callbacks=[Guard("stop")], verbose=verbose)


def filled(X: np.ndarray) -> np.ndarray:
    """Rows as float32, followed by rows of zeros up to a multiple of 64.

    Otherwise the last rows of a product of matrices may be rounded in another way
    than the others, since they do not fill a processor's registers.
    """
    return np.pad(X.astype("float32"), ((0, -len(X) % _ROWS), (0, 0)))


def new_seed(generator: np.random.RandomState) -> int:
    """A seed out of a generator."""
    return int(generator.randint(2**31 - 1))


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds Keras; Python's and NumPy's generators are restored afterwards."""
    states = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
