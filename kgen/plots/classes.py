"""Where classes lie: confusion of a classifier, and the map of codes."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from sklearn import metrics
from sklearn.decomposition import PCA

from kgen.plots.figures import LARGEST, Path, class_name, save
from kgen.priors import Prior

_SHARES = (0.9, 0.5, 0.1)  # of a prior, within the lines that are drawn
_DRAWS = 10_000  # from a prior, which tell where it lies


def confusion(
    labels: np.ndarray,
    predicted: np.ndarray,
    path: Path,
    class_names: Sequence[str] = (),
) -> None:
    """Draws how often each class is taken for each other one.

    Args:
        labels: `n` integers; those below 0 are left out.
        predicted: `n` integers.
        path: The PNG file, which is replaced if it exists.
        class_names: Names of the classes, or `()`.
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    known = labels >= 0
    labels, predicted = labels[known], predicted[known]
    classes = np.union1d(labels, predicted)
    size = min(max(5.0, 0.55 * len(classes)), LARGEST)
    figure = Figure(figsize=(size + 1.0, size), layout="constrained")
    axes = figure.subplots()
    names = [class_name(label, class_names) for label in classes]
    metrics.ConfusionMatrixDisplay.from_predictions(
        labels,
        predicted,
        labels=classes,
        display_labels=names,
        normalize="true",
        values_format=".2f",
        include_values=len(classes) <= 20,
        cmap="Blues",
        xticks_rotation="vertical" if max(map(len, names)) > 2 else 0,
        ax=axes,
    )
    accuracy = np.mean(labels == predicted)
    axes.set_title(f"{len(labels)} examples, accuracy {accuracy:.3f}")
    save(figure, path)


def latent(
    z: np.ndarray,
    path: Path,
    labels: np.ndarray | None = None,
    class_names: Sequence[str] = (),
    title: str = "Latent space",
    prior: Prior | None = None,
) -> None:
    """Draws codes in two dimensions: as they are, or by PCA.

    Args:
        z: Array of shape `(n, latent_dim)`.
        path: The PNG file, which is replaced if it exists.
        labels: `n` integers that colour the points, or None.
        class_names: Names for the legend, or `()`.
        title: The text above the figure.
        prior: A prior, such as `vae.serving_prior`, whose contours are drawn
            below codes of two dimensions; or None.
    """
    figure = Figure(figsize=(6.6, 5.6), layout="constrained")
    axes = figure.subplots()
    points, names = _two_dimensions(np.asarray(z))
    if labels is None:
        axes.scatter(*points.T, s=6, alpha=0.7)
    else:
        _scatter_by_class(axes, points, np.asarray(labels), class_names)
    if prior is not None and z.shape[1] == 2:
        _contours(axes, prior)
        title += "; lines: where 10 %, 50 % and 90 % of the prior lie"
    axes.set(title=title, xlabel=names[0], ylabel=names[1])
    if z.shape[1] == 1:
        axes.set_yticks([])
    save(figure, path)


def _two_dimensions(z):
    """Points of shape `(n, 2)`, and the names of their coordinates."""
    if z.shape[1] == 1:
        height = np.random.default_rng(0).uniform(size=len(z))
        return np.column_stack([z, height]), ("z1", "(spread at random)")
    if z.shape[1] == 2 or not np.any(z != z[0]):
        return z[:, :2], ("z1", "z2")
    pca = PCA(2, random_state=0)
    points = pca.fit_transform(z)
    return points, [
        f"principal component {number} ({share:.0%} of the variance)"
        for number, share in enumerate(pca.explained_variance_ratio_, 1)
    ]


def _contours(axes, prior):
    """Draws the lines of equal density that hold these shares of the prior.

    Where p(z) is above its (1 - s)-quantile over draws of z, a share s of them lies.
    """
    draws = prior.sample(_DRAWS, seed=0).numpy()
    density_of_draws = _density(prior, draws)
    levels = np.quantile(density_of_draws, 1.0 - np.array(_SHARES))
    within = draws[density_of_draws >= levels[0]]
    low, high = within.min(axis=0), within.max(axis=0)
    margin = 0.1 * (high - low)
    sides = np.linspace(low - margin, high + margin, 200)
    x, y = np.meshgrid(*sides.T)
    density = _density(prior, np.stack([x.ravel(), y.ravel()], axis=1))
    axes.contour(
        x,
        y,
        density.reshape(x.shape),
        np.unique(levels),
        colors="0.35",
        linewidths=0.8,
    )
    axes.set_xlim(*_around(axes.get_xlim(), sides[:, 0]))
    axes.set_ylim(*_around(axes.get_ylim(), sides[:, 1]))


def _density(prior, z):
    """p(z) of codes, of 1,000 at a time: some priors compare each with many others."""
    parts = np.array_split(z.astype("float32"), max(1, len(z) // 1000))
    return np.exp(np.concatenate([prior.log_prob(part) for part in parts]))


def _around(limits, values):
    """Limits of an axis that hold some values, too."""
    return min(limits[0], values.min()), max(limits[1], values.max())


def _scatter_by_class(axes, points, labels, class_names):
    classes = np.unique(labels)
    if len(classes) > 20:
        colours = axes.scatter(*points.T, c=labels, s=6, alpha=0.7)
        axes.figure.colorbar(colours, label="label")
        return
    colours = colormaps["tab10" if len(classes) <= 10 else "tab20"]
    for number, label in enumerate(classes):
        axes.scatter(
            *points[labels == label].T,
            s=8,
            alpha=0.75,
            label=class_name(label, class_names),
            color=colours(number),
        )
    axes.figure.legend(
        loc="outside right center", markerscale=2.5, frameon=False
    )
