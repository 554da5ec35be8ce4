"""What a source is, and which splits it has."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable

import numpy as np

from kgen.data import arrays, examples, folders, idx, pictures, reading, shapes
from kgen.data import background as colours
from kgen.errors import InvalidArgument, invalid, unknown_name

_ENDINGS = (".npy", ".npz", ".gz", *pictures.ENDINGS)


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set, opened: its splits, read when they are asked for.

    Args:
        name: A short name, for messages and directories.
        readers: Dictionary from splits to functions that give their examples.
        class_names: Names of the classes, `()` where the source has none.
        image_shape: What the pictures are brought to, or None.
        background: The colour on which transparent pictures are shown.
    """

    name: str
    readers: dict[str, Callable]
    class_names: tuple = ()
    image_shape: tuple | None = None
    background: str = colours.WHITE

    @property
    def splits(self):
        """The names that `examples` takes, besides slices such as `train[:9]`.

        A source without splits of its own has `all`, and a seeded fifth of it
        as `test`, the rest as `train`.
        """
        if "all" in self.readers:
            return ("train", "test", "all")
        return tuple(self.readers)

    def first_of(self, *names):
        """The first of `names` that is one of `splits`, or None."""
        return next((name for name in names if name in self.splits), None)

    @functools.cached_property
    def classes(self):
        """The classes' numbers, ascending: those with names, or else those that
        occur in any split; none without labels."""
        if self.class_names:
            return np.arange(len(self.class_names))
        labels = [self.examples(name).read_labels() for name in self.readers]
        labels = [np.unique(part) for part in labels if part is not None]
        classes = np.unique(np.concatenate([*labels, np.empty(0, "int64")]))
        return classes[classes >= 0]  # some mark by -1 what is unknown

    @property
    def num_classes(self):
        """The classes' highest number plus 1, or None without labels."""
        return int(self.classes[-1]) + 1 if len(self.classes) else None

    def examples(self, split):
        """The examples of a split.

        Args:
            split: A name out of `splits`, or a slice of one in the syntax of
                TensorFlow Datasets: `"train[:1000]"`, `"train[80%:]"`.

        Raises:
            InvalidArgument: If there is no such split, or it is empty.
        """
        found = self._read(self._name(split))
        if self.image_shape is not None and hasattr(found, "images"):
            images = examples.convert_all(
                found.images, self.image_shape, self.background
            )
            found = examples.Examples(images, found.labels)
        start, stop = _bounds(split, len(found))
        if start >= stop:
            raise InvalidArgument(f"Split {split!r} of {self.name} is empty.")
        if (start, stop) == (0, len(found)):
            return found
        return found.slice(start, stop)

    def overlap(self, one, other):
        """Whether two splits, neither of them `all`, share examples."""
        name = self._name(one)
        if name != self._name(other):
            return False
        size = len(self._read(name))
        starts, stops = zip(_bounds(one, size), _bounds(other, size))
        return max(starts) < min(stops)

    def _name(self, split):
        """The split that this one is, or is a slice of."""
        name = str(split).partition("[")[0]
        if name not in self.splits:
            raise unknown_name("split", "load", self.splits, split)
        return name

    def dataset(self, split, labels=False, **options):
        """Batches of a split; see `load`."""
        found = self.examples(split)
        if labels and found.labels is None:
            raise InvalidArgument(
                f"The source {self.name} has no labels. Labels come from a data "
                "set that has them, class folders, or a second array."
            )
        is_vectors = len(found.shape) != 3 and hasattr(found, "images")
        if options.get("binarize") and is_vectors:
            arrays.check_values(found.images, "source", unit=True)
        shuffle = str(split).startswith("train")
        return found.batches(labels=labels, shuffle=shuffle, **options)

    def _read(self, name):
        if "all" not in self.readers:
            return self.readers[name]()
        whole = self.readers["all"]()
        if name == "all":
            return whole
        if len(whole) == 1:
            raise InvalidArgument(
                f"{self.name} holds one example: too few to split. Expected at "
                'least two, or split="all".'
            )
        train, test = examples.set_aside(len(whole), whole.labels)
        return whole.select(test if name == "test" else train)


