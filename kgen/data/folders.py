"""Folders of pictures: which folders are splits, classes, or neither."""

import collections
import functools
import os
import pathlib
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kgen.data import picture_rows, pictures
from kgen.data.conversion import WHITE
from kgen.data.examples import Examples
from kgen.errors import InvalidArgument, invalid, say_once

_SPLITS = ("train", "validation", "test")
# train, Training, test_set, val-images, ...
_SPLIT = re.compile(
    "(?:(?P<train>train|training)|(?P<validation>val|valid|validation|dev)"
    "|(?P<test>test|testing))(?:[-_ ]?(?:set|data|images|split))?",
    re.IGNORECASE,
)
# Besides hidden ones, what computers leave in folders.
_JUNK = ("@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX")


class _Entry(NamedTuple):
    """A file or a folder in a folder, from one listing of that folder."""

    path: str
    name: str
    is_folder: bool

    def __fspath__(self):
        return self.path

    def __str__(self):
        return self.path


def find(
    folder: str | os.PathLike,
    image_shape: tuple | None = None,
    background: str = WHITE,
) -> tuple[dict[str, Callable], tuple[str, ...]]:
    """Finds a folder's pictures.

    Folders named train, validation and test, or alike, are splits; folders in
    them, or in `folder` itself, are classes, numbered in the order of their
    names. Folders around the data are skipped: if all pictures are in one
    folder of `folder`, and not directly in it, that folder is used instead.

    Args:
        folder: Path of the folder.
        image_shape: `(height, width, channels)`, or None for the pictures' own.
        background: The colour on which transparent pictures are shown.

    Returns:
        Dictionary from splits to functions that return their `Examples`, and the
        classes' names, `()` if there are none.

    Raises:
        InvalidArgument: If there are no pictures, or if it can't be told what is
            a split and what is a class.
    """
    given = pathlib.Path(folder)
    folder = _unwrap(given)
    roots = _split_folders(folder) or {"all": folder}
    ignored = collections.Counter()
    files = {split: _files(root, ignored) for split, root in roots.items()}
    files = {split: pairs for split, pairs in files.items() if pairs}
    if not files:
        raise _no_data(given, ignored)
    names = _class_names(folder, files)
    _tell_ignored(given, ignored, roots.values(), names)
    paths = [path for pairs in files.values() for path, _ in pairs]
    if image_shape and len(image_shape) != 3:
        expected = f"(height, width, channels) for the pictures of {given}"
        raise invalid("image_shape", "load", expected, image_shape)
    shape = image_shape or pictures.common_shape(paths, background)
    look = (shape, background, given)
    return {
        split: functools.partial(_read, pairs, names, *look)
        for split, pairs in files.items()
    }, names


def _read(files, names, *look):
    """The examples of pairs of a path and a class's name."""
    paths, classes = zip(*files)
    images, labels = picture_rows.open_pictures(paths, *look), None
    if names:
        numbers = {name: number for number, name in enumerate(names)}
        labels = np.array([numbers[name] for name in classes], "int32")
    return Examples(images, labels, np.array(paths, object))


def unreadable(folder: str | os.PathLike) -> list[str]:
    """The files of a folder that should be pictures and can't be read as such."""
    folder = _unwrap(pathlib.Path(folder))
    roots = (_split_folders(folder) or {"all": folder}).values()
    ignored = collections.Counter()
    paths = [path for root in roots for path, _ in _files(root, ignored)]

    def is_broken(path):
        try:
            pictures.check_readable(path)
        except (InvalidArgument, OSError):
            return True
        return False

    broken = picture_rows.in_threads(is_broken, paths)
    return [path for path, is_one in zip(paths, broken) if is_one]


def _unwrap(folder):
    """The innermost folder that holds all splits, classes or pictures."""
    while True:
        entries = _entries(folder)
        inner = [entry for entry in entries if _holds_pictures(entry)]
        if len(inner) != 1 or any(map(_is_picture, entries)):
            return folder
        if _split_of(inner[0]) or any(map(_is_picture, _entries(inner[0]))):
            return folder
        say_once(f"The pictures of {folder} are all in {inner[0]}.")
        folder = pathlib.Path(inner[0])


def _split_folders(folder):
    """The folders that are splits, by the split; `{}` if there are none."""
    roots, beside = {}, []
    for entry in _entries(folder):
        split = _split_of(entry) if entry.is_folder else None
        if split in roots:
            raise InvalidArgument(
                f"{roots[split]} and {entry} are both the split {split!r} by "
                "their names. Keep one of them, or put all into one."
            )
        if split:
            roots[split] = entry
        elif _is_picture(entry):
            beside.append(entry)
        elif entry.is_folder:
            beside += list(filter(_has_ending, _below(entry)))[:1]
    if roots and beside:
        raise InvalidArgument(
            f"{folder} holds pictures beside the splits "
            f"{', '.join(root.name for root in roots.values())}: {beside[0]}. "
            f"Splits are called {', '.join(_SPLITS)}; move the other pictures "
            "away, or rename what is a class and not a split."
        )
    return {split: roots[split] for split in _SPLITS if split in roots}


