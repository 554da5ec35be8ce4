"""Bayes' rule with densities in closed form, against scikit-learn and SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kgen
from kgen import densities
from kgen.densities.base import assign
from kgen.errors import InvalidArgument

X, Y = load_digits(return_X_y=True)
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = train_test_split(X / 16, Y, random_state=0)


def fitted(density, x=X_TRAIN, y=Y_TRAIN, **options):
    """A classifier after one epoch of `fit`."""
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=x.shape[1:],
        num_classes=int(y.max()) + 1,
        density=density,
        **options,
    )
    model.compile(run_eagerly=True)  # a trace takes longer than the steps
    model.fit(x.astype("float32"), y.astype("int32"), 500, verbose=0)
    return model


@pytest.mark.parametrize(
    "density, options, reference",
    [
        (
            "naive_gaussian",
            {"smoothing": 1e-3, "standardize": False},
            GaussianNB(var_smoothing=1e-3),
        ),
        (
            "naive_gaussian",
            {"smoothing": 1e-9, "standardize": False},
            GaussianNB(var_smoothing=1e-9),
        ),
        (
            "naive_bernoulli",
            {"threshold": 0.5, "smoothing": 0.3},
            BernoulliNB(binarize=0.5, alpha=0.3),
        ),
        (
            "full",
            {"shrinkage": 0.1, "standardize": False},
            QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.1),
        ),
        (
            "shared",
            {"shrinkage": 0.1, "standardize": False},
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1),
        ),
    ],
)
def test_log_probabilities_are_those_of_scikit_learn(
    density, options, reference
):
    model = fitted(density, **options)
    expected = reference.fit(X_TRAIN, Y_TRAIN).predict_log_proba(X_TEST)
    found = model.predict_log_proba(X_TEST)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    x = X_TEST.astype("float32")
    np.testing.assert_allclose(
        model.predict(x, verbose=0), np.exp(expected), atol=1e-6
    )


def fit_density(density, x, y, batch_size=7):
    density.start()
    for begin in range(0, len(x), batch_size):
        part = slice(begin, begin + batch_size)
        weights = tf.one_hot(y[part], density.num_classes, dtype="float64")
        density.observe(tf.constant(x[part]), weights)
    assign(density.counted())


def posterior(name, x, y, at=None, **options):
    """log P(y|x) by Bayes' rule, without the model around the density."""
    counts = np.bincount(y)
    density = densities.get(name, x.shape[1:], len(counts), **options)
    fit_density(density, x, y, 500)
    log_prob = density.log_prob(tf.constant(x if at is None else at))
    return special.log_softmax(log_prob + np.log(counts / len(y)), axis=1)


class ByPCA(ClassifierMixin, BaseEstimator):
    """Bayes' rule by scikit-learn's probabilistic PCA of each class."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        self.log_prior_ = np.log(np.bincount(y) / len(y))
        self.parts_ = [
            PCA(2, svd_solver="full").fit(x[y == label])
            for label in self.classes_
        ]
        return self

    def predict_proba(self, x):
        scores = [pca.score_samples(x) for pca in self.parts_]
        return special.softmax(np.stack(scores, 1) + self.log_prior_, axis=1)


def columns(units=(1e-3, 1.0, 1e4, 1e-20), offset=3.0):
    """Rows of a table in float32, of three classes that overlap."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [70, 50, 30])
    x = rng.normal(size=(150, 4)) @ rng.normal(size=(4, 4))
    x = x + rng.normal(size=(3, 4))[y] + offset
    return (x * units).astype("float32"), y


def table(load, units=(1.0,)):
    """A real table in float32, its columns multiplied by `units` in turn."""
    x, y = load(return_X_y=True)
    return (x * np.resize(units, x.shape[1])).astype("float32"), y


TABLES = {
    "of many scales": columns(),
    "far from 0": columns([1.0] * 4, offset=1e4),
    "large": columns([1e15] * 4),
    "wine": table(load_wine),
    "breast cancer": table(load_breast_cancer),
    "iris": table(load_iris),
    "wine, rescaled": table(load_wine, [1e3, 1.0, 1e-3]),
    "breast cancer, rescaled": table(load_breast_cancer, [1e3, 1e-3, 1.0]),
    "iris, rescaled": table(load_iris, [1e-3, 1e3]),
}


