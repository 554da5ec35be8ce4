"""Studies: read, refused, run, resumed."""

import contextlib
import errno
import gc
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import types

import keras
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from keras_tuner.src import backend
from keras_tuner.src.distribute import oracle_client
from tensorflow.python.framework import ops
from tensorflow.python.framework.func_graph import FuncGraph

import kgen
from kgen import cli, hypermodels, losses, params, registry, runs, studies
from kgen.errors import InvalidArgument
from kgen.export import card
from kgen.hypermodels.space import Values
from kgen.studies import (
    keras_tuner_adapter,
    objectives,
    records,
    trial_plots,
    trials,
    tuning,
)
from tests.settings import USUAL
from tests.studies import common
from tests.test_cli import command

TUNING = pathlib.Path(__file__).parents[2] / "tuning"


def kgen_tune(*args):
    return CliRunner().invoke(cli.main, ["tune", *(str(arg) for arg in args)])


# Reading


def rate_in(text):
    """A space of one rate in a text."""
    return (
        f'hidden_units = [4]\noptimizer = {{text = "{text}", '
        "rate = {min = 0.1, max = 1.0}}"
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model": "vea"}, "did you mean 'vae'"),
        ({"tuner": "baysian"}, "did you mean 'bayesian'"),
        ({"objective": "val_msee"}, "did you mean 'val_mse'"),
        ({"objective": "mse"}, "val_mse"),
        ({"more": 'direction = "max"'}, '"min" for val_mse'),
        ({"more": "seeds = [1, 1]"}, "differ"),
        ({"more": "seeds = []"}, "differ"),
        ({"more": "seeds = [-1]"}, "seed"),
        ({"more": "sedes = [1]"}, "did you mean 'seeds'"),
        ({"more": "seeds = 1"}, "a list"),
        ({"budget": "epochs = 2"}, "budget.trials"),
        ({"budget": "trials = 2"}, "budget.epochs"),
        ({"budget": "trials = 0\nepochs = 2"}, "budget.trials"),
        ({"budget": "trials = 1\nepochs = 2\nminuts = 1"}, "'minutes'"),
        ({"space": "latent_dims = {values = [1]}"}, "'latent_dim'"),
        ({"space": "hidden_units = [4]"}, "empty"),
        ({"space": ""}, "empty"),
        ({"space": "latent_dim = {values = [0, 1]}"}, "latent_dim=0"),
        ({"data": 'sorce = "digits"'}, "'source'"),
        ({"data": 'source = "digits"\ntrain = "train"'}, "both"),
        (
            {"data": 'source = "digits"\ntrain = "train"\nvalidation = "test"'},
            "must not see",
        ),
        (
            {
                "data": 'source = "digits"\ntrain = "train[:80%]"\n'
                'validation = "train[70%:]"'
            },
            "without examples in common",
        ),
        (
            {
                "data": 'source = "digits"\ntrain = "train[:50%]"\n'
                'validation = "train[50%:]+test"'
            },
            "split",
        ),
        (
            {
                "data": 'source = "digits"\ntrain = "train"\n'
                'validation = "train"'
            },
            "without examples in common",
        ),
        (
            {"data": 'source = "digits"\ntrain = "trian"\nvalidation = "a"'},
            "did you mean 'train'",
        ),
        (
            {"more": "[evaluation]\nevery = 5", "objective": "val_loss"},
            "is a log",
        ),
        ({"more": "x ="}, "can't be read"),
        (
            {
                "tuner": "grid",
                "space": rate_in("adam:{rate}"),
            },
            "can't visit all of optimizer.rate",
        ),
        ({"tuner": "hyperband", "budget": "epochs = 2"}, "no earlier"),
        (
            {
                "tuner": "hyperband",
                "budget": "epochs = 9",
                "space": "batch_size = {values = [8, 16, 32]}",
            },
            "begins with 17 different settings for 9 epochs, .* has 3",
        ),
        (
            {
                "tuner": "hyperband",
                "budget": "epochs = 9\ntrials = 5",
                "space": "latent_dim = {min = 1, max = 4, log = true}",
            },
            "begins with 5 .* has 4. .*grid",
        ),
        ({"tuner": "bayesian"}, "first 3 trials"),
        ({"more": "seeds = [1.5]"}, "seed=1.5"),
        ({"more": 'seeds = ["a"]'}, "seed=a"),
        ({"budget": "trials = 2.0\nepochs = 2"}, "a positive integer"),
        ({"budget": "trials = true\nepochs = 2"}, "budget.trials=True"),
        ({"budget": "trials = 2\nepochs = -2"}, "budget.epochs=-2"),
        (
            {"budget": 'trials = 2\nepochs = 2\nminutes = "1"'},
            "budget.minutes='1'",
        ),
        (
            {"budget": "trials = 2\nepochs = 2\nminutes = -1"},
            "budget.minutes=-1",
        ),
        ({"data": "source = 3"}, "data.source=3"),
        (
            {"data": 'source = "digits"\nconditional = "yes"'},
            "true or false",
        ),
        ({"data": 'source = "digts"'}, "digits"),
        ({"more": "[evaluation]\nevery = 0"}, "evaluation.every=0"),
        ({"more": "[evaluation]\nnum_samples = 0.5"}, "an integer"),
        ({"more": "[evaluation]\nextractor = 3"}, "a text"),
        ({"space": "latent_dim = {values = []}"}, "two or more values"),
        ({"space": "latent_dim = {values = [3]}"}, "two or more values"),
        ({"space": "latent_dim = {min = 1, max = 2, step = 3}"}, "two values"),
        ({"space": "latent_dim = {values = [1, 1]}"}, "differ"),
        ({"space": "latent_dim = {min = 4, max = 2}"}, "min below max"),
        ({"space": "latent_dim = {min = -4, max = -2}"}, "latent_dim=-4"),
        ({"space": "latent_dim = {min = 1.5, max = 2.5}"}, "latent_dim=1.5"),
        ({"space": "latent_dim = {min = -inf, max = 2.5}"}, "min below max"),
        (
            {"space": 'latent_dim = {min = 1, max = 4, log = "yes"}'},
            "min below max",
        ),
        ({"space": "latent_dim = {min = 1, max = 4, steps = 2}"}, "steps"),
        ({"space": "latent_dim = {values = [1, 1979-05-27]}"}, "1979"),
        (
            {"space": 'latent_dim = {values = [2, 3]}\nactivation = "rellu"'},
            "first values can't be built.*rellu",
        ),
        ({"space": 'activation = {values = ["relu", "r"]}'}, "activation='r'"),
        ({"space": rate_in("adam:{rate")}, "places"),
        ({"space": rate_in("adam:{rte}")}, "places"),
        ({"space": rate_in("adam:{}")}, "places"),
        ({"space": rate_in("adam:{rate}:{}")}, "filled in"),
        ({"space": rate_in("adam:{rate:d}")}, "filled in"),
        ({"space": rate_in("adm:{rate}")}, "did you mean 'adam'"),
        ({"space": 'network = {values = ["dense", "cnv"]}'}, "cnv"),
        (
            {"space": 'network = "dens"\nlatent_dim = {values = [1, 2]}'},
            "did you mean 'dense'",
        ),
        ({"space": "latent_dim = {values = [1, 2]}\nseed = 3"}, "'seed'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_trial(
    tmp_path, options, message
):
    path = common.write(tmp_path, **options)
    with pytest.raises(InvalidArgument, match=message):
        studies.read(path)
    assert not path.with_suffix(".trials").exists()
    result = kgen_tune(path)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1


def test_a_place_that_is_no_study_is_one_line(tmp_path):
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    common.write(tmp_path, data=f'source = "{tmp_path / "none.npy"}"')
    for path, message in (
        (tmp_path / "empty.toml", "lacks `model`"),
        (tmp_path / "bytes.toml", "can't be read"),
        (tmp_path / "study.toml", "none.npy"),
        (tmp_path / "none.toml", "none.toml"),
        (tmp_path, "directory"),
    ):
        result = kgen_tune(path)
        assert result.exit_code == 2 and message in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.slow  # each builds a model of all that it searches
@pytest.mark.parametrize(
    "path", sorted(TUNING.glob("*.toml")), ids=lambda path: path.stem
)
def test_studies_of_this_project_can_be_run(path, tmp_path):
    source = None
    if path.stem.endswith("_fashion"):
        source = str(tmp_path / "pictures.npz")
        draws = np.random.default_rng(0)
        images = draws.integers(0, 256, (300, 28, 28, 1), "uint8")
        np.savez(source, images=images, labels=np.arange(300) % 10)
    study = studies.read(path, source)
    assert study.hypermodel().count() > 1


def test_a_study_on_a_table_searches_what_is_trained_on_it(tmp_path):
    rows = {"age": np.arange(40) % 7, "city": ["Ulm", "Bonn"] * 20}
    file = tmp_path / "people.csv"
    pd.DataFrame(rows).to_csv(file, index=False)
    study = common.study(
        tmp_path,
        model="vae",
        objective="val_elbo",
        space="latent_dim = {values = [1, 2]}\nhidden_units = [4]",
        data=f'source = "{file}"',
    )
    model = study.hypermodel(0).build_from(study.hypermodel().first())
    found = {"data": str(file), "latent_dim": 1}
    settings = runs.TrainSettings(
        **{**USUAL, **found, "options": {"hidden_units": [4]}}
    )
    source = settings.source()
    batches = source.dataset("train", batch_size=8)
    trained = runs.build(settings, source, batches)
    shapes = [[w.shape for w in m.weights] for m in (model, trained)]
    assert shapes[0] == shapes[1]
    assert model.likelihood.table == source.table


def test_a_lacking_key_and_a_lacking_file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('model = "vae"')
    with pytest.raises(InvalidArgument, match="lacks `objective`"):
        studies.read(path)
    with pytest.raises(FileNotFoundError):
        studies.read(tmp_path / "other.toml")


WEIGHT = "kl_weight = {min = 0.1, max = 2.0}"
DENSITIES = 'likelihood = {values = ["gaussian:learned", "gaussian:0.1"]}'
BERNOULLI = 'likelihood = {values = ["gaussian:learned", "bernoulli"]}'
CORRUPTION = 'corruption = {values = ["gaussian:0.1", "gaussian:0.2"]}'
LOSSES = 'loss = {values = ["hinge", "minimax"]}'


@pytest.mark.parametrize(
    "model, objective, space",
    [
        ("vae", "val_loss", WEIGHT),
        ("vae", "val_loss", DENSITIES),
        ("vae", "val_reconstruction_loss", WEIGHT),
        ("vae", "val_kl_loss", WEIGHT),
        ("vae", "val_elbo", BERNOULLI),
        ("vae", "val_log_likelihood", BERNOULLI),
        ("autoencoder", "val_loss", 'likelihood = {values = ["mse", "mae"]}'),
        ("gan", "val_loss", "latent_dim = {values = [2, 3]}"),
        ("gan", "val_generator_loss", LOSSES),
        ("vaegan", "val_loss", WEIGHT),
        ("gan", "val_sample_sharpness", LOSSES),
        ("vae", "val_active_units", "latent_dim = {values = [2, 3]}"),
        ("vae", "val_effective_sample_size", WEIGHT),
        (
            "autoencoder",
            "val_frechet_distance",
            "latent_dim = {values = [2, 3]}",
        ),
        (
            "denoising_autoencoder",
            "val_mse",
            CORRUPTION,
        ),
    ],
)
def test_figures_that_do_not_compare_are_refused(
    tmp_path, monkeypatch, model, objective, space
):
    common.read_quickly(monkeypatch)
    with pytest.raises(InvalidArgument, match="can't be co|no best") as e:
        common.study(
            tmp_path,
            model=model,
            objective=objective,
            space=f'network = "dense"\nhidden_units = [4]\n{space}',
            data='source = "digits"',
        )
    assert "Take val_" in str(e.value)


class HalfTone(losses.Bernoulli):
    """A user's likelihood of pixels that are 0 or 1."""


@pytest.mark.parametrize(
    "names, comparable",
    [
        (["bernoulli", "half_tone"], True),
        (["gaussian:0.1", "half_tone"], False),
        (["gaussian:0.1", "continuous_bernoulli"], True),
    ],
)
def test_new_likelihoods_of_bits_compare_with_those_of_bits(
    monkeypatch, names, comparable
):
    new = params.Named(HalfTone)
    monkeypatch.setitem(losses.likelihoods.LIKELIHOODS, "half_tone", new)
    assert objectives._are_comparable(Values(names)) == comparable


# What a model is, how it is trained, and a density's own parameters: none of
# these makes a figure another one. Players' losses, which some would change, are
# refused whatever is searched.
SAME_FIGURES = {
    *("activation", "batch_normalization", "filters", "hidden_units"),
    *("kernel_constraint", "latent_dim", "max_filters", "network"),
    *("output_activation", "pack", "spectral_normalization"),
    *("batch_size", "decoder_optimizer", "discriminator_optimizer"),
    *("discriminator_steps", "ema_decay", "instance_noise", "jit_compile"),
    *("optimizer", "run_eagerly", "steps_per_execution"),
    *("adversarial_weight", "equilibrium_margin", "feature_layer"),
    *("feature_weight", "label_smoothing", "loss", "penalty"),
    *("augmentation", "learning_rate_decay", "lecam_weight", "penalty_every"),
    *("reconstruction_weight", "training_by_sampling"),
    *("latent_prior", "levels", "posterior", "prior"),
    *("pooling", "rank", "shrinkage", "smoothing", "standardize"),
}


def test_each_option_changes_what_a_figure_means_or_is_known_not_to():
    options = {
        name
        for model in registry.MODELS
        for name in hypermodels.get(model).names()
    }
    changing = set().union(*objectives._CHANGES.values())
    assert not changing & SAME_FIGURES
    assert options == changing | SAME_FIGURES


@pytest.mark.parametrize("name", ["loss", "generative_loss", "log_prob"])
def test_pixels_that_are_cut_elsewhere_do_not_compare(tmp_path, name):
    space = 'density = "naive_bernoulli"\nthreshold = {values = [0.3, 0.9]}'
    with pytest.raises(InvalidArgument, match="changes with threshold"):
        common.study(
            tmp_path,
            model="bayes_classifier",
            objective=f"val_{name}",
            space=space,
            data='source = "digits"',
        )


@pytest.mark.parametrize(
    "model, objective, space, direction",
    [
        ("vae", "val_elbo", WEIGHT, "max"),
        ("vae", "val_log_likelihood", DENSITIES, "max"),
        ("vae", "val_loss", "latent_dim = {values = [1, 2]}", "min"),
        ("gan", "val_frechet_distance", LOSSES, "min"),
        ("vaegan", "val_frechet_distance", WEIGHT, "min"),
        ("vaegan", "val_elbo", WEIGHT, "max"),
        ("autoencoder", "val_mse", "latent_dim = {values = [1, 2]}", "min"),
    ],
)
def test_figures_that_compare_have_a_direction(
    tmp_path, monkeypatch, model, objective, space, direction
):
    common.read_quickly(monkeypatch)
    study = common.study(
        tmp_path,
        model=model,
        objective=objective,
        space=f'network = "dense"\nhidden_units = [4]\n{space}',
        data='source = "digits"',
    )
    assert study.objective.direction == direction


def test_the_test_split_is_not_seen(tmp_path):
    study = common.study(tmp_path)
    seen = [study.data.examples(name) for name in ("train", "validation")]
    test = study.data.source.examples("test")
    assert [len(part) for part in (*seen, test)] == [38, 10, 12]
    both = np.concatenate([part.images for part in seen])
    assert not set(map(tuple, both)) & set(map(tuple, test.images))
    assert len(set(map(tuple, both))) == 48


def test_data_sorted_by_classes_is_judged_by_all_of_them(tmp_path):
    labels = np.repeat(np.arange(5), 40)
    images = np.zeros((200, 4), "float32") + labels[:, None] / 5
    np.savez(tmp_path / "sorted.npz", x_train=images, y_train=labels)
    data = studies.study.Data(tmp_path / "sorted.npz")
    for name, least in (("train", 20), ("validation", 3)):
        counts = np.bincount(data.examples(name).labels, minlength=5)
        assert counts.min() >= least


# Running


def rate_of(settings):
    return float(settings["optimizer"].split(":")[1])


def parabola(settings, seed):
    return (np.log10(rate_of(settings)) + 2.5) ** 2


RATE = (
    'hidden_units = [4]\noptimizer = {text = "adam:{rate}", '
    "rate = {min = 1e-5, max = 1.0, log = true}}"
)


@pytest.mark.parametrize(
    "tuner, count, within", [("random", 20, 0.4), ("bayesian", 12, 0.1)]
)
def test_the_best_rate_of_a_parabola_is_found(
    tmp_path, monkeypatch, tuner, count, within
):
    common.at_best(monkeypatch, parabola)
    study = common.study(
        tmp_path,
        tuner=tuner,
        space=RATE,
        budget=f"trials = {count}\nepochs = 1",
    )
    found = studies.tune(study)
    assert len(found["trials"]) == count
    values = [one["value"] for one in found["trials"]]
    assert found["best"]["value"] == min(values)
    best = rate_of(found["best"]["settings"])
    assert abs(np.log10(best) + 2.5) < within


def test_the_bayesian_tuner_repeats_nothing(tmp_path, monkeypatch):
    common.at_best(
        monkeypatch, lambda settings, seed: -float(settings["latent_dim"])
    )
    study = common.study(
        tmp_path,
        tuner="bayesian",
        budget="trials = 12\nepochs = 1",
        space="latent_dim = {min = 1, max = 6}\n"
        "hidden_units = {values = [[4], [6]]}",
    )
    found = studies.tune(study)["trials"]
    assert len({json.dumps(one["settings"]) for one in found}) == len(found)
    assert len(found) > 8


def test_the_bayesian_tuner_goes_on_as_if_it_had_not_stopped(
    tmp_path, monkeypatch
):
    def valleys(settings, seed):
        return np.sin(4 * np.log(rate_of(settings)) + settings["latent_dim"])

    common.at_best(monkeypatch, valleys)
    options = {
        "tuner": "bayesian",
        "budget": "trials = 9\nepochs = 1",
        "space": f"{RATE}\nlatent_dim = {{min = 1, max = 9}}",
    }
    whole = studies.tune(common.study(tmp_path, **options))
    (tmp_path / "stopped").mkdir()
    study = common.study(tmp_path / "stopped", **options)
    studies.tune(study, trials=7)  # of which six are drawn at random
    found = backend.io.glob
    monkeypatch.setattr(backend.io, "glob", lambda name: found(name)[::-1])
    again = studies.tune(study, resume=True)
    settings = [
        [one["settings"] for one in r["trials"]] for r in (whole, again)
    ]
    assert settings[0] == settings[1]


def test_the_bayesian_tuner_stays_within_the_space(tmp_path, monkeypatch):
    common.at_best(
        monkeypatch, lambda settings, seed: -float(settings["latent_dim"])
    )
    study = common.study(
        tmp_path,
        tuner="bayesian",
        budget="trials = 9\nepochs = 1",
        space="latent_dim = {min = 2, max = 16, log = true}",
    )
    found = studies.tune(study)
    assert found["best"]["settings"]["latent_dim"] == 16
    for one in found["trials"]:
        assert one["parameters"] == {
            "latent_dim": one["settings"]["latent_dim"]
        }
        assert 2 <= one["settings"]["latent_dim"] <= 16


def test_a_grid_visits_everything_once(tmp_path, monkeypatch):
    common.at_best(
        monkeypatch, lambda settings, seed: float(settings["latent_dim"])
    )
    study = common.study(
        tmp_path,
        tuner="grid",
        budget="epochs = 1",
        space="latent_dim = {min = 1, max = 4, log = true}\n"
        "hidden_units = {values = [[4], [8]]}",
    )
    found = studies.tune(study)
    seen = [
        (one["settings"]["latent_dim"], *one["settings"]["hidden_units"])
        for one in found["trials"]
    ]
    assert sorted(seen) == [(z, h) for z in (1, 2, 3, 4) for h in (4, 8)]
    assert found["best"]["value"] == 1.0


def test_a_code_of_the_datas_rank_is_enough(tmp_path):
    """On data of rank 2, a linear code of 2 has no error, and 1 has."""
    draws = np.random.default_rng(0)
    x = draws.random((200, 2)) @ draws.random((2, 5)) / 2
    np.save(tmp_path / "x.npy", x.astype("float32"))
    study = common.study(
        tmp_path,
        tuner="grid",
        space="latent_dim = {values = [1, 2]}\nhidden_units = []\n"
        'optimizer = "adam:0.05"\nbatch_size = 4',
        budget="epochs = 4",
        data=f'source = "{tmp_path / "x.npy"}"',
    )
    found = studies.tune(study)
    one, two = (trial["value"] for trial in found["trials"])
    assert found["best"]["settings"]["latent_dim"] == 2
    assert two < one / 10


def graphs():
    gc.collect()
    found = [one for one in gc.get_objects() if isinstance(one, FuncGraph)]
    return sum(graph.name == "one_step_on_data" for graph in found)


def test_a_trial_leaves_no_graphs_and_a_model_that_gives_the_figure_again(
    tmp_path, monkeypatch
):
    study = common.study(
        tmp_path,
        model="vae",
        objective="val_elbo",
        more="seeds = [3, 5]",
        budget="trials = 1\nepochs = 2",
        # TensorFlow keeps graphs with gradients of a layer's own, as silu's.
        space="latent_dim = {values = [1, 2]}\nhidden_units = [4]\n"
        'activation = "silu"',
    )
    before = graphs()
    known = set(ops.gradient_registry.list())
    judge = trials.Judge.figure

    def figure(self, *args):
        # Such as of a module that is imported late: its gradients stay.
        with contextlib.suppress(KeyError):
            ops.RegisterGradient("Late")(lambda op, grad: grad)
        return judge(self, *args)

    monkeypatch.setattr(trials.Judge, "figure", figure)
    found = studies.tune(study)
    assert graphs() == before
    assert set(ops.gradient_registry.list()) == known | {"Late"}
    best = found["trials"][found["best"]["trial"]]
    assert [run["seed"] for run in best["runs"]] == [3, 5]
    values = [run["value"] for run in best["runs"]]
    assert values[0] != values[1] and best["value"] == np.mean(values)
    folder = study.folder / f"trial_{best['trial']}"
    model = kgen.load_model(folder / "model-5.keras")
    data = study.data.batches("validation", 64, 0)
    again = model.evaluate(data, return_dict=True, verbose=0)["elbo"]
    assert again == values[1]
    model.fit(data, epochs=1, verbose=0)
    epochs = best["runs"][1]["epochs"]
    assert int(model.optimizer.iterations) == epochs + 1


@pytest.mark.parametrize("tuner", ["random", "bayesian"])
def test_a_small_space_is_used_up(tmp_path, monkeypatch, tuner):
    common.at_best(monkeypatch, lambda settings, seed: settings["latent_dim"])
    study = common.study(
        tmp_path,
        tuner=tuner,
        budget="trials = 12\nepochs = 1",
        space="latent_dim = {min = 1, max = 8}\nhidden_units = [4]",
    )
    found = studies.tune(study)["trials"]
    tried = [one["settings"]["latent_dim"] for one in found]
    assert sorted(tried) == list(range(1, 9))


def test_the_number_of_trials_is_checked_like_the_studys_own(tmp_path):
    path = common.write(
        tmp_path, tuner="bayesian", budget="trials = 9\nepochs = 1"
    )
    result = kgen_tune(path, "--trials", 3)
    assert result.exit_code == 2 and "first 3 trials" in result.stderr
    assert not path.with_suffix(".trials").exists()


def test_nothing_is_prepared_for_a_study_that_is_there(tmp_path, monkeypatch):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    study = common.study(tmp_path)
    studies.tune(study)
    monkeypatch.setattr(trials.Judge, "check", None)
    with pytest.raises(FileExistsError, match="holds trials already"):
        studies.tune(study)


def test_a_sample_metric_is_an_objective(tmp_path):
    study = common.study(
        tmp_path,
        model="gan",
        objective="val_frechet_distance",
        budget="trials = 1\nepochs = 1",
        space=f"latent_dim = {{values = [2, 3]}}\n{common.EAGER}",
        more=common.BY_PIXELS,
    )
    found = studies.tune(study)
    best = found["best"]
    file = study.folder / f"trial_{best['trial']}" / "model-0.keras"
    assert common.frechet_distance(study, file) == best["value"]


def test_hyperband_goes_on_with_the_best(tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "_delete_models", lambda *args: None)
    study = common.study(
        tmp_path,
        tuner="hyperband",
        budget="trials = 4\nepochs = 3",
        space="latent_dim = {min = 1, max = 4}\n"
        'optimizer = {text = "adam:{r}", r = {min = 1e-3, max = 1e-1}}\n'
        + common.EAGER,
    )
    found = studies.tune(study)
    assert {one["status"] for one in found["trials"]} == {"completed"}
    states = [
        json.loads((path / "trial.json").read_text())["hyperparameters"]
        for path in study.folder.glob("trial_*")
    ]
    went_on = [s["values"] for s in states if "tuner/trial_id" in s["values"]]
    assert went_on
    for values in went_on:
        before = study.folder / f"trial_{values['tuner/trial_id']}"
        after = [
            path
            for path in study.folder.glob("trial_*")
            if json.loads((path / "trial.json").read_text())["hyperparameters"][
                "values"
            ]
            == values
        ]
        old, new = (
            keras.saving.load_model(path / "last-0.keras")
            for path in (before, after[0])
        )
        steps = int(old.optimizer.iterations), int(new.optimizer.iterations)
        assert steps == (values["tuner/initial_epoch"], values["tuner/epochs"])


# Failing


def fails(settings, seed):
    if settings["latent_dim"] != 2:
        raise MemoryError(f"too large: {settings['latent_dim']}")
    return 1.0


def test_trials_that_fail_say_why_and_do_not_stop_the_study(
    tmp_path, monkeypatch
):
    common.at_best(monkeypatch, fails)
    path = common.write(tmp_path, **common.GRID)
    result = kgen_tune(path)
    assert result.exit_code == 0, result.output
    found = common.results_of(path)
    statuses = [one["status"] for one in found["trials"]]
    assert statuses == ["failed", "completed", *4 * ["failed"]]
    assert found["trials"][4]["reason"] == "MemoryError: too large: 5"
    assert found["best"]["trial"] == 1
    line = result.stdout.splitlines()[4]
    assert line.startswith("Trial 4, 0 s: failed: MemoryError: too large: 5 (")
    assert "(best 1, trial 1); latent_dim=5" in line


def test_a_loss_that_is_not_finite_is_a_failure(tmp_path):
    study = common.study(
        tmp_path,
        tuner="grid",
        budget="trials = 1\nepochs = 3",
        space="latent_dim = {values = [2, 3]}\n"
        f'optimizer = "sgd:1e30"\n{common.EAGER}',
    )
    found = studies.tune(study)
    assert [one["status"] for one in found["trials"]] == ["failed"]
    reason = found["trials"][0]["reason"]
    assert reason.startswith("Diverged: Epoch ")
    assert reason.endswith("became NaN or infinite.")
    assert found["best"] is None


def test_when_all_fail_the_command_says_so(tmp_path, monkeypatch):
    def fail(settings, seed):
        raise ValueError("no luck")

    common.at_best(monkeypatch, fail)
    path = common.write(tmp_path, **common.GRID)
    result = kgen_tune(path)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "kgen: all 6 trials failed. The last reason: ValueError: no luck"
    ]
    train = CliRunner().invoke(
        cli.main, ["train", "autoencoder", "--from-study", str(path)]
    )
    assert train.exit_code == 2 and "no best settings" in train.stderr


