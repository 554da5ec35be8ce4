"""What a run draws of its model: samples, codes, reconstructions, ..."""

import math
import pathlib
import warnings
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

import kgen
from kgen import metrics, plots
from kgen.data import Source
from kgen.data.examples import AnyExamples, subset
from kgen.plots.figures import class_name
from kgen.runs.data import held_out_split

# The most numbers that are held at a time for one picture: 256 MiB of them.
_NUMBERS = 2**26
# How many examples are drawn as codes, and how many are classified, at most.
_CODES, _CLASSIFIED = 2_000, 10_000
# Ways through the latent space that are drawn, and pictures on each of them.
_WAYS, _STEPS = 6, 10
# Examples among which pairs of one class are looked for.
_PAIRED = 256


def draw(
    directory: pathlib.Path,
    model: keras.Model,
    source: Source,
    history: Mapping[str, list],
    train: AnyExamples | None = None,
    split: str | None = None,
) -> None:
    """Draws a run's pictures: samples, reconstructions, losses, codes, ...

    Which ones follows from what the model can do, not from its name.

    Args:
        directory: Where to write them.
        model: The run's model.
        source: The data.
        history: The run's logs by epoch.
        train: The examples that the model was trained on, or None.
        split: The split of the source whose examples are drawn; None for the
            one that the run is judged by.
    """
    split = split or held_out_split(source)
    # A model that counts has learnt all in one epoch: there is no curve.
    counted = model.needs_labels and model.counts
    if history and not (counted and len(history["epoch"]) == 1):
        plots.losses(history, directory / "losses.png")
    shape = model.input_shapes[0]
    if hasattr(model, "sample") and model.table is not None:
        draw_rows(directory, model, source, split)
    if hasattr(model, "sample") and plots.is_drawable(shape):
        count = _sample_count(model)
        labels = model.labels_in_turn(count)
        images = model.sample(count, labels=labels, seed=0)
        plots.samples(
            images,
            directory / "samples.png",
            labels=labels,
            class_names=model.class_names,
        )
    else:  # an old picture, of a fitted prior that was removed since
        (directory / "samples.png").unlink(missing_ok=True)
    if hasattr(model, "encode"):
        draw_codes(directory, model, source, split, train)
    elif hasattr(model, "interpolate") and plots.has_panel(shape):
        labels = model.labels_in_turn(_WAYS)  # a pair is of one class
        between = model.interpolate(_WAYS, _STEPS, labels=labels, seed=0)
        path = directory / "interpolations.png"
        title = "From one sample to another"
        _draw_ways(between, path, title, labels, model.class_names)
    if model.needs_labels and source.examples(split).labels is not None:
        draw_confusion(directory, model, source, split)


def _sample_count(model):
    """How many samples are drawn: of few classes, as many of each."""
    if not plots.has_panel(model.input_shapes[0]):
        return 2000
    classes = model.num_classes if model.conditional else None
    return 8 * classes if classes in range(1, 21) else 36


def draw_rows(
    directory: pathlib.Path, model: keras.Model, source: Source, split: str
) -> None:
    """Draws the columns of held-out rows beside those of synthetic ones."""
    examples = subset(source.examples(split), _CLASSIFIED)
    x = _all(examples.batches(batch_size=256))
    real = model.table.decode(x, examples.labels)
    synthetic = model.sample(len(real), seed=0)
    kinds = model.table.figured_kinds
    plots.marginals(real, synthetic, kinds, directory / "marginals.png")
    plots.correlations(
        metrics.tables.correlations(real, kinds),
        metrics.tables.correlations(synthetic, kinds),
        directory / "correlations.png",
    )
    if real.isna().any(axis=None) or synthetic.isna().any(axis=None):
        plots.gaps(real, synthetic, directory / "gaps.png")


def draw_confusion(
    directory: pathlib.Path, model: keras.Model, source: Source, split: str
) -> None:
    """Draws which classes a classifier takes for which."""
    examples = subset(source.examples(split), _CLASSIFIED)
    if examples.labels is None or np.all(examples.labels < 0):
        return  # there is no label to compare with
    pairs = examples.batches(labels=True, batch_size=256)
    both = [(y, model.classify(x)) for x, y in pairs.as_numpy_iterator()]
    labels, predicted = (np.concatenate(parts) for parts in zip(*both))
    plots.confusion(
        labels,
        predicted,
        directory / "confusion.png",
        source.class_names,
    )


