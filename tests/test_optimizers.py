import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen import optimizers
from kgen.errors import InvalidArgument


def trajectory(optimizer, steps=5):
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(rng.normal(size=shape).astype("float32"))
        for shape in ((4, 3), (3,))
    ]
    optimizer.build(variables)

    @tf.function
    def step(gradients):
        optimizer.apply(gradients, variables)

    for _ in range(steps):
        step(
            [
                tf.constant(rng.normal(size=v.shape), "float32")
                for v in variables
            ]
        )
    return [v.numpy() for v in variables], [
        v.numpy() for v in optimizer.variables
    ]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 0.3, "beta_1": 0.5, "epsilon": 1e-3},
        {"weight_decay": 0.1, "clipnorm": 0.5},
        {"amsgrad": True},
        {"use_ema": True, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 10)},
    ],
    ids=[
        "plain",
        "fast",
        "decay",
        "amsgrad",
        "ema",
        "accumulation",
        "schedule",
    ],
)
def test_the_fused_adam_is_keras_adam(options):
    ours = trajectory(optimizers.Adam(**options))
    keras_own = trajectory(keras.optimizers.Adam(**options))
    for mine, theirs in zip(ours, keras_own):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=5e-6)


def test_golden_trajectory():
    """Kingma & Ba, algorithm 1: the first steps are the learning rate."""
    variable = keras.Variable([1.0, -1.0])
    optimizer = optimizers.Adam(0.1, epsilon=0.0)
    optimizer.build([variable])
    optimizer.apply([tf.constant([0.5, -20.0])], [variable])
    np.testing.assert_allclose(variable.numpy(), [0.9, -0.9], rtol=1e-5)


def test_sparse_gradients_are_left_to_keras():
    variable = keras.Variable(np.zeros((4, 2), "float32"))
    optimizer = optimizers.Adam(0.1)
    optimizer.build([variable])
    gradient = tf.IndexedSlices(tf.ones((1, 2)), [1], (4, 2))
    optimizer.apply([gradient], [variable])
    np.testing.assert_allclose(
        variable.numpy()[:, 0], [0, -0.1, 0, 0], atol=1e-5
    )


def test_names():
    assert isinstance(optimizers.get("adam"), optimizers.Adam)
    tuned = optimizers.get("adam:0.0005")
    assert float(tuned.learning_rate) == pytest.approx(0.0005)
    assert isinstance(optimizers.get("sgd"), keras.optimizers.SGD)
    own = keras.optimizers.Adam()
    assert optimizers.get(own) is own


def test_adams_betas_may_follow_its_rate():
    tuned = optimizers.get("adam:0.0002:0.5:0.9")
    assert tuned.get_config()["beta_1"] == 0.5
    assert tuned.get_config()["beta_2"] == 0.9
    assert float(tuned.learning_rate) == pytest.approx(0.0002)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adam:0.1:1.0", "betas below 1"),
        ("adam:0.1:0.5:0.9:0", "LEARNING_RATE"),
        ("sgd:0.1:0.9", "LEARNING_RATE"),
        ("adam:-1", "at least 0"),
        ("adam:fast", "optimizer"),
    ],
)
def test_bad_names(name, message):
    with pytest.raises(InvalidArgument, match=message):
        optimizers.get(name)
