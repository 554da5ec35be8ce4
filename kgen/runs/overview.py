"""`kgen data`: what a source looks like, and what seems wrong with it."""

import collections
import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kgen import files, plots
from kgen.data import Source, folders, open_source, rows
from kgen.data.examples import Examples, subset
from kgen.errors import InvalidArgument
from kgen.runs.listing import Section
from kgen.tables import forms

# Examples of a split whose values are looked at, pictures that are drawn of a class
# and of all, and classes that are listed.
_LOOKED, _OF_CLASS, _DRAWN, _LISTED = 10_000, 8, 36, 50
_NAMED = 20  # classes at most that are drawn in rows of their own
_FEW = 100  # training examples
_UNEQUAL = 10  # times as many examples of one class as of another
_LARGE = 128  # pixels of a side
_CHANNELS = 4  # red, green, blue, opacity
_COLUMNS = ("COLUMN", "KIND", "GAPS", "VALUES")


@dataclasses.dataclass(frozen=True)
class Overview:
    """What was found.

    Args:
        source: The source.
        few: Some examples of each split, in memory or read when asked for.
        sections: What there is to tell.
    """

    source: Source
    few: Mapping[str, Examples]
    sections: list[Section]


def overview(
    source: str,
    image_shape: Sequence[int] | None = None,
    data_dir: str | os.PathLike | None = None,
    background: str = "white",
    target: str | None = None,
) -> Overview:
    """Looks at a source.

    Args:
        source: As in `kgen.data.load`, as the next three.
        image_shape: `(height, width, channels)`, or None.
        data_dir: A directory, or None.
        background: A colour.
        target: Of a table: the column with the classes, or None.

    Raises:
        InvalidArgument: If it can't be used; of pictures that can't be read, the
            message lists all.
    """
    options: dict[str, Any] = {} if target is None else {"target": target}
    try:
        opened = open_source(
            source, image_shape, data_dir, background=background, **options
        )
        splits = [name for name in opened.splits if name != "all"]
        examples = {name: opened.examples(name) for name in splits}
    except InvalidArgument as error:
        _raise_all(source, error)
        raise
    few = {name: subset(part, _LOOKED) for name, part in examples.items()}
    labels = {name: part.read_labels() for name, part in examples.items()}
    sizes = {name: len(part) for name, part in examples.items()}
    found = _Look(opened, sizes, few, labels)
    wrong = [(text,) for text in found.faults()]
    title = f"{opened.name}: {sum(sizes.values()):,} examples"
    heads = ("LABEL", "NAME", *map(str.upper, sizes))
    sections = [
        Section(title, list(found.facts())),
        Section(
            "Columns, by the training rows", list(found.columns()), _COLUMNS
        ),
        Section("Classes", list(found.classes()), heads),
        Section("What seems wrong", wrong or [("Nothing.",)]),
    ]
    return Overview(opened, few, [part for part in sections if part.rows])


def _raise_all(source, error):
    """Raises an error that names all pictures of a folder that can't be read."""
    folder = os.path.expanduser(source)
    if not os.path.isdir(folder):
        return
    broken = folders.unreadable(pathlib.Path(folder))
    if len(broken) > 1:
        raise InvalidArgument(
            f"{len(broken)} pictures of {folder} can't be read. Repair them, or move "
            f"them away: {', '.join(broken)}."
        ) from error