# Stopping


def test_no_trial_begins_after_the_last_minute(tmp_path, monkeypatch):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    path = common.write(
        tmp_path, budget="trials = 3\nepochs = 1\nminutes = 0", name="a.toml"
    )
    result = kgen_tune(path)
    assert result.exit_code == 1 and "no trial was run" in result.stderr


@pytest.mark.parametrize("tuner", ["grid", "random"])
def test_ctrl_c_loses_no_finished_trial(tmp_path, monkeypatch, tuner):
    seen = []

    def figure(settings, seed):
        seen.append(settings["latent_dim"])
        if len(seen) == 3:
            raise KeyboardInterrupt
        return float(settings["latent_dim"])

    common.at_best(monkeypatch, figure)
    monkeypatch.setattr(trial_plots, "draw", lambda found, path: path.touch())
    options = {
        **common.GRID,
        "tuner": tuner,
        "budget": "epochs = 1\ntrials = 6",
    }
    path = common.write(tmp_path, **options)
    result = kgen_tune(path)
    assert result.exit_code == 130 and "--resume" in result.stderr
    assert path.with_suffix(".png").exists()
    assert kgen_tune(path).exit_code == 2
    result = kgen_tune(path, "--resume")
    assert result.exit_code == 0, result.output
    found = common.results_of(path)
    assert [one["status"] for one in found["trials"]] == 6 * ["completed"]
    # The third was begun twice, and no other.
    assert seen[2] == seen[3] and len(seen) == 7
    assert len(set(seen)) == 6


