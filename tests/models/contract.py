"""What holds for every model; `check_model` runs it all.

A new model's test gives a function that builds it compiled, for 8x8x1 pictures:
`build(conditional=False)`.
"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument

EXAMPLES, CLASSES = 70, 3
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(EXAMPLES, 8, 8, 1)).astype("float32")
Y = RNG.integers(0, CLASSES, size=EXAMPLES).astype("int32")


class Batches(keras.utils.PyDataset):
    """70 examples in batches of 32, the last one ragged."""

    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return 3

    def __getitem__(self, number):
        part = slice(32 * number, 32 * (number + 1))
        batch = tuple(array[part] for array in self.arrays)
        return batch if len(batch) > 1 else batch[0]


def small_model(
    name,
    conditional=False,
    network="dense",
    optimizer="adam",
    training=(),
    **options,
):
    """A compiled model of few weights; `training` is for `compile`."""
    if network == "dense":
        options.setdefault("hidden_units", (16,))
    else:
        options.setdefault("filters", 4)
    model = kgen.create_model(
        name,
        input_shape=(8, 8, 1),
        network=network,
        latent_dim=3,
        num_classes=CLASSES if conditional else None,
        **options,
    )
    model.compile(optimizer=optimizer, **dict(training))
    return model


def dataset(conditional=False):
    """The same, as a `tf.data.Dataset`."""
    data = (X, Y) if conditional else X
    return tf.data.Dataset.from_tensor_slices(data).batch(32)


def inputs_of(model, conditional=False):
    """What `predict` takes, by the name of the exported input: x or z."""
    name = model.endpoints()["serving_default"][1][0].name
    shape = (EXAMPLES, getattr(model, "latent_dim", 1))
    z = np.random.default_rng(1).normal(size=shape).astype("float32")
    x = {"images": X, "z": z}[name]
    return name, [x, Y] if conditional else x


def state(model):
    """All that training changes: weights, optimizers, random streams."""
    optimizers = [
        value
        for value in vars(model).values()
        if isinstance(value, keras.optimizers.Optimizer)
    ]
    variables = model.variables + [
        variable for optimizer in optimizers for variable in optimizer.variables
    ]
    return [variable.numpy() for variable in variables]


def assert_same_state(one, other):
    """Bit for bit."""
    ours, theirs = state(one), state(other)
    assert len(ours) == len(theirs)
    for mine, other_value in zip(ours, theirs):
        np.testing.assert_array_equal(mine, other_value)


def seeded(build, **kwargs):
    """A model whose weights and random streams depend on nothing before."""
    keras.utils.set_random_seed(1)
    return build(**kwargs)


def check_model(build, tmp_path):
    """Runs the whole contract, on pairs for a model that takes labels."""
    check_config_round_trip(build)
    check_training_moves_all_weights(build)
    check_data_forms(build)
    check_determinism(build)
    check_save_and_resume(build, tmp_path)
    check_export(build, tmp_path)


def check_config_round_trip(build):
    model = build()
    copy = type(model).from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    assert [v.shape for v in copy.weights] == [v.shape for v in model.weights]


def check_training_moves_all_weights(build):
    model = build()
    before = [v.numpy() for v in model.trainable_variables]
    data = dataset(model.conditional)
    history = model.fit(data, validation_data=data, epochs=2, verbose=0).history
    assert model.trainable_variables
    for old, variable in zip(before, model.trainable_variables):
        assert not np.array_equal(old, variable.numpy()), variable.path
    for name, values in history.items():
        assert np.isfinite(values).all(), name
    names = {name for name in history if not name.startswith("val_")}
    assert {f"val_{name}" for name in names} <= set(history)
    assert "loss" in names


def check_data_forms(build):
    """An array, a dataset, pairs and a PyDataset give the same training."""
    trained = []
    without = [
        {"x": X, "batch_size": 32},
        {"x": dataset()},
        {"x": Batches(X)},
    ]
    pairs = [
        {"x": X, "y": Y, "batch_size": 32},
        {"x": dataset(conditional=True)},
        {"x": Batches(X, Y)},
    ]
    for data in pairs if build().conditional else without + pairs:
        model = seeded(build)
        model.fit(**data, shuffle=False, verbose=0)
        trained.append(model)
    for model in trained[1:]:
        assert_same_state(trained[0], model)


def check_determinism(build):
    models = [seeded(build) for _ in range(2)]
    for model in models:
        model.fit(dataset(model.conditional), epochs=2, verbose=0)
    assert_same_state(*models)


def check_save_and_resume(build, tmp_path):
    """2 + 2 epochs through a file are 4 epochs, bit for bit."""
    whole, half = seeded(build), seeded(build)
    data = dataset(whole.conditional)
    whole.fit(data, epochs=4, verbose=0)
    half.fit(data, epochs=2, verbose=0)
    half.save(tmp_path / "model.keras")
    keras.utils.set_random_seed(99)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    _, x = inputs_of(half)
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), half.predict(x, verbose=0)
    )
    assert_same_state(half, loaded)
    loaded.fit(data, initial_epoch=2, epochs=4, verbose=0)
    assert_same_state(whole, loaded)


SERVE = """
import sys
import numpy as np
import tensorflow as tf

