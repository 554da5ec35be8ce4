"""What can be loaded: a source, its splits, and `load`."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kgen import damage
from kgen.data import (
    arrays,
    conversion,
    examples,
    folders,
    idx,
    numpy_files,
    pictures,
    table_files,
)
from kgen.data.examples import AnyExamples, Examples
from kgen.errors import InvalidArgument, invalid, unknown_name
from kgen.params import Integer, checked
from kgen.tables import Table, reading

_ENDINGS = (".npy", ".npz", ".gz", *pictures.ENDINGS)


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set, opened: its splits, read when they are asked for.

    Args:
        name: A short name, for messages and directories.
        readers: Dictionary from splits to functions that return their examples.
        class_names: Names of the classes, `()` where the source has none.
        image_shape: What the pictures are brought to, or None.
        background: The colour on which transparent pictures are shown.
        table: The table whose rows the examples are, or None.
    """

    name: str
    readers: Mapping[str, Callable]
    class_names: tuple = ()
    image_shape: tuple | None = None
    background: str = conversion.WHITE
    table: Table | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The names that `examples` takes, besides slices such as `train[:9]`.

        A source without splits of its own has `all`, and a seeded fifth of it
        as `test`, the rest as `train`.
        """
        if "all" in self.readers:
            return ("train", "test", "all")
        return tuple(self.readers)

    def first_of(self, *names: str) -> str | None:
        """The first of `names` that is one of `splits`, or None."""
        return next((name for name in names if name in self.splits), None)

    @functools.cached_property
    def classes(self) -> np.ndarray:
        """The classes' numbers, ascending, an empty array without labels.

        They are those of `class_names`, or else those that occur in any split.
        """
        if self.class_names:
            return np.arange(len(self.class_names))
        labels = [self.examples(name).read_labels() for name in self.readers]
        labels = [np.unique(part) for part in labels if part is not None]
        classes = np.unique(np.concatenate([*labels, np.empty(0, "int64")]))
        return classes[classes >= 0]  # some mark by -1 what is unknown

    @property
    def num_classes(self) -> int | None:
        """The classes' highest number plus 1, or None without labels."""
        return int(self.classes[-1]) + 1 if len(self.classes) else None

    def examples(self, split: str) -> AnyExamples:
        """The examples of a split.

        Args:
            split: A name out of `splits`, or a slice of one in the syntax of
                TensorFlow Datasets: `"train[:1000]"`, `"train[80%:]"`.

        Raises:
            InvalidArgument: If there is no such split, or it is empty.
        """
        part = self._read(self._name(split))
        start, stop = _bounds(split, len(part))
        if start >= stop:
            raise InvalidArgument(f"Split {split!r} of {self.name} is empty.")
        if (start, stop) == (0, len(part)):
            return part
        return part.slice(start, stop)

    def overlap(self, first: str, second: str) -> bool:
        """Whether two splits, neither of them `all`, share examples."""
        name = self._name(first)
        if name != self._name(second):
            return False
        size = len(self._read(name))
        starts, stops = zip(_bounds(first, size), _bounds(second, size))
        return max(starts) < min(stops)

    def _name(self, split):
        """The split that this one is, or is a slice of."""
        name = str(split).partition("[")[0]
        if name not in self.splits:
            raise unknown_name("split", "load", self.splits, split)
        return name

    def dataset(
        self, split: str, labels: bool = False, **options: Any
    ) -> tf.data.Dataset:
        """Batches of a split; see `load`."""
        part = self.examples(split)
        if labels and part.labels is None:
            raise InvalidArgument(
                f"The source {self.name} has no labels. Labels come from a data "
                "set that has them, class folders, a second array, or the target of "
                "a table: `Table.infer(..., target=COLUMN)` or --target COLUMN."
            )
        if options.get("binarize") and isinstance(part, Examples):
            # Pictures are in [0, 1]; vectors in memory or in files may not be.
            if len(part.shape) != 3:
                arrays.check_values(part.images, unit=True)
        shuffle = str(split).startswith("train")
        return part.batches(labels=labels, shuffle=shuffle, **options)

    @functools.cached_property
    def _read(self):
        """A function from a split's name to its examples, which are kept."""
        return functools.cache(self._converted)

    def _converted(self, name):
        """The examples of a split, in the shape that is asked for."""
        part = self._split(name)
        if self.image_shape is None or not isinstance(part, Examples):
            return part
        images = conversion.convert_all(
            part.images, self.image_shape, self.background
        )
        return dataclasses.replace(part, images=images)

    def _split(self, name):
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
    source: Any,
    image_shape: Sequence | None = None,
    data_dir: str | os.PathLike | None = None,
    any_range: bool = False,
    background: str = conversion.WHITE,
    table: Table | None = None,
    every_row: bool = False,
    **table_options: Any,
) -> Source:
    """Opens what `load` takes as `source`.

    Args:
        source: As in `load`.
        image_shape: As in `load`.
        data_dir: As in `load`.
        any_range: Whether pictures in arrays may have values outside [0, 1],
            as noisy ones do.
        background: As in `load`.
        table: As in `load`.
        every_row: Of a table with a target: whether rows without a class are
            examples, too, with the label -1.
        **table_options: Arguments of `Table.infer`, for a table that is not given.

    Returns:
        A `Source`.
    """
    if is_table(source):
        return _open_table(source, image_shape, table, table_options, every_row)
    if table is not None or table_options:
        raise _no_table(source, table is not None)
    if image_shape is not None:
        image_shape = conversion.check_image_shape(image_shape)
    look = (image_shape, conversion.check_background(background))
    name, readers, class_names = _open(source, data_dir, any_range, *look)
    return Source(name, _kept(readers), class_names, *look)


