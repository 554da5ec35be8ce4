"""What a model refuses of its data, in every form and in every method."""

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument
from kgen.models import batches, graph_checks
from tests.models.contract import CLASSES, X, Y, small_model

NAN = np.where(np.arange(len(X))[:, None, None, None] == 69, np.nan, X)
NAN = NAN.astype("float32")


def stream(*arrays):
    """Batches of 32; what is wrong is in the last one."""
    data = arrays if len(arrays) > 1 else arrays[0]
    return tf.data.Dataset.from_tensor_slices(data).batch(32)


@pytest.fixture(scope="module")
def models():
    """Models by their names, made once: with labels where it says so."""
    made = {}

    def find(name, conditional=False, **options):
        if (name, conditional) not in made:
            made[name, conditional] = small_model(name, conditional, **options)
        return made[name, conditional]

    return find


METHODS = {
    "vae": [
        "predict",
        "evaluate",
        "encode",
        "reconstruct",
        "posterior",
        "elbo",
        "rate_distortion",
        "log_likelihood",
        "importance_sampling",
    ],
    "denoising_autoencoder": ["predict", "evaluate", "encode", "denoise"],
    "gan": ["evaluate", "discriminate"],
}


@pytest.mark.parametrize("name", METHODS)
def test_values_of_every_batch_in_every_method(models, name):
    model = models(name)
    any_range = (
        ("predict", "encode", "denoise") if model.encodes_any_range else ()
    )
    for method in METHODS[name]:
        call = getattr(model, method)
        for wrong in (NAN, *[X * 255.0] * (method not in any_range)):
            for data in (wrong, stream(np.concatenate([X[:32], wrong[-38:]]))):
                with pytest.raises(InvalidArgument) as error:
                    call(data)
                assert "argument `x`" in str(error.value), method
    if any_range:
        assert np.isfinite(model.denoise(X + 2)).all()


def test_what_a_gan_predicts_from(models):
    model = models("gan")
    z = np.full((4, 3), 5.0, "float32")
    assert model.predict(z, verbose=0).shape == (4, 8, 8, 1)
    for wrong in (z * np.nan, stream(np.concatenate([z] * 9 + [z * np.nan]))):
        with pytest.raises(InvalidArgument, match="finite numbers"):
            model.predict(wrong, verbose=0)
    with pytest.raises(InvalidArgument, match=r"shape \(batch, 3\)"):
        model.predict(X, verbose=0)


def test_other_methods(models):
    model = models("vae")
    for call in (
        lambda: model.decode(np.full((2, 3), np.nan)),
        lambda: model.interpolate(X[:2], NAN[-2:]),
        lambda: model.attribute_vector(NAN, Y > 0),
        lambda: model.export("nowhere", examples=NAN),
    ):
        with pytest.raises(InvalidArgument, match="finite numbers"):
            call()


WRONG_LABELS = {
    "too large": (np.where(np.arange(len(Y)) == 69, 77, Y), "from 0 to 2"),
    "negative": (np.where(np.arange(len(Y)) == 69, -1, Y), "from 0 to 2"),
    "floats": (Y + 0.7, "Expected integers"),
}


@pytest.mark.parametrize("name", ["vae", "denoising_autoencoder", "gan"])
def test_labels_of_every_batch(models, name):
    model = models(name, conditional=True)

    def generator(labels):
        yield X[:32], labels[:32]
        yield X[-32:], labels[-32:]

    def calls(labels):
        data = stream(X, labels)
        method = "discriminate" if name == "gan" else "encode"
        yield lambda: model.fit(generator(labels), shuffle=False, verbose=0)
        yield lambda: model.evaluate(data, verbose=0)
        yield lambda: getattr(model, method)(data)

    for labels, message in WRONG_LABELS.values():
        for call in calls(labels):
            with pytest.raises(InvalidArgument) as error:
                call()
            text = str(error.value)
            assert "argument `labels`" in text and message in text
            assert len(text) < 300  # and nothing of TensorFlow's graph


def naive_classifier(input_shape, num_classes):
    """A compiled naive Bayes classifier."""
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=input_shape,
        num_classes=num_classes,
        density="naive_gaussian",
    )
    model.compile()
    return model


def test_labels_of_a_classifier():
    model = naive_classifier((8, 8, 1), CLASSES)
    labels = np.where(np.arange(len(Y)) == 69, 77, Y)
    for call in (
        lambda: model.fit(stream(X, labels), verbose=0),
        lambda: model.evaluate(stream(X, labels), verbose=0),
    ):
        with pytest.raises(InvalidArgument, match="from -1 to 2.*values out"):
            call()
    with pytest.raises(InvalidArgument, match="argument `x`"):
        model.predict(NAN, verbose=0)