def test_a_full_disk_ends_the_study_and_its_trial_runs_again(
    tmp_path, monkeypatch
):
    path = common.write(tmp_path, **common.GRID)
    full = [3]

    def figure(settings, seed):
        if settings["latent_dim"] in full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return float(settings["latent_dim"])

    common.at_best(monkeypatch, figure)
    result = kgen_tune(path)
    assert result.exit_code == 2
    assert result.stderr == (
        f"kgen: {path.with_suffix('.trials')}/trial_0002: No space left on "
        "device. Free some space there. Finished trials are kept; go on with: "
        f"kgen tune {path} --resume\n"
    )
    full.clear()
    assert kgen_tune(path, "--resume").exit_code == 0
    found = common.results_of(path)
    assert [one["value"] for one in found["trials"]] == [1, 2, 3, 4, 5, 6]


def test_what_a_kill_left_half_written_is_passed_over_and_deleted(
    tmp_path, monkeypatch
):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    study = common.study(tmp_path, **common.GRID)
    gone = subprocess.Popen(["true"])
    gone.wait()

    def leave(process, *names):
        left = [study.folder / name.format(process) for name in names]
        for path in left:
            path.parent.mkdir(exist_ok=True)
            path.write_text("")
        return left

    first = leave(gone.pid, ".{}-study.json")
    studies.tune(study, trials=1)
    dead = leave(
        gone.pid,
        ".{}-oracle.json",
        "trial_0/.{}-trial.json",
        "trial_0/.{}-model-0.keras",
        "../.{}-study.results.json",
        "../.{}-study.png",
    )
    others = [
        *leave(gone.pid, "../.{}-other.results.json", ".{}-precious"),
        *leave(os.getppid(), "trial_0/.{}-trial.json"),
    ]
    studies.tune(study, trials=2, resume=True)
    assert not any(path.exists() for path in [*first, *dead])
    assert all(path.exists() for path in others)


