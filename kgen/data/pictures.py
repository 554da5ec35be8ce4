"""Folders of pictures."""

import concurrent.futures
import contextlib
import pathlib

import numpy as np
from PIL import ExifTags, Image, ImageOps

from kgen.data import examples
from kgen.data.examples import Examples
from kgen.errors import InvalidArgument

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
_SPLITS = ("train", "validation", "test")
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "F")
_CHECKED = 1000  # files at a time
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
)


class PictureFiles:
    """Picture files, indexable like an array; each is read when asked for.

    Args:
        paths: List of files.
        image_shape: `(height, width, channels)` that they are brought to.
    """

    dtype = np.dtype("uint8")

    def __init__(self, paths, image_shape):
        self.paths = np.asarray([str(path) for path in paths], dtype=object)
        self.image_shape = image_shape
        self.shape = (len(self.paths), *image_shape)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, positions):
        return np.stack(
            [
                read_picture(path, self.image_shape)
                for path in np.atleast_1d(self.paths[positions])
            ]
        )


def read_picture(path, image_shape):
    """One picture as uint8 of `image_shape`; of a GIF, the first frame.

    Raises:
        InvalidArgument: If the file can't be read as a picture.
    """
    with _opened(path) as image:
        image = ImageOps.exif_transpose(image)  # as the camera was held
        if image.mode.startswith("I"):  # 16 bits
            wide = np.asarray(image).astype("uint32")
            image = Image.fromarray(((wide + 128) // 257).astype("uint8"))
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        image = image.convert("L" if image_shape[2] == 1 else "RGB")
        pixels = np.asarray(image)
    pixels = pixels.reshape(*pixels.shape[:2], image_shape[2])
    return examples.convert(pixels[None], image_shape)[0]


def _check_readable(path):
    """Raises unless all of a picture can be read; a JPEG's at an eighth."""
    with _opened(path) as image:
        image.draft(image.mode, tuple(side // 8 for side in image.size))
        image.load()


@contextlib.contextmanager
def _opened(path):
    """Opens a picture; errors name the file."""
    try:
        with Image.open(path) as image:
            yield image
    except _UNREADABLE as error:
        raise InvalidArgument(
            f"{path} can't be read as a picture: {error}. Mend or remove it."
        ) from error


def _upright_size(image):
    """(width, height) as the picture will be read."""
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    return image.size[::-1] if turned else image.size


def _is_grey(image):
    if image.mode != "P":
        return image.mode in _GREY
    palette = np.reshape(image.getpalette(), (-1, 3))
    return bool((palette == palette[:, :1]).all())


def find(folder, image_shape=None):
    """Finds a folder's pictures.

    Folders named train, validation and test are splits; folders in them, or in
    `folder` itself, are classes, numbered in the order of their names.

    Args:
        folder: Path of the folder.
        image_shape: `(height, width, channels)`, or None for the pictures' own.

    Returns:
        Dictionary from splits to functions that give their `Examples`, and the
        classes' names, `()` if there are none. `({}, ())` if there are no
        pictures.
    """
    folder = pathlib.Path(folder)
    roots = {
        name: folder / name for name in _SPLITS if (folder / name).is_dir()
    }
    beside = [path for path, name in _files(folder) if name not in roots]
    if roots and beside:
        raise InvalidArgument(
            f"{folder} holds pictures beside the splits {', '.join(roots)}: "
            f"{beside[0]}. Splits are called {', '.join(_SPLITS)}; move the "
            "other pictures away."
        )
    files = {
        split: _files(root)
        for split, root in (roots or {"all": folder}).items()
    }
    files = {split: found for split, found in files.items() if found}
    names = tuple(
        sorted({name for found in files.values() for _, name in found if name})
    )
    if any(name is None for found in files.values() for _, name in found):
        if names:
            raise InvalidArgument(
                f"{folder} holds pictures both beside and inside class folders "
                f"({', '.join(names)}). Move them to one level."
            )
    paths = [path for found in files.values() for path, _ in found]
    if not paths:
        return {}, ()
    shape = image_shape or _common_shape(paths)
    return {
        split: lambda found=found: _examples(found, names, shape)
        for split, found in files.items()
    }, names


def _files(root):
    """Pairs of a picture's path and its class (None at the top level)."""
    pairs = []
    for entry in sorted(root.iterdir()):
        is_class = entry.is_dir()
        pairs += [
            (path, entry.name if is_class else None)
            for path in (sorted(entry.rglob("*")) if is_class else [entry])
            if path.suffix.lower() in ENDINGS
            and not path.is_dir()
            and not entry.name.startswith(".")
            and not path.name.startswith(".")
        ]
    return pairs


def _examples(found, names, shape):
    files = PictureFiles([path for path, _ in found], shape)
    labels = None
    if names:
        labels = np.array([names.index(name) for _, name in found], "int32")
    if len(files) * np.prod(shape) > examples.IN_MEMORY_BYTES:
        # An unreadable one is to be named now, not hours into a training.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for start in range(0, len(files), _CHECKED):
                some = files.paths[start : start + _CHECKED]
                list(pool.map(_check_readable, some))
        return Examples(files, labels)
    return Examples(files[np.arange(len(files))], labels)


def _common_shape(paths):
    """The one shape of all pictures, by their headers, or an error."""
    first, grey = None, True
    for path in paths:
        with _opened(path) as image:
            size, is_grey = _upright_size(image), _is_grey(image)
        if first is None:
            first = size
        if size != first:
            raise InvalidArgument(
                f"{paths[0]} has {first[0]}x{first[1]} pixels and {path} has "
                f"{size[0]}x{size[1]}. Pass `image_shape` (--image-shape on the "
                "command line) to bring all to one size."
            )
        grey = grey and is_grey
    return (first[1], first[0], 1 if grey else 3)
