"""README.md beside an export, and what model hubs get."""

import os
import shutil
import types

import numpy as np
import pandas as pd
import pytest
from keras.src.saving import saving_lib

import kgen
from kgen.runs.export import ExportSettings, export
from tests.export.common import make_run
from tests.models import contract

EXPECTED = """\
---
library_name: keras
tags:
- kgen
- VAE
---

# vae

A `VAE` of kgen as a SavedModel.

Its classes, from label 0 on: a\\|b, c &lt;d>, e.

## Data

|  |  |
|---|---|
| source | data.npz |
| split | train |
"""


def test_a_readme_has_the_facts_of_the_card(tmp_path):
    model = contract.small_model("vae", conditional=True)
    model.class_names = ("a|b", "c\n<d>", "e")
    settings = {"options": {"kl_weight": 4.0}}
    run = make_run(tmp_path / "run", model, **settings)
    path = export(run, model, tmp_path / "models", ExportSettings())
    text = (path / "README.md").read_text()
    assert text.startswith(EXPECTED)
    assert "| latent_dim | 3 |\n" in text and "| kl_weight | 4.0 |\n" in text
    assert "| shape of an example | (8, 8, 1) |" in text
    assert (
        "| encode | images (n, 8, 8, 1) float32, labels (n) int32 | "
        "mean (n, 3) float32, log_var (n, 3) float32 |\n"
    ) in text
    assert 'signatures["serving_default"](images=images, labels=labels)' in text
    assert str(tmp_path) not in text
    assert "## Figures" not in text


def test_figures_of_a_card(tmp_path):
    card = {
        "model": "GAN",
        "date": "today",
        "signatures": {
            "serving_default": {
                "inputs": {"z": {"shape": [None, 2], "dtype": "float32"}},
                "outputs": {},
            }
        },
        "versions": {"kgen": "1"},
        "metrics": {"values": {"frechet_distance": 1.23456, "classes": 3}},
    }
    kgen.export.readme.write(tmp_path, card)
    text = (tmp_path / "README.md").read_text()
    assert "| frechet_distance | 1.235 |\n| classes | 3 |\n" in text
    assert "# GAN\n" in text and "## Training" not in text


def test_a_setting_of_zero_is_a_setting(tmp_path):
    settings = {"seed": 0, "options": {}, "binarize": False, "fit_prior": None}
    card = {
        "model": "VAE",
        "signatures": {"serving_default": {"inputs": {}, "outputs": {}}},
        "versions": {},
        "settings": settings,
    }
    kgen.export.readme.write(tmp_path, card)
    text = (tmp_path / "README.md").read_text()
    assert "| setting | value |\n|---|---|\n| seed | 0 |\n\n" in text


def test_columns_of_a_table(tmp_path):
    frame = pd.DataFrame(
        {
            "größe": [np.nan, *np.linspace(0.5, 2, 39)],
            "on": [True, False] * 20,
            "city": ["Ulm", "a|b"] * 20,
            "day": pd.date_range("2020-01-01", periods=40),
        }
    )
    table = kgen.data.Table.infer(frame)
    inputs = {"images": {"shape": [None], "dtype": "float64"}}
    card = {
        "model": "VAE",
        "signatures": {"serving_default": {"inputs": inputs, "outputs": {}}},
        "versions": {},
        "table": kgen.export.columns.described(table),
    }
    kgen.export.readme.write(tmp_path, card)
    text = (tmp_path / "README.md").read_text()
    assert '`""` or `NaN` is a gap' in text
    assert (
        "| tensor | column | kind | values |\n|---|---|---|---|\n"
        "| gr__e | größe | numeric | from 0.5 to 2 |\n"
        "| on | on | boolean | 0 or 1 |\n"
        "| city | city | category | Ulm, a\\|b |\n"
        "| day | day | datetime | in units of 86400 seconds since 1970, in UTC |\n"
    ) in text
    assert card["table"]["columns"][0]["gaps"] == 1 / 40


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in for the package of a model hub, whose models are folders."""

    class HfApi:
        def __init__(self, **_):
            pass

        def create_repo(self, name, exist_ok):
            return types.SimpleNamespace(repo_id=name)

        def upload_folder(self, repo_id, folder_path, commit_message):
            shutil.copytree(folder_path, tmp_path / repo_id)

    package = types.SimpleNamespace(
        HfApi=HfApi,
        snapshot_download=lambda repo_id, **_: os.fspath(tmp_path / repo_id),
    )
    monkeypatch.setattr(saving_lib, "huggingface_hub", package)


def test_a_model_goes_to_a_hub_and_comes_back(hub):
    vae = contract.small_model("vae")
    vae.fit(contract.X, epochs=1, verbose=0)
    vae.save("hf://me/digits")
    again = kgen.load_model("hf://me/digits")
    assert type(again) is kgen.VAE
    for mine, other in zip(vae.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(
        vae.sample(3, seed=0), again.sample(3, seed=0)
    )
    assert again.optimizer.iterations == vae.optimizer.iterations


def test_without_the_package_of_the_hub():
    with pytest.raises(ImportError, match="huggingface_hub"):
        kgen.load_model("hf://me/digits")