def test_models_that_a_kill_left_are_deleted_on_resume(tmp_path, monkeypatch):
    """The kill came after the last trial had ended."""
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    study = common.study(tmp_path, **common.GRID)
    results = studies.tune(study, trials=2)
    models = [
        study.folder / f"trial_{number}" / "model-0.keras" for number in (0, 1)
    ]
    for path in models:
        path.touch()
    studies.tune(study, trials=2, resume=True)
    assert [path.exists() for path in models] == [True, False]
    assert results["best"]["trial"] == 0


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.mark.parametrize("moment", range(1, 17))
@pytest.mark.parametrize("tuner", ["grid", "random", "hyperband"])
def test_a_kill_at_any_write_loses_and_repeats_nothing(
    tmp_path, monkeypatch, tuner, moment
):
    ran, writes = [], []

    def figure(settings, seed):
        ran.append(json.dumps(settings))
        return float(settings["latent_dim"])

    common.at_best(monkeypatch, figure)
    for name in ("save", "_save_trial"):
        write = getattr(keras_tuner_adapter.ResumableOracle, name)

        def dying(self, *args, write=write):
            writes.append(args)
            if len(writes) == moment:
                raise Killed
            write(self, *args)

        monkeypatch.setattr(keras_tuner_adapter.ResumableOracle, name, dying)
    options = {
        **common.GRID,
        "tuner": tuner,
        "budget": "epochs = 3\ntrials = 4",
    }
    study = common.study(tmp_path, **options)
    with pytest.raises(Killed):
        studies.tune(study)
    states = [
        json.loads(path.read_text())
        for path in study.folder.glob("trial_*/trial.json")
    ]
    done = [one for one in states if one["status"] == "COMPLETED"]
    before = len(ran)
    found = studies.tune(study, resume=True)
    assert {one["status"] for one in found["trials"]} == {"completed"}
    assert len(found["trials"]) == 4
    assert len(ran) - before == 4 - len(done)
    state = json.loads((study.folder / "oracle.json").read_text())
    assert len(set(state["end_order"])) == len(state["end_order"]) == 4
    if tuner != "hyperband":  # which goes on with the same settings
        assert len(set(ran)) == 4
    (tmp_path / "undisturbed").mkdir()
    other = common.study(tmp_path / "undisturbed", **options)
    wanted = studies.tune(other)
    settings = [one["settings"] for one in found["trials"]]
    assert settings == [one["settings"] for one in wanted["trials"]]
    undisturbed = json.loads((other.folder / "oracle.json").read_text())
    assert state["seed_state"] == undisturbed["seed_state"]


