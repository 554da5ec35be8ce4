"""Figures of what a model has learnt, as PNG files.

Each function writes one figure to the PNG file at `path`, which is replaced if it
exists; `title` is the text above the figure.
"""

import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from sklearn import metrics
from sklearn.decomposition import PCA

from kgen import files

Path = str | os.PathLike

_DPI = 120
_TITLES = {"mse": "MSE", "psnr": "PSNR", "probability": "D's mean probability"}
_UNITS = {
    "mse": "squared error per pixel",
    "psnr": "dB",
    "probability": "probability of being real",
}
_FAMILIES = {"generative": ("Blues", "-"), "discriminative": ("Oranges", "--")}
_PANELS = 3  # of curves in a row, which can be read on a phone
_LARGEST = 100.0  # inches; Matplotlib draws no side of 2**16 dots or more


def is_picture(shape: tuple) -> bool:
    """Whether examples of `shape` can be shown as pictures, grey or RGB."""
    return len(shape) == 3 and shape[-1] in (1, 3)


def is_drawable(shape: tuple) -> bool:
    """Whether samples of `shape` can be drawn: pictures, points in the plane."""
    return is_picture(shape) or tuple(shape) == (2,)


def image_grid(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Lays pictures out in rows on a white ground.

    Args:
        images: Array of shape `(n, height, width, channels)` in [0, 1].
        columns: Pictures in a row.
        gap: White pixels between them.

    Returns:
        Array of shape `(rows * ..., columns * ..., channels)`.
    """
    count, height, width, channels = images.shape
    rows = math.ceil(count / columns)
    grid = np.ones(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    )
    for number, image in enumerate(images):
        top = number // columns * (height + gap) + gap
        left = number % columns * (width + gap) + gap
        grid[top : top + height, left : left + width] = image
    return np.clip(grid, 0.0, 1.0)


def samples(images: np.ndarray, path: Path, title: str = "Samples") -> None:
    """Draws a square grid of pictures.

    Args:
        images: Array of shape `(n, height, width, 1 or 3)` in [0, 1], or
            points of shape `(n, 2)`.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
    """
    figure = Figure(figsize=(6, 6.3), layout="constrained")
    axes = figure.subplots()
    if images.ndim == 2:
        axes.scatter(images[:, 0], images[:, 1], s=4, alpha=0.6)
        axes.set(xlabel="first coordinate", ylabel="second coordinate")
        axes.set_aspect("equal")
    else:
        grid = image_grid(images, math.ceil(math.sqrt(len(images))))
        inches = _inches(6.0, max(grid.shape)) / max(grid.shape)
        height, width = (inches * side for side in grid.shape[:2])
        figure.set_size_inches(max(width, 2.0), height + 0.3)
        _show(axes, grid)
    axes.set_title(title)
    _save(figure, path)


def _inches(least, dots):
    """The length of a side that shows all `dots`, within bounds."""
    return min(max(least, dots / _DPI), _LARGEST)


def pairs(
    rows: dict[str, np.ndarray], path: Path, title: str = "", columns: int = 12
) -> None:
    """Draws rows of pictures that belong together, with the rows' names.

    Args:
        rows: Dictionary from names to arrays of pictures of one shape, such as
            `{"original": x, "reconstruction": vae.reconstruct(x)}`.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
        columns: The least number of pictures in a line, if there are as many; a
            grid of very many pictures is square.
    """
    count = min(len(images) for images in rows.values())
    columns = min(max(columns, math.ceil(math.sqrt(count))), count)
    lines = math.ceil(count / columns)
    _, height, width, _ = next(iter(rows.values())).shape
    wide = _inches(9.0 * min(columns / 6, 1.0), columns * (width + 1))
    high = len(rows) * lines * wide / columns * height / width
    figure = Figure(
        figsize=(max(wide + 1.0, 4.5), min(high, _LARGEST) + 0.2 * lines + 0.4),
        layout="constrained",
    )
    axes = figure.subplots(lines, 1, squeeze=False)[:, 0]
    for line, axis in enumerate(axes):
        part = slice(line * columns, (line + 1) * columns)
        images = [_padded(images[part], columns) for images in rows.values()]
        grid = image_grid(np.concatenate(images), columns)
        _show(axis, grid)
        size = grid.shape[0] / len(rows)
        axis.set_yticks(
            [(row + 0.5) * size for row in range(len(rows))], list(rows)
        )
        axis.tick_params(length=0)
    axes[0].set_title(title)
    _save(figure, path)


def _padded(images, count):
    """`count` pictures: `images`, and white ones after them."""
    missing = count - len(images)
    return np.pad(
        images, [(0, missing), (0, 0), (0, 0), (0, 0)], constant_values=1.0
    )


def progress(
    frames: dict[str, np.ndarray],
    path: Path,
    title: str = "The same latent points, epoch by epoch",
) -> None:
    """Draws the samples of the same latent points at several times.

    Args:
        frames: Dictionary from names, such as `"epoch 5"`, to arrays of one
            shape: pictures `(n, height, width, 1 or 3)`, a row for each name;
            or points `(n, 2)`, a panel for each.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
    """
    first = next(iter(frames.values()))
    if first.ndim == 4:
        pairs(frames, path, title, columns=len(first))
        return
    columns = min(len(frames), 5)
    rows = math.ceil(len(frames) / columns)
    figure = Figure(
        figsize=(2.6 * columns, 2.8 * rows + 0.4), layout="constrained"
    )
    panels = figure.subplots(
        rows, columns, squeeze=False, sharex=True, sharey=True
    ).ravel()
    for axes, (name, points) in zip(panels, frames.items()):
        axes.scatter(*points.T, s=3, alpha=0.5)
        axes.set_title(name, fontsize="medium")
        axes.set_aspect("equal")
    for axes in panels[len(frames) :]:
        axes.set_visible(False)
    figure.suptitle(title)
    _save(figure, path)


def losses(history: Mapping[str, list], path: Path) -> None:
    """Draws each part of the loss over the epochs, training and validation.

    The probabilities that a discriminator gives real and generated examples
    share a panel.

    Args:
        history: Dictionary from logs' names to lists of values, with the
            epochs, counted from 0, under `"epoch"`.
        path: The PNG file, which is replaced if it exists.
    """
    epochs = np.asarray(history["epoch"]) + 1
    panels = [(name, {"": name}) for name in _loss_names(history)]
    judged = {"real": "real_probability", "generated": "fake_probability"}
    if set(judged.values()) <= set(history):
        panels.append(("probability", judged))
    rows = math.ceil(len(panels) / _PANELS)
    columns = math.ceil(len(panels) / rows)
    figure = Figure(figsize=(4 * columns, 3.4 * rows), layout="constrained")
    figure.get_layout_engine().set(wspace=0.04, hspace=0.04)
    for number, (name, lines) in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns, number)
        _curves(axes, epochs, history, lines)
        # Few losses of adversarial models are in nats.
        is_adversarial = "generator_loss" in history
        unit = "mean over the batch" if is_adversarial else "nats per image"
        axes.set(
            title=_TITLES.get(name, name.replace("_", " ")),
            xlabel="epoch",
            ylabel=_UNITS.get(name, unit),
        )
        _add_grid(axes)
        if len(lines) > 1 or number == 1:
            axes.legend()
    _save(figure, path)


def _add_grid(axes):
    """A grid, with whole numbers below."""
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.grid(alpha=0.3)


def _loss_names(history):
    """The names of the logs that get a panel: the loss, then its parts."""
    # The sum of the losses of two players has no meaning.
    names = [] if "generator_loss" in history else ["loss"]
    for name, values in history.items():
        is_part = name.endswith(("loss", "penalty")) or name in _TITLES
        is_part = is_part and not name.startswith("val_") and name != "loss"
        # A part that is zero, or equal to the whole, would add nothing.
        if is_part and np.any(values) and values != history["loss"]:
            names.append(name)
    return names


def _curves(axes, epochs, history, lines):
    marker = "o" if len(epochs) == 1 else None
    for word, name in lines.items():
        style = {"label": word or "training", "marker": marker}
        (line,) = axes.plot(epochs, history[name], **style)
        if f"val_{name}" in history:
            style["label"] = "validation"
            if word:
                style["label"] = f"{word}, validation"
                style["color"] = line.get_color()
            axes.plot(epochs, history[f"val_{name}"], "--", **style)


def errors(
    curves: dict[str, tuple],
    path: Path,
    title: str = "Reconstruction error by size of the code",
) -> None:
    """Draws the squared error of reconstructions over the latent size.

    Args:
        curves: Dictionary from methods to pairs: sizes, and the mean squared
            errors per pixel at them; a single one is drawn as a point.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
    """
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, (sizes, values) in curves.items():
        axes.plot(sizes, values, marker="o", markersize=5, label=name)
    axes.set(
        title=title,
        xlabel="latent size",
        ylabel="squared error per pixel",
        ylim=(0, None),
    )
    _add_grid(axes)
    axes.legend()
    _save(figure, path)


def classifiers(
    rows: list[dict], curve: dict, path: Path, title: str = "Classifiers"
) -> None:
    """Draws accuracies: of each model, and by the number of labels.

    Generative models are blue, discriminative ones orange.

    Args:
        rows: Dictionaries with `model`, `family` (`generative` or
            `discriminative`), `on` (the inputs of the model) and `accuracy`.
        curve: Dictionary with `labels`, a list of numbers, and `accuracy`, a
            dictionary from models to as many accuracies, None where unknown.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
    """
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    figure.get_layout_engine().set(wspace=0.04)
    left, right = figure.subplots(1, 2, width_ratios=(4, 5))
    styles = _styles_by_family(rows)
    _accuracies(left, rows, styles)
    for name, values in curve["accuracy"].items():
        known = [
            pair for pair in zip(curve["labels"], values) if pair[1] is not None
        ]
        right.plot(*zip(*known), label=name, markersize=5, **styles[name])
    right.set(
        title=f"Accuracy by the number of labels, given {rows[0]['on']}",
        xlabel="labelled training examples",
        ylabel="accuracy",
        xscale="log",
    )
    ticks = [str(size) for size in curve["labels"]]
    right.set_xticks(curve["labels"], ticks, fontsize="small")
    right.minorticks_off()
    right.grid(alpha=0.3)
    right.legend(fontsize="small")
    figure.suptitle(title)
    _save(figure, path)


def _styles_by_family(rows):
    """Lines and markers: a family's colour, darker from model to model."""
    styles = {}
    for family, (colours, line) in _FAMILIES.items():
        models = [row["model"] for row in rows if row["family"] == family]
        names = list(dict.fromkeys(models))
        shades = colormaps[colours](np.linspace(0.45, 0.95, len(names)))
        for name, shade, marker in zip(names, shades, "osD^v"):
            style = {"color": shade, "linestyle": line, "marker": marker}
            styles[name] = style
    return styles


def _accuracies(axes, rows, styles):
    """A row for each model, the first kind of inputs filled, the next hollow."""
    names = list(styles)
    inputs = list(dict.fromkeys(row["on"] for row in rows))
    for row in rows:
        style = {**styles[row["model"]], "markersize": 8}
        if row["on"] != inputs[0]:
            style["markerfacecolor"] = "white"
        axes.plot(row["accuracy"], names.index(row["model"]), **style)
    axes.set(title="Accuracy of each model", xlabel="accuracy")
    axes.locator_params("x", nbins=6)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(alpha=0.3)
    for word, fill in zip(inputs, ("grey", "white")):
        axes.plot([], [], "o", color="grey", markerfacecolor=fill, label=word)
    axes.legend(title="given", fontsize="small")


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
    size = min(max(5.0, 0.55 * len(classes)), _LARGEST)
    figure = Figure(figsize=(size + 1.0, size), layout="constrained")
    axes = figure.subplots()
    names = [_class_name(label, class_names) for label in classes]
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
    _save(figure, path)


def _class_name(label, class_names):
    return class_names[label] if len(class_names) > label else str(label)


def latent(
    z: np.ndarray,
    path: Path,
    labels: np.ndarray | None = None,
    class_names: Sequence[str] = (),
    title: str = "Latent space",
) -> None:
    """Draws codes in two dimensions: as they are, or by PCA.

    Args:
        z: Array of shape `(n, latent_dim)`.
        path: The PNG file, which is replaced if it exists.
        labels: `n` integers that colour the points, or None.
        class_names: Names for the legend, or `()`.
        title: The text above the figure.
    """
    figure = Figure(figsize=(6.6, 5.6), layout="constrained")
    axes = figure.subplots()
    points, names = _two_dimensions(np.asarray(z))
    if labels is None:
        axes.scatter(*points.T, s=6, alpha=0.7)
    else:
        _scatter_by_class(axes, points, np.asarray(labels), class_names)
    axes.set(title=title, xlabel=names[0], ylabel=names[1])
    if z.shape[1] == 1:
        axes.set_yticks([])
    _save(figure, path)


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
            label=_class_name(label, class_names),
            color=colours(number),
        )
    axes.figure.legend(
        loc="outside right center", markerscale=2.5, frameon=False
    )


def _show(axes, grid):
    axes.imshow(grid, cmap="gray", vmin=0.0, vmax=1.0)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _save(figure, path):
    with files.new_file(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)
