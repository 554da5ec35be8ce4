"""The parts of a batch, of its draws and of its means make up the whole."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen.parallel import replicas

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def figures(x, seed):
    """What a step may ask for, of x in one piece or in parts."""
    mean = replicas.mean(tf.square(x), axis=0)
    return {
        "share": replicas.share() * tf.ones(1),
        "examples": replicas.num_examples(x)[None],
        "examples of their own": replicas.without_padding(x),
        "total": replicas.all_sum(tf.reduce_sum(replicas.without_padding(x)))[
            None
        ],
        "mean": mean,
        "std": replicas.std(x)[None],
        "normal": replicas.without_padding(
            replicas.normal(keras.ops.shape(x), seed)
        ),
        "several": tf.transpose(
            replicas.normal((3, keras.ops.shape(x)[0], 2), seed, axis=1),
            (1, 0, 2),
        )[: replicas.num_examples(x)],
        "rows of their own": replicas.without_padding(tf.repeat(x, 2, axis=0)),
        "uniform": replicas.without_padding(
            replicas.uniform((keras.ops.shape(x)[0], 2), seed, 3, 5)
        ),
    }


@replicas.step
def step(seed, x):
    return figures(x, seed)


def everywhere(strategy, function, model, parts):
    """`function(model, part)` on each replica, in one graph."""
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
    run = tf.function(
        lambda x: strategy.run(function, (model, x)), autograph=False
    )
    return run(parts)


def run(strategy, sizes):
    """Each replica's figures, for parts of these sizes."""
    with strategy.scope():
        seed = keras.random.SeedGenerator(1)
    parts = np.split(X[: sum(sizes)], sizes[:1])
    found = everywhere(strategy, step, seed, parts)
    return {
        name: [part.numpy() for part in strategy.experimental_local_results(v)]
        for name, v in found.items()
    }


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2), (1, 0)])
def test_parts_make_up_the_whole(strategy, sizes):
    x = X[: sum(sizes)]
    whole = figures(tf.constant(x), keras.random.SeedGenerator(1))
    found = run(strategy, sizes)
    np.testing.assert_allclose(
        np.ravel(found["share"]), np.divide(sizes, sum(sizes))
    )
    np.testing.assert_array_equal(np.ravel(found["examples"]), sizes)
    for name in (
        "examples of their own",
        "rows of their own",
        "normal",
        "several",
        "uniform",
    ):  # in parts
        np.testing.assert_array_equal(
            np.concatenate(found[name]), whole[name], err_msg=name
        )
    for name in ("total", "mean", "std"):  # by all
        for value in found[name]:
            np.testing.assert_allclose(
                value, whole[name], rtol=1e-5, err_msg=name
            )


def test_a_mean_of_all_is_differentiated(strategy):
    """The gradient of `mean(x w)^2` by w, as one device has it."""
    with strategy.scope():
        weight = tf.Variable(2.0)

    @replicas.step
    def step(_, x):
        with tf.GradientTape() as tape:
            loss = replicas.mean(x * weight) ** 2 * replicas.share()
        return replicas.all_sum(tape.gradient(loss, weight))

    found = everywhere(strategy, step, None, [[1.0, 2.0], [6.0]])
    for value in strategy.experimental_local_results(found):
        np.testing.assert_allclose(value, 2 * 2.0 * 3.0**2)
