"""Small studies."""

import json

import numpy as np

from kgen import studies
from kgen.studies import trial_plots, trials

# Six trials, in order.
GRID = {
    "tuner": "grid",
    "budget": "epochs = 1",
    "space": "latent_dim = {min = 1, max = 6}\nhidden_units = [4]",
}
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


def at_best(monkeypatch, figure, drawn=False):
    """Makes trials cost nothing: `figure` of the settings is the figure.

    Pictures are left out, too, unless `drawn`.
    """

    def train(self, settings, seed, folder, values):
        value = figure(settings, seed)
        (folder / f"model-{seed}.keras").write_text("")
        return {"seed": seed, "value": value, "epochs": 1}

    monkeypatch.setattr(trials.Trainer, "_train", train)
    if not drawn:
        monkeypatch.setattr(trial_plots, "draw", lambda found, path: None)
