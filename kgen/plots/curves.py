"""Curves: losses by epoch, errors by size, accuracies by labels."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from kgen.plots.figures import Path, save

_TITLES = {
    "mse": "MSE",
    "psnr": "PSNR",
    "probability": "D's mean probability",
    "frechet_distance": "Frechet distance",
}
_UNITS = {
    "frechet_distance": "squared units of random features",
    "mse": "squared error per pixel",
    "psnr": "dB",
    "probability": "probability of being real",
}
_FAMILIES = {"generative": ("Blues", "-"), "discriminative": ("Oranges", "--")}
_PANELS = 3  # of curves in a row, which can be read on a phone


def losses(history: Mapping[str, list], path: Path) -> None:
    """Draws each part of the loss over the epochs, training and validation.

    The probabilities that a discriminator gives real and generated examples
    share a panel. A Frechet distance has another, with a point for each look.

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
    if "val_frechet_distance" in history:
        panels.append(("frechet_distance", {}))
    rows = math.ceil(len(panels) / _PANELS)
    columns = math.ceil(len(panels) / rows)
    figure = Figure(figsize=(4 * columns, 3.4 * rows), layout="constrained")
    figure.get_layout_engine().set(wspace=0.04, hspace=0.04)
    for number, (name, lines) in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns, number)
        _curves(axes, epochs, history, lines)
        if not lines:  # it is known of few epochs
            distances = np.asarray(history[f"val_{name}"])
            known = np.isfinite(distances)
            axes.plot(epochs[known], distances[known], "--o", color="C0")
        # Few losses of adversarial models are in nats.
        is_adversarial = "generator_loss" in history
        unit = "mean over the batch" if is_adversarial else "nats per example"
        axes.set(
            title=_TITLES.get(name, name.replace("_", " ")),
            xlabel="epoch",
            ylabel=_UNITS.get(name, unit),
        )
        _add_grid(axes)
        if len(lines) > 1 or number == 1:
            axes.legend()
    save(figure, path)


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
        # A panel of a part that is zero, or equal to the loss, would show nothing new.
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
    save(figure, path)


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
    save(figure, path)


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
