import io
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from kgen.errors import InvalidArgument
from kgen.extractors import InceptionExtractor
from tests.extractors.common import Graph

RNG = np.random.default_rng(0)
NAME = "classify_image_graph_def.pb"


def save(graph_def, path):
    path.write_bytes(graph_def.SerializeToString())
    return path


@pytest.fixture(scope="module", params=[True, False], ids=["scaled", "not"])
def graph(request):
    return Graph(scaled=request.param)


@pytest.fixture(scope="module")
def extractor(graph, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / NAME
    return InceptionExtractor(save(graph.graph_def, path))


@pytest.mark.parametrize(
    "shape", [(5, 32, 32, 3), (3, 17, 40, 3), (1, 8, 8, 1)]
)
def test_it_is_the_graph_step_by_step(graph, extractor, shape):
    """In batches, of any size, grey or not: though frozen for one picture."""
    x = RNG.integers(0, 256, shape)
    given = (x / 255).astype("float32")
    colours = np.broadcast_to(x, (*shape[:3], 3)).astype("float64")
    np.testing.assert_allclose(
        extractor.features(given, batch_size=2),
        graph.features(colours),
        rtol=1e-3,
        atol=1e-3,
    )
    np.testing.assert_allclose(
        extractor.probabilities(given, batch_size=2),
        graph.probabilities(colours),
        rtol=1e-2,
        atol=1e-6,
    )


def test_pictures_are_seen_as_a_file_would_hold_them(extractor):
    x = RNG.integers(0, 256, (2, 9, 9, 1)) / np.float32(255)
    moved = np.clip(x + 0.4 / 255, 0, 1).astype("float32")
    np.testing.assert_array_equal(
        extractor.features(x), extractor.features(moved)
    )


def test_only_this_one_is_inception(extractor):
    assert extractor.is_inception
    assert (extractor.num_features, extractor.num_classes) == (2048, 1008)
    assert "Inception-v3" in extractor.name


def test_inside_a_function(extractor):
    x = RNG.uniform(size=(3, 12, 12, 1)).astype("float32")
    inside = tf.function(extractor.features_of)(tf.constant(x))
    np.testing.assert_allclose(inside, extractor.features(x), rtol=1e-5)


@pytest.mark.parametrize("ending", [".tgz", ".tar.gz"])
def test_the_archive(graph, extractor, tmp_path, ending):
    path = tmp_path / f"inception-2015-12-05{ending}"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("LICENSE", NAME):
            content = b"text" if name == "LICENSE" else None
            content = content or graph.graph_def.SerializeToString()
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    x = RNG.uniform(size=(2, 8, 8, 3)).astype("float32")
    got = InceptionExtractor(path).features(x)
    np.testing.assert_array_equal(got, extractor.features(x))


def empty_archive(path):
    with tarfile.open(path, "w:gz"):
        pass


def other_graph(path):
    with tf.Graph().as_default() as graph:
        tf.constant(1.0, name="ExpandDims")
    save(graph.as_graph_def(), path)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.pb", lambda p: p.write_bytes(b"no graph"), "is not Inception"),
        ("a.tgz", lambda p: p.write_bytes(b"no archive"), "is not Inception"),
        ("a.tgz", empty_archive, f"no {NAME} in it"),
        ("a.pb", other_graph, "no node pool_3, softmax/logits/MatMul"),
        (
            "a.pb",
            lambda p: save(Graph(features=64).graph_def, p),
            "other sizes",
        ),
        (
            "a.pb",
            lambda p: save(Graph(classes=1000).graph_def, p),
            "other sizes",
        ),
    ],
)
def test_other_files(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(InvalidArgument) as error:
        InceptionExtractor(tmp_path / name)
    assert message in str(error.value)
    assert "a.pb" in str(error.value) or "a.tgz" in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="inception-2015-12-05.tgz"):
        InceptionExtractor(tmp_path / NAME)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8, 2), "float32"), "1 channel (grey) or 3"),
        (np.zeros((8, 8, 3), "float32"), "shape (n, any, any, any)"),
        (np.full((2, 8, 8, 3), 255.0), "pictures in [0, 1]"),
        (np.zeros((2, 8, 8, 3), "uint8"), "/ 255"),
    ],
)
def test_bad_pictures(extractor, images, message):
    with pytest.raises(InvalidArgument) as error:
        extractor.features(images)
    assert message in str(error.value)
