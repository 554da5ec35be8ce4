"""Bayes' rule with a density of each class, as a classifier of rows."""

from typing import Any, ClassVar, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from kgen.callbacks import Guard
from kgen.data import pipeline
from kgen.errors import invalid
from kgen.params import Constraint, Instance, Integer, checked
from kgen.sklearn.base import COUNTED_AT_ONCE, FLOATS, Estimator, new_seed


class GenerativeClassifier(ClassifierMixin, Estimator):
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
        **Estimator._constraints,
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
        X, y = validate_data(self, X, y, dtype=FLOATS, ensure_min_samples=2)
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
            "density": self._density_for(self.density, X.shape[1]),
            "num_classes": len(self.classes_),
            "prior": self.prior,
        }

    def _train(self, model, X, y, seed):
        weight = self.discriminative_weight
        counted = model.density.closed_form and not weight
        size = COUNTED_AT_ONCE if counted else self.batch_size
        # Without unlabelled rows, a second pass would count the same.
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
        X = self.model_.sample(n_samples, numbers, new_seed(generator))
        return X, self.classes_[numbers]

    def _call_model(self, method, X):
        X = self._validated(X)
        values = getattr(self.model_, method)(X)
        # In the precision of the density: that of a VAE is float32.
        return values.astype(self.model_.density.compute_dtype)