def test_an_endless_pydataset(models):
    class Endless(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return X[:8]

    data = Endless(workers=1)
    models("vae").fit(data, steps_per_epoch=2, verbose=0)
    found, _ = batches.some(models("vae"), data, None, 20, 0.0)
    assert len(found) >= 20


def test_labels_from_1(models):
    model = models("vae", conditional=True)
    with pytest.warns(UserWarning, match="Pass `labels - 1`, .* num_classes=2"):
        model.fit(X, 1 + Y % 2, verbose=0)


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_targets_are_refused(models, name):
    model, clean = models(name), X[::-1]
    for call in (
        lambda: model.fit(X, clean, verbose=0),
        lambda: model.fit(stream(X, clean), verbose=0),
        lambda: model.fit(X, clean[..., 0], verbose=0),
        lambda: model.fit(X, validation_data=(X, clean), verbose=0),
        lambda: model.fit(iter_of((X[:32], clean[:32])), verbose=0),
        lambda: model.evaluate(X, clean, verbose=0),
    ):
        with pytest.raises(InvalidArgument, match="takes examples alone"):
            call()


def test_copies_and_labels_are_ignored(models):
    model = models("vae")
    model.fit(X, X, validation_data=(X, X), verbose=0)  # a habit of Keras's
    model.fit(X, Y, verbose=0)


def iter_of(batch):
    """A generator of one batch."""
    yield batch


FORMS = {
    "dictionaries": (
        stream(X).map(lambda x: {"image": x}),
        "Take them out of the dictionaries",
    ),
    "a list": (list(X), "`np.stack(x)`"),
    "channels first": (np.moveaxis(X, -1, 1), "`np.moveaxis(x, 1, -1)`"),
    "no channels": (X[..., 0], r"`x[..., np.newaxis]`"),
    "one": (X[0], r"`x[np.newaxis]`"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "encode"])
def test_forms_of_data(models, form, method):
    data, message = FORMS[form]
    if (form, method) == ("a list", "encode"):
        return  # one array, for NumPy
    with pytest.raises(InvalidArgument) as error:
        getattr(models("vae"), method)(data)
    assert message in str(error.value)


def test_generators_of_wrong_things(models):
    model = models("vae")
    for batch, message in (
        ((X * 255).astype("uint8"), 'astype("float32") / 255'),
        (X[:, :7], "shape (batch, 8, 8, 1)"),
        ({"image": X}, "dictionaries"),
    ):
        with pytest.raises(InvalidArgument) as error:
            model.fit(iter_of((batch,)), verbose=0)
        assert message in str(error.value)


@pytest.mark.parametrize("known", [None, (None, None, None, 1)])
def test_a_dataset_of_unknown_shape(models, known):
    data = tf.data.Dataset.from_generator(
        lambda: iter([X[:32], X[32:64]]),
        output_signature=tf.TensorSpec(known, "float64"),
    ).apply(tf.data.experimental.assert_cardinality(2))
    model = models("vae")
    model.fit(data, validation_data=data, verbose=0)
    np.testing.assert_allclose(
        model.encode(data), model.encode(X[:64]), atol=1e-5
    )
    assert model.predict(data, verbose=0).shape == (64, 8, 8, 1)


@pytest.mark.parametrize(
    "data, shuffled",
    [
        (lambda: [X, Y], True),
        (lambda: (X, Y), True),
        (lambda: stream(X, Y), False),
    ],
    ids=["list", "tuple", "dataset"],
)
def test_what_fit_shuffles(models, monkeypatch, data, shuffled):
    seen = []
    monkeypatch.setattr(
        keras.Model, "fit", lambda *args, **kwargs: seen.append(kwargs)
    )
    models("vae", conditional=True).fit(data())
    assert seen[0]["shuffle"] is shuffled


@pytest.mark.parametrize(
    "support, received",
    [
        (None, "NaN or infinity"),
        ((0.0, 1.0), "values outside this range, or NaN"),
    ],
)
def test_what_a_graph_finds_is_told_in_words(support, received):
    check = tf.function(
        lambda x: graph_checks.check_values(x, support, "VAE.fit")
    )
    with (
        pytest.raises(InvalidArgument, match=f"Received: x={received}$"),
        graph_checks.in_words(),
    ):
        check(tf.constant([0.5, np.nan]))


def test_input_shapes_with_channels_first():
    for shape in ((1, 8, 8), (3, 28, 20)):
        with pytest.raises(InvalidArgument, match=r"`np.moveaxis\(x, 1, -1\)`"):
            kgen.create_model("vae", input_shape=shape)
    kgen.create_model("vae", input_shape=(3, 9, 2), latent_dim=2)


def test_copies_are_the_same_model(models):
    model = models("vae")
    expected = model.encode(X)
    np.testing.assert_array_equal(copy.deepcopy(model).encode(X), expected)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.encode(X), expected)


def test_fit_after_an_error_in_a_callback(models):
    class Fails(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            raise RuntimeError("stop here")

    model = models("vae")
    with pytest.raises(RuntimeError, match="stop here"):
        model.fit(X, validation_data=X, callbacks=[Fails()], verbose=0)
    history = model.fit(X, validation_data=X, epochs=2, verbose=0).history
    assert np.isfinite(history["val_loss"]).all()
    assert model.fit(X, epochs=0, verbose=0).history == {}


def test_a_count_over_all_steps():
    """All of the data, or all that `validation_split` leaves for training."""
    x, y = np.eye(10, dtype="float32"), np.arange(10) % 2
    model = naive_classifier((10,), 2)
    options = {"batch_size": 2, "verbose": 0}
    model.fit(x, y, steps_per_epoch=5, **options)
    model.fit(x, y, steps_per_epoch=4, validation_split=0.2, **options)
    with pytest.raises(InvalidArgument, match="None, or the 4 steps"):
        model.fit(x, y, steps_per_epoch=5, validation_split=0.2, **options)


def test_labels_in_lists_and_columns():
    """They train as the same labels in an array do."""
    pandas = pytest.importorskip("pandas")
    x, y = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
    results = []
    for labels in (y, y.tolist(), pandas.Series(y)):
        model = naive_classifier((4,), 2)
        model.fit(x, labels, validation_data=(x, labels), verbose=0)
        results.append(model.log_joint(x))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_double_precision_is_refused():
    keras.config.set_floatx("float64")
    try:
        with pytest.raises(InvalidArgument, match="set_floatx"):
            kgen.create_model("vae", input_shape=(4,), network="dense")
    finally:
        keras.config.set_floatx("float32")
