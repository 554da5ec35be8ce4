"""Autoencoders and VAEs as transformers of rows to codes."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from kgen.errors import invalid
from kgen.sklearn.base import FLOATS, Estimator, filled


class _Transformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator
):
    """Base of transformers of rows to codes, and back."""

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Trains a new model, and returns the estimator.

        Args:
            X: Array of shape `(n_samples, n_features)`.
            y: Ignored.
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        self._fit_model(X)
        self._n_features_out = self.model_.latent_dim
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Returns the codes of rows X, of shape `(n_samples, latent_dim)`."""
        X = self._validated(X)
        return self.model_.encode(filled(X))[: len(X)].astype(X.dtype)

    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """Returns the rows that codes Z, of shape `(n_samples, latent_dim)`, give."""
        check_is_fitted(self)
        Z = check_array(Z, dtype=FLOATS, input_name="Z")
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
