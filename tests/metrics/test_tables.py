"""Figures of tables, by hand or by the plainest computation of the same."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from kgen.errors import InvalidArgument
from kgen.metrics import tables
from kgen.metrics.tables import learning, records

NAN = np.nan


def frame(**columns):
    return pd.DataFrame(columns)


def people(count, seed):
    """Rows with a gap here and there, whose vote follows from age and smoking."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, count)
    smoker = rng.uniform(size=count) < 0.3
    income = np.where(rng.uniform(size=count) < 0.1, NAN, rng.gamma(2.0, age))
    vote = np.where(smoker, "yes", np.where(age > 50, "no", "abstain"))
    born = pd.Timestamp("2020-01-01") - pd.to_timedelta(365 * age, unit="D")
    return frame(age=age, smoker=smoker, income=income, vote=vote, born=born)


KINDS = {
    "age": "integer",
    "smoker": "boolean",
    "income": "numeric",
    "vote": "category",
    "born": "datetime",
}


def test_shapes_of_numbers():
    # Cumulative shares at 1, 2, 3, 4: 1/4, 1/2, 3/4, 1 and 2/3, 2/3, 1, 1.
    real, synthetic = frame(x=[4, 2, 3, 1]), frame(x=[1, 1, 3, NAN])
    found = tables.column_shapes(real, synthetic, {"x": "numeric"})
    assert found["columns"]["x"] == pytest.approx(
        {
            "shape": 1 - 5 / 12,
            "gaps": 0.75,
            "real_gaps": 0.0,
            "synthetic_gaps": 0.25,
        }
    )
    assert (found["shape"], found["gaps"]) == pytest.approx((7 / 12, 0.75))


def test_shapes_of_many_numbers_are_scipys():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 50, 300), rng.normal(20, 9, 200).round()
    found = tables.column_shapes(frame(x=x), frame(x=y), {"x": "integer"})
    assert found["shape"] == pytest.approx(1 - ks_2samp(x, y).statistic)


def test_shapes_of_categories():
    # Shares of a, b, c: 2/3, 1/3, 0 and 1/4, 0, 3/4.
    real = frame(x=["a", "b", None, "a"])
    synthetic = frame(x=["c", "a", "c", "c"])
    found = tables.column_shapes(real, synthetic, {"x": "category"})
    assert (found["shape"], found["gaps"]) == pytest.approx((0.25, 0.75))


def test_shapes_of_times_are_those_of_their_order():
    kinds = {"x": "datetime"}
    real = pd.to_datetime(pd.Series(["2020-01-01", "2020-01-03", None]))
    later = pd.to_datetime(pd.Series(["2020-01-02", "2020-01-04"]), utc=True)
    found = tables.column_shapes(frame(x=real), frame(x=later), kinds)
    assert found["shape"] == pytest.approx(0.5)


def test_columns_of_gaps():
    real = frame(a=[1, 2], b=[NAN, NAN], c=[NAN, NAN])
    synthetic = frame(a=[NAN, NAN], b=[NAN, NAN], c=[1, 2])
    kinds = dict.fromkeys("abc", "numeric")
    found = tables.column_shapes(real, synthetic, kinds)
    shapes = {name: x["shape"] for name, x in found["columns"].items()}
    assert shapes == {"a": 0.0, "b": None, "c": None}
    assert found["shape"] == 0.0 and found["gaps"] == pytest.approx(1 / 3)
    nothing = tables.column_shapes(real[["b"]], real[["b"]], {"b": "numeric"})
    assert nothing["shape"] is None and nothing["gaps"] == 1.0


def test_trends_of_two_columns_of_numbers():
    # The correlations of rows without gaps are 1 and -0.5.
    real = frame(x=[1, 2, 3, NAN], y=[10, 20, 30, 0])
    synthetic = frame(x=[1, 2, 3], y=[0, 1, -1])
    kinds = {"x": "integer", "y": "numeric"}
    found = tables.pair_trends(real, synthetic, kinds)
    (pair,) = found["pairs"]
    assert pair["columns"] == ["x", "y"]
    assert (pair["real"], pair["synthetic"]) == pytest.approx((1.0, -0.5))
    assert pair["similarity"] == pytest.approx(0.25)
    assert found["mean"] == found["strong"] == pair["similarity"]


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_correlations_of_any_scale(scale):
    x = np.array([1.0, 2.0, 4.0, 3.0])
    table = frame(x=scale * x, y=[2.0, 1.0, 5.0, 5.0], z=-x)
    kinds = dict.fromkeys("xyz", "numeric")
    found = tables.correlations(table, kinds)
    expected = np.corrcoef([x, table["y"], -x])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert list(found.index) == list(found.columns) == ["x", "y", "z"]


