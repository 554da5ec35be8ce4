"""Wrong requests get an error from the signature."""

import numpy as np
import pytest

import kgen
from kgen.errors import InvalidArgument
from tests.export.server import Model
from tests.models import contract

X = contract.X[:4]
Z = np.zeros((4, 3), "float32")
LABELS = np.array([0, 1, 2, 0], "int32")


def integer(value):
    return np.int32(value)


@pytest.fixture(scope="module")
def vae(server, tmp_path_factory):
    """Conditional, so that there are labels to get wrong."""
    model = contract.small_model("vae", conditional=True)
    path = tmp_path_factory.mktemp("vae") / "1"
    model.export(path, max_examples=50)
    return Model(server, path)


def request(signature, **changes):
    """A right request with something changed."""
    right = {
        "serving_default": {"images": X, "labels": LABELS},
        "encode": {"images": X, "labels": LABELS},
        "decode": {"z": Z, "labels": LABELS},
        "sample": {
            "num_samples": integer(4),
            "seed": integer(0),
            "labels": LABELS,
        },
    }[signature]
    return {**right, **changes}


def samples(count, given=None):
    labels = np.zeros(count if given is None else given, "int32")
    return {"num_samples": integer(count), "labels": labels}


SHAPE = "`images`: expected the shape batch x 8 x 8 x 1"
RANGE = "`images`: expected finite numbers in [0, 1]"
LABEL = "`labels`: expected integers from 0 to 2"
WRONG = {
    "rows missing": ("encode", {"images": X[:, :7]}, SHAPE),
    "as many numbers": ("encode", {"images": X.reshape(4, 4, 16, 1)}, SHAPE),
    "more examples": ("encode", {"images": X.reshape(2, 16, 8, 1)}, SHAPE),
    "no channels": ("encode", {"images": X[..., 0]}, SHAPE),
    "no batch": ("encode", {"images": X[0]}, SHAPE),
    "NaN": ("serving_default", {"images": X * np.nan}, RANGE),
    "infinity": ("serving_default", {"images": X + np.inf}, RANGE),
    "above 1": ("serving_default", {"images": X * 255}, RANGE),
    "below 0": ("encode", {"images": X - 1}, RANGE),
    "one NaN": (
        "encode",
        {"images": np.where(X.max() > X, X, np.float32("nan"))},
        RANGE,
    ),
    "bytes": ("encode", {"images": (X * 255).astype("uint8")}, "float"),
    "doubles": ("encode", {"images": X.astype("float64")}, "float"),
    "none": (
        "encode",
        {"images": X[:0], "labels": LABELS[:0]},
        "`images`: expected 1 to 50 examples",
    ),
    "many": (
        "encode",
        {"images": np.zeros((51, 8, 8, 1), "float32")},
        "`images`: expected 1 to 50 examples",
    ),
    "many codes": (
        "decode",
        {"z": np.zeros((10**6, 3), "float32")},
        "`z`: expected 1 to 50 examples",
    ),
    "size of z": ("decode", {"z": Z[:, :2]}, "expected the shape batch x 3"),
    "NaN in z": ("decode", {"z": Z * np.nan}, "`z`: expected finite numbers"),
    "infinite z": ("decode", {"z": Z - np.inf}, "expected finite numbers"),
    "few labels": (
        "encode",
        {"labels": LABELS[:3]},
        "`labels`: expected as many as `images`",
    ),
    "one label": (
        "decode",
        {"labels": LABELS[:1]},
        "`labels`: expected as many as `z`",
    ),
    "no such label": ("decode", {"labels": LABELS + 1}, LABEL),
    "negative label": ("encode", {"labels": LABELS - 1}, LABEL),
    "label a float": ("encode", {"labels": LABELS + 0.0}, "int32"),
    "label of the batch": ("encode", {"labels": LABELS[:, None]}, "labels"),
    "no samples": ("sample", samples(0, 1), "expected 1 to 50"),
    "negative samples": ("sample", samples(-1, 1), "expected 1 to 50"),
    "a sample too many": ("sample", samples(51), "expected 1 to 50"),
    "a billion": (
        "sample",
        samples(10**9, 1),
        "`num_samples`: expected 1 to 50",
    ),
    "labels for others": (
        "sample",
        samples(4, 5),
        "`labels`: expected as many as `num_samples`",
    ),
    "samples a vector": ("sample", {"num_samples": np.int32([4])}, "shape"),
    "samples a float": ("sample", {"num_samples": np.float32(4)}, "int32"),
    "negative seed": (
        "sample",
        {"seed": integer(-1)},
        "`seed`: expected an integer from 0",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_gets_an_error(vae, case):
    signature, changes, message = WRONG[case]
    with pytest.raises(RuntimeError) as error:
        vae(signature, **request(signature, **changes))
    assert message in str(error.value)


@pytest.mark.parametrize(
    "signature", ["serving_default", "encode", "decode", "sample"]
)
def test_right_requests_get_none(vae, signature):
    """Also with the least and most that there may be, and after errors."""
    for value in vae(signature, **request(signature)).values():
        assert len(value) == 4 and np.isfinite(value).all()
    bounds = np.stack([np.zeros_like(X[0]), np.ones_like(X[0])])
    vae("encode", images=bounds, labels=LABELS[:2])
    vae("sample", **request("sample", **samples(50)))
    vae("sample", **request("sample", seed=integer(2**31 - 1)))


def test_what_is_missing_is_named(vae):
    with pytest.raises(RuntimeError, match="encode_labels"):
        vae("encode", images=X)


def test_a_denoiser_takes_any_finite_number(server, tmp_path):
    model = contract.small_model("denoising_autoencoder")
    model.export(tmp_path / "1")
    served = Model(server, tmp_path / "1")
    noisy = 3 * X - 1
    found = served("denoise", images=noisy)["images"]
    np.testing.assert_allclose(found, model.denoise(noisy), atol=1e-5)
    with pytest.raises(RuntimeError, match="`images`: expected finite numbers"):
        served("denoise", images=X * np.nan)


def test_a_class_that_the_prior_rules_out(server, tmp_path):
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(8, 8, 1),
        num_classes=4,
        density="naive_gaussian",
    )
    model.compile()
    model.fit(contract.X, contract.Y, verbose=0)  # of 3 classes
    model.export(tmp_path / "1")
    served = Model(server, tmp_path / "1")
    given = {"num_samples": integer(2), "seed": integer(0)}
    labels = np.array([1, 3], "int32")
    with pytest.raises(RuntimeError, match="that the prior allows for"):
        served("sample", **given, labels=labels)
    served("sample", **given, labels=labels - 1)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, 2**31])
def test_the_limit_is_a_positive_int32(tmp_path, value):
    model = contract.small_model("vae")
    with pytest.raises(InvalidArgument, match="max_examples"):
        model.export(tmp_path / "1", max_examples=value)
    assert not (tmp_path / "1").exists()
