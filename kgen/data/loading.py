"""`load`: a source as a `tf.data.Dataset`."""

from kgen.data.sources import open_source
from kgen.errors import check_int


def load(
    source,
    split="train",
    *,
    batch_size=128,
    labels=False,
    image_shape=None,
    seed=None,
    data_dir=None,
    binarize=False,
    background="white",
):
    """Loads pictures or vectors as batches of float32.

    uint8 pictures are scaled to [0, 1]. What fits in 1 GiB is kept in memory
    as it is; larger sources are read by the batch. A split whose name starts
    with `train` is shuffled anew each epoch, the others keep their order; the
    last batch may be smaller.

    Args:
        source: One of
            `"digits"`, the UCI digits, built in;
            the name of any TensorFlow Datasets data set;
            a folder of pictures (png, jpg, bmp, gif, webp, tif, ppm), where
            the names of folders in it are classes, and `train`, `validation`
            and `test`, or names alike, are splits;
            a folder of IDX files, as MNIST's, plain or .gz;
            a .npy or .npz file; an array, or a pair of images and labels.
        split: A split's name, or a tuple of them. Sources without splits have
            `"train"` and `"test"`, a fixed random fifth (of each class, if one
            would be missing in `"train"`), and `"all"`. Slices
            such as `"train[:1000]"` or `"train[80%:]"` work for every source.
        batch_size: Positive integer.
        labels: Whether to give pairs `(x, y)`, y int32 of shape `(batch,)`.
        image_shape: `(height, width, channels)`: resizes the pictures, and
            makes them grey (1) or coloured (3); with 4 channels, the last is
            the opacity.
        seed: Integer for the order of the epochs; None for another one each
            time (after `keras.utils.set_random_seed`, the same).
        data_dir: Where TensorFlow Datasets keeps its files.
        binarize: Whether each pixel is drawn as 0 or 1, with its value as the
            probability of 1: anew each epoch in a shuffled split (dynamic
            binarisation), else always the same.
        background: The colour on which transparent pictures are shown, unless
            `image_shape` has 4 channels: a name, or digits as in `"#ff8000"`.

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
    batch_size = check_int("batch_size", "load", batch_size)
    opened = open_source(source, image_shape, data_dir, background=background)

    def dataset(name):
        return opened.dataset(
            name,
            labels=labels,
            batch_size=batch_size,
            seed=seed,
            binarize=binarize,
        )

    if isinstance(split, (tuple, list)):
        return tuple(dataset(name) for name in split)
    return dataset(split)