def assert_agree(density, reference, x, y, **options):
    """The same P(y|x) as scikit-learn's of the same float32 numbers."""
    exact = x.astype("float64")
    expected = reference.fit(exact, y).predict_proba(exact)
    found = np.exp(posterior(density, x, y, **options))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "density, reference",
    [
        ("naive_gaussian", GaussianNB()),
        ("full", QuadraticDiscriminantAnalysis(tol=0.0)),
        ("shared", LinearDiscriminantAnalysis()),
        ("low_rank:2", make_pipeline(StandardScaler(), ByPCA())),
    ],
)
@pytest.mark.parametrize("x, y", TABLES.values(), ids=TABLES)
def test_defaults_are_those_of_scikit_learn_for_columns(
    density, reference, x, y
):
    assert_agree(density, reference, x, y)


@pytest.mark.parametrize(
    "density, options, reference",
    [
        ("naive_gaussian", {"smoothing": 0.02}, GaussianNB(var_smoothing=0.02)),
        ("naive_gaussian", {"standardize": True}, GaussianNB()),
        (
            "full",
            {"shrinkage": 0.1},
            QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.1),
        ),
        (
            "shared",
            {"shrinkage": 0.1},
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1),
        ),
    ],
)
@pytest.mark.parametrize("name", [name for name in TABLES if "," in name])
def test_numbers_act_on_standardised_columns(density, options, reference, name):
    reference = make_pipeline(StandardScaler(), reference)
    assert_agree(density, reference, *TABLES[name], **options)


@pytest.mark.parametrize(
    "density, options",
    [
        ("naive_gaussian", {"standardize": True}),
        ("naive_gaussian", {"smoothing": 0.02}),
        ("full", {}),
        ("full", {"shrinkage": 0.1}),
        ("shared", {}),
        ("low_rank:2", {}),
        ("low_rank:2", {"shrinkage": 0.1}),
    ],
)
def test_units_of_columns_change_nothing(density, options):
    """Powers of 2 about 1e-6, 1 and 1e6, which float32 multiplies exactly."""
    x, y = TABLES["breast cancer"]
    units = np.float32(2.0) ** np.resize([-20, 0, 20], x.shape[1])
    found = [posterior(density, rows, y, **options) for rows in (x, x * units)]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6, atol=1e-6)
    assert np.mean(found[1].argmax(axis=1) == y) > 0.92


def test_log_densities_are_of_the_columns_as_given():
    """By the factor of the change of variables, x to x / units."""
    x, y = table(load_wine)
    density = densities.get("low_rank:2", (13,), 3)
    fit_density(density, x, y)
    scaler = StandardScaler().fit(x.astype("float64"))
    standard = scaler.transform(x.astype("float64"))
    expected = [
        PCA(2).fit(standard[y == label]).score_samples(standard)
        for label in range(3)
    ]
    expected = np.stack(expected, axis=1) - np.log(scaler.scale_).sum()
    found = density.log_prob(tf.constant(x))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_small_columns_that_smoothing_hides_are_told_of(capsys):
    x, y = table(load_iris, [1e-6, 1.0, 1e6, 1e6])
    x[:, 0] = 0.1  # says nothing, with or without smoothing
    posterior("naive_gaussian", x, y)
    assert "1 of 4 columns count for little" in capsys.readouterr().err
    posterior("naive_gaussian", x, y, standardize=True)
    posterior("naive_gaussian", 1e3 * x.reshape(-1, 2, 2), y)  # pictures
    assert not capsys.readouterr().err


def test_bits_by_default_are_those_of_scikit_learn():
    x, y = columns()
    bits = (x > np.median(x, axis=0)).astype("float32")
    found = np.exp(posterior("naive_bernoulli", bits, y))
    expected = BernoulliNB().fit(bits, y).predict_proba(bits)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "density, options, reference",
    [
        ("naive_gaussian", {}, GaussianNB()),
        (
            "naive_gaussian",
            {"standardize": True},
            make_pipeline(StandardScaler(), GaussianNB()),
        ),
        ("shared", {}, LinearDiscriminantAnalysis()),
        (
            "full",
            {"shrinkage": 0.1},
            make_pipeline(
                StandardScaler(),
                QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.1),
            ),
        ),
        ("low_rank:2", {}, make_pipeline(StandardScaler(), ByPCA())),
    ],
)
@pytest.mark.parametrize("value", [0.1, 3.3e5])
def test_a_constant_column_does_as_scikit_learn_s(
    density, options, reference, value
):
    x, y = columns([1e-2, 1.0, 100.0, 1.0])
    x[:, 2] = value
    assert_agree(density, reference, x, y, **options)