def test_more_trials_than_the_study_says(tmp_path, monkeypatch):
    common.at_best(monkeypatch, parabola)
    path = common.write(tmp_path, space=RATE)
    assert kgen_tune(path, "--trials", 2).exit_code == 0
    before = common.results_of(path)["trials"]
    assert len(before) == 2
    assert kgen_tune(path, "--resume", "--trials", 5).exit_code == 0
    after = common.results_of(path)["trials"]
    assert len(after) == 5 and after[:2] == before
    assert kgen_tune(path, "--overwrite", "--trials", 1).exit_code == 0
    assert len(common.results_of(path)["trials"]) == 1


def test_results_whose_trials_are_gone_are_not_replaced_unasked(
    tmp_path, monkeypatch
):
    common.at_best(monkeypatch, parabola)
    path = common.write(tmp_path, space=RATE)
    assert kgen_tune(path).exit_code == 0
    before = common.results_of(path)
    shutil.rmtree(path.with_suffix(".trials"))
    for options in ((), ("--resume",)):
        result = kgen_tune(path, *options)
        assert result.exit_code == 2 and "--overwrite" in result.stderr
        assert common.results_of(path) == before
    assert kgen_tune(path, "--overwrite", "--trials", 1).exit_code == 0
    assert len(common.results_of(path)["trials"]) == 1


