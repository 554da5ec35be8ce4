"""kgen's models with scikit-learn's interface, for rows of a table."""

import contextlib
import random
from typing import Any, ClassVar, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from kgen import densities
from kgen.callbacks import Diverged, Guard
from kgen.data import pipeline
from kgen.errors import InvalidArgument, invalid
from kgen.models import checks, create_model
from kgen.params import Constraint, Instance, Integer, Optional, checked

__all__ = ["AutoencoderTransformer", "GenerativeClassifier", "VAETransformer"]

_FLOATS = [np.float64, np.float32]
# Rows that every processor takes together in a product of matrices.
_ROWS = 64
# Rows for each step of counting, whose result does not depend on it.
_COUNTED_AT_ONCE = 4096


class _Estimator(BaseEstimator):
    """Base of estimators that train a kgen model with dense networks."""

    _model: str
    # As scikit-learn demands, arguments are checked by `fit`.
    _constraints: ClassVar[dict[str, Constraint]] = {
        "epochs": Integer(),
        "batch_size": Integer(),
        "options": Optional(
            Instance(dict, "a dictionary of arguments of `create_model`")
        ),
    }

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
        self._check_arguments(owner)
        seed = _new_seed(check_random_state(self.random_state))
        with np.errstate(over="ignore"):  # which is found by the check
            X = X.astype("float32")
        with _seeded(seed):
            model = create_model(
                self._model,
                input_shape=X.shape[1:],
                network="dense",
                **self._structure(X),
                **(self.options or {}),
            )
            # All rows: of a dataset, the model looks at the first batch.
            checks.check_data(model, X, y, "X", f"{owner}.fit")
            try:
                self._train(model, X, y, seed)
            except Diverged as error:
                raise InvalidArgument(
                    f"The training of `{owner}` diverged. {error.fault} "
                    "Standardise the features, or lower the learning rate, such "
                    'as optimizer="adam:0.0001".'
                ) from error
        self.model_ = model
        return self

    def _check_arguments(self, owner):
        for name, constraint in self._constraints.items():
            constraint.check(name, owner, getattr(self, name))
        given = {"input_shape", "network", "num_classes"}
        given.update(self.get_params(deep=False))
        if given.intersection(self.options or ()):
            raise invalid(
                "options",
                owner,
                "a dictionary of arguments of `create_model`, without network, "
                "num_classes and the estimator's own",
                self.options,
            )

    def _new_optimizer(self):
        if isinstance(self.optimizer, keras.optimizers.Optimizer):
            # An object keeps its state; each fit begins with none.
            return type(self.optimizer).from_config(self.optimizer.get_config())
        return self.optimizer

    def _structure(self, X):
        """Arguments of `create_model`, beside the data's shape."""
        return {
            "latent_dim": self.latent_dim,
            "hidden_units": self.hidden_units,
            "activation": self.activation,
            "likelihood": self.likelihood,
        }

    def _train(self, model, X, y, seed):
        """Trains, and raises `Diverged` if a number is no longer finite."""
        model.compile(optimizer=self._new_optimizer())
        rows = pipeline.batches(
            X, y, batch_size=self.batch_size, shuffle=True, seed=seed
        )
        # One pass for Keras: on small tables its epochs cost more than steps.
        model.fit(
            rows.repeat(self.epochs),
            callbacks=[Guard("stop")],
            verbose=self.verbose,
        )

    def _validated(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=_FLOATS, reset=False)