@pytest.mark.parametrize("density", ["full", "shared"])
@pytest.mark.parametrize("other", ["constant", "copy", "sum", "all"])
def test_columns_that_say_nothing_new_count_for_nothing(density, other):
    """As in scikit-learn's linear discriminant analysis; the quadratic fails."""
    x, y = columns([1e-2, 1.0, 100.0, 1.0])
    more = {
        "constant": np.full(150, 3.3e5),
        "copy": -1e3 * x[:, 2],
        "sum": x[:, 1] + x[:, 3],
    }
    more = np.stack([*more.values()] if other == "all" else [more[other]], 1)
    more = np.concatenate([x, more], axis=1).astype("float32")
    found = np.exp(posterior(density, more, y))
    expected = np.exp(posterior(density, x, y))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    if density == "shared":
        more = more.astype("float64")
        theirs = LinearDiscriminantAnalysis().fit(more, y).predict_proba(more)
        np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("density", ["full", "shared"])
@pytest.mark.parametrize("why", ["constant in a class", "few examples"])
def test_units_of_columns_change_nothing_where_a_covariance_is_singular(
    density, why
):
    x, y = columns([1.0] * 4)
    if why == "few examples":
        some = np.arange(0, 150, 30)[:, None] + np.arange(3)
        x, y = x[some.ravel()], y[some.ravel()]
        x = np.concatenate([x, x**2, x**3, np.abs(x)], axis=1)
    else:
        x[y == 1, 2] = 2.0
    units = 10.0 ** np.random.default_rng(0).integers(-6, 7, x.shape[1])
    found = [
        posterior(density, rows, y)
        for rows in (x, (x * units).astype("float32"))
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-4)
    assert np.mean(found[0].argmax(axis=1) == y) > 0.7


@pytest.mark.parametrize(
    "density, y, message",
    [
        ("full", [0, 0, 0, 1], "class 1 has one example only"),
        ("shared", [0, 1, 2, 3], "every class has one example only"),
    ],
)
def test_one_example_does_not_tell_how_columns_vary(density, y, message):
    with pytest.raises(InvalidArgument, match=message):
        posterior(density, columns()[0][:4], np.array(y))


@pytest.mark.parametrize(
    "density, least",
    [
        ("naive_gaussian", 0.92),
        ("full", 0.98),
        ("shared", 0.945),
        ("low_rank:8", 0.975),
    ],
)
def test_pixels_that_are_constant_in_a_class(density, least):
    """Pictures are smoothed and shrunk by one unit, as what is given as such."""
    train, test = (
        part.reshape(-1, 8, 8, 1).astype("float32")
        for part in (X_TRAIN, X_TEST)
    )
    found = posterior(density, train, Y_TRAIN, test)
    assert np.mean(found.argmax(axis=1) == Y_TEST) > least
    by_hand = {
        "naive_gaussian": {"smoothing": 0.01},
        "low_rank:8": {"shrinkage": 0.0},
    }.get(density, {"shrinkage": 0.05})
    expected = posterior(density, train, Y_TRAIN, test, **by_hand)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("density", ["naive_gaussian", "full", "shared"])
def test_a_number_and_none_are_saved_as_they_were_given(density):
    name = "smoothing" if density == "naive_gaussian" else "shrinkage"
    for given in ({name: 0.05}, {name: None}, {}):
        made = densities.get(density, (4,), 3, **given)
        copy = type(made).from_config(made.get_config())
        assert getattr(copy, name) == given.get(name)


def test_low_rank_of_before_there_were_units_loads():
    """A model file of then has no such weight, and no such argument."""
    x, y = TABLES["wine"]
    before = densities.get("low_rank:2", (13,), 3, standardize=False)
    fit_density(before, x, y)
    config, store = before.get_config(), {}
    before.save_own_variables(store)
    del config["standardize"], store["3"]
    loaded = densities.LowRankGaussian.from_config(config)
    fit_density(loaded, x, y)  # has other units, which must not stay
    loaded.load_own_variables(store)
    np.testing.assert_array_equal(
        loaded.log_prob(tf.constant(x)), before.log_prob(tf.constant(x))
    )
    store = {}
    fit_density(loaded, x, y)
    loaded.save_own_variables(store)
    copy = densities.LowRankGaussian.from_config(loaded.get_config())
    copy.load_own_variables(store)
    np.testing.assert_array_equal(
        copy.log_prob(tf.constant(x)), loaded.log_prob(tf.constant(x))
    )


