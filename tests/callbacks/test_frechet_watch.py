"""The Frechet distance of samples, now and then, and the best weights."""

import types

import keras
import numpy as np
import pytest

import kgen
from kgen import extractors, metrics
from kgen.callbacks import FrechetWatch, KeepBest
from kgen.callbacks.keep_best import BestSoFar
from kgen.errors import InvalidArgument

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(64, 3)).astype("float32")


class Samples:
    """A model whose samples are its examples, moved by `shift`."""

    conditional, input_shapes = False, [(3,)]
    shift = 0.0

    def labels_in_turn(self, count):
        return None

    def sample(self, count, labels, seed):
        assert (count, seed) == (len(X), 0)
        return X + self.shift


def looks(model, epochs, **options):
    """The logs of all epochs."""
    watch = FrechetWatch(
        X, extractor=extractors.PixelExtractor((3,)), **options
    )
    watch.set_model(model)
    watch.set_params({"epochs": epochs})
    watch.on_train_begin()
    found = [{} for _ in range(epochs)]
    for epoch, logs in enumerate(found):
        watch.on_epoch_end(epoch, logs)
    return found


def test_a_shift_is_its_squared_length():
    """Of features with the same covariance, only the means differ."""
    model = Samples()
    model.shift = np.float32([3.0, 0.0, 4.0])
    (logs,) = looks(model, 1)
    assert logs["val_frechet_distance"] == pytest.approx(25.0, rel=1e-5)
    model.shift = np.inf
    assert looks(model, 1) == [{"val_frechet_distance": np.inf}]


def test_looks_are_few_and_the_last_epoch_has_one():
    found = looks(Samples(), 7, every=3)
    assert [len(logs) for logs in found] == [0, 0, 1, 0, 0, 1, 1]


def test_what_can_not_be_watched():
    model = types.SimpleNamespace(sample=None, input_shapes=[(2,)])
    watch = FrechetWatch(X)
    watch.set_model(model)
    with pytest.raises(InvalidArgument, match=r"examples of shape \(2,\)"):
        watch.on_train_begin()
    watch.set_model(types.SimpleNamespace(input_shapes=[(3,)]))
    with pytest.raises(InvalidArgument, match="a model that samples"):
        watch.on_train_begin()


def test_its_own_features_are_few_where_examples_are():
    assert FrechetWatch(X).extractor.num_features == 16
    assert FrechetWatch(np.repeat(X, 9, 0)).extractor.num_features == 64


def test_features_of_pictures_rank_what_is_wrong_with_them():
    """Of digits: other digits, some noise, more noise, half of the classes."""
    source = kgen.data.open_source("digits")
    examples = kgen.data.examples.subset(source.examples("train"), 1400)
    (x,) = examples.batches(batch_size=1400).as_numpy_iterator()
    y = examples.labels
    real, other = x[:400], x[400:800]
    watch = FrechetWatch(real)
    noise = RNG.normal(size=other.shape)
    blurred = (other + np.roll(other, 1, axis=1)) / 2
    found = [
        watch.distance(np.float32(np.clip(given, 0, 1)))
        for given in (
            other,
            other + 0.1 * noise,
            other + 0.3 * noise,
            blurred,
            x[400:][y[400:] < 5][:400],
        )
    ]
    floor, *worse = found
    assert floor < min(worse) and worse[0] < worse[1]
    assert 1.5 * floor < min(worse[1:])


def test_means_of_waves_tell_modes_that_moments_do_not():
    """Two of four points on a circle have the same mean, and may be widened."""
    angles = np.pi / 2 * RNG.integers(4, size=800)
    four = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    normal = RNG.normal(scale=np.sqrt(0.5), size=(800, 2))
    by_moments = metrics.frechet_distance(four, normal)
    watch = FrechetWatch(np.float32(four[:400]))
    floor = watch.distance(np.float32(four[400:]))
    assert by_moments < 0.05
    assert watch.distance(np.float32(normal)) > 20 * floor


def test_random_features_are_standardised_and_repeatable():
    extractor = extractors.RandomExtractor(X, 5)
    features = extractor.features(X)
    np.testing.assert_allclose(features.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(features.std(axis=0), 1.0, atol=1e-5)
    again = extractors.RandomExtractor(X, 5).features(X)
    np.testing.assert_array_equal(features, again)
    other = extractors.RandomExtractor(X, 5, seed=1).features(X)
    assert not np.allclose(features, other)
    with pytest.raises(InvalidArgument, match="an array of examples"):
        extractors.RandomExtractor(np.zeros(3))


def test_training_goes_on_as_without_a_watch():
    weights = []
    for callbacks in ([], [FrechetWatch(X), KeepBest(restore=False)]):
        keras.utils.set_random_seed(0)
        gan = kgen.create_model(
            "gan", input_shape=(3,), network="dense", hidden_units=[4], seed=0
        )
        gan.compile(run_eagerly=True)
        gan.fit(X, epochs=2, batch_size=32, verbose=0, callbacks=callbacks)
        weights.append(gan.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


# The best


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_so_far(mode):
    """Looks that are equal, worse or NaN are no better."""
    sign = 1 if mode == "min" else -1
    best = BestSoFar(mode, patience=3)
    found = []
    for epoch, value in enumerate([3.0, 2.0, 2.0, np.nan, 2.5, 1.0], 1):
        is_best = best.update(epoch, sign * value)
        found.append((is_best, best.epoch, best.waited, best.is_over))
    assert found == [
        (True, 1, 0, False),
        (True, 2, 0, False),
        (False, 2, 1, False),
        (False, 2, 2, False),
        (False, 2, 3, True),
        (True, 6, 0, False),
    ]
    assert best.value == best.last == sign * 1.0


class Weight:
    """A "model" whose weight is the number of the epoch."""

    stop_training = False

    def get_weights(self):
        return [self.weight]

    def set_weights(self, weights):
        (self.weight,) = weights


def test_a_log_that_never_comes_is_told():
    keep = KeepBest(monitor="val_frechet_distanse")
    keep.on_train_begin()
    keep.on_epoch_end(0, {"val_frechet_distance": 1.0})
    with pytest.warns(UserWarning, match="the log 'val_frechet_distanse'"):
        keep.on_train_end()


@pytest.mark.parametrize("restore", [True, False])
def test_the_best_weights_come_back(restore):
    """Epochs without a look don't count."""
    model, keep = Weight(), KeepBest(patience=2, restore=restore)
    keep.set_model(model)
    keep.on_train_begin()
    for epoch, value in enumerate([5.0, None, 4.0, None, None, 6.0, None, 4.0]):
        model.weight = epoch + 1
        logs = {} if value is None else {"val_frechet_distance": value}
        keep.on_epoch_end(epoch, logs)
        assert model.stop_training == (epoch == 7)
    keep.on_train_end()
    assert (keep.best, keep.best_epoch, keep.weights) == (4.0, 3, [3])
    assert model.weight == (3 if restore else 8)
