import copy

import keras
import keras_tuner
import numpy as np
import pytest

import kgen
from kgen.callbacks import Evaluation
from kgen.errors import InvalidArgument
from kgen.evaluation import METRICS
from tests import quick
from tests.evaluation.common import Halves, pictures
from tests.models import contract

MODELS = quick.Models()


def small_model(kind):
    """A model as it is before training, traced once for all tests."""
    return MODELS.get(
        kind, lambda: contract.seeded(contract.small_model, name=kind)
    )


def judge(names=("frechet_distance",), **options):
    return Evaluation(
        list(names),
        pictures(100, 1),
        **{"extractor": Halves(), "num_samples": 100, **options},
    )


def test_figures_are_in_the_logs_and_stay_between():
    model = small_model("gan")
    logs = model.fit(
        contract.X, epochs=7, verbose=0, callbacks=[judge(every=3)]
    ).history["val_frechet_distance"]
    assert logs[:2] == [np.inf, np.inf]
    assert logs[2] == logs[3] == logs[4] != logs[5]
    assert logs[6] != logs[5]  # the last epoch has figures of its own


def test_other_callbacks_see_them(tmp_path):
    model = small_model("gan")
    stop = keras.callbacks.EarlyStopping(
        "val_frechet_distance", min_delta=1e9, patience=2, mode="min"
    )
    keep = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras",
        "val_frechet_distance",
        mode="min",
        save_best_only=True,
    )
    history = model.fit(
        contract.X, epochs=9, verbose=0, callbacks=[judge(), stop, keep]
    ).history
    assert len(history["loss"]) == 3
    assert (tmp_path / "best.keras").exists()
    assert keep.best == min(history["val_frechet_distance"])


def test_keras_tuner_searches_by_them(tmp_path):
    images = pictures(40, 1).images
    tuner = keras_tuner.RandomSearch(
        kgen.hypermodels.GAN(
            images.shape[1:],
            {"latent_dim": {"values": [2, 3]}, "hidden_units": [4]},
        ),
        objective=keras_tuner.Objective("val_frechet_distance", "min"),
        max_trials=2,
        directory=tmp_path,
    )
    tuner.search(images, epochs=3, callbacks=[judge(every=2)], verbose=0)
    trials = tuner.oracle.get_best_trials(2)
    scores = [trial.score for trial in trials]
    assert len(scores) == 2 and np.isfinite(scores).all()
    assert scores == sorted(scores) and scores[0] != scores[1]
    assert 0 not in [trial.best_step for trial in trials]  # it had no figures


def test_what_is_not_known_yet_is_no_best(tmp_path):
    keep = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras",
        "val_frechet_distance",
        mode="min",
        save_best_only=True,
    )
    stop = keras.callbacks.EarlyStopping(
        "val_frechet_distance", patience=3, mode="min"
    )
    model = small_model("gan")
    own = judge(["frechet_distance", "precision"], every=3)
    history = model.fit(
        contract.X, epochs=4, verbose=0, callbacks=[own, keep, stop]
    ).history
    assert history["val_precision"][0] == -np.inf
    assert keep.best == stop.best == min(history["val_frechet_distance"])
    assert np.isfinite(keep.best)
    # Another training begins anew, and Keras Tuner copies callbacks.
    copied = copy.deepcopy(own)
    again = small_model("gan").fit(
        contract.X, epochs=1, verbose=0, callbacks=[copied]
    )
    assert np.isfinite(again.history["val_frechet_distance"]).all()


def test_copies_share_the_data():
    own = judge(every=3, train=pictures(50, 2), seed=4)
    other = copy.deepcopy([own])[0]
    assert other is not own and other.every == 3
    for name in ("test", "train", "extractor", "seed"):
        assert other._given[name] is own._given[name]


def test_training_is_the_same_with_it():
    weights = []
    for callbacks in ([], [judge()]):
        model = small_model("gan")
        model.fit(contract.X, epochs=3, verbose=0, callbacks=callbacks)
        weights.append(model.get_weights())
    for one, other in zip(*weights):
        np.testing.assert_array_equal(one, other)


def test_bad_values_are_refused():
    with pytest.raises(InvalidArgument, match="did you mean"):
        judge(["frechet_distanc"])
    with pytest.raises(InvalidArgument, match="a list of names"):
        Evaluation("precision", pictures(20))
    with pytest.raises(InvalidArgument, match="every"):
        judge(every=0)
    model = small_model("autoencoder")
    with pytest.raises(InvalidArgument, match="no method `sample`"):
        model.fit(contract.X, verbose=0, callbacks=[judge()])


@pytest.mark.parametrize("validation", [None, contract.X])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("vae", "elbo"),
        ("vaegan", "elbo"),
        ("autoencoder", "mse"),
        ("denoising_autoencoder", "psnr"),
    ],
)
def test_the_model_s_own_logs_stay_its_own(kind, name, validation):
    model = small_model(kind)
    with pytest.raises(InvalidArgument, match=f"gives `val_{name}`") as error:
        model.fit(
            contract.X,
            validation_data=validation,
            verbose=0,
            callbacks=[judge(["precision", name])],
        )
    assert type(model).__name__ in str(error.value)
    assert int(model.optimizer.iterations.value) == 0  # before any training


def test_none_of_the_logs_is_lost():
    """Its figures stand beside all that validation gives without it."""
    logs = []
    for callbacks in ([], [judge(["log_likelihood", "kl", "precision"])]):
        model = small_model("vae")
        logs.append(
            model.fit(
                contract.X,
                validation_data=contract.X,
                verbose=0,
                callbacks=callbacks,
            ).history
        )
    added = {"val_log_likelihood", "val_kl", "val_precision"}
    assert set(logs[1]) == set(logs[0]) | added
    assert all(logs[1][name] == values for name, values in logs[0].items())


def diverged(kind):
    model = small_model(kind)
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, np.nan))
    return model


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("gan", ["frechet_distance", "precision", "sample_sharpness"]),
        ("vae", ["log_likelihood", "mse", "psnr"]),
        ("vae", ["active_units"]),
        ("vae", ["knn_accuracy", "kl"]),
        ("autoencoder", ["knn_accuracy"]),
        ("denoising_autoencoder", ["denoised_psnr"]),
    ],
)
def test_a_model_that_has_diverged_is_the_worst(kind, names):
    """So that the training goes on to what ends it."""
    given = {"train": pictures(60), "importance_samples": 2}
    logs = diverged(kind).fit(
        contract.X,
        epochs=2,
        verbose=0,
        callbacks=[judge(names, **given)],
    )
    for name in names:
        worst = METRICS[name].worst
        assert logs.history[f"val_{name}"] == [worst, worst], name
