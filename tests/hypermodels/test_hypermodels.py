"""Models in a space, built and trained by Keras Tuner itself."""

import keras_tuner
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import kgen
from kgen import registry
from kgen.errors import InvalidArgument
from tests.eager import train_eagerly
from tests.models import contract

DENSE = {"network": "dense", "hidden_units": {"values": [[8], [8, 4]]}}
SHAPE = (8, 8, 1)


def model_of(name, space=None, **options):
    if name == "bayes_classifier":
        options.setdefault("num_classes", 10)
    return kgen.hypermodels.get(name)(SHAPE, space, **options)


def trial(hypermodel, **values):
    """Hyperparameters with these values, and the rest at the first ones."""
    hp = keras_tuner.HyperParameters()
    hypermodel.declare_hyperparameters(hp)
    hp.values.update(values)
    return hp


@pytest.mark.parametrize("name", sorted(registry.MODELS))
def test_the_usual_space_of_each_model_can_be_built(name):
    hypermodel = model_of(name)
    assert len(hypermodel.space.searched) > 3
    model = hypermodel.build(keras_tuner.HyperParameters())
    assert type(model) is registry.MODELS[name].model_class and model.compiled


@pytest.mark.parametrize("name", sorted(registry.MODELS))
def test_vectors_have_a_usual_space_too(name):
    cls = kgen.hypermodels.get(name)
    classes = 3 if name == "bayes_classifier" else None
    hypermodel = cls((5,), num_classes=classes)
    assert "filters" not in hypermodel.space.searched
    hypermodel.check()  # every value of it can be built


def test_settings_reach_network_model_and_compile():
    hypermodel = model_of(
        "vae",
        {
            "network": "dense",
            "hidden_units": {"values": [[8], [8, 4]]},
            "latent_dim": {"min": 2, "max": 9},
            "kl_weight": {"min": 0.5, "max": 4.0},
            "optimizer": {
                "text": "adam:{rate}:{beta}",
                "rate": {"min": 1e-4, "max": 1e-2, "log": True},
                "beta": {"values": [0.5, 0.9]},
            },
            "free_bits": 0.25,
        },
    )
    hp = trial(
        hypermodel,
        hidden_units="[8, 4]",
        latent_dim=7,
        kl_weight=2.5,
        **{"optimizer.rate": 0.003, "optimizer.beta": 0.5},
    )
    assert hypermodel.settings(hp) == {
        "network": "dense",
        "hidden_units": [8, 4],
        "latent_dim": 7,
        "kl_weight": 2.5,
        "optimizer": "adam:0.003:0.5",
        "free_bits": 0.25,
    }
    model = hypermodel.build(hp)
    assert (model.latent_dim, model.kl_weight) == (7, 2.5)
    assert model.free_bits == 0.25
    assert float(model.optimizer.learning_rate) == pytest.approx(0.003)
    assert model.optimizer.beta_1 == 0.5
    widths = [w.shape[-1] for w in model.encoder.trainable_weights]
    assert 8 in widths and 4 in widths


@pytest.mark.parametrize(
    "entry, values",
    [
        ({"min": 0.0, "max": 1.0, "step": 0.1}, [n / 10 for n in range(11)]),
        ({"min": 0, "max": 1.0, "step": 0.3}, [0.0, 0.3, 0.6, 0.9]),
        ({"min": 2, "max": 7, "step": 2}, [2, 4, 6]),
        ({"min": 4, "max": 32, "log": True, "step": 2}, [4, 8, 16, 32]),
        (
            {"min": 1e-4, "max": 0.1, "log": True, "step": 10},
            [0.0001, 0.001, 0.01, 0.1],
        ),
    ],
)
def test_steps_reach_the_end_and_are_round(entry, values):
    hypermodel = kgen.hypermodels.VAE((4, 4, 1), {"kl_weight": entry})
    space = keras_tuner.HyperParameters()
    hypermodel.declare_hyperparameters(space)
    (parameter,) = space.space
    assert list(parameter.values) == values


def test_a_value_of_none_and_values_of_several_types():
    hypermodel = model_of(
        "gan", {**DENSE, "penalty": {"values": ["r1:0.5", "None"]}}
    )
    assert hypermodel.build(trial(hypermodel, penalty="null")).penalty is None
    found = hypermodel.build(trial(hypermodel, penalty='"r1:0.5"')).penalty
    assert found.weight == 0.5
    mixed = model_of("vae", {**DENSE, "kl_weight": {"values": [1, 0.5]}})
    assert mixed.settings(trial(mixed, kl_weight=0.5))["kl_weight"] == 0.5


