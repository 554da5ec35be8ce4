"""kgen's models with scikit-learn's interface, for rows of a table."""

import contextlib
import random

import keras
import numpy as np
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
from kgen.errors import InvalidArgument, check_int, invalid
from kgen.models import checks, create_model

__all__ = ["AutoencoderTransformer", "GenerativeClassifier", "VAETransformer"]

_FLOATS = [np.float64, np.float32]
# Rows that every processor takes together in a product of matrices.
_ROWS = 64

# Rows for each step of counting, whose result does not hang on it.
_COUNTED_AT_ONCE = 4096


class _Estimator(BaseEstimator):
    """Base: a kgen model with dense networks, trained on rows of a table."""

    _model = None

    def __init__(
        self,
        latent_dim=2,
        *,
        hidden_units=(128, 64),
        activation="relu",
        likelihood="gaussian:learned",
        optimizer="adam",
        epochs=100,
        batch_size=64,
        options=None,
        random_state=None,
        verbose=0,
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

    def _trained(self, X, y=None):
        """A new model of the rows of X, and of y: from 0, or -1 if unknown."""
        owner = type(self).__name__
        self._check_parameters()
        seed = _new_seed(check_random_state(self.random_state))
        with np.errstate(over="ignore"):  # which is found by the check
            X = X.astype("float32")
        with _seeded(seed):
            model = create_model(
                self._model,
                input_shape=X.shape[1:],
                network="dense",
                **self._structure(X, y),
                **(self.options or {}),
            )
            # All rows: of a dataset, the model looks at the first batch.
            checks.check_data(model, X, y, "X", f"{owner}.fit")
            try:
                self._run(model, X, y, seed)
            except Diverged as error:
                raise InvalidArgument(
                    f"The training of `{owner}` diverged. {error.fault} "
                    "Standardise the features, or lower the learning rate, such "
                    'as optimizer="adam:0.0001".'
                ) from error
        return model

    def _check_parameters(self):
        own = {"input_shape", "network", "num_classes"}
        own.update(self.get_params(deep=False))
        options = self.options
        if not isinstance(options, (dict, type(None))) or (
            own & set(options or ())
        ):
            raise invalid(
                "options",
                type(self).__name__,
                "a dictionary of arguments of `create_model`, without network, "
                "num_classes and the estimator's own",
                options,
            )
        for name in ("epochs", "batch_size"):
            check_int(name, type(self).__name__, getattr(self, name))

    def _new_optimizer(self):
        if isinstance(self.optimizer, keras.optimizers.Optimizer):
            # An object keeps its state; each fit begins with none.
            return type(self.optimizer).from_config(self.optimizer.get_config())
        return self.optimizer

    def _structure(self, X, y):
        """Arguments of `create_model`, beside the data's shape."""
        return {
            "latent_dim": self.latent_dim,
            "hidden_units": self.hidden_units,
            "activation": self.activation,
            "likelihood": self.likelihood,
        }

    def _run(self, model, X, y, seed):
        """Trains, and raises `Diverged` if a number is no longer finite."""
        model.compile(optimizer=self._new_optimizer())
        rows = self._batches(X, y, seed, self.batch_size)
        # One pass for Keras: on small tables its epochs cost more than steps.
        model.fit(
            rows.repeat(self.epochs),
            callbacks=[Guard("stop")],
            verbose=self.verbose,
        )

    def _batches(self, X, y, seed, batch_size):
        return pipeline.batches(
            X, y, batch_size=batch_size, shuffle=True, seed=seed
        )

    def _rows(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=_FLOATS, reset=False)


class _Transformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Estimator
):
    """Base: rows to codes, and back."""

    def fit(self, X, y=None):
        """Trains a new model on the rows of X.

        Args:
            X: Array of shape `(n_samples, n_features)`.
            y: Ignored.

        Returns:
            self.
        """
        X = validate_data(self, X, dtype=_FLOATS, ensure_min_samples=2)
        self.model_ = self._trained(X)
        self._n_features_out = self.model_.latent_dim
        return self

    def transform(self, X):
        """The codes of rows.

        Args:
            X: Array of shape `(n_samples, n_features)`.

        Returns:
            Array of shape `(n_samples, latent_dim)`.
        """
        X = self._rows(X)
        # In a product of matrices, the last rows are rounded in another way than
        # the others if they do not fill a processor's registers.
        filled = np.pad(X.astype("float32"), ((0, -len(X) % _ROWS), (0, 0)))
        return self.model_.encode(filled)[: len(X)].astype(X.dtype)

    def inverse_transform(self, Z):
        """The rows that codes stand for.

        Args:
            Z: Array of shape `(n_samples, latent_dim)`.

        Returns:
            Array of shape `(n_samples, n_features)`.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=_FLOATS, input_name="Z")
        size = self.model_.latent_dim
        if Z.shape[1] != size:
            owner = f"{type(self).__name__}.inverse_transform"
            raise invalid("Z", owner, f"{size} columns", f"shape {Z.shape}")
        return self.model_.decode(Z).astype(Z.dtype)

    def score(self, X, y=None):
        """Minus the mean squared error of reconstruction, for model selection.

        Args:
            X: Array of shape `(n_samples, n_features)`.
            y: Ignored.

        Returns:
            Float; larger is better.
        """
        X = self._rows(X).astype("float32")
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

    Codes are the posterior's means. As with every network, features of
    different scales should be standardised first, in a `Pipeline`.

    Args:
        latent_dim: Size of the codes.
        hidden_units: Widths of the encoder's hidden layers; the decoder has
            them in reverse. `()` gives linear networks.
        activation: Activation of the hidden layers.
        likelihood: As in `kgen.VAE`.
        optimizer: Keras optimizer or its name, such as `"adam:0.0005"`.
        epochs: How often all rows are gone through.
        batch_size: Rows for each step.
        options: Dictionary of further arguments of `kgen.create_model`, such
            as `{"kl_weight": 0.5}`.
        random_state: Integer, `RandomState` or None.
        verbose: 1 shows a progress bar of all epochs together.

    Attributes:
        model_: The trained `kgen.VAE`.
        n_features_in_: How many columns it was fitted to.
    """

    _model = "vae"


