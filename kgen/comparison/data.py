"""What is compared: the settings, and the examples with their labels."""

import dataclasses

import numpy as np

from kgen.data import Source
from kgen.errors import InvalidArgument
from kgen.params import SEED, Integer, checked

# More test examples would take time and tell no more: accuracy is then known to
# half a percent.
_TESTS = 10_000


@checked(
    latent_dim=Integer(),
    epochs=Integer(),
    batch_size=Integer(),
    seed=SEED,
    limit=Integer(),
)
@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """What is compared, and how the models are trained.

    Args:
        data: As `source` in `kgen.data.open_source`, whose other arguments are
            `image_shape`, `data_dir` and `background`.
        network: As in `kgen.create_model`; `latent_dim`, too.
        epochs: Of each of the two VAEs; `batch_size`, too.
        seed: Integer for all draws.
        limit: Training examples at most, of all classes.
    """

    data: str
    image_shape: tuple[int, ...] | None
    data_dir: str | None
    network: str
    latent_dim: int
    epochs: int
    batch_size: int
    seed: int
    limit: int
    background: str = "white"


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
    classes: list[str]

    def first(self, count: int) -> "Data":
        """Returns the same, with the first `count` examples to learn from."""
        return dataclasses.replace(self, x=self.x[:count], y=self.y[:count])


def read(source: Source, limit: int, seed: int) -> Data:
    """Reads a source's labelled examples.

    Args:
        source: The source.
        limit: How many to learn from at most: the first ones of `nested_order`.
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
    examples = source.examples(split)
    labels = examples.read_labels()
    labels = np.empty(0) if labels is None else labels
    # Some data sets mark unknown labels by -1.
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        raise InvalidArgument(
            f"The split {split} of {source.name} has no labels: there is nothing "
            "to classify. Labels come from a data set that has them, class "
            "folders, or a second array."
        )
    labels = labels[known]
    chosen = np.sort(known[nested_order(labels, seed)[:limit]])
    batches = examples.select(chosen).batches(labels=True, batch_size=256)
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


def nested_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """Returns a random order whose every beginning has about the classes' shares.

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
        members = random.permutation(np.flatnonzero(labels == label))
        steps = np.arange(len(members)) + random.uniform(size=len(members))
        place[members] = steps / len(members) - (steps < 2)
    return np.argsort(place)
