"""What a run draws of its model: samples, codes, reconstructions, ..."""

import math
import warnings

import numpy as np
import tensorflow as tf

import kgen
from kgen import metrics, plots
from kgen.data.examples import some
from kgen.runs.data import held_out_split

# The most that is held at a time for a picture of pictures: 256 MiB.
_NUMBERS = 2**26
# How many examples are drawn as codes, and how many are classified, at most.
_CODES, _CLASSIFIED = 2_000, 10_000
# Ways through the latent space that are drawn, and pictures on each of them.
_WAYS, _STEPS = 6, 10
# Examples among which pairs of one class are looked for.
_PAIRED = 256


def draw(directory, model, source, history, train=None, split=None, count=36):
    """Draws a run's pictures: samples, reconstructions, losses, codes, ...

    Args:
        directory: Where to write them.
        model: The run's model.
        source: A `Source`.
        history: The run's logs by epoch.
        train: The examples that the model was trained on, or None.
        split: Of the source, whose examples are drawn; None for the one that
            the run is judged by.
        count: How many samples.
    """
    split = split or held_out_split(source)
    # Of one count, what it began with would be drawn.
    counted = model.needs_labels and model.counts
    once = history and len(history["epoch"]) == 1
    if history and not (counted and once):
        plots.losses(history, directory / "losses.png")
    shape = model.input_shapes[0]
    if hasattr(model, "sample") and plots.is_drawable(shape):
        count = count if plots.is_picture(shape) else 2000
        labels = model.labels_in_turn(count)
        images = model.sample(count, labels=labels, seed=0)
        plots.samples(images, directory / "samples.png")
    if hasattr(model, "encode"):
        draw_codes(directory, model, source, split, train)
    elif hasattr(model, "interpolate") and plots.is_picture(shape):
        draw_ways(model, directory / "interpolations.png")
    if model.needs_labels and source.examples(split).labels is not None:
        draw_confusion(directory, model, source, split)


def draw_confusion(directory, model, source, split):
    """Draws which classes a classifier takes for which."""
    found = source.examples(split)
    found = some(found, _CLASSIFIED)
    pairs = found.batches(labels=True, batch_size=256)
    found = [(y, model.classify(x)) for x, y in pairs.as_numpy_iterator()]
    labels, predicted = (np.concatenate(parts) for parts in zip(*found))
    plots.confusion(
        labels,
        predicted,
        directory / "confusion.png",
        source.class_names,
    )


def draw_codes(directory, model, source, split, train=None):
    """Draws what there is to see of codes: their map, reconstructions, ..."""
    found = source.examples(split)
    found = some(found, _CODES)
    dataset = found.batches(labels=model.conditional, batch_size=256)
    z = model.encode(dataset)
    plots.latent(
        z,
        directory / "latent.png",
        found.labels,
        source.class_names,
        title=f"Codes of {len(z)} examples",
    )
    if isinstance(model, kgen.Autoencoder) and train is not None:
        draw_errors(model, train, dataset, directory / "errors.png")
    if not plots.is_picture(model.input_shapes[0]):
        return
    draw_reconstructions(model, dataset, directory / "reconstructions.png")
    if hasattr(model, "denoise"):
        draw_denoised(model, dataset, directory / "denoised.png")
    if model.decodes_z_alone:
        draw_interpolations(model, dataset, directory / "interpolations.png")
    if hasattr(model, "attribute_vector"):
        names = dict(enumerate(source.class_names))
        draw_attributes(model, found, names, directory / "attributes.png")


def draw_interpolations(model, dataset, path, count=_WAYS, steps=_STEPS):
    """Draws what lies between pairs of pictures, through the latent space.

    Where the networks take labels, a pair is of one class: all that lies between
    is decoded by its label.
    """
    inputs, x = first(model, dataset, _PAIRED)
    classes = inputs[1].numpy() if model.conditional else np.zeros(len(x))
    pairs = pairs_by_class(classes)[:count]
    if not pairs:
        return
    ends = [
        tf.nest.map_structure(lambda v, i=i: v.numpy()[list(i)], inputs)
        for i in zip(*pairs)
    ]
    between = model.interpolate(*ends, steps=steps)
    _draw_ways(between, path, "From one picture to another")