class GenerativeClassifier(ClassifierMixin, _Estimator):
    """`kgen.BayesClassifier` as a scikit-learn classifier.

    A density of the rows of each class, and Bayes' rule. The defaults of
    `"full"` and `"shared"` do not depend on the features' units. For the other
    densities, and with a `shrinkage`, features of different scales should be
    standardised first, in a `Pipeline`. So should features far from 0, since
    rows are rounded to float32.

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
        hidden_units: Widths of the encoder's hidden layers, of `"vae"` alone;
            the decoder has them in reverse.
        activation: Activation of the hidden layers, of `"vae"` alone.
        likelihood: As in `kgen.VAE`, of `"vae"` alone.
        optimizer: Keras optimizer or its name, such as `"adam:0.0005"`, for
            what is trained by gradient.
        epochs: How often all rows are gone through by gradient; or, where
            counting meets unlabelled rows, how many steps the EM algorithm
            takes.
        batch_size: Rows for each step by gradient.
        options: Dictionary of further arguments of `kgen.create_model`: the
            density's, such as `{"shrinkage": 0.1}` or `{"smoothing": 1e-9}`, or
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

    def __init__(
        self,
        density="full",
        *,
        prior=None,
        unlabelled=None,
        discriminative_weight=0.0,
        latent_dim=2,
        hidden_units=(128, 64),
        activation="relu",
        likelihood="gaussian:learned",
        optimizer="adam",
        epochs=100,
        batch_size=64,
        options=None,
        random_state=None,
        verbose=0,
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

    def fit(self, X, y):
        """Fits a density to the rows of each class.

        Args:
            X: Array of shape `(n_samples, n_features)`.
            y: Array of shape `(n_samples,)`, labels of any type.

        Returns:
            self.
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
        self.model_ = self._trained(X, numbers)
        return self

    def _structure(self, X, y):
        of_vae = super()._structure(X, y) if self.density == "vae" else {}
        return {
            **of_vae,
            "density": self._density(X.shape[1]),
            "num_classes": len(self.classes_),
            "prior": self.prior,
        }

    def _check_parameters(self):
        super()._check_parameters()
        if not isinstance(self.density, str):
            raise invalid(
                "density",
                type(self).__name__,
                "a density's name: every fit makes a new one",
                self.density,
            )

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
        default = densities.options()["rank"]
        rank = rank or str((self.options or {}).get("rank", default))
        return (
            f"{name}:{min(int(rank), size - 1) if rank.isdecimal() else rank}"
        )

    def _run(self, model, X, y, seed):
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
        rows = self._batches(X, y, seed, size)
        # What is counted can't diverge.
        callbacks = [] if counted else [Guard("stop")]
        model.fit(
            rows, epochs=epochs, callbacks=callbacks, verbose=self.verbose
        )

    def predict(self, X):
        """The most probable classes.

        Args:
            X: Array of shape `(n_samples, n_features)`.

        Returns:
            Array of shape `(n_samples,)`, of `classes_`.
        """
        joint = self._asked(X, "log_joint")
        return self.classes_[joint.argmax(axis=1)]

    def predict_log_proba(self, X):
        """log P(y|x), of shape `(n_samples, n_classes)`, as `classes_` go.

        Args:
            X: Array of shape `(n_samples, n_features)`.
        """
        return self._asked(X, "predict_log_proba")

    def predict_proba(self, X):
        """P(y|x), of shape `(n_samples, n_classes)`, as `classes_` go.

        Args:
            X: Array of shape `(n_samples, n_features)`.
        """
        return np.exp(self.predict_log_proba(X))

    def score_samples(self, X):
        """log p(x), of shape `(n_samples,)`, in nats: low for outliers.

        Args:
            X: Array of shape `(n_samples, n_features)`.
        """
        return self._asked(X, "log_prob")

    def sample(self, n_samples=1):
        """Rows from the model; of `"vae"`, their means given z.

        Args:
            n_samples: How many.

        Returns:
            X, of shape `(n_samples, n_features)`, and y, the rows' classes.
        """
        check_is_fitted(self)
        check_int("n_samples", f"{type(self).__name__}.sample", n_samples)
        generator = check_random_state(self.random_state)
        chances = np.exp(self.model_.class_prior.log_prior.numpy())
        numbers = generator.choice(len(self.classes_), n_samples, p=chances)
        X = self.model_.sample(n_samples, numbers, _new_seed(generator))
        return X, self.classes_[numbers]

    def _asked(self, X, method):
        X = self._rows(X)
        found = getattr(self.model_, method)(X)
        # No more digits than there are: a VAE's are float32.
        return found.astype(self.model_.density.compute_dtype)


def _new_seed(generator):
    return int(generator.randint(2**31 - 1))


@contextlib.contextmanager
def _seeded(seed):
    """Keras seeded, and the streams of Python and NumPy as they were after."""
    states = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