def test_a_study_that_has_changed_does_not_resume(tmp_path, monkeypatch):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    path = common.write(tmp_path)
    assert kgen_tune(path).exit_code == 0
    common.write(tmp_path, more="seeds = [4]")
    result = kgen_tune(path, "--resume")
    assert result.exit_code == 2 and "(seeds)" in result.stderr


def test_a_picture_of_the_users_own_stays(tmp_path):
    path = common.write(tmp_path)
    picture = path.with_suffix(".png")
    picture.write_text("precious")
    result = kgen_tune(path)
    assert result.exit_code == 2 and "--overwrite" in result.stderr
    assert picture.read_text() == "precious"


def test_what_is_not_a_studys_is_not_deleted(tmp_path):
    path = common.write(tmp_path)
    other = path.with_suffix(".trials") / "precious"
    other.parent.mkdir()
    other.write_text("")
    for options in ((), ("--resume",), ("--overwrite",)):
        assert kgen_tune(path, *options).exit_code == 2
        assert other.exists()


def killed_and_resumed(path, at_least=2):
    """Kills a study of its own process once it has finished some trials."""
    process = subprocess.Popen(**command("tune", path))
    file = path.with_suffix(".results.json")
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if file.exists():
            if len(json.loads(file.read_text())["trials"]) >= at_least:
                break
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return common.results_of(path)["trials"]


@pytest.mark.slow
def test_a_kill_loses_no_finished_trial(tmp_path):
    path = common.write(tmp_path, budget="trials = 5\nepochs = 1", space=RATE)
    before = killed_and_resumed(path)
    done = [one for one in before if one["status"] == "completed"]
    assert len(done) >= 2
    assert kgen_tune(path, "--resume").exit_code == 0
    after = common.results_of(path)["trials"]
    assert len(after) == 5
    assert {one["status"] for one in after} == {"completed"}
    for one in done:  # not run again: even its seconds are the same
        assert after[one["trial"]] == one
    settings = [json.dumps(one["settings"]) for one in after]
    assert len(set(settings)) == 5


def test_two_processes_do_not_run_a_study_at_once(tmp_path, monkeypatch):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    path = common.write(tmp_path)
    assert kgen_tune(path).exit_code == 0
    with tuning.alone(studies.read(path)):
        for option in ("--resume", "--overwrite"):
            result = kgen_tune(path, option)
            assert result.exit_code == 2
            assert (
                f"another kgen process (PID {os.getpid()} on " in result.stderr
            )
    assert kgen_tune(path, "--resume").exit_code == 0


