"""Outliers among rows, by any of kgen's models that scores them."""

from typing import Any, ClassVar, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin
from sklearn.utils.validation import validate_data

from kgen import registry
from kgen.densities.factory import DENSITIES
from kgen.errors import unknown_name
from kgen.models.outliers import OutlierScorer
from kgen.params import Constraint, Number
from kgen.sklearn.base import COUNTED_AT_ONCE, FLOATS, Estimator, filled

_CLASSIFIER = "bayes_classifier"


class _Scorer(Constraint):
    """A model that scores rows without labels, or a density in closed form."""

    def check(self, argument: str, owner: str, value: Any) -> str:
        names = [
            name
            for name, entry in registry.MODELS.items()
            if issubclass(entry.model_class, OutlierScorer)
            and not entry.model_class.needs_labels
        ]
        first, _, _ = str(value).partition(":")
        if value not in names and first not in DENSITIES:
            raise unknown_name(argument, owner, [*names, *DENSITIES], value)
        return value


class OutlierDetector(OutlierMixin, Estimator):
    """Outliers, by the scores of a kgen model: rows that it finds unlike the others.

    The rows that it is fitted to may have outliers among them. For a model with
    networks, features of different scales should be standardised first, in a
    `Pipeline`.

    Args:
        model: A density in closed form (-log p(x)): `"full"` (the default, one
            Gaussian: of some hundred rows, networks find no more), `"low_rank:8"`
            (probabilistic PCA of that rank), `"naive_gaussian"` or
            `"naive_bernoulli"`; or `"vae"` (-ELBO), `"vaegan"`, `"autoencoder"` or
            `"denoising_autoencoder"` (the error of reconstruction), for many rows
            that no Gaussian describes.
        contamination: Number from 0 to 0.5: the share of the rows of `fit` that
            `predict` is to find.
        latent_dim: Size of the codes of a model with networks.
        hidden_units: Widths of the encoder's hidden layers; the decoder has them in
            reverse.
        activation: Activation of the hidden layers.
        likelihood: As in `kgen.VAE`, or of an autoencoder as in `kgen.Autoencoder`.
        optimizer: Keras optimizer or its name, such as `"adam:0.0005"`.
        epochs: How often all rows are gone through; densities are counted at once.
        batch_size: Rows for each step.
        options: Dictionary of further arguments of `kgen.create_model`.
        random_state: Integer, `RandomState` or None.
        verbose: 1 shows a progress bar.

    Attributes:
        model_: The trained model; its `outlier_score` is minus `score_samples`.
        offset_: The score of rows below which they are outliers.
        n_features_in_: How many columns it was fitted to.

    Example:

        detect = make_pipeline(StandardScaler(), OutlierDetector(contamination=0.05))
        odd = X[detect.fit_predict(X) == -1]
    """

    _constraints: ClassVar[dict[str, Constraint]] = {
        **Estimator._constraints,
        "model": _Scorer(),
        "contamination": Number(0.0, maximum=0.5),
    }

    def __init__(
        self,
        model: str = "full",
        *,
        contamination: float = 0.1,
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
        self.model = model
        self.contamination = contamination

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Trains a new model, and returns the estimator.

        Args:
            X: Array of shape `(n_samples, n_features)`.
            y: Ignored.
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        # A density has one class here.
        self._fit_model(X, np.zeros(len(X), int) if self._is_density else None)
        self.offset_ = np.quantile(self._scores(X), self.contamination)
        return self

    @property
    def _is_density(self):
        return self.model not in list(registry.MODELS)

    @property
    def _model(self):
        return _CLASSIFIER if self._is_density else self.model

    def _structure(self, X):
        if not self._is_density:
            return super()._structure(X)
        density = self._density_for(self.model, X.shape[1])
        return {"density": density, "num_classes": 1}

    def _train(self, model, X, y, seed):
        if not self._is_density:
            return super()._train(model, X, y, seed)
        # A trace costs more than one step.
        model.compile(run_eagerly=len(X) <= COUNTED_AT_ONCE)
        model.fit(X, y, batch_size=COUNTED_AT_ONCE, verbose=self.verbose)

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Returns minus the model's `outlier_score` of rows X, `(n_samples,)`.

        These are nats, low for outliers: of a VAE the ELBO, of a density log p(x), of
        an autoencoder log p(x|z).
        """
        return self._scores(self._validated(X))

    def _scores(self, X):
        """The scores of rows that are validated, as an array without names."""
        scores = self.model_.outlier_score(filled(X))[: len(X)]
        return -scores.astype("float64")

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Returns `score_samples` less `offset_`: below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Returns -1 for each row that is an outlier, and 1 for the others."""
        return np.where(self.decision_function(X) < 0, -1, 1)