def test_what_only_one_network_knows_is_searched_with_it_alone():
    hypermodel = model_of(
        "vae",
        {
            "network": {"values": ["conv", "dense"]},
            "filters": {"values": [4, 8]},
            "hidden_units": [8],
        },
    )
    hp = trial(hypermodel)
    assert hypermodel.settings(hp)["filters"] == 4
    hp = trial(hypermodel, network="dense")
    assert "filters" not in hypermodel.settings(hp)
    hypermodel.check()


def test_residual_networks_are_searched_among_others():
    space = {
        "network": {"values": ["conv", "resnet"]},
        "blocks": {"values": [1, 2]},
        "attention": {"values": [None, 4]},
        "filters": 2,
    }
    hypermodel = model_of("gan", space)
    assert "blocks" not in hypermodel.settings(trial(hypermodel))
    hp = trial(hypermodel, network="resnet", blocks=2, attention="4")
    found = hypermodel.settings(hp)
    assert (found["blocks"], found["attention"]) == (2, 4)
    hypermodel.check()


@pytest.mark.parametrize(
    "space, count",
    [
        ({"latent_dim": {"min": 2, "max": 5}}, 4),
        ({"latent_dim": {"min": 2, "max": 5, "log": True}}, 4),
        ({"kl_weight": {"min": 0.0, "max": 1.0, "step": 0.25}}, 5),
        ({"kl_weight": {"min": 0.0, "max": 1.0}}, None),
        # Conv knows both, dense the widths alone: 12 and 4.
        (
            {
                "network": {"values": ["conv", "dense"]},
                "filters": {"values": [2, 4, 8]},
                "hidden_units": {"values": [[4], [8]]},
                "latent_dim": {"values": [2, 3]},
            },
            16,
        ),
        ({"latent_dim": {"min": 1, "max": 10**9}}, 100),
    ],
)
def test_the_combinations_of_a_space_are_counted(space, count):
    assert model_of("vae", space).combinations(100) == count


@pytest.mark.parametrize("kind", ["array", "dataset"])
def test_a_searched_batch_size_is_kept(kind):
    hypermodel = model_of("vae", {**DENSE, "batch_size": {"values": [5, 10]}})
    hp = trial(hypermodel, batch_size=10)
    x = contract.X[:40]
    if kind == "dataset":
        x = kgen.data.load(x, split="all", batch_size=7)
    model = hypermodel.build(hp)
    hypermodel.fit(hp, model, x, epochs=1, verbose=0)
    assert int(model.optimizer.iterations) == 4


def endless():
    while True:
        yield contract.X[:7]


@pytest.mark.parametrize("form", ["repeated", "endless", "unknown"])
def test_a_searched_batch_size_of_data_without_a_known_end(form):
    space = {**DENSE, "batch_size": {"values": [5, 10]}}
    if form != "unknown":
        space["steps_per_execution"] = 1  # an epoch is of whole executions
    hypermodel = model_of("vae", space)
    hp = trial(hypermodel, batch_size=10)
    x = tf.data.Dataset.from_tensor_slices(contract.X[:40])
    x = x.batch(7, drop_remainder=form == "repeated")
    if form == "repeated":
        x = x.repeat()
    elif form == "endless":
        spec = tf.TensorSpec((None, *SHAPE))
        x = tf.data.Dataset.from_generator(endless, output_signature=spec)
    else:
        x = x.filter(lambda batch: True)
    model = hypermodel.build(hp)
    options = {} if form == "unknown" else {"steps_per_epoch": 3}
    hypermodel.fit(hp, model, x, epochs=2, verbose=0, **options)
    assert int(model.optimizer.iterations) == (8 if form == "unknown" else 6)


def test_keras_tuners_own_hyperband_searches_the_usual_space(
    tmp_path, monkeypatch
):
    train_eagerly(monkeypatch)
    tuner = keras_tuner.Hyperband(
        kgen.hypermodels.VAE(input_shape=(5,)),
        objective=keras_tuner.Objective("val_elbo", "max"),
        max_epochs=2,
        factor=2,
        directory=tmp_path,
        seed=1,
    )
    x = np.random.default_rng(0).random((16, 5)).astype("float32")
    tuner.search(x, validation_data=x, verbose=0)
    trials = tuner.oracle.trials.values()
    assert {one.status for one in trials} == {"COMPLETED"}
    assert len(trials) == 5  # 2 and 1 of one bracket, 2 of the other
    (best,) = tuner.oracle.get_best_trials(1)
    assert np.isfinite(best.score)
    assert tuner.get_best_models(1)[0].reconstruct(x).shape == x.shape