def without_a_key(text):
    """The text of a table, without one of its keys."""
    found = json.loads(text)
    del found[sorted(found)[-1]]
    return json.dumps(found)


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-9], lambda text: "[]", without_a_key]
)
@pytest.mark.parametrize(
    "file",
    [
        "study.json",
        "oracle.json",
        "trial_1/trial.json",
        "trial_1/record.json",
    ],
)
def test_a_damaged_file_is_named(tmp_path, monkeypatch, file, damage):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    path = common.write(tmp_path, **common.GRID)
    assert kgen_tune(path, "--trials", 2).exit_code == 0
    damaged = path.with_suffix(".trials") / file
    if file.endswith("record.json"):  # what is last there may lack
        record = json.loads(damaged.read_text())
        damaged.write_text(json.dumps({"settings": record["settings"]}))
    damaged.write_text(damage(damaged.read_text()))
    result = kgen_tune(path, "--resume")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert str(damaged) in result.stderr and "--overwrite" in result.stderr
    assert kgen_tune(path, "--overwrite", "--trials", 1).exit_code == 0


def test_trials_that_an_oracle_knows_and_nobody_has_are_told(
    tmp_path, monkeypatch
):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    path = common.write(tmp_path, **common.GRID)
    assert kgen_tune(path, "--trials", 2).exit_code == 0
    file = path.with_suffix(".trials") / "oracle.json"
    state = json.loads(file.read_text())
    state["ongoing_trials"] = {"tuner0": "0007"}
    file.write_text(json.dumps(state))
    result = kgen_tune(path, "--resume")
    assert result.exit_code == 2 and "--overwrite" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "change", [{"trial_id": "/../../../elsewhere"}, {"trial_id": 7}, None]
)
def test_a_newest_trial_that_makes_no_sense_is_damage(
    tmp_path, monkeypatch, change
):
    """A file says where another one is written: not outside of the study."""
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    path = common.write(tmp_path, **common.GRID)
    assert kgen_tune(path, "--trials", 2).exit_code == 0
    file = path.with_suffix(".trials") / "oracle.json"
    state = json.loads(file.read_text())
    newest = state["newest_trial"]
    state["newest_trial"] = {**newest, **change} if change else {"x": 1}
    file.write_text(json.dumps(state))
    before = sorted(tmp_path.rglob("*"))
    result = kgen_tune(path, "--resume")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert str(file) in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_an_extractor_that_can_not_be_had_is_found_before_any_trial(tmp_path):
    path = common.write(
        tmp_path,
        model="gan",
        objective="val_frechet_distance",
        more='[evaluation]\nextractor = "classifier"',
    )
    result = kgen_tune(path)
    assert result.exit_code == 2 and "no labels" in result.stderr
    assert not path.with_suffix(".trials").exists()


# Training with what was found


def test_train_takes_the_best_settings(tmp_path, monkeypatch):
    common.at_best(monkeypatch, lambda settings, seed: settings["latent_dim"])
    path = common.write(
        tmp_path,
        budget="trials = 2\nepochs = 2",
        space="latent_dim = {values = [1, 3]}\nhidden_units = [4]\n"
        'optimizer = "adam:0.01"\nrun_eagerly = true',
    )
    assert kgen_tune(path).exit_code == 0

    def train(*args):
        run = tmp_path / f"run{len(args)}"
        result = CliRunner().invoke(
            cli.main,
            ["train", "autoencoder", "--from-study", str(path)]
            + ["--out", str(run), *args],
        )
        assert result.exit_code == 0, result.output
        return json.loads((run / "config.json").read_text())

    config = train()
    assert config["latent_dim"] == 1
    assert config["epochs"] == 1  # after which it was best
    assert config["network"] == "dense" and config["batch_size"] == 64
    assert config["data"] == str(tmp_path / "x.npy")
    options = {"optimizer": "adam:0.01", "run_eagerly": True}
    assert config["options"] == {"hidden_units": [4], **options}

    # The second one is not trained: what would be is in its directory.
    def create(run, settings, *args, **kwargs):
        run.create(settings)
        return kgen.create_model("autoencoder", input_shape=(3,))

    monkeypatch.setattr(runs, "train", create)
    config = train("--latent-dim", "2", "--set", "hidden_units=[5]")
    assert config["latent_dim"] == 2
    assert config["options"] == {"hidden_units": [5], **options}


@pytest.mark.parametrize(
    "model, options, message",
    [
        ("vae", (), "is of the model autoencoder"),
        ("autoencoder", ("--resume", "--out", "x"), "exclude"),
    ],
)
def test_another_model_is_refused(
    tmp_path, monkeypatch, model, options, message
):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    path = common.write(tmp_path)
    assert kgen_tune(path).exit_code == 0
    arguments = ["train", model, "--from-study", str(path), *options]
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 2 and message in result.stderr


def test_a_study_without_results_is_refused(tmp_path):
    path = common.write(tmp_path)
    arguments = ["train", "autoencoder", "--from-study", str(path)]
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 2 and "kgen tune" in result.stderr


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda found: found.clear(), "'trials'|'best'"),
        (lambda found: found.pop("data"), "lacks data"),
        (lambda found: found["best"].pop("settings"), "lacks settings"),
        (lambda found: found["best"].update(settings=3), "not iterable"),
        (lambda found: found["trials"][0].pop("value"), "lacks value"),
        (lambda found: found.update(trials=3), "not iterable"),
    ],
)
def test_damaged_results_are_one_line(tmp_path, monkeypatch, damage, message):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    path = common.write(tmp_path)
    assert kgen_tune(path).exit_code == 0
    found = common.results_of(path)
    damage(found)
    path.with_suffix(".results.json").write_text(json.dumps(found))
    with pytest.raises(InvalidArgument, match=message) as error:
        studies.results.read(path)
    assert "can't be read" in str(error.value)


def test_files_that_nest_too_deep_are_damaged(tmp_path):
    """Which Python's own reader answers by a RecursionError."""
    for name in ("study.results.json", "model.json"):
        (tmp_path / name).write_text("[" * 100_000)
    with pytest.raises(InvalidArgument, match="can't be read: it nests"):
        studies.results.read(tmp_path / "study.toml")
    with pytest.raises(InvalidArgument, match="can't be read .*it nests"):
        records.read(tmp_path / "study.results.json")
    with pytest.raises(InvalidArgument, match="is damaged: it nests"):
        card.read(tmp_path)


# Sharing


