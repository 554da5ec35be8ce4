"""What holds for every model; `check_model` runs it all.

A new model's test gives a function that builds it compiled, for 8x8x1 pictures:
`build(conditional=False)`. One of its networks goes through `check_model`, the
others through `check_network`, which leaves out what does not depend on them.
"""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument
from tests.export.agreement import check_agreement
from tests.export.server import Model

EXAMPLES, CLASSES = 70, 3
# For `compile`, where tracing would take longer than the few steps.
EAGERLY = {"run_eagerly": True, "steps_per_execution": 1}
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
    options.setdefault("latent_dim", 3)
    model = kgen.create_model(
        name,
        input_shape=(8, 8, 1),
        network=network,
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


def variables_of(model):
    """All that training changes: weights, optimizers, random streams."""
    optimizers = [
        value
        for value in vars(model).values()
        if isinstance(value, keras.optimizers.Optimizer)
    ]
    return model.variables + [
        variable for optimizer in optimizers for variable in optimizer.variables
    ]


def state(model):
    """The values of all that training changes."""
    return [np.array(variable.numpy()) for variable in variables_of(model)]


@contextlib.contextmanager
def put_back(model):
    """Afterwards the model is as it was, so that it can be trained anew.

    What it has traced stays, which is what takes the time of a training here.
    """
    before = state(model)
    yield
    for variable, value in zip(variables_of(model), before, strict=True):
        variable.assign(value)


def assert_same(ours, theirs):
    """Two states, bit for bit."""
    for mine, other_value in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other_value)


def assert_same_state(one, other):
    """The states of two models, bit for bit."""
    assert_same(state(one), state(other))


def seeded(build, **kwargs):
    """A model whose weights and random streams depend on nothing before."""
    keras.utils.set_random_seed(1)
    return build(**kwargs)


def check_model(build, tmp_path, server):
    """Runs the whole contract, on pairs for a model that takes labels.

    Args:
        build: Function that returns a compiled model.
        tmp_path: An empty directory.
        server: The fixture of that name.
    """
    model = check_network(build, tmp_path)
    assert_same_state(seeded(build), seeded(build))
    check_determinism(model)
    check_data_forms(model)
    check_export(model, tmp_path, server)


def check_network(build, tmp_path):
    """Runs what may differ between networks; returns the model, trained."""
    model = seeded(build)
    check_config_round_trip(model)
    with put_back(model):
        check_training_moves_all_weights(model)
    check_save_and_resume(model, tmp_path)
    return model


def check_config_round_trip(model):
    copy = type(model).from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    assert [v.shape for v in copy.weights] == [v.shape for v in model.weights]


def check_training_moves_all_weights(model):
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


def check_data_forms(model):
    """An array, a dataset, pairs and a PyDataset give the same training."""
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
    ends = []
    for data in pairs if model.conditional else without + pairs:
        with put_back(model):
            model.fit(**data, shuffle=False, verbose=0)
            ends.append(state(model))
    for end in ends[1:]:
        assert_same(ends[0], end)


def check_determinism(model):
    """Nothing is random that is not part of the state."""
    ends = []
    for _ in range(2):
        with put_back(model):
            model.fit(dataset(model.conditional), epochs=2, verbose=0)
            ends.append(state(model))
    assert_same(*ends)


def check_save_and_resume(model, tmp_path):
    """2 + 2 epochs through a file are 4 epochs, bit for bit."""
    data = dataset(model.conditional)
    with put_back(model):
        model.fit(data, epochs=4, verbose=0)
        whole = state(model)
    model.fit(data, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    keras.utils.set_random_seed(99)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    _, x = inputs_of(model)
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0)
    )
    assert_same_state(model, loaded)
    loaded.fit(data, initial_epoch=2, epochs=4, verbose=0)
    assert_same(whole, state(loaded))


def check_export(model, tmp_path, server):
    """All signatures, in a process without kgen, are the model's methods."""
    model.export(tmp_path / "export" / "1")
    check_agreement(
        model, Model(server, tmp_path / "export" / "1"), batches=(5,)
    )


def check_labels(build, tmp_path, server):
    """A conditional model trains on pairs and refuses what has none."""
    model = build(conditional=True)
    history = model.fit(dataset(conditional=True), epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    model.fit(X, Y, verbose=0)
    _, (x, y) = inputs_of(model, conditional=True)
    for inputs in ([x, y], tf.data.Dataset.from_tensors((x, y))):
        assert model.predict(inputs, verbose=0).shape == X.shape
    check_export(model, tmp_path, server)


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
    """Finite logs, and outputs in float32; float16, which scales losses, traced."""
    keras.config.set_dtype_policy(policy)
    try:
        model = build()
        model.run_eagerly = policy == "mixed_bfloat16"
        data = dataset(model.conditional).take(2)
        history = model.fit(
            data, epochs=2, validation_data=data, verbose=0
        ).history
        for name, values in history.items():
            assert np.isfinite(values).all(), name
        assert model.predict(inputs_of(model)[1], verbose=0).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")