class _Look:
    """What there is to see of the splits of a source."""

    def __init__(self, source, sizes, few, labels):
        self.source, self.sizes, self.few = source, sizes, few
        self.labels = {k: v for k, v in labels.items() if v is not None}
        self.shape = next(iter(few.values())).shape
        self.low, self.high = np.inf, -np.inf
        self.blank = 0
        self.is_grey = len(self.shape) == 3 and self.shape[2] == 3
        # Which splits have an example of these bytes, how often.
        self.seen = collections.defaultdict(collections.Counter)
        for split, examples in few.items():
            for x in _arrays(examples):
                self._take(split, x)

    def _take(self, split, x):
        flat = x.reshape(len(x), -1)
        low, high = flat.min(axis=1), flat.max(axis=1)
        self.low = min(self.low, low.min())
        self.high = max(self.high, high.max())
        self.blank += int((low == high).sum())
        self.is_grey = self.is_grey and bool((x == x[..., :1]).all())
        for row in flat:
            digest = hashlib.blake2b(row.tobytes(), digest_size=8).digest()
            self.seen[digest][split] += 1

    @property
    def looked(self):
        return sum(map(len, self.few.values()))

    def facts(self):
        """Pairs of a name and a value."""
        if self.source.table is None:
            kinds = {
                3: "pictures, height x width x channels",
                2: "sequences, length x channels",
                1: "vectors",
            }
            kind = kinds.get(len(self.shape), "arrays")
            yield "shape", f"{'x'.join(map(str, self.shape))} ({kind})"
            dtype = next(iter(self.few.values())).images.dtype
            text = f"{self.low:g} to {self.high:g} ({dtype})"
            if self.looked < sum(self.sizes.values()):
                text += f", of {self.looked:,} examples"
            yield "values", text
        sizes = ", ".join(
            f"{name} {size:,}" for name, size in self.sizes.items()
        )
        whole = "all" in self.source.readers
        yield "splits", sizes + (", a fixed fifth" if whole else "")

    def columns(self):
        """The columns of a table, with some of their values."""
        table = self.source.table
        if table is None:
            return
        first = next(iter(self.few.values()))
        frame = table.decode(np.concatenate(list(_arrays(first))), first.labels)
        for column in table.columns:
            values = "(left out)"
            if column.name in frame:
                known = frame[column.name].dropna()
                values = _values(known, column.encoding.is_text)
            yield column.name, column.kind, f"{column.gaps:.1%}", values

    def counts(self):
        """How many examples each split has of a class, by its number."""
        found = {}
        for split, labels in self.labels.items():
            for label, count in zip(*np.unique(labels, return_counts=True)):
                found.setdefault(int(label), {})[split] = int(count)
        return dict(sorted(found.items()))

    def classes(self):
        """The classes: number, name, and how many there are in each split."""
        counts = self.counts()
        for label, by_split in list(counts.items())[:_LISTED]:
            numbers = (f"{by_split.get(split, 0):,}" for split in self.sizes)
            yield str(label), self._name(label), *numbers
        if len(counts) > _LISTED:
            yield "...", f"{len(counts)} classes", *[""] * len(self.sizes)

    def _name(self, label):
        if label < 0:
            return "(unknown)"
        names = self.source.class_names
        return str(names[label]) if label < len(names) else str(label)

    def faults(self) -> Iterator[str]:
        """What seems wrong, in sentences."""
        size = self.sizes.get("train", 0)
        if size < _FEW:
            yield f"There are {size} training examples, which is few."
        yield from self._faults_of_pictures()
        yield from self._faults_of_classes()
        if self.source.table is not None:  # where rows may well be equal
            yield from self._faults_of_columns()
            return
        copies = sum(sum(c.values()) - 1 for c in self.seen.values())
        shared = sum(len(c) > 1 for c in self.seen.values())
        if shared:
            yield (
                "There are examples in more than one split, so that figures on "
                f"held-out data will be too good: {shared:,}."
            )
        elif copies:
            yield f"{copies:,} examples are equal to another one."

    def _faults_of_pictures(self):
        if len(self.shape) != 3:
            return
        if self.blank:
            yield f"{self.blank:,} pictures have one colour only."
        height, width, channels = self.shape
        if channels > _CHANNELS:
            yield (
                f"These are taken for pictures of {channels} channels. If they are "
                "volumes, kgen has no networks for them. Make pictures of their "
                "slices, by `x.reshape(-1, height, width, 1)`."
            )
        if self.is_grey:
            yield (
                "All pictures are grey. Pass --image-shape "
                f"{height}x{width}x1, which is three times as small."
            )
        if max(height, width) > _LARGE:
            yield (
                f"Pictures of {height}x{width} pixels train slowly. Try "
                f"--image-shape 64x64x{self.shape[2]} first."
            )

    def _faults_of_classes(self):
        counts = self.counts()
        unknown = sum(counts.pop(-1, {}).values())
        if unknown:
            yield f"The class of {unknown:,} examples is unknown."
        for label, by_split in counts.items():
            if "train" in self.labels and "train" not in by_split:
                yield f"No training example is of class {self._name(label)}."
        totals = {label: sum(c.values()) for label, c in counts.items()}
        if totals and max(totals.values()) > _UNEQUAL * min(totals.values()):
            most, least = (f(totals, key=totals.get) for f in (max, min))
            yield (
                f"Classes are unequal: {totals[most]:,} examples of "
                f"{self._name(most)}, {totals[least]:,} of {self._name(least)}."
            )

    def _faults_of_columns(self):
        for column in self.source.table.columns:
            if column.kind == "id":
                yield f"Column {column.name} identifies rows, and is left out."
            elif column.gaps > 0.5:
                yield f"Column {column.name} has more gaps than values."
            elif not column.parts:
                yield f"Column {column.name} is constant."


def _arrays(examples):
    """The values of examples as they are stored, a part at a time."""
    images = examples.images
    for part in rows.parts(images.shape, images.dtype):
        yield np.asarray(images[part])


def _values(known, is_text):
    """The most frequent values of a column, or the least and the greatest."""
    if not len(known):
        return "(none)"
    if not is_text:
        return " to ".join(map(forms.text_of, (known.min(), known.max())))
    counts = known.value_counts()
    texts = [str(value) for value in counts.index[:5]]
    return ", ".join(texts) + (", ..." if len(counts) > 5 else "")


def draw(
    found: Overview, file: pathlib.Path | None = None
) -> pathlib.Path | None:
    """Draws some examples, by their classes.

    Args:
        found: What `overview` returned.
        file: The picture; None for the next free name in this directory.

    Returns:
        The picture; None where such examples can't be drawn.

    Raises:
        InvalidArgument: If they can't be drawn, and a file is given.
    """
    split, few = next(iter(found.few.items()))
    if found.source.table is not None or not plots.is_drawable(few.shape):
        if file is None:
            return None
        raise InvalidArgument(
            f"--out {file}: examples of shape {tuple(few.shape)} can't be drawn. "
            "Leave it out."
        )
    labels = few.labels
    index = np.arange(
        min(len(few), _DRAWN if plots.has_panel(few.shape) else 2000)
    )
    if labels is not None and len(np.unique(labels)) <= _NAMED:
        index = [
            np.flatnonzero(labels == n)[:_OF_CLASS] for n in np.unique(labels)
        ]
        index = np.concatenate(index)
    few = few.select(index)
    name = re.sub(r"[^\w.-]+", "-", found.source.name)
    file = file or files.free_path(name, ".png")
    plots.samples(
        np.concatenate(list(few.batches(batch_size=256).as_numpy_iterator())),
        file,
        f"{found.source.name}: examples of {split}",
        few.labels,
        found.source.class_names,
    )
    return file
