"""The classifiers that are compared, as scikit-learn's estimators."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from kgen.comparison.data import CompareSettings, Data
from kgen.data import pipeline
from kgen.errors import InvalidArgument
from kgen.models import create_model
from kgen.models.base import GenerativeModel
from kgen.sklearn import GenerativeClassifier

_RANK = 20
# The most numbers that the covariances of all classes may have: 1 GiB.
_COVARIANCES = 2**27


def new_model(
    name: str, x: np.ndarray, settings: CompareSettings, **options: Any
) -> GenerativeModel:
    """Makes a compiled model of examples like `x`, with the settings' networks."""
    keras.utils.set_random_seed(settings.seed)
    model = create_model(
        name,
        input_shape=x.shape[1:],
        network=settings.network,
        latent_dim=settings.latent_dim,
        seed=settings.seed,
        **options,
    )
    model.compile()
    return model


def train(
    model: GenerativeModel,
    x: np.ndarray,
    y: np.ndarray | None,
    settings: CompareSettings,
) -> None:
    """Trains a model by the settings; without labels where `y` is None."""
    batch_size, seed = settings.batch_size, settings.seed
    batches = pipeline.batches(
        x, y, batch_size=batch_size, shuffle=True, seed=seed
    )
    model.fit(batches, epochs=settings.epochs, verbose=0)


class _VAEBayes(BaseEstimator):
    """A VAE-Bayes classifier of examples in their own shape, not of rows, since
    its networks may be convolutional."""

    def __init__(self, settings):
        self.settings = settings

    def fit(self, x, y):
        self.model_ = new_model(
            "bayes_classifier", x, self.settings, num_classes=int(y.max()) + 1
        )
        train(self.model_, x, y, self.settings)
        return self

    def predict_proba(self, x):
        return np.exp(self.model_.predict_log_proba(x))


def _rows(x):
    """Examples as rows, in float64: `log_loss` clips by the type's precision."""
    return x.reshape(len(x), -1).astype("float64")


def _of_rows(estimator):
    return make_pipeline(FunctionTransformer(_rows), estimator)


def _scale(estimator, data):
    # Pixels share a unit. If they were scaled, those at the edge, which hardly
    # vary, would count as much as those in the middle.
    if data.kind == "pixels":
        return estimator
    return make_pipeline(StandardScaler(), estimator)


def _generative(density, settings, **options):
    seed = settings.seed
    return _of_rows(
        GenerativeClassifier(density, options=options, random_state=seed)
    )


def _has_units(data):
    """Whether each number of an example has a unit of its own."""
    return data.kind == "features"


def _naive_gaussian(data, settings):
    options = {"standardize": _has_units(data)}
    if data.kind == "pixels":
        # The density's default for pictures, which it does not see in rows.
        options["smoothing"] = 0.01
    return _generative("naive_gaussian", settings, **options)


def _ppca(data, settings):
    size, counts = math.prod(data.x.shape[1:]), np.bincount(data.y)
    numbers = len(counts) * size**2
    if numbers > _COVARIANCES:
        raise InvalidArgument(
            f"The covariances of {len(counts)} classes would take "
            f"{8 * numbers / 2**30:.0f} GiB. Pass a smaller --image-shape."
        )
    # At most half as many directions as a class has examples, so that the rest of
    # them tell the noise. A little shrinkage, since a class may have two examples.
    rank = min(_RANK, int(counts.min()) // 2)
    return _generative(
        f"low_rank:{rank}",
        settings,
        shrinkage=0.01,
        standardize=_has_units(data),
    )


def _svm(data, settings):
    # A single temperature leaves the SVM's decisions as they are. Platt's method
    # fits a sigmoid for each class, which changes them where labels are few.
    return CalibratedClassifierCV(
        _scale(SVC(), data),
        method="temperature",
        cv=min(5, np.bincount(data.y).min()),
        ensemble=False,
    )


VAE_BAYES = "VAE-Bayes"
_BERNOULLI = "naive Bayes, Bernoulli"
# By family and name: functions that make an estimator, of the `Data` that it is to
# learn from and the settings.
FAMILIES: dict[str, dict[str, Callable[..., BaseEstimator]]] = {
    "generative": {
        "naive Bayes, Gaussian": _naive_gaussian,
        _BERNOULLI: lambda data, settings: _generative(
            "naive_bernoulli", settings
        ),
        "pPCA-Bayes": _ppca,
        VAE_BAYES: lambda data, settings: _VAEBayes(settings),
    },
    "discriminative": {
        "k-NN": lambda data, settings: _of_rows(
            KNeighborsClassifier(min(5, len(data.y)))
        ),
        "decision tree": lambda data, settings: _of_rows(
            DecisionTreeClassifier(random_state=settings.seed)
        ),
        "SVM": lambda data, settings: _of_rows(_svm(data, settings)),
        "logistic regression": lambda data, settings: _of_rows(
            _scale(LogisticRegression(max_iter=1000), data)
        ),
    },
}


def suits(name: str, data: Data) -> bool:
    """Whether a classifier is one for such data."""
    if name not in (VAE_BAYES, _BERNOULLI):
        return True
    if data.kind == "codes":
        return False
    both = (data.x, data.x_test)
    return name == VAE_BAYES or all(
        x.min() >= 0.0 and x.max() <= 1.0 for x in both
    )
