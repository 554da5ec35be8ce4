"""kgen's transformers, as scikit-learn sees them."""

import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import kgen
from kgen.sklearn import AutoencoderTransformer, VAETransformer

RNG = np.random.default_rng(0)
# Three classes in five features, on two directions.
Y = np.repeat([0, 1, 2], 30)
X = RNG.normal(size=(3, 2))[Y] @ RNG.normal(size=(2, 5)) * 3
X = X + 0.1 * RNG.normal(size=X.shape)


def quick(cls, **options):
    return cls(**{"epochs": 2, "hidden_units": (8,), **options})


# Nothing is excused: the one check that skips itself is for other array types.
@parametrize_with_checks([quick(AutoencoderTransformer), quick(VAETransformer)])
def test_conventions_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("cls", [AutoencoderTransformer, VAETransformer])
def test_transform_and_back(cls):
    model = quick(cls, random_state=0)
    codes = model.fit_transform(X)
    assert codes.shape == (90, 2) and codes.dtype == X.dtype
    np.testing.assert_allclose(
        codes, model.model_.encode(X.astype("float32")), rtol=1e-6
    )
    rows = model.inverse_transform(codes)
    error = np.mean(np.square(rows - X))
    assert -model.score(X) == pytest.approx(error, rel=1e-5)
    names = model.get_feature_names_out()
    assert list(names) == [f"{cls.__name__.lower()}{i}" for i in (0, 1)]


def test_a_linear_one_does_what_pca_does():
    model = AutoencoderTransformer(
        2, hidden_units=(), epochs=400, optimizer="adam:0.02", random_state=0
    ).fit(X)
    pca = PCA(2).fit(X)
    best = np.mean(np.square(X - pca.inverse_transform(pca.transform(X))))
    assert best * (1 - 1e-5) < -model.score(X) < 1.1 * best


def test_random_state():
    one, same, other = (
        quick(AutoencoderTransformer, random_state=seed).fit(X)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.transform(X), same.transform(X))
    assert np.abs(one.transform(X) - other.transform(X)).max() > 1e-3


def test_the_caller_s_random_numbers_are_left_alone():
    np.random.seed(3)
    expected = np.random.RandomState(3).uniform()
    quick(AutoencoderTransformer, random_state=0).fit(X)
    assert np.random.uniform() == expected


def test_pipeline_and_grid_search():
    search = GridSearchCV(
        make_pipeline(
            StandardScaler(),
            AutoencoderTransformer(
                hidden_units=(16,), epochs=60, optimizer="adam:0.01"
            ),
            LogisticRegression(),
        ),
        {"autoencodertransformer__latent_dim": [1, 2]},
        cv=2,
    )
    assert search.fit(X, Y).best_score_ > 0.9
    alone = GridSearchCV(
        quick(VAETransformer), {"options": [{"kl_weight": 0.5}, None]}, cv=2
    )
    assert alone.fit(X).best_score_ < 0


def test_an_optimizer_serves_many_fits():
    optimizer = keras.optimizers.Adam(0.01)
    model = quick(AutoencoderTransformer, optimizer=optimizer, random_state=0)
    first = model.fit(X).transform(X)
    np.testing.assert_array_equal(first, clone(model).fit(X).transform(X))
    np.testing.assert_array_equal(first, model.fit(X).transform(X))


def test_pickle():
    model = quick(VAETransformer).fit(X)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.transform(X), copy.transform(X))
    assert isinstance(copy.model_, kgen.VAE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 0}, "latent_dim"),
        ({"epochs": 0}, "epochs"),
        ({"likelihood": "gausian"}, "did you mean"),
        ({"options": {"kl_weigth": 1}}, "did you mean 'kl_weight'"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"options": 3}, "a dictionary"),
        ({"options": {"network": "conv"}}, "without network"),
        ({"optimizer": "sgd:1e20"}, "became infinite or NaN"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        quick(VAETransformer, **options).fit(X)


def test_codes_of_another_size():
    model = quick(AutoencoderTransformer).fit(X)
    with pytest.raises(ValueError, match="2 columns"):
        model.inverse_transform(np.zeros((4, 3)))
