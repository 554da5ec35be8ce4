"""Models of tables: rows go in and come out as DataFrames."""

import datetime
import decimal
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import kgen
from kgen.data import Table
from kgen.errors import InvalidArgument
from kgen.models import table_rows
from kgen.runs import inference

ROWS = 240
SMALL = {"hidden_units": (16,), "latent_dim": 3}


@pytest.fixture(scope="module")
def frame():
    """A number and a category that hang together, and a class."""
    rng = np.random.default_rng(0)
    city = rng.choice(["Bonn", "Ulm"], ROWS, p=[0.7, 0.3])
    age = np.round(rng.normal(40, 5, ROWS) + 20 * (city == "Ulm"))
    income = np.where(rng.random(ROWS) < 0.2, None, rng.gamma(2.0, size=ROWS))
    return pd.DataFrame(
        {
            "city": city,
            "age": age.astype("int64"),
            "income": income.astype("float64"),
            "vote": np.where(rng.random(ROWS) < 0.4, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def table(frame):
    return Table.infer(frame)


def trained(name, table, frame, **options):
    model = kgen.create_model(name, table=table, seed=0, **SMALL, **options)
    model.compile()
    model.fit(frame, epochs=2, verbose=0)
    return model


@pytest.fixture(scope="module")
def models(table, frame):
    """A trained model of each kind."""
    made = {
        name: trained(name, table, frame) for name in ("vae", "vaegan", "gan")
    }
    ae = kgen.create_model("autoencoder", table=table, **SMALL)
    ae.compile()
    ae.fit(frame, epochs=2, verbose=0)
    ae.fit_prior(frame, "gaussian")
    return {**made, "autoencoder": ae}


NAMES = ["vae", "vaegan", "gan", "autoencoder"]


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_drawn_with_their_types_ranges_and_gaps(models, frame, name):
    rows = models[name].sample(500, seed=0)
    assert list(rows) == list(frame) and len(rows) == 500
    assert (rows.dtypes == frame.dtypes).all()
    assert rows["age"].between(frame["age"].min(), frame["age"].max()).all()
    assert set(rows["city"]) <= set(frame["city"])
    if name != "gan":  # which learns gaps itself
        share = frame["income"].isna().mean()
        error = np.sqrt(share * (1 - share) / 500)
        assert abs(rows["income"].isna().mean() - share) < 4 * error
    pd.testing.assert_frame_equal(rows, models[name].sample(500, seed=0))
    assert not rows.equals(models[name].sample(500, seed=1))


@pytest.mark.parametrize("name", NAMES)
def test_saved_models_draw_the_same(models, name, tmp_path):
    model = models[name]
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    pd.testing.assert_frame_equal(
        copy.sample(20, seed=3), model.sample(20, seed=3)
    )


@pytest.mark.parametrize("name", NAMES)
def test_conditions_are_met(models, name):
    conditions = {"city": "Bonn", "age": (35, 60)}
    rows = models[name].sample(30, seed=0, conditions=conditions)
    assert len(rows) == 30 and (rows["city"] == "Bonn").all()
    assert rows["age"].between(35, 60).all()


def test_rows_on_conditions_are_draws_from_the_conditional(models):
    """Of many rows, those that meet the condition have the same distribution."""
    vae = models["vae"]
    all_rows = vae.sample(20_000, seed=1)
    expected = all_rows[all_rows["city"] == "Ulm"]["age"]
    found = vae.sample(5000, seed=0, conditions={"city": "Ulm"})["age"]
    error = np.sqrt(expected.var() / len(expected) + found.var() / len(found))
    assert abs(found.mean() - expected.mean()) < 4 * error


def test_means_have_less_variance_than_draws(models):
    vae = models["vae"]
    means = vae.sample(2000, seed=0, noise=False)
    draws = vae.sample(2000, seed=0)
    assert means["age"].std() < 0.9 * draws["age"].std()


def test_methods_take_rows(models, table, frame):
    vae, x = models["vae"], table.encode(frame)
    for method in (vae.encode, vae.reconstruct):
        given, encoded = method(frame[:9]), method(x[:9])
        assert np.asarray(given == encoded).all()
    np.testing.assert_allclose(
        vae.elbo(frame[:9], seed=0), vae.elbo(x[:9], seed=0)
    )
    assert list(vae.reconstruct(frame[:5])) == list(frame)
    assert vae.evaluate(frame, verbose=0, return_dict=True)["loss"] > 0
    assert len(vae.decode(np.zeros((4, 3), "float32"))) == 4
    given, encoded = (vae.predict(part[:9], verbose=0) for part in (frame, x))
    np.testing.assert_array_equal(given, encoded)


def test_columns_of_one_name_are_refused(models, frame):
    vae, rows = models["vae"], pd.concat([frame, frame[["city"]]], axis=1)
    for method in (vae.fit, vae.predict, vae.impute, vae.outlier_score):
        with pytest.raises(InvalidArgument, match="several columns .* `city`"):
            method(rows)
    # What is no column of the table may have any name.
    rows = frame.assign(a=1, b=2).rename(columns={"b": "a"})
    assert len(vae.encode(rows)) == ROWS


def test_gaps_are_filled_and_all_else_stays(models, frame):
    rows = frame[:50].copy()
    rows.loc[10:20, ["city", "age"]] = None
    rows.index = rows.index + 100
    filled = models["vae"].impute(rows, num_samples=20, seed=0)
    assert not filled.isna().any(axis=None)
    assert (filled.index == rows.index).all()
    known = rows.notna()
    assert (filled[known] == rows[known])[known].all(
        axis=None
    ) or np.array_equal(
        filled.to_numpy()[known.to_numpy()], rows.to_numpy()[known.to_numpy()]
    )
    assert not hasattr(models["autoencoder"], "impute")


def test_a_target_makes_a_model_conditional(frame):
    frame = frame.copy()
    frame.loc[:20, "vote"] = None
    table = Table.infer(frame, target="vote")
    assert not any("vote" in names for names, _ in table.patterns)
    frame = frame[21:]
    vae = trained("vae", table, frame)
    assert vae.conditional and vae.num_classes == 2
    rows = vae.sample(2000, seed=0)
    share = (frame["vote"] == "yes").mean()
    assert list(rows) == list(frame)
    assert abs((rows["vote"] == "yes").mean() - share) < 0.05
    assert (vae.sample(9, labels=1, seed=0)["vote"] == "yes").all()
    rows = vae.sample(9, seed=0, conditions={"vote": "no", "city": "Ulm"})
    assert (rows["vote"] == "no").all() and (rows["city"] == "Ulm").all()
    assert list(vae.reconstruct(frame[:5])["vote"]) == list(frame["vote"][:5])
    assert vae.predict(frame[:5], verbose=0).shape == (5, *table.shape)


def test_rows_without_a_class_are_left_as_they_are(frame, tmp_path, capsys):
    table = Table.infer(frame, target="vote")
    vae = trained("vae", table, frame)
    vae.fit_threshold(frame)
    rows = frame[:60].assign(
        city=pd.Categorical(frame["city"][:60].where(frame.index[:60] % 4 > 0))
    )
    rows.loc[::3, "vote"] = None
    lacks = rows["vote"].isna().to_numpy()
    rows.index = np.zeros(60, int)  # need not tell rows apart
    filled = vae.impute(rows, num_samples=5, seed=0)
    words = "20 rows without a value of the target `vote` are not filled."
    assert capsys.readouterr().err == f"kgen: {words}\n"
    assert filled[~lacks].notna().all(axis=None)
    pd.testing.assert_frame_equal(filled[lacks], rows[lacks])
    assert (filled.dtypes == rows.dtypes).all()

    def source(data, any_range, table):
        return kgen.data.open_source(data, table=table, every_row=True)

    run = SimpleNamespace(settings=SimpleNamespace(source=source))
    scores = {}
    for name, part in (("gaps", rows), ("known", rows[~lacks])):
        file = tmp_path / f"{name}.csv"
        part.to_csv(file, index=False)
        result = inference.detect(run, vae, file, None, None, False)
        scores[name] = result.arrays["outlier_score"]
    assert (
        "20 rows are left out: their target `vote`" in capsys.readouterr().err
    )
    np.testing.assert_array_equal(np.isnan(scores["gaps"]), lacks)
    np.testing.assert_allclose(scores["gaps"][~lacks], scores["known"])
    for part, message in (
        (rows.drop(columns="vote"), "no column `vote`, the target"),
        (rows.assign(vote="perhaps"), "no row .* a class in `vote`"),
    ):
        part.to_csv(tmp_path / "rows.csv", index=False)
        with pytest.raises(InvalidArgument, match=message):
            inference.detect(run, vae, tmp_path / "rows.csv", None, None, False)


def test_a_classifier_takes_rows(frame):
    table = Table.infer(frame, target="vote")
    model = kgen.create_model("bayes_classifier", table=table, **SMALL)
    model.compile()
    model.fit(frame, epochs=2, verbose=0)
    assert model.classify(frame[:7]).shape == (7,)
    probabilities = model.predict(frame.drop(columns="vote"), verbose=0)
    assert probabilities.shape == (ROWS, 2)


@pytest.mark.parametrize("is_list", [False, True])
def test_a_classifier_by_vaes_draws_rows_and_not_their_means(frame, is_list):
    frame = frame[["age", "city", "vote"]]
    table = Table.infer(frame, target="vote")
    unlabelled = Table.infer(frame.drop(columns="vote"))
    vaes = [
        kgen.create_model("vae", table=unlabelled, seed=seed, **SMALL)
        for seed in (0, 1)
    ]
    density = kgen.VAEDensity(
        vaes if is_list else kgen.create_model("vae", table=table, **SMALL)
    )
    drawn = density.draw(tf.repeat([0, 1], 200), tf.constant(3)).numpy()
    assert set(np.unique(drawn[:, 2:4])) == {0.0, 1.0}
    # Rows of two classes have draws of their own.
    assert abs(np.corrcoef(drawn[:200, 0], drawn[200:, 0])[0, 1]) < 0.3


def test_counting_takes_all_rows_of_a_frame(frame):
    table = Table.infer(frame, target="vote")
    model = kgen.create_model(
        "bayes_classifier", table=table, density="columns"
    )
    with pytest.raises(ValueError, match="call `compile"):
        model.train_on_batch(table.encode(frame), np.zeros(ROWS, "int32"))
    model.compile()
    with pytest.raises(InvalidArgument, match="the 24 steps"):
        model.fit(frame, batch_size=10, steps_per_epoch=1, verbose=0)


def test_denoised_rows_are_a_frame(frame):
    table = Table.infer(frame)
    model = kgen.create_model("denoising_autoencoder", table=table, **SMALL)
    pd.testing.assert_frame_equal(
        model.denoise(frame), model.reconstruct(frame)
    )


def test_bad_conditions(models, frame):
    vae = models["vae"]
    for conditions, message in (
        ({"town": "Ulm"}, "'city'"),
        ({"city": "Ulmm"}, "did you mean 'Ulm'"),
        ({"city": ("Bonn", "Ulm")}, "a list of values"),
        ({"city": []}, "one value or more"),
        ("city=Ulm", "a dictionary such as"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            vae.sample(3, conditions=conditions)
    with pytest.raises(InvalidArgument, match="0 of .* rows"):
        vae.sample(1, conditions={"income": 1.0})  # one of very many numbers
    pictures = kgen.create_model("vae", input_shape=(4,), network="dense")
    with pytest.raises(InvalidArgument, match="without a table"):
        pictures.sample(1, conditions={"city": "Ulm"})


# Conditions that no row can meet, and those that some can.
IMPOSSIBLE = [
    {"age": ("a", "b")},
    {"age": (30, 18)},
    {"age": (1000, 2000)},
    {"age": (30, None)},
    {"age": (30, 40, 50)},
    {"age": "abc"},
    {"age": 40.5},
    {"age": [40, "abc"]},
    {"age": None},
    {"kids": 99},
    {"kids": (0.2, 0.8)},
    {"on": "yes"},
    {"on": 2},
    {"always": False},
    {"const": "zz"},
    {"day": "gestern"},
    {"day": ("2024-02-01", "2024-01-01")},
    {"day": "2025-01-01"},
    {"day": "2024-02-01T10:00"},
    {"visits": -1},
    {"visits": {3, 4}},
    {"visits": np.array([3, 4])},
    {"age": 10**400},
    {"vote": []},
]
POSSIBLE = [
    {"age": (60, np.inf)},
    {"age": "40"},
    {"kids": [0, 99]},
    {"on": "true"},
    {"on": (False, True)},
    {"always": True},
    {"const": "a"},
    {"day": "2024-02-01"},
    {"day": (pd.Timestamp("2023-01-01"), "2024-02-01")},
    {"visits": 3},
    {"income": [np.nan, 10.0]},
]


@pytest.mark.parametrize("numbers", ["quantiles", "standard", "modes"])
def test_conditions_that_no_row_can_meet_are_told_at_once(frame, numbers):
    frame = frame.assign(
        kids=np.arange(ROWS) % 3,
        on=np.arange(ROWS) % 2 > 0,
        always=True,
        const="a",
        day=pd.date_range("2024-01-01", periods=ROWS),
        visits=np.arange(ROWS) % 30,
    )
    table = Table.infer(
        frame, target="vote", numbers=numbers, kinds={"visits": "count"}
    )
    model = kgen.create_model("vae", table=table, seed=0, **SMALL)
    drawn = []

    def draw(count, labels, seed):
        drawn.append(count)
        return table.encode(frame)

    for conditions in IMPOSSIBLE:
        with pytest.raises(InvalidArgument, match="`conditions"):
            table_rows.sample(model, draw, 1, None, 0, conditions)
    assert not drawn
    with pytest.raises(InvalidArgument, match="values out of 0, 1, 2"):
        table_rows.sample(model, draw, 1, None, 0, {"kids": 99})
    with pytest.raises(InvalidArgument, match="\\(low, high\\) that hold"):
        table_rows.sample(model, draw, 1, None, 0, {"kids": (0.2, 0.8)})
    with pytest.raises(InvalidArgument, match="values from 2024-01-01"):
        table_rows.sample(model, draw, 1, None, 0, {"day": "gestern"})
    for conditions in POSSIBLE:
        assert len(table_rows.sample(model, draw, 1, 0, 0, conditions)) == 1


def test_a_gap_is_a_condition_where_there_are_gaps(frame):
    city = frame["city"].where(frame.index % 3 > 0, None)
    day = pd.Series(pd.date_range("2024-01-01", periods=ROWS))
    frame = frame.assign(
        city=city,
        day=day.where(frame.index % 3 > 0),
        vote=frame["vote"].where(frame.index % 3 > 0, None),
    )
    table = Table.infer(frame, target="vote")
    model = kgen.create_model("vae", table=table, seed=0, **SMALL)

    def draw(count, labels, seed):
        return table.encode(frame)

    for gap in (None, np.nan, pd.NA, pd.NaT):
        for conditions in ({"city": gap}, {"income": gap}, {"day": gap}):
            rows = table_rows.sample(model, draw, 30, 0, 0, conditions)
            assert rows[[*conditions]].isna().all(axis=None)
        either = {"city": ["Ulm", gap]}
        rows = table_rows.sample(model, draw, 30, 0, 0, either)
        assert {*rows["city"].fillna("")} == {"Ulm", ""}
        for name in ("age", "vote"):
            with pytest.raises(InvalidArgument, match="no gap: rows that are"):
                table_rows.sample(model, draw, 1, None, 0, {name: gap})


def test_bad_models(table, frame):
    with pytest.raises(InvalidArgument, match='"dense" for a table'):
        kgen.create_model("vae", table=table, network="conv")
    with pytest.raises(InvalidArgument, match="the table's"):
        kgen.create_model("vae", table=table, input_shape=(3,))
    with pytest.raises(InvalidArgument, match='"columns" for a table'):
        kgen.create_model("vae", table=table, likelihood="bernoulli")
    with pytest.raises(InvalidArgument, match="a shape, or a table"):
        kgen.create_model("vae")
    with pytest.raises(InvalidArgument, match="kgen.data.Table"):
        kgen.create_model("vae", table=frame)
    model = kgen.create_model("vae", table=table, **SMALL)
    model.compile()
    with pytest.raises(InvalidArgument, match="no column `age`"):
        model.fit(frame.drop(columns="age"))


def test_noise_of_other_examples_is_the_likelihoods():
    vae = kgen.create_model(
        "vae",
        input_shape=(6,),
        network="dense",
        likelihood="bernoulli",
        **SMALL,
    )
    assert set(np.unique(vae.sample(50, seed=0, noise=True))) == {0.0, 1.0}
    means = vae.sample(50, seed=0)
    assert ((means > 0) & (means < 1)).all()


def naive_bayes(frame):
    """A table with the class `vote` and the count `visits`, and a fitted model."""
    table = Table.infer(
        frame, target="vote", numbers="standard", kinds={"visits": "count"}
    )
    model = kgen.create_model(
        "bayes_classifier", table=table, density="columns"
    )
    model.compile()
    model.fit(frame, verbose=0)
    return table, model


def test_naive_bayes_of_columns_counts_what_is_known(frame):
    """Against SciPy, gaps left out; and by the kinds of columns."""
    from scipy import stats

    frame = frame.assign(visits=np.arange(ROWS) ** 2 % 7)
    table, model = naive_bayes(frame)
    encoded = table.encode(frame)
    expected = np.zeros((ROWS, 2))
    for y, name in enumerate(table.class_names):
        rows = (frame["vote"] == name).to_numpy()
        expected[:, y] += np.log(rows.mean())
        cities = pd.get_dummies(frame["city"])
        shares = (cities[rows].sum() + 1) / (rows.sum() + 2)
        expected[:, y] += (cities * np.log(shares)).sum(axis=1)
        for place in (3, 5):  # age and income, and behind each its flag
            known = encoded[:, place + 1] == 0
            x = encoded[known & rows, place].astype("float64")
            log_prob = stats.norm.logpdf(encoded[:, place], x.mean(), x.std())
            expected[:, y] += np.where(known, log_prob, 0.0)
        visits = frame["visits"][rows]
        mean, variance = visits.mean(), visits.var(ddof=0)
        r = mean**2 / (variance - mean) if variance > mean else 1e6
        expected[:, y] += stats.nbinom.logpmf(
            frame["visits"], r, r / (r + mean)
        )
    np.testing.assert_allclose(model.log_joint(frame), expected, rtol=1e-4)
    rows = model.sample(500, seed=0)
    assert list(rows)[:3] == ["city", "age", "income"]
    with pytest.raises(InvalidArgument, match="'columns'"):
        kgen.create_model("bayes_classifier", table=table, density="full")


def test_a_class_with_less_than_two_values_takes_those_of_all_classes(frame):
    """Of the number, the class without values neither wins nor loses by it."""
    vote, income = frame["vote"].copy(), frame["income"].copy()
    vote[:80], income[:80] = "none", np.nan
    vote[80:160], income[80:160] = "one", np.nan
    income[80] = 3.0
    frame = frame.assign(vote=vote, income=income, visits=income.round())
    table, model = naive_bayes(frame)
    rows = frame[income.notna()]
    changes = []
    for name in ("income", "visits"):
        gap = model.log_joint(rows.assign(**{name: np.nan}))
        change = pd.DataFrame(model.log_joint(rows) - gap)
        change.columns = table.class_names
        np.testing.assert_allclose(change["none"], change["one"], atol=1e-4)
        changes.append(change["none"])
    expected = rows["income"]
    expected = (expected - expected.mean()) / expected.std(ddof=0)
    np.testing.assert_allclose(
        changes[0], -0.5 * np.log(2 * np.pi) - 0.5 * expected**2, atol=1e-4
    )


def test_a_category_that_training_never_had_counts_in_scores(models, frame):
    vae = models["vae"]
    unseen = vae.outlier_score(frame.assign(city="Paris"))
    # Not for every row: it has another code, too.
    assert unseen.mean() > vae.outlier_score(frame).mean()
    table = Table.infer(frame, target="vote")
    model = kgen.create_model(
        "bayes_classifier", table=table, density="columns"
    )
    model.compile()
    model.fit(frame, verbose=0)
    gap, unseen = (frame.assign(city=city) for city in (None, "Paris"))
    np.testing.assert_allclose(
        model.outlier_score(unseen),
        model.outlier_score(gap) + np.log(ROWS + 1),
    )
    # It tells nothing of the class.
    np.testing.assert_allclose(
        model.predict_log_proba(unseen), model.predict_log_proba(gap), rtol=1e-6
    )


def test_text_in_a_column_of_numbers_is_a_gap(frame):
    income = frame["income"].astype(object)
    income[::4] = "not told"
    frame = frame.assign(income=income)
    table = Table.infer(frame, kinds={"income": "numeric"})
    vae = trained("vae", table, frame)
    missing = pd.to_numeric(income, errors="coerce").isna()
    share = vae.sample(2000, seed=0)["income"].isna().mean()
    expected = missing.mean()
    assert abs(share - expected) < 4 * np.sqrt(0.25 / 2000)
    filled = vae.impute(frame[:40], num_samples=10, seed=0)
    assert (
        filled["income"].dtype == "float64" and filled["income"].notna().all()
    )
    known = ~missing[:40]
    assert (filled["income"][known] == income[:40][known]).all()


def test_naive_bayes_of_columns_is_saved(frame, tmp_path):
    table = Table.infer(frame, target="vote")
    model = kgen.create_model(
        "bayes_classifier", table=table, density="columns"
    )
    model.compile()
    model.fit(frame, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(copy.log_joint(frame), model.log_joint(frame))


def test_gaps_do_not_hang_on_the_class(frame):
    frame = frame.assign(vote=np.where(np.arange(ROWS) % 2, "yes", "no"))
    frame.loc[np.arange(ROWS) % 4 < 2, "income"] = None
    table = Table.infer(frame, target="vote")
    rows = trained("vae", table, frame).sample(2000, seed=0)
    shares = rows["income"].isna().groupby(rows["vote"]).mean()
    assert abs(shares["yes"] - shares["no"]) < 4 * np.sqrt(0.5 / 1000)


def test_a_classifier_judges_rows_without_a_class(frame, tmp_path):
    table = Table.infer(frame, target="vote")
    model = kgen.create_model(
        "bayes_classifier", table=table, density="columns"
    )
    model.compile()
    model.fit(frame, verbose=0)
    rows = frame.drop(columns="vote")
    np.testing.assert_array_equal(model.classify(rows), model.classify(frame))
    rows.to_csv(tmp_path / "new.csv", index=False)
    source = kgen.data.open_source(
        tmp_path / "new.csv", table=table, every_row=True
    )
    assert len(source.examples("all")) == ROWS
    decoded = table.decode(table.encode(frame[:3]), np.array([1, -1, 0]))
    assert decoded["vote"].isna().tolist() == [False, True, False]
    drawn = model.sample(
        300, seed=0, conditions={"city": ["Ulm"], "vote": "no"}
    )
    assert (drawn["city"] == "Ulm").all() and (drawn["vote"] == "no").all()


def test_conditions_on_classes_dates_and_gaps(frame):
    frame = frame.assign(
        day=pd.date_range("2024-01-01", periods=ROWS),
        visits=pd.array([None, 1, 2, 3] * (ROWS // 4), "Int64"),
    )
    table = Table.infer(frame, target="vote")
    vae = trained("vae", table, frame)
    conditions = {
        "vote": ["yes", "no"],
        "day": ("2024-02-01", "2024-05-01"),
        "visits": (1, 2),
    }
    rows = vae.sample(50, seed=0, conditions=conditions)
    assert set(rows["vote"]) == {"yes", "no"}
    assert rows["day"].between("2024-02-01", "2024-05-01").all()
    assert rows["visits"].isin([1, 2]).all()


def test_dates_are_filled_in_the_form_of_the_known_ones(frame):
    days = pd.Series(pd.date_range("2024-01-01", periods=ROWS))
    days[::4] = None
    frame = frame.assign(day=days, zone=days.dt.tz_localize("UTC"))
    vae = trained("vae", Table.infer(frame), frame)
    for name, known, form in (
        ("day", "%Y-%m-%d", r"\d{4}-\d\d-\d\d"),
        ("day", "%Y-%m-%dT%H:%M", r"\d{4}-\d\d-\d\dT\d\d:\d\d"),
        ("zone", "%Y-%m-%dT%H:%MZ", r"\d{4}-.*T\d\d:\d\d:00\+00:00"),
    ):
        rows = frame.assign(**{name: days.dt.strftime(known)})[:9]
        filled = vae.impute(rows, num_samples=5, seed=0)[name]
        assert filled[rows[name].isna()].str.fullmatch(form).all()
    dates = days.dt.date.astype(object).where(days.notna(), None)
    rows = frame.assign(day=dates)[:9]
    filled = vae.impute(rows, num_samples=5, seed=0)["day"]
    assert {type(day) for day in filled} == {datetime.date}


def test_decimals_are_filled_by_decimals(models, frame):
    prices = frame["income"].round(2).map(str).map(decimal.Decimal)
    rows = frame.assign(income=prices.where(frame["income"].notna(), None))
    filled = models["vae"].impute(rows, num_samples=5, seed=0)["income"]
    assert rows["income"].isna().any()
    assert {type(value) for value in filled} == {decimal.Decimal}


def test_known_cells_of_a_file_stay_as_they_are_written(
    models, frame, tmp_path
):
    large = [str(2**60 + 1), "", "NA", "00501"] * (ROWS // 4)
    rows = frame.assign(number=large, vote=None)
    rows["city"] = rows["city"].where(rows.index % 3 > 0, None)
    rows["age"] = rows["age"].astype("Int64").where(rows.index % 5 > 0, None)
    rows["income"] = rows["income"].map("{:.3f}0".format, na_action="ignore")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    result = inference.impute(
        None, models["vae"], tmp_path / "rows.csv", 5, False, 0
    )
    result.write(tmp_path / "filled.csv")
    before, after = (
        pd.read_csv(tmp_path / name, dtype="str", keep_default_na=False)
        for name in ("rows.csv", "filled.csv")
    )
    gaps = (before == "") & (before.columns != "number")
    pd.testing.assert_frame_equal(after.mask(gaps), before.mask(gaps))
    assert (after[gaps] != "").all(axis=None)
    assert after["age"].str.fullmatch(r"\d\d").all()
    assert result.summary.startswith(f"{gaps.sum().sum()} gaps in {ROWS} rows")


def test_filled_rows_keep_names_of_rows_and_their_own_categories(frame):
    frame = frame.assign(
        row=np.arange(ROWS), size=pd.Categorical(["s", "m", "l"] * (ROWS // 3))
    )
    vae = trained("vae", Table.infer(frame), frame)
    rows = frame[:12].assign(
        size=pd.Categorical(["xl", None] * 6, ["xl", "s"]), other=1
    )
    filled = vae.impute(rows, num_samples=10, seed=0)
    assert list(filled) == list(rows) and (filled["row"] == rows["row"]).all()
    assert filled["size"].notna().all() and (filled["size"][::2] == "xl").all()


def test_a_classifier_draws_classes_by_its_prior(frame):
    table = Table.infer(frame, target="vote")
    model = kgen.create_model(
        "bayes_classifier", table=table, density="columns", prior=[0.9, 0.1]
    )
    model.compile()
    model.fit(frame, verbose=0)
    share = (model.sample(2000, seed=0)["vote"] == "yes").mean()
    assert abs(share - 0.1) < 4 * np.sqrt(0.09 / 2000)