def test_trends_of_two_columns_of_categories():
    # Shares of ac, bd, a-gap: 1/2, 1/2, 0 and 1/4, 1/4, 1/4, with a quarter of bc.
    real = frame(x=["a", "b"], y=["c", "d"])
    synthetic = frame(x=["a", "b", "a", "b"], y=["c", "d", None, "c"])
    kinds = {"x": "category", "y": "category"}
    (pair,) = tables.pair_trends(real, synthetic, kinds)["pairs"]
    assert pair["similarity"] == pytest.approx(0.5)
    assert pair["real"] == pytest.approx(1.0)


def test_trends_of_numbers_and_categories():
    kinds = {"x": "numeric", "y": "category", "z": "boolean"}
    real = frame(x=[0, 0, 7, 7], y=list("aabb"), z=[True, False] * 2)
    # Where numbers lie doesn't matter, but how they are paired.
    synthetic = frame(x=[1, 9, 1, 9], y=list("aabb"), z=[True, False] * 2)
    found = tables.pair_trends(real, synthetic, kinds)
    pairs = {"".join(pair["columns"]): pair for pair in found["pairs"]}
    assert pairs["xy"]["similarity"] == pytest.approx(0.5)
    assert (pairs["xy"]["real"], pairs["xy"]["synthetic"]) == (1.0, 0.0)
    assert pairs["xz"]["similarity"] == pytest.approx(0.5)
    assert pairs["yz"]["similarity"] == 1.0
    assert found["mean"] == pytest.approx(2 / 3)
    assert found["strong"] == pytest.approx(0.5)  # xy alone


@pytest.mark.parametrize(
    "x, similarity",
    [([0, 6.2, 10, NAN], 1.0), ([0, 7, 10, NAN], 0.75), ([0, 6, NAN, 10], 1.0)],
)
def test_numbers_have_ten_bins_and_one_for_the_largest_and_gaps(x, similarity):
    kinds = {"x": "numeric", "y": "category"}
    real = frame(x=[0, 6.9, 10, NAN], y=list("aabb"))
    found = tables.pair_trends(real, frame(x=x, y=list("aabb")), kinds)
    assert found["mean"] == pytest.approx(similarity)


EXTREMES = {
    "almost constant": [1.0 - 2**-53, 1.0, 1.0 + 2**-52, NAN],
    "large and constant": [1e17, 1e17, 1e17, NAN],
    "very wide": [-1.7e308, 0.0, 1.7e308, NAN],
}


@pytest.mark.parametrize("x", EXTREMES.values(), ids=EXTREMES)
def test_bins_of_extreme_numbers(x):
    table = frame(x=x, y=list("aabb"))
    kinds = {"x": "numeric", "y": "category"}
    assert tables.pair_trends(table, table, kinds)["mean"] == 1.0
    # The least number is apart from a gap, but for that it goes with a.
    assert tables.correlations(table, kinds).loc["x", "y"] > 0.5


def test_trends_of_columns_that_do_not_vary():
    kinds = {"x": "numeric", "y": "numeric"}
    vary, constant = frame(x=[1, 2, 3], y=[2, 4, 6]), frame(x=[1, 1], y=[5, 6])
    found = tables.pair_trends(constant, vary, kinds)
    assert found["mean"] is None and found["strong"] is None
    (pair,) = tables.pair_trends(vary, constant, kinds)["pairs"]
    assert pair["synthetic"] is None and pair["similarity"] == pytest.approx(
        0.5
    )
    found = tables.correlations(constant, kinds)
    assert np.isnan(found.loc["x", "y"]) and np.isnan(found.loc["x", "x"])
    categories = frame(x=["a", "a"], y=["b", "c"])
    kinds = dict.fromkeys("xy", "category")
    (pair,) = tables.pair_trends(categories, categories, kinds)["pairs"]
    assert pair["real"] is None and pair["similarity"] == 1.0


