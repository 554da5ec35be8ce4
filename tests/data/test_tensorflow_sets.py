import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from kgen.data import examples, load, open_source
from kgen.errors import InvalidArgument
from tests.data.common import as_floats, as_rows, random_uint8, read

TRAIN, TEST = random_uint8(12, 6, 5, 1), random_uint8(7, 6, 5, 1, seed=1)
IMAGE = tfds.features.Image(shape=(6, 5, 1))
LABEL = tfds.features.ClassLabel(names=["zero", "one", "two"])


def labelled(images):
    return [{"image": image, "label": k % 3} for k, image in enumerate(images)]


def images_only(images):
    return [{"image": image} for image in images]


def builder(name, features, splits, supervised_keys=None):
    """Registers a data set by its class's name, as TFDS does."""

    def info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=supervised_keys,
            disable_shuffling=True,
        )

    def split_generators(self, dl_manager):
        return {
            split: self._generate_examples(rows)
            for split, rows in splits.items()
        }

    def generate_examples(self, rows):
        yield from enumerate(rows)

    return type(
        name,
        (tfds.core.GeneratorBasedBuilder,),
        {
            "VERSION": tfds.core.Version("1.0.0"),
            "_info": info,
            "_split_generators": split_generators,
            "_generate_examples": generate_examples,
        },
    )


builder(
    "KgenTiny",
    {"image": IMAGE, "label": LABEL},
    {"train": labelled(TRAIN), "test": labelled(TEST)},
)
builder(
    "KgenTrainOnly",
    {"image": IMAGE, "label": LABEL},
    {"train": labelled(random_uint8(10, 6, 5, 1))},
)
builder(
    "KgenUnlabelled",
    {"image": IMAGE},
    {"train": images_only(TRAIN), "test": images_only(TEST)},
)
builder(
    "KgenSizes",
    {"image": tfds.features.Image(shape=(None, None, 3))},
    {
        "test": images_only(
            [random_uint8(4 + k, 9 - k, 3, seed=k) for k in range(5)]
        )
    },
)
builder(
    "KgenTensor",
    {"picture": tfds.features.Tensor(shape=(4, 4), dtype=np.float32),
     "kind": LABEL},
    {"test": [{"picture": np.full((4, 4), k / 5, "float32"), "kind": k % 3}
              for k in range(5)]},
    supervised_keys=("picture", "kind"),
)  # fmt: skip
builder(
    "KgenWide",
    {"image": tfds.features.Image(shape=(2, 2, 1), dtype=np.uint16)},
    {"test": images_only([np.full((2, 2, 1), 65535, "uint16")])},
)
builder(
    "KgenFourChannels",
    {"image": tfds.features.Image(shape=(2, 2, 4))},
    {"test": images_only(random_uint8(3, 2, 2, 4))},
)
builder(
    "KgenText",
    {"text": tfds.features.Text()},
    {"test": [{"text": "no picture"}]},
)