signature = tf.saved_model.load(sys.argv[1]).signatures[sys.argv[2]]
with np.load(sys.argv[3]) as inputs:
    outputs = signature(**{key: tf.constant(inputs[key]) for key in inputs})
assert "kgen" not in sys.modules
np.savez(sys.argv[4], **outputs)
"""


def serve(export, signature, inputs, tmp_path):
    """Runs an exported signature in a process without kgen."""
    given, got = tmp_path / "inputs.npz", tmp_path / "outputs.npz"
    np.savez(given, **inputs)
    subprocess.run(
        [sys.executable, "-c", SERVE, export, signature, given, got],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
    )
    with np.load(got) as outputs:
        return dict(outputs)


def check_export(build, tmp_path):
    model = build()
    model.export(tmp_path / "export" / "1")
    name, x = inputs_of(model)
    served = serve(
        tmp_path / "export" / "1", "serving_default", {name: x}, tmp_path
    )
    (output,) = served.values()
    np.testing.assert_allclose(output, model.predict(x, verbose=0), atol=1e-5)


def check_labels(build):
    """A conditional model trains on pairs and refuses what has none."""
    model = build(conditional=True)
    history = model.fit(dataset(conditional=True), epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    model.fit(X, Y, verbose=0)
    _, (x, y) = inputs_of(model, conditional=True)
    for inputs in ([x, y], tf.data.Dataset.from_tensors((x, y))):
        assert model.predict(inputs, verbose=0).shape == X.shape


WRONG = {
    "above 1": (X * 2, "values in [0, 1]"),
    "NaN": (np.full_like(X, np.nan), "finite numbers"),
    "integers": ((X * 255).astype("uint8"), 'astype("float32") / 255'),
    "rank": (X[..., 0], "shape (batch, 8, 8, 1)"),
    "size": (X[:, :7], "shape (batch, 8, 8, 1)"),
    "empty": (X[:0], "at least one example"),
}


def check_bad_data(build):
    """Refused before training: as an array, a dataset, validation data."""
    model = build()
    for x, message in WRONG.values():
        y = Y[: len(x)] if model.conditional else None
        pair = x if y is None else (x, y)
        stream = tf.data.Dataset.from_tensor_slices(pair).batch(32)
        right = {"x": X, "y": Y if model.conditional else None}
        for data in (
            {"x": x, "y": y},
            {"x": stream},
            {**right, "validation_data": stream},
        ):
            with pytest.raises(InvalidArgument) as error:
                model.fit(**data, verbose=0)
            assert message in str(error.value)
    assert int(model.optimizer.iterations) == 0


def check_mixed_precision(build, policy):
    """Finite logs, and outputs in float32."""
    keras.config.set_dtype_policy(policy)
    try:
        model = build()
        data = dataset(model.conditional)
        history = model.fit(
            data, epochs=2, validation_data=data, verbose=0
        ).history
        for name, values in history.items():
            assert np.isfinite(values).all(), name
        assert model.predict(inputs_of(model)[1], verbose=0).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")