def _split_of(path):
    """The split that a folder's name means, or None."""
    match = _SPLIT.fullmatch(path.name)
    return match and match.lastgroup


def _files(root, ignored):
    """Pairs of a picture's path and its class (None at the top level).

    The endings of files that are no pictures are counted in `ignored`.
    """
    pairs = []
    for entry in _entries(root):
        paths, name = [entry.path], None
        if entry.is_folder:
            _check_class(entry)
            paths, name = sorted(_below(entry), key=_parts), entry.name
        for path in paths:
            if _has_ending(path):
                pairs.append((path, name))
            else:
                kind = pathlib.PurePath(path).suffix.lower()
                ignored[kind or "(without ending)"] += 1
    return pairs


def _check_class(folder):
    """Raises if a class holds splits: they would be mixed."""
    splits = [e for e in _entries(folder) if e.is_folder and _split_of(e)]
    if len({_split_of(entry) for entry in splits}) > 1:
        first = splits[0]
        raise InvalidArgument(
            f"{folder} holds the splits "
            f"{', '.join(entry.name for entry in splits)}. Expected the classes "
            f"in the splits: {first.name}/{folder.name} in the place of "
            f"{folder.name}/{first.name}."
        )


def _entries(folder):
    """The entries of a folder, sorted, without hidden files and the like."""
    start = "" if os.fspath(folder) == "." else os.path.join(folder, "")
    entries, links = [], []
    with os.scandir(folder) as found:
        for entry in found:
            if is_junk(entry.name):
                continue
            path = start + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.is_symlink():
                links.append(path)
                is_folder = pathlib.Path(path).is_dir()
            entries.append(_Entry(path, entry.name, is_folder))
    real = pathlib.Path(os.path.realpath(folder))
    around = [str(path) for path in (real, *real.parents)]
    for path in sorted(links):
        if os.path.realpath(path) in around:
            raise InvalidArgument(
                f"{path} is a link to a folder that holds it. Remove it."
            )
    return sorted(entries, key=lambda entry: _parts(entry.name))


def _below(folder):
    """The files in a folder and, links aside, in the folders in it."""

    def fail(error):
        raise error

    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not is_junk(name)]
        for name in names:
            if not is_junk(name):
                yield os.path.join(place, name)


def _parts(path):
    """What paths are sorted by, as `pathlib` does."""
    return os.path.normcase(path).split(os.sep)


def is_junk(name: str) -> bool:
    """Whether a file or folder is hidden, or what systems leave beside pictures."""
    return name.startswith(".") or name in _JUNK


def _has_ending(path):
    return path.lower().endswith(pictures.ENDINGS)


def _is_picture(entry):
    return not entry.is_folder and _has_ending(entry.name)


def _holds_pictures(entry):
    return entry.is_folder and any(map(_has_ending, _below(entry)))


def _class_names(folder, files):
    """The names of all classes; raises where only some pictures have one."""
    classes = {name for pairs in files.values() for _, name in pairs}
    names = tuple(sorted(classes - {None}))
    if names and None in classes:
        raise InvalidArgument(
            f"{folder} holds pictures both beside and inside class folders "
            f"({', '.join(names)}). Move them to one level."
        )
    return names


def _no_data(folder, ignored):
    other = f" It holds other files: {_count(ignored)}." if ignored else ""
    return InvalidArgument(
        f"{folder} holds no data. Expected pictures "
        f"({', '.join(pictures.ENDINGS)}) or IDX files "
        f"(train-images-idx3-ubyte).{other}"
    )


def _count(ignored):
    """How many files of which kinds, the most frequent ones first."""
    kinds = [f"{count:,} {kind}" for kind, count in ignored.most_common(9)]
    return ", ".join(kinds) + (", ..." if len(ignored) > 9 else "")


def _tell_ignored(folder, ignored, roots, names):
    """Tells of other files, and of folders that would be classes."""
    if ignored:
        say_once(
            f"{folder}: ignored files that are not pictures: {_count(ignored)}."
        )
    folders = {e.name for root in roots for e in _entries(root) if e.is_folder}
    empty = sorted(folders - set(names)) if names else []
    if empty:
        say_once(
            f"{folder}: these folders hold no readable picture and are not used "
            f"as classes: {', '.join(empty)}."
        )
