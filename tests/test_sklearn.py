"""kgen's models, as scikit-learn sees them."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import kgen
from kgen.sklearn import (
    AutoencoderTransformer,
    GenerativeClassifier,
    OutlierDetector,
    VAETransformer,
)
from tests.eager import train_eagerly

RNG = np.random.default_rng(0)
# Three classes in five features, on two directions.
Y = np.repeat([0, 1, 2], 30)
X = RNG.normal(size=(3, 2))[Y] @ RNG.normal(size=(2, 5)) * 3
X = X + 0.1 * RNG.normal(size=X.shape)
# The same in float32, and nearer to each other.
NEAR = (X + RNG.normal(size=X.shape) * [1, 2, 1, 3, 1]).astype("float32")


def quick(cls, **options):
    return cls(**{"epochs": 2, "hidden_units": (8,), **options})


def by_vae(**options):
    """A classifier that learns in few steps, since it is told to classify."""
    return quick(
        GenerativeClassifier,
        density="vae",
        optimizer="adam:0.02",
        batch_size=8,
        discriminative_weight=30.0,
        **options,
    )


@pytest.fixture
def eagerly(monkeypatch):
    train_eagerly(monkeypatch)


# Nothing is excused: what skips itself is for other types of arrays. The two
# transformers are one class with two models, and the VAE draws, too.
@pytest.mark.usefixtures("eagerly")
@parametrize_with_checks(
    [
        quick(VAETransformer, epochs=1),
        GenerativeClassifier(),
        quick(OutlierDetector, model="vae", epochs=1),
    ]
)
def test_conventions_of_scikit_learn(estimator, check):
    check(estimator)


# Each is fitted in another way: by gradients without draws, by counts in several
# epochs, and by gradients. Those that are counted in one epoch, as the default
# is, run the same code.
@pytest.mark.slow
@parametrize_with_checks(
    [
        quick(AutoencoderTransformer, epochs=1),
        GenerativeClassifier("low_rank"),
        by_vae(),
        quick(OutlierDetector, model="autoencoder", epochs=1),
        OutlierDetector("low_rank"),
    ]
)
def test_conventions_with_other_densities(estimator, check):
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


@pytest.mark.usefixtures("eagerly")
def test_random_state():
    one, same, other = (
        quick(AutoencoderTransformer, random_state=seed).fit(X)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.transform(X), same.transform(X))
    assert np.abs(one.transform(X) - other.transform(X)).max() > 1e-3


@pytest.mark.usefixtures("eagerly")
def test_the_caller_s_random_numbers_are_left_alone():
    np.random.seed(3)
    expected = np.random.RandomState(3).uniform()
    quick(AutoencoderTransformer, random_state=0).fit(X)
    assert np.random.uniform() == expected


@pytest.mark.usefixtures("eagerly")
def test_pipeline_and_grid_search():
    search = GridSearchCV(
        make_pipeline(
            StandardScaler(),
            AutoencoderTransformer(
                hidden_units=(16,), epochs=20, optimizer="adam:0.03"
            ),
            LogisticRegression(),
        ),
        {"autoencodertransformer__latent_dim": [1, 2]},
        cv=2,
        refit=False,
    )
    assert search.fit(X, Y).best_score_ > 0.9
    alone = GridSearchCV(
        quick(VAETransformer, epochs=1),
        {"options": [{"kl_weight": 0.5}, None]},
        cv=2,
    )
    assert alone.fit(X).best_score_ < 0


@pytest.mark.usefixtures("eagerly")
def test_an_optimizer_serves_many_fits():
    optimizer = keras.optimizers.Adam(0.01)
    model = quick(AutoencoderTransformer, optimizer=optimizer, random_state=0)
    first = model.fit(X).transform(X)
    np.testing.assert_array_equal(first, clone(model).fit(X).transform(X))
    np.testing.assert_array_equal(first, model.fit(X).transform(X))


@pytest.mark.usefixtures("eagerly")
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
        (
            {"optimizer": "sgd:1e20"},
            "Epoch 1.* became NaN or infinite.* Standardise the features",
        ),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        quick(VAETransformer, **options).fit(X)


@pytest.mark.usefixtures("eagerly")
def test_codes_of_another_size():
    model = quick(AutoencoderTransformer).fit(X)
    with pytest.raises(ValueError, match="2 columns"):
        model.inverse_transform(np.zeros((4, 3)))


def test_all_rows_are_looked_at():
    """Not only those of the first batch."""
    rows = np.full((40, 5), 0.5)
    rows[-1] = 2.0
    model = quick(VAETransformer, likelihood="bernoulli", batch_size=4)
    with pytest.raises(ValueError, match=r"`X` of `VAE.*values in \[0, 1\]"):
        model.fit(rows)
    with pytest.raises(ValueError, match="finite numbers"):
        model.fit(np.where(rows > 1, 1e300, rows))


# The classifier

NAMES = np.array(["one", "two", "three"])[Y]


@pytest.mark.parametrize(
    "model",
    [
        GenerativeClassifier("full"),
        GenerativeClassifier("shared"),
        GenerativeClassifier("low_rank:2"),
        GenerativeClassifier("naive_gaussian"),
        GenerativeClassifier("naive_bernoulli", options={"threshold": 0.0}),
        by_vae(random_state=0),
    ],
)
def test_each_density_classifies(model):
    model = clone(model).fit(X, NAMES)
    assert list(model.classes_) == ["one", "three", "two"]
    assert model.score(X, NAMES) > 0.9
    chances = model.predict_proba(X)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), chances)
    best = model.classes_[chances.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(X), best)
    density = model.model_.log_prob(X.astype("float32"))
    np.testing.assert_allclose(model.score_samples(X), density, rtol=1e-6)
    rows, labels = model.sample(200)
    assert rows.shape == (200, 5)
    assert np.mean(model.predict(rows) == labels) > 0.6  # by chance, 1 in 3
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(chances, copy.predict_proba(X))


def lda(**options):
    lda = LinearDiscriminantAnalysis("lsqr", shrinkage=0.1, **options)
    return make_pipeline(StandardScaler(), lda)


def naive(**options):
    naive = GaussianNB(var_smoothing=0.02, **options)
    return make_pipeline(StandardScaler(), naive)


# LDA with priors weights the classes' covariances by them, not by their sizes.
@pytest.mark.parametrize(
    ("theirs", "density", "options", "prior"),
    [
        (LinearDiscriminantAnalysis(), "shared", None, None),
        (QuadraticDiscriminantAnalysis(), "full", None, None),
        (GaussianNB(), "naive_gaussian", None, None),
        (lda(), "shared", {"shrinkage": 0.1}, None),
        (naive(), "naive_gaussian", {"smoothing": 0.02}, None),
        (
            naive(priors=[0.6, 0.1, 0.3]),
            "naive_gaussian",
            {"smoothing": 0.02},
            [0.6, 0.1, 0.3],
        ),
    ],
)
def test_it_does_what_scikit_learn_does(theirs, density, options, prior):
    x, y = NEAR[10:], NAMES[10:]  # of unequal classes
    ours = GenerativeClassifier(density, options=options, prior=prior)
    expected = theirs.fit(x.astype("float64"), y).predict_proba(x)
    found = ours.fit(x, y).predict_proba(x)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.mean(expected.max(axis=1) < 0.99) > 0.05


def test_a_uniform_prior():
    model = GenerativeClassifier(prior="uniform").fit(X[20:], Y[20:])
    np.testing.assert_allclose(
        np.exp(model.model_.class_prior.log_prior.numpy()), 1 / 3
    )


@pytest.mark.parametrize(
    ("density", "options", "rank"),
    [
        ("low_rank", None, 4),
        ("low_rank:9", None, 4),
        ("low_rank:3", None, 3),
        ("low_rank", {"rank": 2}, 2),
    ],
)
def test_the_rank_stays_below_the_number_of_features(density, options, rank):
    model = GenerativeClassifier(density, options=options).fit(X, Y)
    assert model.model_.density.rank == rank


def test_a_rank_needs_two_features():
    model = GenerativeClassifier("low_rank")
    with pytest.raises(ValueError, match='n_features=1. Pass "full"'):
        model.fit(X[:, :1], Y)


def test_rows_without_a_label_are_learnt_from():
    few = np.where(np.arange(90) % 30 < 3, Y, -1)
    alone = GenerativeClassifier("shared").fit(NEAR[few >= 0], few[few >= 0])
    quick_em = GenerativeClassifier("shared", unlabelled=-1, epochs=5)
    with_all = clone(quick_em).fit(NEAR, few)
    assert list(with_all.classes_) == [0, 1, 2]
    # A better density of all; the first step leaves out what has no label.
    least = alone.score_samples(NEAR).mean() + 1.0
    assert with_all.score_samples(NEAR).mean() > least
    first = clone(quick_em).set_params(epochs=1).fit(NEAR, few)
    np.testing.assert_allclose(
        first.model_.density.mean, alone.model_.density.mean
    )
    names = np.where(few < 0, "?", NAMES)
    named = clone(quick_em).set_params(unlabelled="?").fit(NEAR, names)
    np.testing.assert_allclose(
        named.predict_proba(NEAR)[:, [0, 2, 1]], with_all.predict_proba(NEAR)
    )


def test_minus_one_is_a_class_like_others():
    model = GenerativeClassifier().fit(X, Y - 1)
    assert list(model.classes_) == [-1, 0, 1]
    none = GenerativeClassifier(unlabelled=-1)
    with pytest.raises(ValueError, match="some rows whose class is known"):
        none.fit(X, np.full(90, -1))


def test_a_discriminative_weight_goes_on_from_the_count():
    optimizer = keras.optimizers.Adam(0.02)
    counted = GenerativeClassifier("naive_gaussian", random_state=0)
    weighted = clone(counted).set_params(
        discriminative_weight=100.0, optimizer=optimizer, epochs=10
    )
    losses = [
        log_loss(Y, model.fit(NEAR, Y).predict_proba(NEAR))
        for model in (counted, weighted)
    ]
    assert losses[1] < 0.9 * losses[0]
    again = weighted.predict_proba(NEAR)
    np.testing.assert_array_equal(
        again, weighted.fit(NEAR, Y).predict_proba(NEAR)
    )


def test_a_classifier_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), GenerativeClassifier())
    assert cross_val_score(pipeline, X, NAMES, cv=2).min() > 0.9
    densities = ["naive_gaussian", "low_rank:2"]
    search = GridSearchCV(
        pipeline, {"generativeclassifier__density": densities}, cv=2
    )
    assert search.fit(X, NAMES).best_score_ > 0.9


def test_samples_by_random_state():
    model = GenerativeClassifier(random_state=3).fit(X, Y)
    rows, labels = model.sample(20)
    same, _ = model.sample(20)
    np.testing.assert_array_equal(rows, same)
    assert set(labels) == {0, 1, 2}
    other, _ = model.set_params(random_state=4).sample(20)
    assert np.abs(rows - other).max() > 0.1
    with pytest.raises(ValueError, match="n_samples"):
        model.sample(0)
    one = GenerativeClassifier(prior=[1e-9, 1 - 2e-9, 1e-9]).fit(X, Y)
    assert set(one.sample(20)[1]) == {1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"density": "ful"}, "did you mean 'full'"),
        ({"density": 3}, "a density's name"),
        ({"density": "low_rank:x"}, "rank=x"),
        ({"density": "naive_bernoulli"}, r"`X` of `Gen.*values in \[0, 1\]"),
        ({"prior": [0.5, 0.5]}, "3 numbers"),
        ({"options": {"shrinkge": 0.1}}, "did you mean 'shrinkage'"),
        ({"options": {"prior": "uniform"}}, "and the estimator's own"),
        ({"discriminative_weight": -1}, "discriminative_weight"),
        ({"epochs": 0}, "epochs"),
        (
            {"density": "vae", "optimizer": "sgd:1e20", "epochs": 2},
            "Epoch .* became NaN or infinite.* Standardise the features",
        ),
    ],
)
def test_bad_arguments_of_the_classifier(options, message):
    with pytest.raises(ValueError, match=message):
        GenerativeClassifier(**options).fit(X, Y)


# The detector of outliers


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "model", ["vae", "vaegan", "autoencoder", "denoising_autoencoder", "full"]
)
def test_outliers_by_each_model(model):
    detector = quick(OutlierDetector, model=model, random_state=0).fit(NEAR)
    scores = detector.score_samples(NEAR)
    found = detector.model_.outlier_score(NEAR)
    np.testing.assert_allclose(scores, -found, rtol=1e-5)
    assert detector.offset_ == np.quantile(scores, 0.1)
    decision = detector.decision_function(NEAR)
    np.testing.assert_array_equal(decision, scores - detector.offset_)
    predicted = detector.predict(NEAR)
    np.testing.assert_array_equal(predicted, np.where(decision < 0, -1, 1))
    assert (predicted == -1).sum() == 9
    far = NEAR + 100.0
    assert set(detector.predict(far)) == {-1}
    copy = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(predicted, copy.predict(NEAR))


def test_a_detector_takes_a_frame_whose_names_it_keeps():
    frame = pd.DataFrame(NEAR).rename(columns="x{}".format)
    detector = OutlierDetector(random_state=0).fit(frame)
    assert list(detector.feature_names_in_) == list(frame)
    np.testing.assert_array_equal(
        detector.score_samples(frame),
        OutlierDetector(random_state=0).fit(NEAR).score_samples(NEAR),
    )


def test_a_gaussian_s_scores_are_those_of_scipy():
    """The density of the maximum of likelihood, as in an elliptic envelope."""
    detector = OutlierDetector("full", contamination=0.2).fit(NEAR)
    rows = NEAR.astype("float64")
    density = stats.multivariate_normal(
        rows.mean(axis=0), np.cov(rows, rowvar=False, bias=True)
    )
    np.testing.assert_allclose(
        detector.score_samples(NEAR), density.logpdf(rows), rtol=1e-4
    )
    theirs = EllipticEnvelope(contamination=0.2, support_fraction=1.0)
    expected = theirs.fit(rows).predict(rows)
    np.testing.assert_array_equal(detector.predict(NEAR), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "gan"}, "'vae'"),
        ({"model": "bayes_classifier"}, "Expected one of 'autoencoder'"),
        ({"model": "autoencodr"}, "did you mean 'autoencoder'"),
        ({"model": None}, "Expected one of"),
        ({"model": ["vae"]}, "Expected one of"),
        ({"contamination": 0.6}, "a number from 0 to 0.5"),
        ({"contamination": "auto"}, "a number from 0 to 0.5"),
        ({"model": "low_rank:x"}, "rank=x"),
        ({"epochs": 0}, "epochs"),
        ({"options": {"contamination": 0.1}}, "and the estimator's own"),
    ],
)
def test_bad_arguments_of_the_detector(options, message):
    with pytest.raises(ValueError, match=message):
        OutlierDetector(**options).fit(X)


def test_pickles_of_before_find_their_classes():
    """They were in one module, whose name the pickles have."""
    for cls in (AutoencoderTransformer, GenerativeClassifier, VAETransformer):
        old = f"ckgen.sklearn\n{cls.__name__}\n."
        assert pickle.loads(old.encode()) is cls
