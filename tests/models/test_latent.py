"""Ways through the latent space, of every model that has one."""

import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.models.paths import PATHS, between
from kgen.priors.base import standard_normal
from tests.models import contract
from tests.models.contract import X, Y

MODELS = ["vae", "vaegan"]
CODING = ["autoencoder", "denoising_autoencoder", *MODELS]


@pytest.fixture(scope="module", params=CODING)
def model(request):
    return contract.small_model(request.param)


@pytest.mark.parametrize("path", [None, *PATHS])
def test_a_way_from_one_picture_to_another(model, path):
    images = model.interpolate(X[:4], X[4:8], steps=5, path=path)
    assert images.shape == (4, 5, 8, 8, 1)
    for number, x in ((0, X[:4]), (-1, X[4:8])):
        np.testing.assert_allclose(
            images[:, number], model.reconstruct(x), atol=1e-5
        )
    is_gaussian = hasattr(model, "posterior")
    if path == "linear" or (path is None and not is_gaussian):
        middle = (model.encode(X[:4]) + model.encode(X[4:8])) / 2
        np.testing.assert_allclose(
            images[:, 2], model.decode(middle), atol=1e-5
        )


def test_a_conditional_way():
    model = contract.small_model("vae", conditional=True)
    pairs = [X[:3], Y[:3]], [X[3:6], Y[3:6]]
    images = model.interpolate(*pairs, steps=3)
    last = model.decode(model.encode(pairs[1]), labels=Y[:3])
    np.testing.assert_allclose(images[:, -1], last, atol=1e-5)


@pytest.mark.parametrize("path", PATHS)
def test_ways_between_draws(path):
    """They lead from samples to samples, by points on the path."""
    gan = contract.small_model("gan")
    images = gan.interpolate(4, steps=3, path=path, seed=5)
    assert images.shape == (4, 3, 8, 8, 1)
    ends = gan.sample(8, seed=5)
    np.testing.assert_allclose(images[:, 0], ends[:4], atol=1e-5)
    np.testing.assert_allclose(images[:, 2], ends[4:], atol=1e-5)
    z = standard_normal(8, 3, 5).numpy()
    middle = PATHS[path](z[:4], z[4:], 0.5)
    np.testing.assert_allclose(images[:, 1], gan(middle), atol=1e-5)


def test_a_way_between_draws_is_of_one_class():
    gan = contract.small_model("gan", conditional=True)
    labels = np.array([2, 0, 1])
    images = gan.interpolate(3, steps=4, labels=labels, seed=1)
    first = gan.sample(6, labels=[*labels, *labels], seed=1)
    np.testing.assert_allclose(images[:, 0], first[:3], atol=1e-5)
    np.testing.assert_allclose(images[:, -1], first[3:], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_ways": 0}, "num_ways"),
        ({"num_ways": 2, "steps": 1}, "at least 2"),
        ({"num_ways": 2, "path": "line"}, "did you mean 'linear'"),
        ({"num_ways": 2, "labels": 1}, "not conditional"),
    ],
)
def test_bad_ways_between_draws(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        contract.small_model("gan").interpolate(**arguments)


@pytest.mark.parametrize("method", ["sample", "interpolate"])
def test_bad_labels_are_reported_by_the_method_that_took_them(method):
    gan = contract.small_model("gan", conditional=True)
    with pytest.raises(InvalidArgument, match=f"of `GAN.{method}`"):
        getattr(gan, method)(2, labels=[0, 7])


@pytest.mark.parametrize("method", ["sample", "decode"])
def test_bad_labels_of_a_vae_are_reported_by_the_method(method):
    vae = contract.small_model("vae", conditional=True)
    given = {"sample": 2, "decode": np.zeros((2, 3))}[method]
    with pytest.raises(InvalidArgument, match=f"of `VAE.{method}`"):
        getattr(vae, method)(given, labels=[0, 7])


def test_no_way_where_z_is_not_enough():
    model = contract.small_model("denoising_autoencoder", network="unet")
    with pytest.raises(InvalidArgument, match="skip connections"):
        model.interpolate(X[:1], X[1:2])


def test_the_spherical_path_is_an_arc():
    """Between vectors of one length, that length throughout, at even angles."""
    one, other = np.array([[2.0, 0.0, 0.0]]), np.array([[0.0, 2.0, 0.0]])
    times = np.linspace(0, 1, 7)[:, None]
    z = PATHS["spherical"](one, other, times)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 2.0)
    angles = np.degrees(np.arctan2(z[:, 1], z[:, 0]))
    np.testing.assert_allclose(angles, 15.0 * np.arange(7), atol=1e-9)