def test_without_shrinkage_on_what_has_full_rank():
    """The default solver of scikit-learn's, by singular values."""
    pca = PCA(20).fit(X_TRAIN)
    train, test = pca.transform(X_TRAIN), pca.transform(X_TEST)
    model = fitted("full", train.astype("float32"), shrinkage=0.0)
    reference = QuadraticDiscriminantAnalysis().fit(
        train.astype("float32").astype("float64"), Y_TRAIN
    )
    np.testing.assert_allclose(
        model.predict_log_proba(test.astype("float32")),
        reference.predict_log_proba(test.astype("float32").astype("float64")),
        atol=1e-4,
    )


def test_low_rank_is_the_score_of_pca_class_by_class():
    model = fitted("low_rank:8", standardize=False)
    prior = np.log(np.bincount(Y_TRAIN) / len(Y_TRAIN))
    expected = [
        PCA(8).fit(X_TRAIN[label == Y_TRAIN]).score_samples(X_TEST)
        for label in range(10)
    ]
    np.testing.assert_allclose(
        model.log_joint(X_TEST), np.stack(expected, 1) + prior, atol=1e-4
    )


@pytest.mark.parametrize(
    "options", [{}, {"shared": True}, {"pooling": 0.3}, {"pooling": 1.0}]
)
def test_gaussian_is_scipys(options):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3)) @ rng.normal(size=(3, 3))
    y = np.repeat([0, 1, 2], [20, 30, 40])
    options = {"shrinkage": 0.2, "standardize": False, **options}
    density = densities.FullGaussian((3,), 3, **options)
    fit_density(density, x, y)
    covariances = [np.cov(x[y == c].T, bias=True) for c in range(3)]
    pooled = np.average(covariances, axis=0, weights=[20, 30, 40])
    share = 1.0 if options.get("shared") else options.get("pooling", 0.0)
    for label, covariance in enumerate(covariances):
        covariance = (1.0 - share) * covariance + share * pooled
        covariance = 0.8 * covariance + 0.2 * np.trace(covariance) / 3 * np.eye(
            3
        )
        expected = stats.multivariate_normal.logpdf(
            x, x[y == label].mean(axis=0), covariance
        )
        found = density.log_prob(tf.constant(x))[:, label]
        np.testing.assert_allclose(found, expected, atol=1e-10)


def covariance_of(density, label):
    """A density's covariance in one class, from its parameters."""
    if isinstance(density, densities.LowRankGaussian):
        loadings = density.loadings.numpy()[label]
        noise = np.exp(density.log_noise.numpy()[label])
        units = np.exp(density.log_units.numpy()[0])
        covariance = loadings @ loadings.T + noise * np.eye(len(loadings))
        return covariance * np.outer(units, units)
    if isinstance(density, densities.NaiveGaussian):
        return np.diag(np.exp(density.log_var.numpy()[label]))
    factor = density.factor.numpy()[0 if density.shared else label]
    factor = np.tril(factor, -1) + np.diag(np.exp(np.diag(factor)))
    return factor @ factor.T


@pytest.mark.parametrize(
    "name", ["naive_gaussian", "full", "shared", "low_rank:2"]
)
def test_what_is_missing_is_integrated_out(name):
    """A Gaussian's marginal has the part of its mean and covariance."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    y = np.arange(60) % 2
    model = fitted(name, x, y)
    x = x[:20].astype("float32")
    mask = rng.random(x.shape) < 0.6
    mask[0] = False  # nothing was seen
    mask[1] = True
    found = model.log_joint(np.where(mask, x, np.nan), mask=mask)
    for label in range(2):
        mean = model.density.mean.numpy()[label]
        covariance = covariance_of(model.density, label)
        for row, seen, value in zip(x, mask, found[:, label]):
            expected = np.log(0.5)
            if seen.any():
                expected += stats.multivariate_normal.logpdf(
                    row[seen], mean[seen], covariance[np.ix_(seen, seen)]
                )
            np.testing.assert_allclose(value, expected, atol=1e-8)


def test_missing_bits_are_integrated_out():
    """The sum over both values of a bit that is missing."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (40, 3)).astype("float32")
    model = fitted("naive_bernoulli", x, np.arange(40) % 2)
    mask = np.array([True, False, True])
    both = []
    for bit in (0.0, 1.0):
        filled = x.copy()
        filled[:, 1] = bit
        both.append(model.log_joint(filled))
    np.testing.assert_allclose(
        model.log_joint(x, mask=mask), np.logaddexp(*both), atol=1e-10
    )


