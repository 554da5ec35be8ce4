"""Generative against discriminative classifiers: one table, one picture."""

import contextlib
import dataclasses
import math
import pathlib
import sys
import time
import warnings

import keras
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from kgen import files, metrics, plots
from kgen.data import open_source, pipeline
from kgen.errors import InvalidArgument
from kgen.models import create_model

_RESULT, _PICTURE = "comparison.json", "comparison.png"
# More test examples would take time and tell no more: accuracy is then known to
# half a percent.
_TESTS = 10_000
_RANK = 20
# The most numbers that the covariances of all classes may have: 1 GiB.
_COVARIANCES = 2**27
# Columns: header, digits behind the point, and which is the best.
_COLUMNS = {
    "accuracy": ("accuracy", 4, max),
    "nll": ("-log P(y|x)", 4, min),
    "calibration_error": ("calibration error", 4, min),
    "train_seconds": ("training s", 2, min),
    "predict_seconds": ("prediction s", 3, min),
}


@dataclasses.dataclass(frozen=True)
class Data:
    """Labelled examples to learn from and to be judged by.

    Args:
        name: The source's.
        kind: What the numbers of an example are: pixels, features, codes.
        x: Array of shape `(n, *shape)`, in `nested_order`.
        y: `n` integers from 0, every class at least twice.
        x_test: Array of shape `(m, *shape)`.
        y_test: `m` integers.
        available: How many examples with labels there are to learn from.
        classes: The classes' names, in the order of the integers.
    """

    name: str
    kind: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    available: int
    classes: list

    def first(self, count):
        """The same, with the first `count` examples to learn from."""
        return dataclasses.replace(self, x=self.x[:count], y=self.y[:count])


def compare(config, out, overwrite=False, report=lambda line: None):
    """Trains all classifiers, judges them, and writes what was found.

    Args:
        config: The settings: `data`, `image_shape`, `data_dir`, `network`,
            `latent_dim`, `epochs`, `batch_size`, `seed`, `limit`.
        out: Directory for `comparison.json` and `comparison.png`.
        overwrite: Whether those of an earlier comparison may be replaced.
        report: Function that is given a line when a model is done.

    Returns:
        What `comparison.json` holds: `settings`, `versions`, `data`; `rows`, one
        dictionary for each model and what it was given; `curve`, the accuracies
        by the number of labels; `codes`, the seconds of the VAE that made them;
        `left_out`, the models that could not be trained, and why.

    Raises:
        InvalidArgument: If the data can't be used.
        FileExistsError: If there is something in `out`.
    """
    out = pathlib.Path(out)
    _check_place(out, overwrite)
    source = open_source(
        config["data"],
        config["image_shape"],
        config["data_dir"],
        background=config.get("background", "white"),
    )
    data = read(source, config["limit"], config["seed"])
    vae = _build_vae(data, config)
    out.mkdir(parents=True, exist_ok=True)
    try:
        found = _found(data, vae, config, report)
    except BaseException:
        with contextlib.suppress(OSError):  # an earlier comparison is in it
            out.rmdir()
        raise
    _write(found, out)
    return found


def _found(data, vae, config, report):
    """What `compare` returns, once all is trained and judged."""
    left_out = []

    @contextlib.contextmanager
    def attempt(model, on):
        """What can't be trained is left out; the others are compared."""
        try:
            yield
        except InvalidArgument as error:
            why = " ".join(str(error).split())
            left_out.append({"model": model, "on": on, "why": why})
            report(f"{model} on {on}: left out. {why}")

    rows = _rows(data, config, attempt, report)
    seconds = None
    with attempt("all models", "codes"):
        seconds, codes = _coded(vae, data, config, report)
        rows += _rows(codes, config, attempt, report)
    return {
        "settings": config,
        "versions": _versions(),
        "data": _described(data),
        "codes": seconds,
        "rows": rows,
        "left_out": left_out,
        "curve": _curve(data, config, rows, report),
    }


def _versions():
    names = ("kgen", "keras", "tensorflow", "sklearn", "numpy")
    return {name: sys.modules[name].__version__ for name in names}


def _described(data):
    return {
        "name": data.name,
        "kind": data.kind,
        "train": len(data.y),
        "available": data.available,
        "test": len(data.y_test),
        "classes": data.classes,
    }


def _check_place(out, overwrite):
    if (out / _RESULT).exists():
        if not overwrite:
            raise FileExistsError(
                f"{out} holds a comparison already. Pass --overwrite to replace "
                "it, or another --out."
            )
    elif out.is_dir() and any(out.iterdir()):
        raise FileExistsError(
            f"{out} holds something that is not a comparison. Choose another "
            "--out."
        )