def _bounds(split, size):
    """Where a split begins and ends among `size` examples."""
    if "[" not in str(split):
        return 0, size
    import tensorflow_datasets as tfds

    # In TFDS the name `all` is no split that can be sliced.
    name = "split"
    try:
        spec = name + split[split.index("[") :]
        instruction = tfds.core.ReadInstruction.from_spec(spec)
        info = tfds.core.SplitInfo(name=name, shard_lengths=[size], num_bytes=0)
        (part,) = instruction.to_absolute({name: info})
    except (ValueError, AssertionError, NotImplementedError) as error:
        raise InvalidArgument(
            f"Invalid value for argument `split` of `load`. Expected a name or "
            f'a slice such as "train[:1000]" or "train[80%:]". Received: '
            f"split={split!r}, of {size} examples"
        ) from error
    start = 0 if part.from_ is None else part.from_
    stop = size if part.to is None else part.to
    return start, stop


def open_source(
    source,
    image_shape=None,
    data_dir=None,
    any_range=False,
    background=colours.WHITE,
):
    """Opens what `load` takes as `source`.

    Args:
        source: As in `load`.
        image_shape: As in `load`.
        data_dir: As in `load`.
        any_range: Whether pictures in arrays may have values outside [0, 1],
            as noisy ones do.
        background: As in `load`.

    Returns:
        A `Source`.
    """
    if image_shape is not None:
        image_shape = examples.check_image_shape(image_shape)
    look = (image_shape, colours.check_background(background))
    if not isinstance(source, (str, os.PathLike)):
        given = source if shapes.is_pair(source) else [source]
        pair = arrays.from_arrays(*given, any_range=any_range)
        return Source("arrays", {"all": lambda: pair}, (), *look)
    if source == "":
        raise invalid("source", "load", "a path or a data set's name", "''")
    if source == "digits":  # built in, whatever lies beside
        return _open_tfds(source, data_dir, *look)
    path = pathlib.Path(os.path.expanduser(source))
    reading.check_regular(path)
    if path.is_dir():
        return _open_folder(path, *look)
    if path.is_file():
        return _open_file(path, any_range, *look)
    if isinstance(source, os.PathLike) or _is_path_like(source):
        raise FileNotFoundError(f"There is no file or folder {source}.")
    return _open_tfds(source, data_dir, *look)


def _is_path_like(source):
    return source[0] in "./~" or source.lower().endswith(_ENDINGS)


def _open_file(path, any_range, *look):
    if path.suffix not in (".npy", ".npz"):
        raise InvalidArgument(
            f"{path} is a file of an unknown kind. Expected .npy, .npz, or "
            "a folder."
        )
    readers = arrays.from_file(path, any_range)
    return Source(path.stem, _undivided(readers), (), *look)


def _open_folder(path, *look):
    name = path.resolve().name
    found = idx.find(path)
    if found:
        readers = {
            split: functools.partial(idx.read_split, file)
            for split, file in found.items()
        }
        return Source(name, _undivided(readers), (), *look)
    readers, names = folders.find(path, *look)
    return Source(name, _undivided(readers), names, *look)


def _open_tfds(name, data_dir, *look):
    from kgen.data import tensorflow_sets  # slow to import

    builder = tensorflow_sets.open_builder(name, data_dir)
    readers = {
        split: functools.partial(
            tensorflow_sets.read_split, builder, split, *look
        )
        for split in builder.info.splits
    }
    names = tensorflow_sets.class_names(builder)
    return Source(name, _undivided(readers), names, *look)


def _undivided(readers):
    """Readers that read once; a train split alone is no split."""
    readers = {
        split: functools.cache(reader) for split, reader in readers.items()
    }
    if tuple(readers) == ("train",):
        return {"all": readers["train"]}
    return readers