def test_keras_tuner_uses_it_directly(tmp_path, monkeypatch):
    train_eagerly(monkeypatch)
    tuner = keras_tuner.RandomSearch(
        kgen.hypermodels.VAE(
            input_shape=SHAPE, space={**DENSE, "latent_dim": {"values": [2, 3]}}
        ),
        objective=keras_tuner.Objective("val_elbo", "max"),
        max_trials=2,
        directory=tmp_path,
        seed=1,
    )
    x = contract.X[:64]
    tuner.search(x, validation_data=x, epochs=1, verbose=0)
    (best,) = tuner.oracle.get_best_trials(1)
    assert best.status == "COMPLETED" and np.isfinite(best.score)
    assert tuner.get_best_models(1)[0].reconstruct(x).shape == x.shape


def test_a_batch_size_given_twice_ends_the_search(tmp_path):
    tuner = keras_tuner.RandomSearch(
        model_of("vae", {**DENSE, "batch_size": {"values": [5, 10]}}),
        objective=keras_tuner.Objective("val_elbo", "max"),
        directory=tmp_path,
    )
    with pytest.raises(keras_tuner.errors.FatalValueError, match="batch_size"):
        tuner.search(contract.X[:9], batch_size=3, epochs=1, verbose=0)


@pytest.mark.parametrize(
    "space, message",
    [
        ({"latent_dims": {"values": [1]}}, "did you mean 'latent_dim'"),
        ({"seed": {"values": [1, 2]}}, "one of"),
        ({"discriminator_steps": {"values": [1]}}, "one of"),
        ({"network": "dense", "filters": {"values": [1]}}, "one of"),
        ({"network": {"values": ["dens", "conv"]}}, "did you mean 'dense'"),
        ({}, "empty"),
        ({"latent_dim": 4}, "empty"),
        ({"latent_dim": {"values": [4]}}, "two or more values"),
        ({"latent_dim": {"values": [4, 4]}}, "differ"),
        ({"latent_dim": {"min": 4}}, "min"),
        ({"latent_dim": {"min": 4, "max": 4}}, "min below max"),
        ({"latent_dim": {"min": 0, "max": 4, "log": True}}, "above 0"),
        ({"latent_dim": {"min": 4, "max": 9, "lgo": True}}, "log"),
        ({"latent_dim": {"min": "4", "max": 9}}, "numbers"),
        ({"optimizer": {"text": "adam:{rate}"}}, "places"),
        ({"optimizer": {"text": "a:{b}", "c": {"values": [1, 2]}}}, "places"),
        ({"optimizer": {"text": "adam:{r}", "r": 0.1}}, "fixed value"),
        (["latent_dim"], "a dictionary"),
    ],
)
def test_a_space_that_says_nothing_is_refused(space, message):
    with pytest.raises(InvalidArgument, match=message):
        model_of("vae", space)


@pytest.mark.parametrize(
    "space, message",
    [
        ({"likelihood": {"values": ["gaussian", "bernouli"]}}, "bernoulli"),
        ({"latent_dim": {"min": 0, "max": 4}}, "latent_dim"),
        ({"batch_size": {"values": [8, 0]}}, "batch_size"),
        (
            {"optimizer": {"text": "adm:{r}", "r": {"values": [0.1, 0.2]}}},
            "one of .*'adam'",
        ),
    ],
)
def test_values_that_can_not_be_built_are_found_beforehand(space, message):
    with pytest.raises(InvalidArgument, match=message):
        model_of("vae", {**DENSE, **space}).check()


def test_the_model_of_a_table_in_a_space_is_that_of_create_model():
    rows = {"age": [20, 31, 42, 53], "vote": ["yes", "no", "yes", "no"]}
    table = kgen.data.Table.infer(pd.DataFrame(rows), target="vote")
    space = {"hidden_units": [4], "latent_dim": {"values": [1, 2]}}
    model = kgen.hypermodels.VAE(space=space, table=table).check()
    expected = kgen.create_model(
        "vae", table=table, latent_dim=1, hidden_units=[4]
    )
    assert model.table == table and model.num_classes == 2
    shapes = [[w.shape for w in m.weights] for m in (model, expected)]
    assert shapes[0] == shapes[1]
    classifier = kgen.hypermodels.BayesClassifier(table=table)
    assert classifier.build_from(classifier.first()).table == table
    with pytest.raises(InvalidArgument, match="input_shape"):
        kgen.hypermodels.VAE()


def test_values_that_only_another_network_knows_are_checked_too():
    space = {
        "network": {"values": ["dense", "resnet"]},
        "filters": 2,
        "blocks": {"values": [1, "many"]},
    }
    with pytest.raises(InvalidArgument, match="blocks='many'"):
        model_of("denoising_autoencoder", space).check()


def test_a_classifier_needs_classes():
    with pytest.raises(InvalidArgument, match="num_classes"):
        kgen.hypermodels.BayesClassifier(SHAPE)
    with pytest.raises(InvalidArgument, match="did you mean 'vae'"):
        kgen.hypermodels.get("vea")