@pytest.mark.parametrize("weight", [1.0, 0.1])
def test_one_epoch_of_em_is_the_step_written_out(weight):
    """Soft counts by P(y|x) of the parameters before; Nigam et al., table 1."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(-1, 1, 40), rng.normal(2, 1.5, 60)])
    y = np.repeat([0, 1], [40, 60])
    y[rng.permutation(100)[:80]] = -1
    x = x.astype("float32")[:, None]
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(1,),
        num_classes=2,
        density="naive_gaussian",
        smoothing=0.0,
    )
    model.compile(unlabelled_weight=weight)
    model.fit(x, y, 32, verbose=0, shuffle=False)
    found = step_of_em(x[:, 0], y, None, weight)
    for _ in range(3):
        assert_parameters(model, *found)
        model.fit(x, y, 32, verbose=0, shuffle=False)
        found = step_of_em(x[:, 0], y, found, weight)


def step_of_em(x, y, before, weight):
    x = x.astype("float64")
    weights = np.stack([y == 0, y == 1], axis=1).astype("float64")
    if before:
        prior, mean, var = before
        joint = prior * stats.norm.pdf(x[:, None], mean, np.sqrt(var))
        guessed = joint / joint.sum(axis=1, keepdims=True)
        weights = np.where(y[:, None] < 0, weight * guessed, weights)
    count = weights.sum(axis=0)
    mean = (weights * x[:, None]).sum(axis=0) / count
    var = (weights * np.square(x[:, None] - mean)).sum(axis=0) / count
    return count / count.sum(), mean, var


def assert_parameters(model, prior, mean, var):
    found = (
        np.exp(model.class_prior.log_prior.numpy()),
        model.density.mean.numpy()[:, 0],
        np.exp(model.density.log_var.numpy()[:, 0]),
    )
    for value, expected in zip(found, (prior, mean, var)):
        np.testing.assert_allclose(value, expected, rtol=1e-8)


@pytest.mark.parametrize("name", ["naive_gaussian", "low_rank:3", "full"])
def test_em_never_lowers_the_likelihood(name):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(len(Y_TRAIN)) < 0.1, Y_TRAIN, -1)
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(64,),
        num_classes=10,
        density=name,
        # With smoothing, the step is not quite the maximum.
        **({"smoothing": 1e-9} if name == "naive_gaussian" else {}),
        **({"shrinkage": 0.0} if name == "low_rank:3" else {}),
    )
    if name == "full":
        model.density.shrinkage = 0.05
    model.compile()
    x = X_TRAIN.astype("float32")
    losses = model.fit(x, y, 256, 6, verbose=0).history["generative_loss"]
    assert np.all(np.diff(losses[1:]) < 1e-3), losses


@pytest.mark.parametrize(
    "name",
    ["naive_gaussian", "naive_bernoulli", "full", "shared", "low_rank:3"],
)
def test_samples_have_the_moments_of_their_class(name):
    """Within 5 standard errors of the mean; each by its own class."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(400, 5)) ** 2
    x[::2] = 1 - x[::2]
    y = np.arange(400) % 2
    model = fitted(name, x, y)
    count = 2000 if name == "full" else 4000  # row by row: slow
    samples = model.sample(count, labels=np.arange(count) % 2, seed=1)
    for label in range(2):
        own = samples[label::2]
        error = own.std(axis=0) / np.sqrt(len(own))
        distance = own.mean(axis=0) - x[y == label].mean(axis=0)
        # Smoothing moves the mean of bits a little.
        assert np.all(np.abs(distance) < 5 * error + 0.01)
        if name in ("full", "low_rank:3"):
            np.testing.assert_allclose(
                np.cov(own.T), covariance_of(model.density, label), atol=0.01
            )