def test_a_trial_is_given_up_when_its_worker_has_died_again_and_again(
    tmp_path, monkeypatch
):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    study = common.study(tmp_path, **common.GRID)
    ended = []
    trainer = tuning.make_trainer(study, 2, lambda *args: ended.append(args[1]))
    oracle = trainer.oracle
    oracle.verbose = 0

    def begun_by(name):
        trial = oracle.create_trial(name)
        if trial.status == "RUNNING":
            folder = study.folder / f"trial_{trial.trial_id}"
            with records.attempts_file(folder).open("a") as file:
                file.write("x")
        return trial

    given = [begun_by("a").trial_id for _ in range(3)]
    assert given == 3 * ["0"] and begun_by("b").trial_id == "1"
    assert not ended
    oracle.update_trial("1", {"val_mse": 1.0})
    # What it told and did not hand in is forgotten: it is run anew.
    assert not begun_by("b").metrics.exists("val_mse")
    assert begun_by("a").status == "STOPPED"
    (failed,) = ended
    assert failed["trial"] == 0 and failed["status"] == "failed"
    assert failed["reason"].startswith("its process died 3 times")
    assert failed["settings"]["latent_dim"] == 1
    assert failed["parameters"] == {"latent_dim": 1}
    assert list(oracle.ongoing_trials) == ["b"]


@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_a_trial_that_kills_the_command_is_not_begun_for_ever(
    tmp_path, monkeypatch, how
):
    path = common.write(tmp_path, **common.GRID)
    begun = []

    def end(settings, seed):
        begun.append(settings["latent_dim"])
        if settings["latent_dim"] == 2:
            raise KeyboardInterrupt
        return 1.0

    common.at_best(monkeypatch, end)
    if how == "kill":  # nothing is tidied up
        monkeypatch.setattr(pathlib.Path, "unlink", lambda *args, **kwargs: 0)
    for resume in (False, True, True):
        with pytest.raises(KeyboardInterrupt):
            studies.tune(studies.read(path), resume=resume)
    monkeypatch.undo()
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    found = studies.tune(studies.read(path), resume=True)["trials"]
    assert [one["status"] for one in found].count("failed") == (how == "kill")
    assert begun == [1, 2, 2, 2]


def test_what_is_sent_to_workers_is_not_printed(tmp_path, capsys):
    """Keras Tuner has a print left where a parameter hangs on another one."""
    space = (
        "hidden_units = [4]\nfilters = {values = [2, 4]}\n"
        'network = {values = ["conv", "dense"]}'
    )
    study = common.study(tmp_path, space=space, data='source = "digits"')
    oracle = tuning.make_trainer(study).oracle
    sent = oracle.get_space().to_proto()
    assert "conditions" in str(sent)
    assert capsys.readouterr().out == ""


def test_who_has_nothing_to_do_waits_a_little(tmp_path, monkeypatch):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    study = common.study(tmp_path, **common.GRID)
    trainer = tuning.make_trainer(study, 2)
    create = trainer.oracle.create_trial
    statuses = ["IDLE", "IDLE", None, None, "IDLE", None]
    asked, pauses = [], []

    def ask(tuner_id):
        status = statuses[len(asked)]
        asked.append(status)
        return types.SimpleNamespace(status=status) if status else create("a")

    monkeypatch.setattr(trainer.oracle, "create_trial", ask)
    monkeypatch.setattr(
        keras_tuner_adapter,
        "time",
        types.SimpleNamespace(sleep=pauses.append, monotonic=time.monotonic),
    )
    trainer.search(verbose=0)
    assert asked == statuses and len(pauses) == 3 and min(pauses) > 0


@pytest.mark.parametrize(
    "variables, options, message",
    [
        ({"TUNER_ID": "chief"}, (), "ORACLE_PORT is not"),
        ({"TUNER_ID": "chief", "ORACLE_IP": "127.0.0.1"}, (), "all three"),
        (
            {"TUNER_ID": "w", "ORACLE_IP": "127.0.0.1", "ORACLE_PORT": "x"},
            (),
            "a number",
        ),
        (
            {"TUNER_ID": "w", "ORACLE_IP": "::1", "ORACLE_PORT": "70000"},
            (),
            "to 65535",
        ),
        (
            {"TUNER_ID": "w", "ORACLE_IP": "127.0.0.1", "ORACLE_PORT": "80"},
            ("--workers", 2),
            "one machine",
        ),
        (
            {
                "TUNER_ID": "chief",
                "ORACLE_IP": "192.0.2.1",  # no machine's, by RFC 5737
                "ORACLE_PORT": "8000",
            },
            (),
            "can't listen at 192.0.2.1:8000",
        ),
    ],
)
def test_variables_that_make_no_sense_are_refused(
    tmp_path, monkeypatch, variables, options, message
):
    for name, value in variables.items():
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    path = common.write(tmp_path)
    result = kgen_tune(path, *options)
    assert result.exit_code == 2 and message in result.stderr
    assert not path.with_suffix(".trials").exists()


def test_a_worker_of_another_folder_is_sent_away(tmp_path, monkeypatch):
    """It has the same study, and no trials of its chief's beside it."""
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker-1")
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "1")
    monkeypatch.setattr(  # as if the chief had answered
        oracle_client.OracleClient, "get_space", lambda self: None
    )
    path = common.write(tmp_path)
    result = kgen_tune(path)
    assert result.exit_code == 2 and "is not the folder" in result.stderr


def test_a_trial_without_a_record_has_failed(tmp_path, monkeypatch):
    """So it is where a worker does not see the folder after all."""
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    study = common.study(tmp_path, **common.GRID)
    studies.tune(study)
    (study.folder / "trial_0000" / "record.json").unlink()
    found = studies.tune(study, resume=True)
    first = found["trials"][0]
    assert first["status"] == "failed" and "does not share" in first["reason"]
    assert found["best"]["trial"] == 1


def test_a_trial_that_outlives_its_chief_is_not_run_again(
    tmp_path, monkeypatch
):
    def figure(settings, seed):
        if settings["latent_dim"] == 2 and not ended:
            raise KeyboardInterrupt
        ran.append(settings["latent_dim"])
        return 1.0

    ended, ran = [], []
    common.at_best(monkeypatch, figure)
    study = common.study(tmp_path, **common.GRID)
    with pytest.raises(KeyboardInterrupt):
        studies.tune(study)
    trainer = tuning.make_trainer(study)  # the chief that is started again
    oracle = trainer.oracle
    oracle.verbose = 0
    (trial,) = (one for one in oracle.trials.values() if not one.score)
    ended.append(trial)
    trainer._try_run_and_update_trial(trial)
    trainer.on_trial_end(trial)
    trainer.search(verbose=0)
    assert sorted(ran) == [1, 2, 3, 4, 5, 6] and len(oracle.trials) == 6