class _Transformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Estimator
):
    """Base of transformers of rows to codes, and back."""

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Trains a new model, and returns the estimator.

        Args:
            X: Array of shape `(n_samples, n_features)`.
            y: Ignored.
        """
        X = validate_data(self, X, dtype=_FLOATS, ensure_min_samples=2)
        self._fit_model(X)
        self._n_features_out = self.model_.latent_dim
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Returns the codes of rows X, of shape `(n_samples, latent_dim)`."""
        X = self._validated(X)
        # In a product of matrices, the last rows are rounded in another way than
        # the others if they do not fill a processor's registers.
        filled = np.pad(X.astype("float32"), ((0, -len(X) % _ROWS), (0, 0)))
        return self.model_.encode(filled)[: len(X)].astype(X.dtype)

    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """Returns the rows that codes Z, of shape `(n_samples, latent_dim)`, give."""
        check_is_fitted(self)
        Z = check_array(Z, dtype=_FLOATS, input_name="Z")
        size = self.model_.latent_dim
        if Z.shape[1] != size:
            owner = f"{type(self).__name__}.inverse_transform"
            raise invalid("Z", owner, f"{size} columns", f"shape {Z.shape}")
        return self.model_.decode(Z).astype(Z.dtype)

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Returns minus the mean squared error of reconstruction."""
        X = self._validated(X).astype("float32")
        return -float(np.mean(np.square(X - self.model_.reconstruct(X))))


class AutoencoderTransformer(_Transformer):
    """`kgen.Autoencoder` as a scikit-learn transformer.

    Codes are what the encoder gives. As with every network, features of
    different scales should be standardised first, in a `Pipeline`.

    Args:
        latent_dim: Size of the codes.
        hidden_units: Widths of the encoder's hidden layers; the decoder has
            them in reverse. `()` gives linear networks.
        activation: Activation of the hidden layers.
        likelihood: As in `kgen.Autoencoder`.
        optimizer: Keras optimizer or its name, such as `"adam:0.0005"`.
        epochs: How often all rows are gone through.
        batch_size: Rows for each step.
        options: Dictionary of further arguments of `kgen.create_model`.
        random_state: Integer, `RandomState` or None.
        verbose: 1 shows a progress bar of all epochs together.

    Attributes:
        model_: The trained `kgen.Autoencoder`.
        n_features_in_: How many columns it was fitted to.

    Example:

        reduce = make_pipeline(StandardScaler(), AutoencoderTransformer(8))
        codes = reduce.fit_transform(X)
    """

    _model = "autoencoder"


class VAETransformer(_Transformer):
    """`kgen.VAE` as a scikit-learn transformer.

    Codes are the posterior's means. Arguments and attributes are those of
    `AutoencoderTransformer`; `likelihood` is that of `kgen.VAE`, whose other
    arguments go into `options`, such as `{"kl_weight": 0.5}`.
    """

    _model = "vae"


class GenerativeClassifier(ClassifierMixin, _Estimator):
    """`kgen.BayesClassifier` as a scikit-learn classifier.

    It has a density of the rows of each class, and Bayes' rule. Features may have
    any scale: `"full"`, `"shared"` and `"low_rank"` do not depend on their units,
    and `"naive_gaussian"` does not with the option `{"standardize": True}`, without
    which it is `GaussianNB`. Where all features share one unit, as pixels do,
    `{"standardize": False}` keeps it. For `"vae"`, features of different scales
    should be standardised first, in a `Pipeline`; so should features far from 0, for
    all densities, since rows are rounded to float32.

    Densities in closed form are counted, in one pass. A VAE is trained by
    gradient, and so is, from there, what was counted, if there is a
    `discriminative_weight`.

    Args:
        density: `"full"` (a Gaussian for each class), `"shared"` (with one
            covariance for all), `"low_rank:8"` (probabilistic PCA of that rank,
            or of one less than there are features, if that is smaller),
            `"naive_gaussian"`, `"naive_bernoulli"` or `"vae"`.
        prior: P(y): None, to count it; `"uniform"`; or one number for each of
            `classes_`.
        unlabelled: The value in y of rows whose class is not known, such as -1;
            None if there are none. Such rows train, too.
        discriminative_weight: Weight >= 0 of -log P(y|x) beside -log p(x, y).
        latent_dim: Size of z, of `"vae"` alone.
        hidden_units: As in `VAETransformer`, of `"vae"` alone.
        activation: As in `VAETransformer`, of `"vae"` alone.
        likelihood: As in `VAETransformer`, of `"vae"` alone.
        optimizer: Keras optimizer or its name, such as `"adam:0.0005"`, for
            what is trained by gradient.
        epochs: How often all rows are gone through by gradient; or, where
            counting meets unlabelled rows, how many steps the EM algorithm
            takes.
        batch_size: Rows for each step by gradient.
        options: Dictionary of further arguments of `kgen.create_model`: the
            density's, such as `{"shrinkage": 0.1}` or `{"smoothing": 0.01}`, or
            `{"importance_samples": 50}` of `"vae"`.
        random_state: Integer, `RandomState` or None.
        verbose: 1 shows progress bars.

    Attributes:
        classes_: The labels, sorted, without that of unlabelled rows.
        model_: The trained `kgen.BayesClassifier`, whose classes are the
            positions in `classes_`.
        n_features_in_: How many columns it was fitted to.

    Example:

        classify = make_pipeline(StandardScaler(), GenerativeClassifier())
        probabilities = classify.fit(X, y).predict_proba(X)
    """

    _model = "bayes_classifier"
    _constraints: ClassVar[dict[str, Constraint]] = {
        **_Estimator._constraints,
        "density": Instance(str, "a density's name: every fit makes a new one"),
    }

    def __init__(
        self,
        density: str = "full",
        *,
        prior: str | ArrayLike | None = None,
        unlabelled: Any = None,
        discriminative_weight: float = 0.0,
        latent_dim: int = 2,
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
        super().__init__(
            latent_dim,
            hidden_units=hidden_units,
            activation=activation,
            likelihood=likelihood,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            options=options,
            random_state=random_state,
            verbose=verbose,
        )
        self.density = density
        self.prior = prior
        self.unlabelled = unlabelled
        self.discriminative_weight = discriminative_weight

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits a density to the rows of each class, and returns the estimator.

        Args:
            X: Array of shape `(n_samples, n_features)`.
            y: Array of shape `(n_samples,)`, labels of any type.
        """
        X, y = validate_data(self, X, y, dtype=_FLOATS, ensure_min_samples=2)
        check_classification_targets(y)
        known = np.full(len(y), True)
        if self.unlabelled is not None:
            known &= y != self.unlabelled
        if not known.any():
            raise invalid(
                "y",
                f"{type(self).__name__}.fit",
                "some rows whose class is known",
                f"{self.unlabelled} in all of them",
            )
        numbers = np.full(len(y), -1)
        self.classes_, numbers[known] = np.unique(y[known], return_inverse=True)
        return self._fit_model(X, numbers)

    def _structure(self, X):
        of_vae = super()._structure(X) if self.density == "vae" else {}
        return {
            **of_vae,
            "density": self._density(X.shape[1]),
            "num_classes": len(self.classes_),
            "prior": self.prior,
        }

    def _density(self, size):
        """The density's name, with a rank that `size` features allow for."""
        name, _, rank = self.density.partition(":")
        if name != "low_rank":
            return self.density
        if size == 1:
            raise InvalidArgument(
                f'`{type(self).__name__}`: density="low_rank" needs two '
                'features; n_features=1. Pass density="full".'
            )
        options = {**densities.options(), **(self.options or {})}
        rank = rank or str(options["rank"])
        if rank.isdecimal():
            rank = min(int(rank), size - 1)
        return f"{name}:{rank}"

    def _train(self, model, X, y, seed):
        weight = self.discriminative_weight
        counted = model.density.closed_form and not weight
        size = _COUNTED_AT_ONCE if counted else self.batch_size
        # To count again changes something only for what has no label.
        epochs = 1 if counted and y.min() >= 0 else self.epochs
        model.compile(
            self._new_optimizer(),
            discriminative_weight=weight,
            # A trace costs more than one step.
            run_eagerly=bool(counted and epochs == 1 and len(X) <= size),
        )
        # Keras's own epochs: at the end of each, P(y) is counted.
        model.fit(
            pipeline.batches(X, y, batch_size=size, shuffle=True, seed=seed),
            epochs=epochs,
            callbacks=[] if counted else [Guard("stop")],  # counts are finite
            verbose=self.verbose,
        )

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Returns the most probable classes of rows X, `n_samples` of `classes_`."""
        joint = self._call_model("log_joint", X)  # which refuses before `fit`
        return self.classes_[joint.argmax(axis=1)]

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Returns log P(y|x), of shape `(n_samples, n_classes)`, as in `classes_`."""
        return self._call_model("predict_log_proba", X)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Returns P(y|x), of shape `(n_samples, n_classes)`, as in `classes_`."""
        return np.exp(self.predict_log_proba(X))

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Returns log p(x), of shape `(n_samples,)`, in nats: low for outliers."""
        return self._call_model("log_prob", X)

    @checked(n_samples=Integer())
    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Draws rows from the model; of `"vae"`, their means given z.

        Args:
            n_samples: How many.

        Returns:
            X, of shape `(n_samples, n_features)`, and y, the rows' classes.
        """
        check_is_fitted(self)
        generator = check_random_state(self.random_state)
        chances = np.exp(self.model_.class_prior.log_prior.numpy())
        numbers = generator.choice(len(self.classes_), n_samples, p=chances)
        X = self.model_.sample(n_samples, numbers, _new_seed(generator))
        return X, self.classes_[numbers]

    def _call_model(self, method, X):
        X = self._validated(X)
        values = getattr(self.model_, method)(X)
        # No more digits than there are: a VAE's are float32.
        return values.astype(self.model_.density.compute_dtype)


def _new_seed(generator):
    return int(generator.randint(2**31 - 1))


@contextlib.contextmanager
def _seeded(seed):
    """Seeds Keras; Python's and NumPy's generators are restored afterwards."""
    states = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
