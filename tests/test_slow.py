"""Trainings and estimates that take a minute."""

import csv
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

import kgen

pytestmark = pytest.mark.slow


def train(folder, *args):
    """`kgen train` as a newcomer runs it; it must have nothing to complain of."""
    done = subprocess.run(
        [sys.executable, "-c", "from kgen.cli import main; main()"]
        + ["train", *args],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k[:6] != "TF_CPP"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    return done


def digits_in(images):
    """How sure a classifier of real digits is, and how often of which one."""
    x, y = load_digits(return_X_y=True)
    classifier = LogisticRegression(max_iter=1000).fit(x / 16, y)
    probabilities = classifier.predict_proba(images.reshape(len(images), -1))
    counts = np.bincount(probabilities.argmax(axis=1), minlength=10)
    return np.mean(probabilities.max(axis=1) > 0.5), counts / len(images)


def test_the_first_line_of_the_readme(tmp_path):
    """`kgen train vae --export` as a newcomer runs it."""
    done = train(tmp_path, "vae", "--export")
    assert "saved_models/vae/1" in done.stdout
    with open(tmp_path / "runs" / "vae-1" / "history.csv") as file:
        history = list(csv.DictReader(file))
    assert len(history) == 150
    # Probabilistic PCA with as many dimensions reaches 14 on these pictures.
    assert float(history[-1]["val_elbo"]) > 35


MEMORY = """
import resource, sys
import numpy as np
import kgen

vae = kgen.create_model("vae", input_shape=(28, 28, 1), network="dense",
                        hidden_units=(32,))
x = np.random.default_rng(0).uniform(size=(1000, 28, 28, 1)).astype("float32")
vae.log_likelihood(x, num_samples=int(sys.argv[1]), verbose=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_does_not_grow_with_the_importance_samples():
    few, many = (
        float(
            subprocess.run(
                [sys.executable, "-c", MEMORY, samples],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for samples in ("50", "5000")
    )
    assert many < few + 100  # MiB; all weights at once would take 15 GiB


def test_a_gan_draws_all_ten_digits(tmp_path):
    train(tmp_path, "gan")
    gan = kgen.load_model(tmp_path / "runs" / "gan-1" / "model.keras")
    sure, shares = digits_in(gan.sample(1000, seed=0))
    assert sure > 0.9  # of real digits .99
    assert shares.min() > 0.03


def test_a_gan_finds_all_of_a_ring():
    """8 Gaussians on a circle; benchmarks/ring.py trains it to the end."""
    rng = np.random.default_rng(0)
    angles = 2 * np.pi * np.arange(8) / 8
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x = centres[rng.integers(8, size=51_200)]
    x = x + 0.01 * rng.normal(size=x.shape)
    keras.utils.set_random_seed(0)
    gan = kgen.create_model(
        "gan", input_shape=(2,), network="dense", latent_dim=2, seed=0
    )
    gan.compile()
    gan.fit(x.astype("float32"), batch_size=256, epochs=30, verbose=0)
    distances = np.linalg.norm(
        gan.sample(2500, seed=0)[:, None] - centres, axis=-1
    )
    good = distances.min(axis=1) < 0.03
    counts = np.bincount(distances.argmin(axis=1)[good], minlength=8)
    assert good.mean() > 0.9
    assert counts.min() > 0.5 * good.sum() / 8


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_vaegan_does_not_collapse(seed):
    keras.utils.set_random_seed(seed)
    training = kgen.data.load("digits", "train", batch_size=32, seed=seed)
    model = kgen.create_model(
        "vaegan", input_shape=(8, 8, 1), latent_dim=16, seed=seed
    )
    model.compile()
    said = []
    x = kgen.data.load("digits", "test", batch_size=360)
    watch = kgen.callbacks.GANWatch(next(iter(x)), report=said.append)
    model.fit(training, epochs=40, verbose=0, callbacks=[watch])
    assert said == []
    sure, shares = digits_in(model.sample(1000, seed=0))
    assert sure > 0.75  # after few epochs; what must not be is one digit alone
    assert shares.min() > 0.02


@pytest.fixture(scope="module")
def digits():
    """Training and test pictures of digits, and the features to judge by."""
    source = kgen.data.open_source("digits")
    extractor = kgen.extractors.get("classifier", source)
    train, test = (
        next(iter(kgen.data.load("digits", name, batch_size=2000))).numpy()
        for name in ("train", "test")
    )
    return train, test, extractor


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "distance",
    [
        kgen.metrics.frechet_distance,
        lambda real, fake: kgen.metrics.kernel_distance(real, fake)[
            "kernel_distance"
        ],
    ],
    ids=["frechet", "kernel"],
)
def test_distances_order_what_is_worse_and_worse(digits, distance, seed):
    """Real pictures, with noise, blurred, samples of probabilistic PCA, noise."""
    train, test, extractor = digits
    rng = np.random.default_rng(seed)
    pca = PCA(20, random_state=0).fit(train.reshape(len(train), -1))
    spread = np.sqrt(pca.explained_variance_ - pca.noise_variance_)
    drawn = rng.normal(size=(len(test), 20)) * spread @ pca.components_
    drawn += pca.mean_
    drawn += np.sqrt(pca.noise_variance_) * rng.normal(size=drawn.shape)
    sets = [
        test,
        test + 0.05 * rng.normal(size=test.shape),
        gaussian_filter(test, (0, 0.45, 0.45, 0)),
        drawn.reshape(test.shape),
        rng.uniform(size=test.shape),
    ]
    real, *features = (
        extractor.features(np.clip(x, 0.0, 1.0).astype("float32"))
        for x in (train, *sets)
    )
    found = [distance(real, x) for x in features]
    assert found == sorted(found), found