def _kept(readers):
    """Readers of splits that keep what they have read."""
    readers = {split: functools.cache(read) for split, read in readers.items()}
    # A train split alone is no split.
    return (
        {"all": readers["train"]} if tuple(readers) == ("train",) else readers
    )


def _no_table(source, is_given):
    """The error of what is for tables, where the data are none."""
    is_name = isinstance(source, (str, os.PathLike))
    data = str(source) if is_name else f"a {type(source).__name__}"
    what = "a model of a table" if is_given else "a target, or a column's kind,"
    return InvalidArgument(
        f"{data} is no table, which {what} needs. Expected a DataFrame, a CSV file "
        "or a Parquet file."
    )


def is_table(source: Any) -> bool:
    """Whether a source is a table: a DataFrame, a file, or a folder of files."""
    if reading.is_table(source):
        return True
    if not isinstance(source, (str, os.PathLike)) or source in ("", "digits"):
        return False
    return table_files.is_folder(pathlib.Path(os.path.expanduser(source)))


def _open_table(source, image_shape, table, options, every_row):
    if image_shape is not None:
        expected = "None for a table: its rows are no pictures"
        raise invalid("image_shape", "load", expected, image_shape)
    name = "table"
    if isinstance(source, (str, os.PathLike)):
        source = pathlib.Path(os.path.expanduser(source))
        damage.check_regular(source)
        name = source.resolve().name.partition(".")[0]
    table, readers = table_files.find(source, table, options, every_row)
    return Source(name, _kept(readers), table.class_names, table=table)


def _open(source, data_dir, any_range, *look):
    """A source's name, its readers by the split, and its classes' names."""
    if not isinstance(source, (str, os.PathLike)):
        pair = source if arrays.is_pair(source) else [source]
        whole = arrays.from_arrays(
            *pair, any_range=any_range, image_shape=look[0]
        )
        return "arrays", {"all": lambda: whole}, ()
    if source == "":
        raise invalid("source", "load", "a path or a data set's name", "''")
    if source == "digits":  # built in, even where a folder has that name
        return _open_tfds(source, data_dir, *look)
    path = pathlib.Path(os.path.expanduser(source))
    damage.check_regular(path)
    if path.is_dir():
        readers, class_names = idx.find(path), ()
        if not readers:
            readers, class_names = folders.find(path, *look)
        return path.resolve().name, readers, class_names
    if path.is_file():
        if path.suffix not in (".npy", ".npz"):
            raise InvalidArgument(
                f"{path} is a file of an unknown kind. Expected .npy, .npz, .csv, "
                ".parquet, or a folder."
            )
        return path.stem, numpy_files.find(path, any_range, look[0]), ()
    is_path_like = (
        isinstance(source, os.PathLike)
        or source[0] in "./~"
        or source.lower().endswith(_ENDINGS)
    )
    if is_path_like:
        raise FileNotFoundError(f"There is no file or folder {source}.")
    return _open_tfds(source, data_dir, *look)


