"""The Keras metrics against the functions of the same names."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen import metrics
from kgen.errors import InvalidArgument

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(size=(2, 50, 12, 13, 2)).astype("float32")
BATCHES = np.split(np.arange(50), [7, 8, 40])


@keras.saving.register_keras_serializable(package="test")
def corner(x):
    """Features that tell what they are of."""
    return tf.reshape(x[:, :2, :2], (-1, 8))


def ratio(real, fake):
    return metrics.sharpness(fake).mean() / metrics.sharpness(real).mean()


def corner_distance(real, fake):
    return metrics.frechet_distance(corner(real), corner(fake))


CASES = {
    "psnr": (metrics.PSNR, lambda x, y: metrics.psnr(y, x).mean()),
    "ssim": (metrics.SSIM, lambda x, y: metrics.ssim(y, x).mean()),
    "sharpness_ratio": (metrics.SharpnessRatio, ratio),
    "frechet_distance": (
        lambda **options: metrics.FrechetDistance(corner, **options),
        corner_distance,
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("in_graph", [False, True])
def test_batches_give_what_the_function_gives(name, in_graph):
    build, function = CASES[name]
    metric = build()
    assert metric.name == name
    update = (
        tf.function(metric.update_state) if in_graph else metric.update_state
    )
    for _ in range(2):  # once more after a reset
        for part in BATCHES:
            update(tf.constant(X[part]), tf.constant(Y[part]))
        expected = pytest.approx(function(X, Y), rel=1e-5)
        assert float(metric.result()) == expected
        assert float(tf.function(metric.result)()) == expected
        metric.reset_state()
    assert float(metric.result()) == 0.0


def model_with(*found):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(X.shape[1:]),
            keras.layers.Conv2D(2, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile("adam", "mse", metrics=list(found), steps_per_execution=2)
    return model


@pytest.fixture(scope="module")
def trained():
    """A model that was compiled with all metrics, and its history."""
    model = model_with(*(build() for build, _ in CASES.values()))
    history = model.fit(
        X, X, validation_data=(X, X), batch_size=20, epochs=2, verbose=0
    )
    return model, history.history


def test_in_any_model_s_compile(trained):
    model, history = trained
    output = model.predict(X, verbose=0)
    for name, (_, function) in CASES.items():
        expected = pytest.approx(function(X, output), rel=1e-4)
        assert history[f"val_{name}"][-1] == expected
        assert len(history[name]) == 2


def test_a_saved_model_has_them_again(trained, tmp_path):
    model, _ = trained
    before = model.evaluate(X, Y, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    after = loaded.evaluate(X, Y, verbose=0, return_dict=True)
    assert after == pytest.approx(before)
    assert set(CASES) < set(after)


@pytest.mark.parametrize("name", CASES)
def test_configs(name):
    metric = CASES[name][0](name="other", dtype="float32")
    config = keras.saving.serialize_keras_object(metric)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert again.name == "other"


def test_pixels_are_features_without_an_extractor():
    x, y = X[:, :2, :2, :1], Y[:, :2, :2, :1]
    metric = metrics.FrechetDistance()
    metric.update_state(x, y)
    expected = metrics.frechet_distance(x.reshape(-1, 4), y.reshape(-1, 4))
    assert float(metric.result()) == pytest.approx(expected)


def network():
    return keras.Sequential(
        [
            keras.Input(X.shape[1:]),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )


def test_a_model_as_extractor(tmp_path):
    """Its weights are saved with the model that is trained, and not trained."""
    extractor = network()
    weights = [w.copy() for w in extractor.get_weights()]
    model = model_with(metrics.FrechetDistance(extractor))
    assert len(model.trainable_variables) == 2
    model.fit(X, Y, verbose=0)
    for before, after in zip(weights, extractor.get_weights()):
        np.testing.assert_array_equal(before, after)
    expected = model.evaluate(X, Y, verbose=0, return_dict=True)
    real, fake = (
        extractor.predict(x, verbose=0)
        for x in (Y, model.predict(X, verbose=0))
    )
    assert expected["frechet_distance"] == pytest.approx(
        metrics.frechet_distance(real, fake), rel=1e-4
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.evaluate(X, Y, verbose=0, return_dict=True)
    assert again == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_rank_deficient_features_with_a_large_mean(offset):
    x = RNG.normal(size=(60, 3)) @ RNG.normal(size=(3, 12)) + offset
    x = np.hstack([x, x, np.ones((60, 4))]).astype("float32")
    y = (x + np.float32(0.5))[:40]
    metric = metrics.FrechetDistance()
    for part in np.split(np.arange(40), 4):
        metric.update_state(x[part], y[part])
    metric.update_state(x[40:], y[:0])
    expected = metrics.frechet_distance(x, y)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-4)


def test_sums_are_in_float64_and_in_mixed_precision():
    metric = metrics.FrechetDistance(corner, dtype="float32")
    metric.update_state(X, tf.cast(Y, "float16"))
    assert {v.dtype for v in metric.variables} == {"float64"}
    assert float(metric.result()) == pytest.approx(
        corner_distance(X, Y.astype("float16")), rel=1e-5
    )
    for build in (metrics.PSNR, metrics.SSIM, metrics.SharpnessRatio):
        one, other = build(), build()
        one.update_state(X, tf.cast(Y, "float16"))
        other.update_state(X, Y)
        assert float(one.result()) == pytest.approx(
            float(other.result()), rel=1e-2
        )


def test_nan_is_a_nan_in_the_logs():
    metric = metrics.FrechetDistance(corner)
    metric.update_state(X, Y + np.float32("nan"))
    assert np.isnan(metric.result())
    metric.reset_state()
    metric.update_state(X[:1], X[:1])
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("name", ["sharpness_ratio", "frechet_distance"])
def test_what_takes_no_weights(name):
    with pytest.raises(InvalidArgument, match="`sample_weight`"):
        CASES[name][0]().update_state(X, Y, np.ones(50))


def test_equal_pictures():
    metric = metrics.PSNR()
    metric.update_state(X, X)
    assert np.isinf(metric.result())


@pytest.mark.parametrize("name", ["sharpness_ratio", "frechet_distance"])
def test_sums_of_replicas_add_up(name):
    """Keras sums a metric's variables over replicas, whatever they hold."""
    build, function = CASES[name]
    whole, *replicas = (build() for _ in range(3))
    whole.update_state(X[:2], X[:2])  # to have its variables
    for metric, part in zip(replicas, np.split(np.arange(50), [9])):
        metric.update_state(X[part], Y[part])
    for variable, *parts in zip(
        whole.variables, *(metric.variables for metric in replicas)
    ):
        variable.assign(sum(part.numpy() for part in parts))
    assert float(whole.result()) == pytest.approx(function(X, Y), rel=1e-5)


@pytest.mark.parametrize(
    ("metric", "x", "message"),
    [
        (metrics.SSIM(), X[:, :10], "both sides 11"),
        (metrics.SSIM(), X[..., 0], "(n, height, width, channels)"),
        (metrics.SharpnessRatio(), X[:, :2], "both sides 3"),
        (metrics.FrechetDistance(lambda x: x), X, "(n, d)"),
    ],
)
def test_bad_input(metric, x, message):
    with pytest.raises(InvalidArgument) as error:
        metric.update_state(x, x)
    assert message in str(error.value)