def _write(found, out):
    files.write_json(out / _RESULT, found, allow_nan=False)
    title = f"Classifiers of {found['data']['name']}"
    plots.classifiers(found["rows"], found["curve"], out / _PICTURE, title)


# The data


def read(source, limit, seed):
    """Reads a source's labelled examples.

    Args:
        source: A `kgen.data.Source`.
        limit: How many to learn from at most: `read` takes those that come
            first in `nested_order`.
        seed: Integer for that order.

    Returns:
        `Data`. It is judged by the split test, or else validation.

    Raises:
        InvalidArgument: If there are too few labels, or classes.
    """
    held_out = source.first_of("test", "validation")
    if "train" not in source.splits or not held_out:
        raise InvalidArgument(
            f"{source.name} has the splits {', '.join(source.splits)}. Expected "
            "train, and test or validation."
        )
    labels, x, y = _arrays(source, "train", limit, seed)
    test_labels, x_test, y_test = _arrays(source, held_out, _TESTS, seed)
    if x.shape[1:] != x_test.shape[1:]:
        raise InvalidArgument(
            f"The examples of {source.name} have the shape {x.shape[1:]} in "
            f"train and {x_test.shape[1:]} in {held_out}. Pass --image-shape."
        )
    classes = np.unique(np.concatenate([labels, test_labels]))
    _check_classes(source, labels, classes, limit)
    order = nested_order(y, seed)
    names = dict(enumerate(source.class_names))
    return Data(
        source.name,
        "pixels" if x.ndim == 4 else "features",
        x[order],
        np.searchsorted(classes, y[order]),
        x_test,
        np.searchsorted(classes, y_test),
        len(labels),
        [str(names.get(label, label)) for label in classes.tolist()],
    )


def _arrays(source, split, limit, seed):
    """All labels of a split, and `limit` examples at most, with theirs."""
    found = source.examples(split)
    labels = found.read_labels()
    labels = np.empty(0) if labels is None else labels
    known = np.flatnonzero(labels >= 0)  # some data sets mark by -1 what is not
    if not len(known):
        raise InvalidArgument(
            f"The split {split} of {source.name} has no labels: there is nothing "
            "to classify. Labels come from a data set that has them, class "
            "folders, or a second array."
        )
    labels = labels[known]
    chosen = known[nested_order(labels, seed)[:limit]]
    found = found.select(np.sort(chosen))
    batches = found.batches(labels=True, batch_size=256)
    x, y = zip(*batches.as_numpy_iterator())
    return labels, np.concatenate(x), np.concatenate(y)


def _check_classes(source, labels, classes, limit):
    if len(classes) < 2:
        raise InvalidArgument(
            f"{source.name} has one class only, {classes[0]}: there is nothing "
            "to tell apart. Pass data with two classes or more."
        )
    counts = np.array([np.sum(labels == label) for label in classes])
    if counts.min() < 2:
        raise InvalidArgument(
            f"{source.name} has {counts.min()} training examples of the class "
            f"{classes[counts.argmin()]}. Expected two of each class at least; "
            "leave that class out, or add examples."
        )
    if limit < 2 * len(classes):
        raise InvalidArgument(
            f"--limit {limit} is too low for the {len(classes)} classes of "
            f"{source.name}. Pass {2 * len(classes)} or more: two of each class."
        )


