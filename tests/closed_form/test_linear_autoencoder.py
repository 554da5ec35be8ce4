"""A linear autoencoder under squared error against PCA.

Its optimum spans the subspace of the first principal components (Baldi & Hornik
1989), and its error is that of PCA.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

import kgen


@pytest.fixture(scope="module")
def digits():
    splits = kgen.data.load("digits", ("train", "test"), batch_size=2000)
    return [next(iter(batches)).numpy().reshape(-1, 64) for batches in splits]


@pytest.mark.parametrize(
    "size",
    [
        8,
        pytest.param(2, marks=pytest.mark.slow),
        pytest.param(16, marks=pytest.mark.slow),
    ],
)
def test_finds_the_subspace_of_pca(digits, size):
    train, test = digits
    keras.utils.set_random_seed(0)
    model = kgen.create_model(
        "autoencoder",
        input_shape=(64,),
        network="dense",
        hidden_units=(),
        latent_dim=size,
    )
    steps = 5000
    rate = keras.optimizers.schedules.CosineDecay(0.05, steps, alpha=1e-3)
    model.compile(kgen.optimizers.Adam(rate), steps_per_execution=100)
    model.fit(tf.data.Dataset.from_tensors(train).repeat(steps), verbose=0)
    pca = PCA(size).fit(train)
    errors = [
        np.mean(np.square(test - rebuilt))
        for rebuilt in (
            model.reconstruct(test),
            pca.inverse_transform(pca.transform(test)),
        )
    ]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    # PCA is the best on what it was fitted to.
    on_train = np.mean(np.square(train - model.reconstruct(train)))
    discarded = np.linalg.eigvalsh(np.cov(train, rowvar=False))[:-size].sum()
    best = discarded * (len(train) - 1) / len(train) / 64
    assert best * (1 - 1e-5) <= on_train <= best * 1.001
    origin = model.decode(np.zeros((1, size)))
    span = model.decode(np.eye(size)) - origin
    angles = subspace_angles(span.T, pca.components_.T)
    assert np.rad2deg(angles.max()) < 0.1
