"""What codes tell: which of their dimensions are in use, and which classes."""

from collections.abc import Sequence

import numpy as np

from kgen import arrays
from kgen.errors import invalid
from kgen.params import SEED, Integer, Number, checked


@checked(threshold=Number())
def active_units(mean: np.ndarray, threshold: float = 0.01) -> int:
    """Returns how many latent dimensions tell examples apart.

    A dimension is active if its posterior mean varies over the data:
    `Var_x(E_q(z|x)[z]) > threshold`.

    Args:
        mean: Array of shape `(n, latent_dim)`, posterior means of n examples,
            two or more: what `encode` of a VAE returns.
        threshold: The least variance.

    Returns:
        Integer from 0 to latent_dim.

    Raises:
        InvalidArgument: If the shape is wrong, or a mean not finite.

    References:
        Burda et al. (2016), arXiv 1509.00519, section 5.2.
    """
    mean = arrays.check_features("mean", "active_units", mean, least=2)
    return int(np.sum(mean.var(axis=0) > threshold))


@checked(neighbors=Integer(), seed=SEED)
def probe(
    z: np.ndarray,
    y: Sequence[int] | np.ndarray,
    z_test: np.ndarray | None = None,
    y_test: Sequence[int] | np.ndarray | None = None,
    neighbors: int = 10,
    seed: int = 0,
) -> dict[str, float]:
    """Returns the accuracy of two simple classifiers on codes.

    k nearest neighbours judge the distances between codes, logistic regression
    the directions in their space. The latter's codes are standardised, or its
    penalty would depend on their scale.

    Args:
        z: Array of shape `(n, latent_dim)`, codes to learn from.
        y: `n` integers, their classes.
        z_test: Array of shape `(m, latent_dim)`, codes to be judged by; None
            for a fifth of `z`, drawn by `seed` from each class in proportion.
        y_test: `m` integers.
        neighbors: k.
        seed: Integer.

    Returns:
        Dictionary with `knn_accuracy` and `logistic_accuracy`, shares of the
        codes to be judged by.

    Raises:
        InvalidArgument: If shapes don't agree, codes are not finite, labels no
            integers, there is one class only, or there are too few examples.

    References:
        Alain & Bengio (2017), Understanding intermediate layers using linear
        classifier probes, arXiv 1610.01644.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    z, y = _checked("z", z, y)
    if (z_test is None) != (y_test is None):
        raise invalid("z_test", "probe", "both z_test and y_test, or none", "")
    if z_test is None:
        try:
            z, z_test, y, y_test = train_test_split(
                z, y, test_size=0.2, random_state=seed, stratify=y
            )
        except ValueError as error:  # too few of a class
            raise invalid("y", "probe", "more examples", error) from error
    else:
        z_test, y_test = _checked("z_test", z_test, y_test, z.shape[1])
    classifiers = {
        "knn_accuracy": KNeighborsClassifier(min(neighbors, len(z))),
        "logistic_accuracy": make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=1000)
        ),
    }
    return {
        name: float(classifier.fit(z, y).score(z_test, y_test))
        for name, classifier in classifiers.items()
    }


def _checked(name, z, y, width=None):
    z, y = arrays.check_features(name, "probe", z, 1, width), arrays.as_array(y)
    labels = name.replace("z", "y")
    arrays.check_labels(y, None, len(z), "probe", argument=labels)
    if len(np.unique(y)) < 2:
        raise invalid(labels, "probe", "two classes or more", np.unique(y))
    return z, y