def test_validity():
    train = frame(
        c=["a", "b", None, "a"], n=[1.0, 5.0, NAN, 2.0], i=[1, 2, 3, 9]
    )
    rows = frame(
        c=["a", "z", None, "b"], n=[1.0, 5.0, NAN, 5.1], i=[1, 9, 2.5, 10]
    )
    kinds = {"c": "category", "n": "numeric", "i": "integer"}
    found = tables.validity(train, rows, kinds)
    assert found["columns"] == {
        "c": {"unknown": 0.25},
        "n": {"out_of_range": 0.25},
        "i": {"out_of_range": 0.25, "not_integer": 0.25},
    }
    assert found["valid"] == 0.25  # two faults are in the last row
    unknown = tables.validity(frame(n=[NAN]), rows, {"n": "numeric"})
    assert unknown["valid"] == 0.25


def gower(row, other, train, kinds):
    """The distance of two rows, column by column."""
    total = 0.0
    for name, kind in kinds.items():
        x, y = row[name], other[name]
        if pd.isna(x) or pd.isna(y):
            total += not (pd.isna(x) and pd.isna(y))
        elif kind in ("category", "boolean"):
            total += x != y
        else:
            width = train[name].max() - train[name].min()
            total += min(abs(x - y) / width, 1.0) if width else x != y
    return total / len(kinds)


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_closest_distances_are_gowers(monkeypatch, size):
    monkeypatch.setattr(records, "_DISTANCES", size)
    train, rows = people(30, 0), people(25, 1)
    for table, constant in ((train, 3.0), (rows, 4.0)):
        table["constant"] = constant
        table["void"] = NAN
        table.loc[::3, "vote"] = None
    rows.loc[:4, "constant"] = 3.0
    rows.loc[7:9, "age"] = [-500, 1000, 91]
    rows.loc[11, "void"] = 0.0
    kinds = {**KINDS, "constant": "numeric", "void": "numeric"}
    found = tables.closest_distances(rows, train, kinds)
    expected = [
        min(gower(row, other, train, kinds) for _, other in train.iterrows())
        for _, row in rows.iterrows()
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_copies():
    train, held_out = people(300, 0), people(200, 1)
    half = pd.concat([train[:100], people(100, 2)], ignore_index=True)
    found = tables.copies(train, held_out, half, KINDS, share=0.05)
    usual = tables.closest_distances(held_out, train, KINDS)
    near = np.sort(usual)[9]  # the closest 5 % of 200
    distances = tables.closest_distances(half, train, KINDS)
    known = set(map(tuple, train.fillna(-1).to_numpy()))
    rows = map(tuple, half.fillna(-1).to_numpy())
    assert found["synthetic"] == {
        "exact": np.mean([row in known for row in rows]),
        "near": np.mean(distances <= near),
        "distance": np.median(distances),
    }
    assert 0.5 <= found["synthetic"]["exact"] < 0.6
    assert found["held_out"] == {
        "exact": np.mean(usual == 0.0),
        "near": 0.05,
        "distance": np.median(usual),
    }
    alone = tables.copies(train, held_out, held_out, KINDS)
    assert alone["synthetic"] == alone["held_out"]


def test_what_is_learned_of_synthetic_rows_holds_for_real_ones():
    kinds = {"smoker": "boolean", "vote": "category"}
    train, held_out = people(300, 0), people(100, 1)
    for table in (train, held_out):
        table["vote"] = np.where(table["smoker"], "yes", "no")
    wrong = train.assign(vote=np.where(train["smoker"], "no", "yes"))
    one = train[train["vote"] == "no"]
    none = train.assign(vote=None)
    expected = [(1.0, 1.0), (0.0, 0.0), None, (None, None)]
    share = float(np.mean(held_out["vote"] == "no"))
    expected[2] = share, share / (1.0 + share)  # F1 is 2s / (1 + s), and 0
    given = train, wrong, one, none
    for synthetic, (accuracy, f1) in zip(given, expected):
        found = tables.train_on_synthetic(
            train, held_out, synthetic, kinds, "vote"
        )
        assert found["real"] == {"accuracy": 1.0, "macro_f1": 1.0}
        assert found["synthetic"]["accuracy"] == accuracy
        assert found["synthetic"]["macro_f1"] == pytest.approx(f1)


def test_a_class_of_one_row_among_many_rows():
    """Of more than 10,000 rows, scikit-learn would hold some of each class out."""
    x = np.arange(10_001) % 2 == 0
    table = frame(x=x, y=np.where(x, "a", "b"))
    table.loc[0, "y"] = "rare"
    few = table[1:100]
    kinds = {"x": "boolean", "y": "category"}
    found = tables.train_on_synthetic(few, few, table, kinds, "y")
    assert found["synthetic"] == found["real"]
    assert learning._stops_early(np.array([6000, 6000]))
    # More classes than there are rows to hold out.
    assert not learning._stops_early(np.full(1200, 9))


def test_a_number_is_learned_from_gaps_and_from_many_categories():
    # Of 300 categories, scikit-learn takes 255: the frequent ones are their own.
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in range(300)]

    def rows(count):
        category = np.append(rng.choice(names[:2], count), names)
        x = np.where(rng.uniform(size=len(category)) < 0.5, NAN, 1.0)
        y = 2.0 * (category == "c0") + np.isnan(x)
        return frame(category=category, x=x, y=y)

    train, synthetic = rows(1000), rows(1000)
    held_out = pd.concat(
        [rows(50)[:50], frame(category=["new"], x=[1.0], y=[0.0])]
    )
    kinds = {"category": "category", "x": "numeric", "y": "numeric"}
    found = tables.train_on_synthetic(train, held_out, synthetic, kinds, "y")
    assert found["real"]["r2"] > 0.99 and found["synthetic"]["r2"] > 0.99
    wrong = synthetic.assign(y=-synthetic["y"])
    found = tables.train_on_synthetic(train, held_out, wrong, kinds, "y")
    assert found["synthetic"]["r2"] < -1.0