def draw_codes(
    directory: pathlib.Path,
    model: keras.Model,
    source: Source,
    split: str,
    train: AnyExamples | None = None,
) -> None:
    """Draws what there is to see of codes: their map, reconstructions, ..."""
    examples = subset(source.examples(split), _CODES)
    dataset = examples.batches(labels=model.conditional, batch_size=256)
    z = model.encode(dataset)
    plots.latent(
        z,
        directory / "latent.png",
        examples.labels,
        source.class_names,
        title=f"Codes of {len(z)} examples",
        prior=model.serving_prior if model.has_prior else None,
    )
    is_autoencoder = isinstance(model, kgen.Autoencoder)
    if is_autoencoder and train is not None and model.table is None:
        draw_errors(model, train, dataset, directory / "errors.png")
    if not plots.has_panel(model.input_shapes[0]):
        return
    inputs, originals = first_examples(model, dataset, 24)
    rows = {
        "original": np.asarray(originals),
        "reconstruction": np.asarray(model(inputs)),
    }
    title = "Originals and their reconstructions"
    plots.pairs(rows, directory / "reconstructions.png", title)
    if hasattr(model, "denoise"):
        rows = corrupt_and_denoise(model, *first_examples(model, dataset, 12))
        plots.pairs(rows, directory / "denoised.png", denoised_title(rows))
    if model.decodes_z_alone:
        draw_interpolations(model, dataset, directory / "interpolations.png")
    if hasattr(model, "attribute_vector"):
        path = directory / "attributes.png"
        draw_attributes(model, examples, source.class_names, path)


def draw_interpolations(
    model: keras.Model,
    dataset: tf.data.Dataset,
    path: pathlib.Path,
    count: int = _WAYS,
) -> None:
    """Draws what lies between pairs of pictures, through the latent space.

    Where the networks take labels, a pair is of one class: all that lies between
    is decoded by its label.
    """
    inputs, x = first_examples(model, dataset, _PAIRED)
    classes = inputs[1].numpy() if model.conditional else np.zeros(len(x))
    pairs = pairs_by_class(classes)[:count]
    if not pairs:
        return
    ends = [
        tf.nest.map_structure(lambda v, i=i: v.numpy()[list(i)], inputs)
        for i in zip(*pairs)
    ]
    between = model.interpolate(*ends, steps=_STEPS)
    labels = classes[[pair[0] for pair in pairs]] if model.conditional else None
    title = "From one picture to another"
    _draw_ways(between, path, title, labels, model.class_names)


