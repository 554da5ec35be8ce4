"""What codes tell about classes."""

import numpy as np

from kgen.errors import check_int, check_seed, invalid
from kgen.metrics.checks import as_array, check_features


def probe(z, y, z_test=None, y_test=None, neighbors=10, seed=0):
    """Accuracy of two simple classifiers on codes.

    k nearest neighbours judge the distances between codes, logistic regression
    the directions in their space (on standardised codes, without which its
    penalty would depend on their scale).

    Args:
        z: Array of shape `(n, latent_dim)`, codes to learn from.
        y: `n` integers, their classes.
        z_test: Array of shape `(m, latent_dim)`, codes to be judged by; without
            them a fifth of `z`, drawn by `seed` in each class alike.
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

    neighbors = check_int("neighbors", "probe", neighbors)
    seed = check_seed("probe", seed, optional=False)
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
    z, y = check_features("probe", name, z, num_features=width), as_array(y)
    labels = name.replace("z", "y")
    if y.dtype.kind not in "iu":
        raise invalid(labels, "probe", "integers", f"labels of {y.dtype}")
    if y.shape != z.shape[:1] or len(np.unique(y)) < 2:
        raise invalid(
            labels,
            "probe",
            f"{len(z)} labels, one a code, of two classes or more",
            f"shape {y.shape} with {len(np.unique(y))} classes",
        )
    return z, y