def _open_tfds(name, data_dir, *look):
    from kgen.data import tensorflow_sets  # slow to import

    return name, *tensorflow_sets.find(name, data_dir, *look)


@checked(batch_size=Integer(1))
def load(
    source: Any,
    split: str | tuple[str, ...] | list[str] = "train",
    *,
    batch_size: int = 128,
    labels: bool = False,
    image_shape: Sequence | None = None,
    seed: int | None = None,
    data_dir: str | os.PathLike | None = None,
    binarize: bool = False,
    background: str = conversion.WHITE,
    table: Table | None = None,
) -> tf.data.Dataset | tuple[tf.data.Dataset, ...]:
    """Loads pictures, vectors or the rows of a table as batches of float32.

    uint8 pictures are scaled to [0, 1]. What fits in 1 GiB is kept in memory
    as it is; larger sources are read by the batch. The environment variable
    `KGEN_PICTURE_CACHE_GB` lets decoded pictures of folders be kept on disk, as
    many GB as it says. A split whose name starts
    with `train` is shuffled anew each epoch, the others keep their order; the
    last batch may be smaller.

    Args:
        source: One of
            `"digits"`, the UCI digits, built in;
            the name of any TensorFlow Datasets data set;
            a folder of pictures (png, jpg, bmp, gif, webp, tif, ppm; also with
            palettes, CMYK, or 16 bits, which become 8), where the names of
            folders in it are classes, and `train`, `validation` and `test`, or
            names alike, are splits;
            a folder of IDX files, as MNIST's, plain or .gz;
            a .npy or .npz file; an array, or a pair of images and labels;
            a table: a pandas DataFrame, a CSV or Parquet file, or a folder of
            `train.csv` and `test.csv`, whose rows are encoded by `table`.
        split: A split's name, or a tuple of them. Sources without splits have
            `"train"` and `"test"`, a fixed random fifth (of each class, if one
            would be missing in `"train"`), and `"all"`. Slices
            such as `"train[:1000]"` or `"train[80%:]"` work for every source.
        batch_size: Positive integer.
        labels: Whether to give pairs `(x, y)`, y int32 of shape `(batch,)`.
        image_shape: `(height, width, channels)`: resizes the pictures, and
            makes them grey (1) or coloured (3); with 4 channels, the last is
            the opacity. Or `(length, channels)`: says that an array of shape
            `(n, length, channels)` holds sequences.
        seed: Integer for the order of the epochs; None for another one each
            time (after `keras.utils.set_random_seed`, the same).
        data_dir: Where TensorFlow Datasets keeps its files.
        binarize: Whether each pixel is drawn as 0 or 1, with its value as the
            probability of 1: anew each epoch in a shuffled split (dynamic
            binarisation), else always the same.
        background: The colour on which transparent pictures are shown, unless
            `image_shape` has 4 channels: a name, or digits as in `"#ff8000"`. A
            pixel of opacity a becomes a parts of its own colour and 1 - a of it.
        table: The `kgen.data.Table` by which a table's rows are encoded; None to
            infer one.

    Returns:
        A `tf.data.Dataset`, or a tuple of them if `split` is a tuple.

    Raises:
        InvalidArgument: If the source or split is unknown, or the data can't
            be used; the message says what to do.
        FileNotFoundError: If a path does not exist.

    Example:

        train, test = kgen.data.load("digits", split=("train", "test"))

    References:
        Salakhutdinov & Murray (2008), section 5 (binarised pixels).
    """
    opened = open_source(
        source, image_shape, data_dir, background=background, table=table
    )
    dataset = functools.partial(
        opened.dataset,
        labels=labels,
        batch_size=batch_size,
        seed=seed,
        binarize=binarize,
    )
    if isinstance(split, (tuple, list)):
        return tuple(map(dataset, split))
    return dataset(split)