@pytest.mark.parametrize("other", [[1.0, 2.0], [3.0, 6.0], [0.0, 0.0]])
def test_where_there_is_no_arc_it_is_straight(other):
    one, times = np.array([[1.0, 2.0]]), np.linspace(0, 1, 5)[:, None]
    z = PATHS["spherical"](one, np.array([other]), times)
    np.testing.assert_allclose(
        z, one + times * (np.array([other]) - one), atol=1e-9
    )


def _hard_pairs(latent_dim):
    """Codes of float32, each with the same, the opposite, 0, and others."""
    rng = np.random.default_rng(latent_dim)
    z1 = rng.normal(size=(400, latent_dim)).astype("float32")
    scale = np.exp(rng.normal(scale=3.0, size=(400, 1))).astype("float32")
    other = rng.normal(size=z1.shape).astype("float32")
    seconds = [z1, -z1, scale * z1, -scale * z1, 0 * z1, scale * other]
    return np.tile(z1, (len(seconds), 1)), np.concatenate(seconds)


@pytest.mark.parametrize("latent_dim", [2, 3, 8])
def test_a_spherical_way_stays_between_its_ends(latent_dim):
    """Its norm is that of float64, it ends right, and turns at even speed."""
    z1, z2 = _hard_pairs(latent_dim)
    steps = 9
    z = between(z1, z2, steps, "spherical")
    assert z.dtype == "float32"
    np.testing.assert_array_equal(z, between(z1, z2, steps, "spherical"))
    z = z.reshape(len(z1), steps, latent_dim).astype("float64")
    norms = [
        np.linalg.norm(each.astype("float64"), axis=1) for each in (z1, z2)
    ]
    times = np.linspace(0.0, 1.0, steps)
    expected = np.outer(norms[0], 1.0 - times) + np.outer(norms[1], times)
    got = np.linalg.norm(z, axis=2)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    np.testing.assert_allclose(z[:, 0], z1, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        z[:, -1], z2, rtol=1e-6, atol=1e-6 * norms[1].max()
    )
    inner = (norms[0] > 0) & (norms[1] > 0)
    unit = z[inner] / got[inner, :, None]
    cosines = np.sum(unit[:, 1:] * unit[:, :-1], axis=2)
    np.testing.assert_allclose(cosines, cosines[:, :1] + 0 * cosines, atol=1e-6)


def test_a_spherical_way_is_that_of_the_formula():
    z1, z2 = np.random.default_rng(0).normal(size=(2, 50, 8))
    z2 *= (np.linalg.norm(z1, axis=1) / np.linalg.norm(z2, axis=1))[:, None]
    product = np.sum(z1 * z2, axis=1) / np.sum(z1**2, axis=1)
    angle = np.arccos(product)[:, None]
    for t in (0.2, 0.7):
        expected = np.sin((1 - t) * angle) * z1 + np.sin(t * angle) * z2
        np.testing.assert_allclose(
            PATHS["spherical"](z1, z2, t), expected / np.sin(angle), rtol=1e-9
        )


def test_in_one_dimension_the_way_between_signs_leads_through_zero():
    z = between(np.array([[2.0]]), np.array([[-2.0]]), 5, "spherical")
    np.testing.assert_allclose(z[[0, 2, 4], 0], [2.0, 0.0, -2.0], atol=1e-9)
    assert np.all(np.diff(z[:, 0]) < 0)


@pytest.mark.parametrize("name", MODELS)
def test_attribute_vector(name):
    model = contract.small_model(name)
    z, has = model.encode(X), Y == 1
    expected = np.mean(z[has], axis=0) - np.mean(z[~has], axis=0)
    got = model.attribute_vector(X, has)
    assert got.shape == (3,)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    np.testing.assert_allclose(
        model.attribute_vector(X, has.astype(int)), expected, atol=1e-6
    )


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("interpolate", (X[:2], X[:2], 1), "steps=1"),
        (
            "interpolate",
            (X[:2], X[:2], 3, "sphere"),
            "did you mean 'spherical'",
        ),
        ("interpolate", (X[:2], X[:3]), "2 pictures"),
        ("interpolate", (X[:2], X[:2, :5]), "shape"),
        ("attribute_vector", (X, np.ones(len(X))), "both kinds"),
        ("attribute_vector", (X, Y), "truth values"),
        ("attribute_vector", (X, Y[:5] == 1), "truth values"),
    ],
)
def test_bad_values_are_refused(method, arguments, message):
    model = contract.small_model("vae")
    with pytest.raises(InvalidArgument) as error:
        getattr(model, method)(*arguments)
    assert message in str(error.value)