@pytest.mark.parametrize(
    "fault",
    [
        lambda x: x.assign(age=x["age"] + 100),
        lambda x: x.assign(income=NAN),
        lambda x: x.assign(vote=x["vote"].str.upper()),
        lambda x: x.assign(born=x["born"] + pd.Timedelta("36500 days")),
    ],
    ids=["numbers", "gaps", "categories", "times"],
)
def test_rows_are_told_apart_by_any_kind_of_column(fault):
    real, other = people(80, 0), people(80, 1)
    assert tables.telling_apart(real, fault(other), KINDS) > 0.95


def test_a_column_of_gaps_alone_tells_nothing():
    kinds = {"x": "numeric", "y": "numeric"}
    real = frame(x=[NAN] * 40, y=[NAN] * 39 + [1.0])  # in four folds of five
    assert tables.telling_apart(real, real, kinds) == 0.5
    real["target"] = range(40)
    kinds["target"] = "integer"
    found = tables.train_on_synthetic(real, real, real, kinds, "target")
    assert found["real"] == {"r2": pytest.approx(0.0, abs=0.05)}


def test_rows_of_one_distribution_are_not_told_apart():
    found = tables.telling_apart(people(300, 0), people(300, 1), KINDS)
    assert abs(found - 0.5) < 0.1


FIGURES = [
    "column_shapes",
    "gaps",
    "pair_trends",
    "strong_pair_trends",
    "accuracy",
    "macro_f1",
    "telling_apart",
    "exact_copies",
    "near_copies",
    "closest_distance",
    "valid_rows",
]


def test_all_figures():
    train, held_out, synthetic = (people(60, seed) for seed in range(3))
    given = (train, held_out, synthetic, KINDS, "vote")
    found = tables.table_figures(*given)
    assert list(found["figures"]) == FIGURES
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert tables.table_figures(*given) == found
    for figure in found["figures"].values():
        assert figure["sentence"].endswith(".")
        assert 0.0 <= figure["value"] <= 1.0 and 0.0 <= figure["floor"] <= 1.0
    sentence = found["figures"]["accuracy"]["sentence"]
    accuracy = found["figures"]["accuracy"]["value"]
    assert f"`vote` from synthetic rows is right on {100 * accuracy:.3g} %" in (
        sentence
    )


def test_held_out_rows_in_place_of_synthetic_ones_have_the_floor():
    train, held_out = people(50, 0), people(30, 1)
    # Of ten times as many rows, as many are compared.
    many = pd.concat([held_out] * 10, ignore_index=True)
    found = tables.table_figures(train, held_out, many, KINDS)
    assert found["rows"] == {
        "train": 50,
        "held_out": 30,
        "synthetic": 300,
        "compared": 30,
    }
    assert list(found["figures"]) == [
        name for name in FIGURES if name not in ("accuracy", "macro_f1")
    ]
    found = tables.table_figures(train, held_out, held_out, KINDS)
    for name, figure in found["figures"].items():
        if name != "telling_apart":
            assert figure["value"] == figure["floor"], name