def pairs_by_class(classes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of places with the same class: one of each class, then a second, ...

    Args:
        classes: Array of shape `(n,)`.
    """
    pairs = []
    for label in np.unique(classes):
        places = np.flatnonzero(classes == label).tolist()
        pairs += enumerate(zip(places[::2], places[1::2]))
    return [pair for _, pair in sorted(pairs, key=lambda item: item[0])]


def _draw_ways(
    between: np.ndarray,
    path: pathlib.Path,
    title: str,
    labels: np.ndarray | None,
    class_names: Sequence[str],
) -> None:
    names = [str(number) for number in range(1, len(between) + 1)]
    if labels is not None:
        classes = [class_name(label, class_names) for label in labels]
        names = [" ".join(pair) for pair in zip(names, classes)]
    plots.pairs(dict(zip(names, between)), path, title, columns=len(between[0]))


def draw_attributes(
    model: keras.Model,
    examples: AnyExamples,
    class_names: Sequence[str],
    path: pathlib.Path,
) -> None:
    """Draws a picture of a class moved by the vector to the next class."""
    most = max(1, _NUMBERS // math.prod(model.input_shapes[0]))
    examples = subset(examples, most)
    y = examples.labels
    if model.conditional or y is None:
        return  # in a conditional model, labels and not codes tell the class
    x, classes = _all(examples.batches(batch_size=256)), np.unique(y[y >= 0])
    rows = {}
    for label, next_label in list(zip(classes, classes[1:]))[:_WAYS]:
        both = np.isin(y, [label, next_label])
        vector = model.attribute_vector(x[both], y[both] == next_label)
        z = model.encode(x[y == label][:1])
        moved = z + np.linspace(0.0, 1.5, _STEPS)[:, None] * vector
        ends = (class_name(n, class_names) for n in (label, next_label))
        rows[" to ".join(ends)] = model.decode(moved.astype("float32"))
    if rows:
        title = "Codes moved by the vector from one class to another"
        plots.pairs(rows, path, title, columns=_STEPS)


def corrupt_and_denoise(
    model: keras.Model,
    inputs: tf.Tensor | list[tf.Tensor],
    originals: tf.Tensor,
    position: int = 0,
) -> dict[str, np.ndarray]:
    """Pictures, corrupted by the model's own layer, and denoised.

    Args:
        model: A `DenoisingAutoencoder`.
        inputs: What its networks take.
        originals: The pictures in them.
        position: The place of the batch in the data; another, other draws.

    Returns:
        Dictionary of arrays: `original`, `noisy`, `denoised`.
    """
    noisy = model.corrupt(originals, position)
    labels = inputs[1] if model.conditional else None
    return {
        "original": np.asarray(originals),
        "noisy": noisy,
        "denoised": np.asarray(model(model.with_labels(noisy, labels))),
    }


def denoised_title(rows: Mapping[str, np.ndarray]) -> str:
    """The PSNR before and after, in words; of sequences, nothing of it."""
    if rows["original"].ndim != 4:
        return "Sequences with noise and without"
    before, after = (
        np.mean(metrics.pictures.psnr_at_most(rows[name], rows["original"]))
        for name in ("noisy", "denoised")
    )
    return f"PSNR {before:.1f} dB noisy, {after:.1f} dB denoised"


def draw_errors(
    model: keras.Model,
    train: AnyExamples,
    dataset: tf.data.Dataset,
    path: pathlib.Path,
) -> None:
    """Draws the model's error against PCA's by the size of the code.

    Both have learned from `train`, and are judged by `dataset`.
    """
    most = max(2, min(10_000, _NUMBERS // math.prod(model.input_shapes[0])))
    x = _rows(subset(train, most).batches(batch_size=256))
    test = dataset.map(lambda *batch: model.unpack(batch)[1])
    test = _rows(test.unbatch().take(most).batch(256))
    rebuilt = model.reconstruct(dataset)[: len(test)].reshape(test.shape)
    size = model.latent_dim
    curves = {
        "PCA": pca_errors(x, test, max(2 * size, 8)),
        "autoencoder": ([size], [np.mean(np.square(test - rebuilt))]),
    }
    plots.errors(curves, path)


def pca_errors(
    x: np.ndarray, test: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """PCA's mean squared errors by the number of components.

    Args:
        x: Array of shape `(n, d)` that PCA is fitted to.
        test: Array of shape `(m, d)`.
        most: The largest number of components.

    Returns:
        Numbers of components from 1 on, and the errors per number on `test`.
    """
    from sklearn.decomposition import PCA

    with warnings.catch_warnings():  # of data without any variance
        warnings.simplefilter("ignore", RuntimeWarning)
        pca = PCA(min(most, *x.shape), random_state=0).fit(x)
    # Components are orthogonal: each takes its own part off the whole.
    whole = np.sum(np.mean(np.square(test - pca.mean_), axis=0))
    parts = np.mean(np.square(pca.transform(test)), axis=0)
    sizes = np.arange(1, len(parts) + 1)
    return sizes, (whole - np.cumsum(parts)) / test.shape[1]


def _all(dataset: tf.data.Dataset) -> np.ndarray:
    return np.concatenate(list(dataset.as_numpy_iterator()))


def _rows(dataset: tf.data.Dataset) -> np.ndarray:
    x = _all(dataset)
    return x.reshape(len(x), -1)


def first_examples(
    model: keras.Model, dataset: tf.data.Dataset, count: int
) -> tuple[tf.Tensor | list[tf.Tensor], tf.Tensor]:
    """The networks' inputs and the pictures of the first `count` examples."""
    few = dataset.unbatch().take(count).batch(count)
    return model.unpack(next(iter(few)))