def nested_order(labels, seed):
    """A random order whose every beginning has about the classes' shares.

    The first two of each class come first of all; then each class's examples
    lie evenly, so that a beginning has its share of them to within one, and
    those two. Smaller subsets are parts of larger ones.

    Args:
        labels: Integers.
        seed: Integer.

    Returns:
        Positions in `labels`.
    """
    random = np.random.default_rng(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = random.permutation(np.flatnonzero(labels == label))
        steps = np.arange(len(own)) + random.uniform(size=len(own))
        place[own] = steps / len(own) - (steps < 2)
    return np.argsort(place)


# The models


class _Bayes:
    """kgen's classifier by the methods that scikit-learn's have.

    What is counted, in one epoch, is so the faster the larger the batches are.
    """

    def __init__(self, config, density, epochs=1, batch_size=1024, **options):
        self.config, self.epochs = config, epochs
        self.batch_size = batch_size
        self.options = {"density": density, **options}

    def fit(self, x, y):
        config = self.config
        keras.utils.set_random_seed(config["seed"])
        self.model = create_model(
            "bayes_classifier",
            input_shape=x.shape[1:],
            num_classes=int(y.max()) + 1,
            network=config["network"],
            latent_dim=config["latent_dim"],
            seed=config["seed"],
            **self.options,
        )
        self.model.compile()
        seed = config["seed"]
        _fit(self.model, x, y, self.epochs, self.batch_size, seed)
        return self

    def predict_proba(self, x):
        return _finite(np.exp(self.model.predict_log_proba(x)))


class _PPCA(_Bayes):
    """Of the rank `_RANK`, or what the features and the least class allow."""

    def __init__(self, config):
        # A little shrinkage, since a class may have two examples.
        super().__init__(config, "low_rank", shrinkage=0.01)

    def fit(self, x, y):
        size, counts = math.prod(x.shape[1:]), np.bincount(y)
        numbers = len(counts) * size**2
        if numbers > _COVARIANCES:
            raise InvalidArgument(
                f"The covariances of {len(counts)} classes would take "
                f"{8 * numbers / 2**30:.0f} GiB. Pass a smaller --image-shape."
            )
        # Half of what a class shows is left to tell the noise.
        self.options["rank"] = min(_RANK, size - 1, int(counts.min()) // 2)
        return super().fit(x, y)


class _OfRows:
    """A classifier of scikit-learn: it wants examples as rows.

    In float64, as kgen's: `log_loss` clips by the precision of the type.
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, x, y):
        with warnings.catch_warnings():  # 1000 steps are enough to judge by
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.estimator.fit(self._rows(x), y)
        return self

    def predict_proba(self, x):
        return self.estimator.predict_proba(self._rows(x))

    def _rows(self, x):
        return x.reshape(len(x), -1).astype("float64")


def _finite(x):
    if not np.isfinite(x).all():
        raise InvalidArgument(
            "The loss became infinite or NaN. Scale the data to [0, 1], or "
            "standardise its features."
        )
    return x


def _fit(model, x, y, epochs, batch_size, seed):
    batches = pipeline.batches(
        x, y, batch_size=batch_size, shuffle=True, seed=seed
    )
    model.fit(batches, epochs=epochs, verbose=0)


def _generative(data, config):
    """kgen's classifiers in closed form, by their names."""
    found = {"naive Bayes, Gaussian": _Bayes(config, "naive_gaussian")}
    both = (data.x, data.x_test)
    if data.kind != "codes" and all(
        x.min() >= 0.0 and x.max() <= 1.0 for x in both
    ):
        found["naive Bayes, Bernoulli"] = _Bayes(config, "naive_bernoulli")
    found["pPCA-Bayes"] = _PPCA(config)
    return found


def _discriminative(data, config):
    """scikit-learn's classifiers, by their names."""

    def scaled(estimator):
        # Pixels have one unit; scaled, those of the edge, which hardly vary,
        # would count as much as those of the middle.
        if data.kind == "pixels":
            return estimator
        return make_pipeline(StandardScaler(), estimator)

    # One temperature leaves the SVM's decisions as they are; Platt's sigmoids,
    # one a class, change them where labels are few.
    svm = CalibratedClassifierCV(
        scaled(SVC()),
        method="temperature",
        cv=min(5, np.bincount(data.y).min()),
        ensemble=False,
    )
    found = {
        "k-NN": KNeighborsClassifier(min(5, len(data.y))),
        "decision tree": DecisionTreeClassifier(random_state=config["seed"]),
        "SVM": svm,
        "logistic regression": scaled(LogisticRegression(max_iter=1000)),
    }
    return {name: _OfRows(estimator) for name, estimator in found.items()}


def _build_vae(data, config):
    keras.utils.set_random_seed(config["seed"])
    vae = create_model(
        "vae",
        input_shape=data.x.shape[1:],
        network=config["network"],
        latent_dim=config["latent_dim"],
        seed=config["seed"],
    )
    vae.compile()
    return vae


def _coded(vae, data, config, report):
    """Seconds, and the data as codes of a VAE that saw no label."""
    start = time.perf_counter()
    settings = (config[name] for name in ("epochs", "batch_size", "seed"))
    _fit(vae, data.x, None, *settings)
    trained = time.perf_counter()
    x, x_test = (_finite(vae.encode(part)) for part in (data.x, data.x_test))
    seconds = {
        "train_seconds": trained - start,
        "encode_seconds": time.perf_counter() - trained,
    }
    report("the VAE of the codes: {train_seconds:.1f} s".format(**seconds))
    codes = dataclasses.replace(data, kind="codes", x=x, x_test=x_test)
    return seconds, codes


# The figures


def _rows(data, config, attempt, report):
    """One row for each model that is given `data`."""
    generative = _generative(data, config)
    if data.kind != "codes":
        generative["VAE-Bayes"] = _Bayes(
            config, "vae", config["epochs"], config["batch_size"]
        )
    families = {
        "generative": generative,
        "discriminative": _discriminative(data, config),
    }
    rows = []
    for family, estimators in families.items():
        for name, estimator in estimators.items():
            with attempt(name, data.kind):
                row = {"model": name, "family": family, "on": data.kind}
                row.update(judge(estimator, data))
                rows.append(row)
                text = "accuracy {accuracy:.4f}, {train_seconds:.1f} s"
                report(f"{name} on {data.kind}: {text.format(**row)}")
    return rows


def judge(estimator, data):
    """Trains a classifier, and compares its probabilities with the labels.

    Args:
        estimator: What has `fit(x, y)` and `predict_proba(x)`.
        data: `Data`.

    Returns:
        Dictionary of floats: `accuracy`; `nll`, the mean of -log P(y|x) in
        nats; `calibration_error`; `train_seconds`; and `predict_seconds` of the
        test examples, after a first call, in which TensorFlow makes its graphs.
    """
    start = time.perf_counter()
    estimator.fit(data.x, data.y)
    trained = time.perf_counter()
    estimator.predict_proba(data.x_test[:1])
    again = time.perf_counter()
    probabilities = estimator.predict_proba(data.x_test)
    done = time.perf_counter()
    y, labels = data.y_test, range(len(data.classes))
    return {
        "accuracy": float(np.mean(probabilities.argmax(axis=1) == y)),
        "nll": float(log_loss(y, probabilities, labels=labels)),
        "calibration_error": metrics.calibration_error(probabilities, y),
        "train_seconds": trained - start,
        "predict_seconds": done - again,
    }


def _curve(data, config, rows, report):
    """Accuracies by the number of labels, from two a class to all of them.

    A VAE is trained on all only.
    """
    least, most = 2 * len(data.classes), len(data.y)
    count = 1 + math.ceil(math.log2(most / least))
    sizes = np.geomspace(least, most, count).round().astype(int).tolist()
    accuracy = {}
    for row in rows:
        if row["on"] != data.kind:
            continue
        name, found = row["model"], []
        for size in sizes[:-1]:
            part = data.first(size)
            estimators = _generative(part, config) | _discriminative(
                part, config
            )
            found.append(None)
            if name in estimators:
                with contextlib.suppress(InvalidArgument):
                    found[-1] = judge(estimators[name], part)["accuracy"]
        accuracy[name] = [*found, row["accuracy"]]
        known = [value for value in accuracy[name] if value is not None]
        if len(known) > 1:
            report(
                f"{name} by {len(known)} numbers of labels: accuracy from "
                f"{known[0]:.4f} to {known[-1]:.4f}"
            )
    return {"labels": sizes, "accuracy": accuracy}


def table(found):
    """The rows as aligned text, the best figure of each column with a `*`.

    Args:
        found: What `compare` returned.

    Returns:
        Lines of text.
    """
    rows = found["rows"]
    best = {
        name: choose(row[name] for row in rows)
        for name, (_, _, choose) in _COLUMNS.items()
    }
    lines = [["", "on", *(f"{header} " for header, _, _ in _COLUMNS.values())]]
    for family in ("generative", "discriminative"):
        lines.append([family])
        for row in rows:
            if row["family"] == family:
                figures = [
                    f"{row[name]:.{digits}f}{' *'[row[name] == best[name]]}"
                    for name, (_, digits, _) in _COLUMNS.items()
                ]
                lines.append([f"  {row['model']}", row["on"], *figures])
    return "\n".join(
        [_heading(found["data"]), "", *_aligned(lines), *_notes(found)]
    )


def _heading(data):
    return (
        f"{data['name']}: {len(data['classes'])} classes, {data['train']} training "
        f"examples of {data['available']}, judged by {data['test']} others"
    )


def _aligned(lines):
    """Words to the left, figures to the right."""
    widths = [
        max(len(line[column]) for line in lines if column < len(line))
        for column in range(len(lines[0]))
    ]
    for line in lines:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        yield "  ".join(cells).rstrip()


def _notes(found):
    yield ""
    yield "* the best; -log P(y|x) in nats, the mean over the test examples"
    if found["codes"]:
        yield (
            "The codes' VAE took {train_seconds:.1f} s to train, and "
            "{encode_seconds:.1f} s to encode.".format(**found["codes"])
        )
    for row in found["left_out"]:
        yield "Left out: {model} on {on}. {why}".format(**row)