@pytest.mark.parametrize("columns", [["age"], ["void"], list(KINDS)])
def test_one_row_each_has_the_figures_that_it_can_have(columns):
    given = [people(1, seed).assign(void=NAN) for seed in range(3)]
    kinds = {name: {**KINDS, "void": "numeric"}[name] for name in columns}
    found = tables.table_figures(*given, kinds)["figures"]
    json.dumps(found, allow_nan=False)
    assert found["telling_apart"]["value"] is None
    assert "10 or more rows" in found["telling_apart"]["sentence"]
    assert (found["column_shapes"]["value"] is None) == (columns == ["void"])
    assert (found["pair_trends"]["value"] is None) == (len(columns) == 1)


def test_columns_of_gaps_and_constant_ones_among_others():
    given = [
        people(40, seed).assign(void=None, constant=1.0, none=NAN)
        for seed in range(3)
    ]
    kinds = {**KINDS, "void": "category", "constant": "numeric"}
    kinds["none"] = "numeric"
    found = tables.table_figures(*given, kinds, target="income")["figures"]
    json.dumps(found, allow_nan=False)
    assert found["r2"]["value"] <= 1.0
    shapes = found["column_shapes"]["details"]
    assert shapes["void"]["shape"] is None and shapes["constant"]["shape"] == 1


def test_sentences_tell_the_worst_column():
    train, held_out = people(100, 0), people(100, 1)
    synthetic = held_out.assign(
        age=held_out["age"] + 100, income=NAN, vote="maybe"
    )
    found = tables.table_figures(train, held_out, synthetic, KINDS)["figures"]
    sentences = {name: figure["sentence"] for name, figure in found.items()}
    assert "`age` agrees least, by 0.000." in sentences["column_shapes"]
    gaps = held_out["income"].isna().mean()
    real = train["income"].isna().mean()
    assert (
        f"`income`, with 100 % in place of {100 * real:.3g} %"
        in (sentences["gaps"])
    )
    assert (
        f"held-out rows is off by {abs(gaps - real) * 20:.2f};"
        in (sentences["gaps"])
    )
    assert sentences["valid_rows"].startswith("0 % of the synthetic rows")
    assert "in `age`: 100 % have values out of" in sentences["valid_rows"]


TRAIN = people(20, 0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"target": "votes"}, "`target` of `table_figures`.*'vote'?"),
        (
            {"synthetic": TRAIN.drop(columns="age")},
            "`synthetic`.*without 'age'",
        ),
        ({"held_out": TRAIN[:0]}, "`held_out`.*one row or more.*none"),
        ({"train": TRAIN.to_numpy()}, "`train`.*a pandas DataFrame"),
        ({"synthetic": TRAIN.assign(age="old")}, "`synthetic`.*'age'.*old"),
        ({"kinds": {}}, "`kinds`.*a dictionary such as"),
        ({"kinds": {"vote": "text"}}, r"kinds\['vote'\].*'category'"),
        (
            {"train": TRAIN.assign(vote="yes")},
            "two values or more of the target",
        ),
        ({"held_out": TRAIN.assign(vote=None)}, "a value of the target"),
        (
            {"held_out": TRAIN.assign(age=3), "target": "age"},
            "`held_out`.*two values or more of the target.*=1",
        ),
        ({"kinds": {"vote": "category"}}, "a column besides the target"),
        ({"seed": -1}, "`seed` of `table_figures`"),
    ],
)
def test_mistakes_in_words(change, message):
    given = {
        "train": TRAIN,
        "held_out": TRAIN,
        "synthetic": TRAIN,
        "kinds": KINDS,
        "target": "vote",
    }
    with pytest.raises(InvalidArgument, match=message):
        tables.table_figures(**{**given, **change})


def test_few_rows_are_not_told_apart():
    for few, many in itertools.permutations([TRAIN[:9], TRAIN]):
        with pytest.raises(InvalidArgument, match="10 rows or more"):
            tables.telling_apart(few, many, KINDS)