class KgenBroken(tfds.core.GeneratorBasedBuilder):
    """Fails without a word."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"image": IMAGE})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        raise RuntimeError

    def _generate_examples(self):
        yield


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(params=["memory", "stream"])
def budget(request):
    """Runs a test in memory and streamed."""
    if request.param == "stream":
        request.getfixturevalue("no_memory")


@pytest.mark.usefixtures("budget")
def test_images_and_labels(data_dir):
    source = open_source("kgen_tiny", data_dir=data_dir)
    assert source.splits == ("test", "train") or source.splits == (
        "train",
        "test",
    )
    assert source.class_names == ("zero", "one", "two")
    x, y = read(load("kgen_tiny", "test", labels=True, data_dir=data_dir))
    assert x.dtype == np.float32 and y.dtype == np.int32
    np.testing.assert_allclose(x, as_floats(TEST), atol=1e-7)
    np.testing.assert_array_equal(y, np.arange(7) % 3)


@pytest.mark.usefixtures("budget")
def test_train_is_shuffled_and_complete(data_dir):
    dataset = load("kgen_tiny", batch_size=5, seed=1, data_dir=data_dir)
    assert int(dataset.cardinality()) == 3
    first, second = read(dataset), read(dataset)
    assert (first != second).any()
    expected = as_rows(TRAIN)
    for images in (first, second):
        assert as_rows(np.round(images * 255).astype("uint8")) == expected


def test_what_fits_stays_uint8_and_the_rest_is_streamed(data_dir, monkeypatch):
    source = open_source("kgen_tiny", data_dir=data_dir)
    assert source.examples("test").images.dtype == np.uint8
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", TEST.nbytes)
    assert isinstance(source.examples("test"), examples.Examples)
    assert isinstance(source.examples("train"), examples.StreamedExamples)


@pytest.mark.usefixtures("budget")
def test_a_set_with_nothing_but_train_is_divided(data_dir):
    source = open_source("kgen_train_only", data_dir=data_dir)
    assert source.splits == ("train", "test", "all")
    parts = {
        split: read(source.dataset(split, labels=True, batch_size=4))
        for split in source.splits
    }
    whole = as_rows(random_uint8(10, 6, 5, 1))
    rows = {
        split: as_rows(np.round(x * 255).astype("uint8"))
        for split, (x, _) in parts.items()
    }
    assert len(rows["test"]) == 2 and rows["all"] == whole
    assert sorted(rows["train"] + rows["test"]) == whole


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize(
    "split, expected",
    [
        ("test[:3]", slice(0, 3)),
        ("test[50%:]", slice(4, 7)),
        ("test[-2:]", slice(5, 7)),
        ("test[2:4]", slice(2, 4)),
    ],
)
def test_slices(data_dir, split, expected):
    found = read(load("kgen_tiny", split, data_dir=data_dir))
    np.testing.assert_allclose(found, as_floats(TEST[expected]), atol=1e-7)


@pytest.mark.usefixtures("budget")
def test_no_labels(data_dir):
    found = read(load("kgen_unlabelled", "test", data_dir=data_dir))
    np.testing.assert_allclose(found, as_floats(TEST), atol=1e-7)
    with pytest.raises(InvalidArgument, match="kgen_unlabelled has no labels"):
        load("kgen_unlabelled", labels=True, data_dir=data_dir)


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize("image_shape", [(4, 4, 1), (3, 8, 3)])
@pytest.mark.parametrize("name", ["kgen_sizes", "kgen_tiny"])
def test_image_shape(data_dir, name, image_shape):
    dataset = load(name, "test", image_shape=image_shape, data_dir=data_dir)
    assert dataset.element_spec.shape[1:] == image_shape
    found = read(dataset)
    assert 0 <= found.min() < found.max() <= 1
    levels = found * 255
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)


def test_pictures_that_differ_in_size(data_dir):
    with pytest.raises(InvalidArgument, match="differ in size. Pass `image"):
        load("kgen_sizes", "test", data_dir=data_dir)


@pytest.mark.usefixtures("budget")
def test_other_features_by_the_supervised_keys(data_dir):
    x, y = read(load("kgen_tensor", "test", labels=True, data_dir=data_dir))
    assert x.shape == (5, 4, 4, 1)
    np.testing.assert_allclose(x[:, 0, 0, 0], np.arange(5) / 5)
    np.testing.assert_array_equal(y, [0, 1, 2, 0, 1])


@pytest.mark.usefixtures("budget")
def test_sixteen_bits_are_refused(data_dir):
    with pytest.raises(InvalidArgument, match="array of uint16"):
        load("kgen_wide", "test", data_dir=data_dir)


@pytest.mark.usefixtures("budget")
def test_four_channels(data_dir):
    def of(**options):
        return read(
            load("kgen_four_channels", "test", data_dir=data_dir, **options)
        )

    height, width, channels = of().shape[1:]
    assert channels == 3, "opacity only where it is asked for"
    whole = of(image_shape=(height, width, 4))
    assert whole.shape[-1] == 4
    white, black = (
        of(image_shape=(height, width, 1), background=name)
        for name in ("white", "black")
    )
    hidden = 1 - whole[..., 3:]
    np.testing.assert_allclose(white - black, hidden, atol=0.01)


def test_no_image(data_dir):
    with pytest.raises(InvalidArgument, match="no feature `image`, but text"):
        load("kgen_text", "test", data_dir=data_dir)


@pytest.mark.usefixtures("budget")
def test_binary_pixels(data_dir):
    options = {"binarize": True, "seed": 0, "data_dir": data_dir}
    train, test = load("kgen_tiny", ("train", "test"), **options)
    assert set(np.unique(read(train))) == {0, 1}
    np.testing.assert_array_equal(read(test), read(test))


@pytest.mark.parametrize(
    "name, nearest",
    [("mnits", "'mnist'"), ("digitss", "'digits'"), ("kgen_tny", "kgen_tiny")],
)
def test_the_nearest_name_is_offered(data_dir, name, nearest):
    with pytest.raises(InvalidArgument, match=f"Did you mean .*{nearest}"):
        load(name, data_dir=data_dir)


@pytest.mark.parametrize("name", ["zzzzzzzz", "no such/thing: at all"])
def test_names_like_no_other(data_dir, name):
    with pytest.raises(InvalidArgument, match=r"no data set of that name\.$"):
        load(name, data_dir=data_dir)


@pytest.mark.parametrize("name", ["digits:9.9.9", "digits/no_config"])
def test_known_sets_in_an_unknown_form(data_dir, name):
    with pytest.raises(InvalidArgument, match=f"can't open '{name}'"):
        load(name, data_dir=data_dir)


def test_what_can_t_be_prepared(data_dir):
    with pytest.raises(OSError, match="not prepare 'kgen_broken'.*RuntimeErr"):
        load("kgen_broken", data_dir=data_dir)


def test_another_process_may_prepare_it_meanwhile(tmp_path, monkeypatch):
    def late(builder):
        monkeypatch.undo()
        tfds.builder("kgen_tiny", data_dir=tmp_path).download_and_prepare()
        raise OSError("Cannot rename: it is there")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", late)
    for _ in load("kgen_tiny", data_dir=tmp_path):
        return
    pytest.fail("nothing was read")


def test_a_folder_that_can_t_be_written(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="could not prepare 'kgen_tiny'"):
        load("kgen_tiny", data_dir=tmp_path / "file")


def test_batches_keep_their_static_shape(data_dir):
    dataset = load("kgen_tiny", labels=True, data_dir=data_dir)
    assert dataset.element_spec == (
        tf.TensorSpec((None, 6, 5, 1), tf.float32),
        tf.TensorSpec((None,), tf.int32),
    )
