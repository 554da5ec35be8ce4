"""Autoencoder and VAE as scikit-learn transformers, for rows of a table."""

import contextlib
import random

import keras
import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from kgen.data import pipeline
from kgen.errors import InvalidArgument, check_int, invalid
from kgen.models import create_model

__all__ = ["AutoencoderTransformer", "VAETransformer"]

_FLOATS = [np.float64, np.float32]


class _Transformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Base: rows to codes by a kgen model with dense networks, and back."""

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

    def fit(self, X, y=None):
        """Trains a new model on the rows of X.

        Args:
            X: Array of shape `(n_samples, n_features)`.
            y: Ignored.

        Returns:
            self.
        """
        X = validate_data(self, X, dtype=_FLOATS, ensure_min_samples=2)
        if not isinstance(self.options, (dict, type(None))) or (
            {"network", "num_classes"} & set(self.options or ())
        ):
            raise invalid(
                "options",
                type(self).__name__,
                "a dictionary of arguments of `create_model`, without network "
                "and num_classes",
                self.options,
            )
        for name in ("epochs", "batch_size"):
            check_int(name, type(self).__name__, getattr(self, name))
        generator = check_random_state(self.random_state)
        seed = int(generator.randint(2**31 - 1))
        with _seeded(seed):
            self.model_ = self._trained(X.astype("float32"), seed)
        self._n_features_out = self.model_.latent_dim
        return self

    def _trained(self, X, seed):
        model = create_model(
            self._model,
            input_shape=X.shape[1:],
            network="dense",
            latent_dim=self.latent_dim,
            hidden_units=self.hidden_units,
            activation=self.activation,
            likelihood=self.likelihood,
            **(self.options or {}),
        )
        optimizer = self.optimizer
        if isinstance(optimizer, keras.optimizers.Optimizer):
            # An object keeps its state; each fit begins with none.
            optimizer = type(optimizer).from_config(optimizer.get_config())
        model.compile(optimizer=optimizer)
        rows = pipeline.batches(
            X, None, batch_size=self.batch_size, shuffle=True, seed=seed
        )
        # One pass for Keras: on small tables its epochs cost more than steps.
        history = model.fit(rows.repeat(self.epochs), verbose=self.verbose)
        if not np.isfinite(history.history["loss"][-1]):
            raise InvalidArgument(
                f"The loss of `{type(self).__name__}` became infinite or NaN. "
                "Standardise the features, or lower the learning rate, such as "
                'optimizer="adam:0.0001".'
            )
        return model

    def transform(self, X):
        """The codes of rows.

        Args:
            X: Array of shape `(n_samples, n_features)`.

        Returns:
            Array of shape `(n_samples, latent_dim)`.
        """
        X = self._rows(X)
        return self.model_.encode(X.astype("float32")).astype(X.dtype)

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

    def _rows(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=_FLOATS, reset=False)


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