def pairs_by_class(classes):
    """Pairs of places with the same class: one of each class, then a second, ...

    Args:
        classes: Array of shape `(n,)`.

    Returns:
        List of pairs of integers.
    """
    found = []
    for of_class in np.unique(classes):
        places = np.flatnonzero(classes == of_class).tolist()
        found += enumerate(zip(places[::2], places[1::2]))
    return [pair for _, pair in sorted(found, key=lambda item: item[0])]


def draw_ways(model, path, count=_WAYS, steps=_STEPS):
    """Draws what lies between pairs of samples; a pair is of one class."""
    labels = model.labels_in_turn(count)
    between = model.interpolate(count, steps, labels=labels, seed=0)
    _draw_ways(between, path, "From one sample to another")


def _draw_ways(between, path, title):
    rows = {str(number): row for number, row in enumerate(between, 1)}
    plots.pairs(rows, path, title, columns=len(between[0]))


def draw_attributes(model, found, names, path, count=_WAYS, steps=_STEPS):
    """Draws a picture of a class moved by the vector to the next class."""
    if model.conditional or found.labels is None:
        return  # then the labels say it, not the code
    most = max(1, _NUMBERS // math.prod(model.input_shapes[0]))
    found = some(found, most)
    x, y = _all(found.batches(batch_size=256)), found.labels
    classes = np.unique(y)
    rows = {}
    for one, other in list(zip(classes, classes[1:]))[:count]:
        both = np.isin(y, [one, other])
        vector = model.attribute_vector(x[both], y[both] == other)
        z = model.encode(x[y == one][:1])
        moved = z + np.linspace(0.0, 1.5, steps)[:, None] * vector
        name = f"{names.get(one, one)} to {names.get(other, other)}"
        rows[name] = model.decode(moved.astype("float32"))
    if rows:
        title = "Codes moved by the vector from one class to another"
        plots.pairs(rows, path, title, columns=steps)


def draw_reconstructions(model, dataset, path, count=24):
    """Draws the first pictures of `dataset` above their reconstructions."""
    inputs, originals = first(model, dataset, count)
    rows = {
        "original": np.asarray(originals),
        "reconstruction": np.asarray(model(inputs)),
    }
    plots.pairs(rows, path, "Originals and their reconstructions")


def draw_denoised(model, dataset, path, count=12):
    """Draws the first pictures of `dataset`, corrupted, and denoised."""
    inputs, originals = first(model, dataset, count)
    rows = denoised(model, inputs, originals)
    plots.pairs(rows, path, denoised_title(rows))


def denoised(model, inputs, originals, position=0):
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


def denoised_title(rows):
    """The PSNR before and after, in words."""
    before, after = (
        np.mean(metrics.pictures.psnr_at_most(rows[name], rows["original"]))
        for name in ("noisy", "denoised")
    )
    return f"PSNR {before:.1f} dB noisy, {after:.1f} dB denoised"


def draw_errors(model, train, dataset, path):
    """Draws the model's error against PCA's by the size of the code.

    Both have learned from `train`, and are judged by `dataset`.
    """
    most = max(2, min(10_000, _NUMBERS // math.prod(model.input_shapes[0])))
    x = _rows(some(train, most).batches(batch_size=256))
    test = dataset.map(lambda *batch: model.unpack(batch)[1])
    test = _rows(test.unbatch().take(most).batch(256))
    rebuilt = model.reconstruct(dataset)[: len(test)].reshape(test.shape)
    size = model.latent_dim
    curves = {
        "PCA": pca_errors(x, test, max(2 * size, 8)),
        "autoencoder": ([size], [np.mean(np.square(test - rebuilt))]),
    }
    plots.errors(curves, path)


def pca_errors(x, test, most):
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


def _all(dataset):
    return np.concatenate(list(dataset.as_numpy_iterator()))


def _rows(dataset):
    x = _all(dataset)
    return x.reshape(len(x), -1)


def first(model, dataset, count):
    """The networks' inputs and the pictures of the first `count` examples."""
    few = dataset.unbatch().take(count).batch(count)
    return model.unpack(next(iter(few)))
