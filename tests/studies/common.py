"""Small studies."""

import json
import types

import numpy as np

import kgen
from kgen import files, studies
from kgen.studies import study as study_module
from kgen.studies import trial_plots, trials

# Six trials, in order.
GRID = {
    "tuner": "grid",
    "budget": "epochs = 1",
    "space": "latent_dim = {min = 1, max = 6}\nhidden_units = [4]",
}
# Of a space whose trials train for real: a trace takes longer than a few steps.
EAGER = "hidden_units = [4]\nrun_eagerly = true"
# Judges samples by their pixels, for the figure of `frechet_distance`.
BY_PIXELS = '[evaluation]\nnum_samples = 50\nextractor = "pixels"'
DATA = np.random.default_rng(0).random((60, 4)).astype("float32")


def write(
    folder,
    model="autoencoder",
    objective="val_mse",
    tuner="random",
    budget="trials = 3\nepochs = 2",
    space="latent_dim = {values = [1, 2, 3]}\nhidden_units = [4]",
    data=None,
    more="",
    name="study.toml",
):
    """Writes a study on 60 vectors of four numbers; returns its path."""
    if data is None:
        np.save(folder / "x.npy", DATA)
        data = f'source = "{folder / "x.npy"}"'
    path = folder / name
    path.write_text(
        f'model = "{model}"\nobjective = "{objective}"\ntuner = "{tuner}"\n'
        f"{more}\n[budget]\n{budget}\n[space]\n{space}\n[data]\n{data}\n"
    )
    return path


def study(folder, **options):
    return studies.read(write(folder, **options))


def results_of(path):
    return json.loads(path.with_suffix(".results.json").read_text())


def frechet_distance(study, file):
    """The figure of a model in a file, where a study judges `BY_PIXELS`."""
    evidence = kgen.evaluation.Evidence(
        kgen.load_model(file),
        study.data.examples("validation"),
        study.data.examples("train"),
        extractor=kgen.extractors.get("pixels", study.data.source),
        num_samples=50,
    )
    figures, _ = kgen.evaluation.compute(evidence, ["frechet_distance"])
    return figures["frechet_distance"].value


_first_models = {}


def _first_model(study):
    """The model of a space's first values, which all tests of the space share."""
    settings = study.settings
    key = repr(
        (
            settings.model,
            settings.space,
            study.data.examples("train").shape,
            study.data.conditional and study.data.source.num_classes,
        )
    )
    if key not in _first_models:
        _first_models[key] = study.hypermodel().check()
    return _first_models[key]


def read_quickly(monkeypatch):
    """Makes each space be built and checked once for all tests.

    Data are not checked then, and files not synchronised with the disk.
    """
    monkeypatch.setattr(studies.Study, "first_model", property(_first_model))
    unchecked = types.SimpleNamespace(check_data=lambda *args, **options: None)
    monkeypatch.setattr(study_module, "checks", unchecked)
    monkeypatch.setattr(study_module.Data, "batches", lambda *args: None)
    for name in ("_sync_file", "_sync_directory"):
        monkeypatch.setattr(files, name, lambda path: None)


def train_by(monkeypatch, train, drawn=False):
    """Makes a function run all trials; nothing else that costs time is done.

    Pictures are left out, too, unless `drawn`.
    """
    read_quickly(monkeypatch)
    monkeypatch.setattr(trials.Trainer, "_train", train)
    if not drawn:
        monkeypatch.setattr(trial_plots, "draw", lambda found, path: None)


def at_best(monkeypatch, figure, drawn=False):
    """Makes trials cost nothing: `figure` of the settings is the figure.

    Pictures are left out, too, unless `drawn`.
    """

    def train(self, settings, seed, folder, values):
        value = figure(settings, seed)
        (folder / f"model-{seed}.keras").write_text("")
        return {"seed": seed, "value": value, "epochs": 1}

    train_by(monkeypatch, train, drawn)
