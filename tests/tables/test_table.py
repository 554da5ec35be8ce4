"""A table's columns: what kind they are, and that rows come back as they were."""

import gzip
import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import kgen
from kgen.data import Table, table_files
from kgen.data.examples import set_aside
from kgen.losses.columns import unseen_log_prob
from kgen.tables.encodings import Levels
from kgen.tables.summaries import Summary

ROWS = 300


@pytest.fixture(scope="module")
def frame():
    """A column of each type that pandas has, with and without gaps."""
    rng = np.random.default_rng(0)

    def with_gaps(values):
        return np.where(rng.random(ROWS) < 0.2, None, values)

    return pd.DataFrame(
        {
            "int8": rng.integers(-5, 5, ROWS).astype("int8"),
            "int64": rng.integers(0, 10_000, ROWS),
            "uint16": rng.integers(0, 60_000, ROWS).astype("uint16"),
            "nullable": pd.array(
                [None if n % 7 == 0 else n % 50 for n in range(ROWS)], "Int64"
            ),
            "float32": rng.normal(size=ROWS).astype("float32"),
            "price": np.exp(rng.normal(size=ROWS)).round(2),
            "gaps": with_gaps(rng.normal(size=ROWS)).astype("float64"),
            "bool": rng.random(ROWS) < 0.3,
            "boolean": pd.array(with_gaps(rng.random(ROWS) < 0.5), "boolean"),
            "objects": with_gaps(rng.random(ROWS) < 0.5),
            "text": rng.choice(["a", "b c", "\u00fc"], ROWS),
            "text_gaps": with_gaps(rng.choice(["p", "q"], ROWS)),
            "string": pd.array(rng.choice(["k", "l"], ROWS), "string"),
            "category": pd.Categorical(
                rng.choice([3, 1, 2], ROWS), [3, 2, 1, 9], ordered=True
            ),
            "day": pd.date_range("2020-01-01", periods=ROWS, freq="D"),
            "zone": pd.date_range(
                "2020-01-01", periods=ROWS, freq="37min", tz="Europe/Berlin"
            ),
            "constant": 7,
            "word": "only",
            "none": [None] * ROWS,
            "nan": [np.nan] * ROWS,
        }
    )


@pytest.mark.parametrize("numbers", ["quantiles", "standard", "modes"])
def test_rows_of_each_type_come_back_as_they_were(frame, numbers):
    table = Table.infer(frame, numbers=numbers)
    back = table.decode(table.encode(frame))
    # Floats that are not rounded have the digits of float32.
    pd.testing.assert_frame_equal(back, frame, rtol=1e-4, atol=1e-5)
    exact = frame.columns.difference(["float32", "gaps"])
    pd.testing.assert_frame_equal(back[exact], frame[exact])


def test_a_row_and_a_saved_table_are_encoded_alike(frame):
    table = Table.infer(frame)
    copy = Table.from_config(json.loads(json.dumps(table.get_config())))
    x = table.encode(frame)
    assert x.shape == (ROWS, *table.shape) and np.isfinite(x).all()
    np.testing.assert_array_equal(copy.encode(frame), x)
    np.testing.assert_array_equal(copy.encode(frame[5:6]), x[5:6])


def test_kinds_are_inferred():
    n = 200
    frame = pd.DataFrame(
        {
            "row": np.arange(n),
            "name": [f"person {i}" for i in range(n)],
            "number": np.linspace(0, 1, n),
            "whole": np.arange(n) % 150,
            "level": np.arange(n) % 5,
            "city": np.where(np.arange(n) % 3, "Bonn", "Ulm"),
            "yes": np.arange(n) % 2 == 0,
            "when": pd.date_range("2020-01-01", periods=n).strftime("%Y-%m-%d"),
        }
    )
    table = Table.infer(frame)
    kinds = {column.name: column.kind for column in table.columns}
    assert kinds == {
        "row": "id",
        "name": "id",
        "number": "numeric",
        "whole": "integer",
        "level": "integer",
        "city": "category",
        "yes": "boolean",
        "when": "datetime",
    }
    assert list(table.decode(table.encode(frame))) == list(frame)[2:]
    kinds = {"level": "category", "whole": "count", "city": "id"}
    table = Table.infer(frame, kinds=kinds)
    assert {c.name: c.kind for c in table.columns} | kinds == {
        c.name: c.kind for c in table.columns
    }


def test_normal_scores_of_a_skewed_column_are_normal():
    from scipy import stats

    x = np.random.default_rng(0).lognormal(sigma=2.0, size=5000)
    table = Table.infer(pd.DataFrame({"x": x}))
    scores = table.encode(pd.DataFrame({"x": x}))[:, 0]
    assert stats.kstest(scores, "norm").statistic < 0.005
    # Normal numbers come back as numbers of the column's distribution.
    normal = np.random.default_rng(1).normal(size=(5000, 1)).astype("float32")
    drawn = table.decode(np.pad(normal, ((0, 0), (0, 1))))["x"]
    assert stats.ks_2samp(drawn, x).pvalue > 0.01
    assert drawn.between(x.min(), x.max()).all()


def test_a_frequent_value_takes_its_share_of_scores():
    x = np.concatenate([np.zeros(600), np.linspace(1, 2, 400)])
    table = Table.infer(pd.DataFrame({"x": x}))
    normal = np.random.default_rng(0).normal(size=(20_000, 1))
    drawn = table.decode(np.pad(normal, ((0, 0), (0, 1))))["x"]
    share = (drawn == 0).mean()
    assert abs(share - 0.6) < 4 * np.sqrt(0.6 * 0.4 / 20_000)


def test_numbers_beyond_training_stay_beyond():
    table = Table.infer(pd.DataFrame({"x": np.linspace(0, 1, 100)}))
    rows = pd.DataFrame({"x": [-5.0, 0.0, 1.0, 6.0]})
    scores = table.encode(rows)[:, 0]
    assert scores[0] < scores[1] - 10 and scores[3] > scores[2] + 10


def test_rare_and_unseen_categories():
    values = ["a"] * 50 + ["b"] * 30 + ["c"] * 2 + ["d"]
    frame = pd.DataFrame({"x": values, "y": np.arange(len(values)) % 9})
    table = Table.infer(frame, max_categories=2)
    back = table.decode(table.encode(frame))["x"]
    assert back.tolist() == ["a"] * 50 + ["b"] * 30 + ["c"] * 3
    table = Table.infer(frame)
    x = table.encode(pd.DataFrame({"x": ["never seen", "b"], "y": [1, 2]}))
    # None of the categories, and yet not missing.
    np.testing.assert_array_equal(x[0, :5], [0, 0, 0, 0, 0])
    np.testing.assert_array_equal(x[1, :5], [0, 1, 0, 0, 0])
    assert table.decode(x)["x"].isna().tolist() == [True, False]


def test_whole_numbers_beyond_those_of_training_are_unseen():
    frame = pd.DataFrame({"kids": [0, 1, 2, 3, 5] * 8, "only": 7, "word": "a"})
    table = Table.infer(frame)
    x = table.encode(frame[:4].assign(kids=[4, 5, 10**6, -1]))
    np.testing.assert_array_equal(x[:, :5].sum(axis=1), [1, 1, 0, 0])
    assert not x[:, 5:].any()  # no gaps
    np.testing.assert_allclose(
        unseen_log_prob(table, x), [0, 0, -np.log(41), -np.log(41)], rtol=1e-6
    )
    assert table.decode(x)["kids"].isna().tolist() == [False] * 2 + [True] * 2
    # Nor is another value of a column with one value a gap.
    other = table.encode(frame.assign(only=8, word="b"))
    np.testing.assert_array_equal(other, table.encode(frame))
    # A table of an earlier version takes the nearest, as it did.
    levels = Levels.from_config({"values": [0.0, 1.0]})
    np.testing.assert_array_equal(levels.encode(np.array([9.0])), [[0, 1]])


def test_gaps_are_drawn_as_frequent_and_together_as_in_training():
    n = 1000
    both = np.arange(n) % 4 == 0
    frame = pd.DataFrame({"x": np.linspace(0, 1, n), "y": np.linspace(1, 2, n)})
    frame.loc[both, ["x", "y"]] = None
    table = Table.infer(frame)
    full = np.zeros((8000, 4), "float32")
    full[:, [0, 2]] = np.random.default_rng(0).normal(size=(8000, 2))
    rows = table.decode(table.with_gaps(full, seed=0))
    whole = table.decode(full)
    assert (rows.isna() | (rows == whole)).all(axis=None)
    assert (rows["x"].isna() == rows["y"].isna()).all()
    assert abs(rows["x"].isna().mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 8000)
    again, other = (table.with_gaps(full, seed=seed) for seed in (0, 1))
    pd.testing.assert_frame_equal(rows, table.decode(again))
    assert not rows.equals(table.decode(other))


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".parquet"])
def test_files_are_read_part_by_part(frame, tmp_path, monkeypatch, ending):
    monkeypatch.setattr("kgen.tables.reading._ROWS", 70)
    frame = frame[["int8", "price", "gaps", "text", "text_gaps", "bool", "day"]]
    path = tmp_path / f"rows{ending}"
    if ending == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in ending else ",")
    table = Table.infer(path)
    whole = Table.infer(frame)
    assert [c.kind for c in table.columns] == [c.kind for c in whole.columns]
    x = np.concatenate(list(kgen.data.load(path, "all", table=table)))
    np.testing.assert_allclose(x, table.encode(table.read(path)), atol=1e-6)
    pd.testing.assert_frame_equal(
        table.decode(x)[["price", "text"]], frame[["price", "text"]]
    )


def test_load_has_splits_labels_and_folders(frame, tmp_path):
    frame = frame[["int8", "price", "text"]]
    table = Table.infer(frame, target="text")
    assert table.class_names == ("a", "b c", "\u00fc")
    train, test = kgen.data.load(
        frame, ("train", "test"), table=table, labels=True
    )
    sizes = [sum(len(y) for _, y in part) for part in (train, test)]
    assert sizes == [240, 60]
    for name, part in (("train", frame[:200]), ("test", frame[200:])):
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    source = kgen.data.open_source(tmp_path, target="text")
    assert source.splits == ("train", "test")
    x, y = next(iter(source.dataset("test", labels=True, batch_size=100)))
    np.testing.assert_array_equal(y, table.labels_of(frame[200:]))
    assert x.shape == (100, *table.shape)


def test_what_is_large_is_read_from_a_file(frame, monkeypatch):
    frame = frame[["int8", "price", "text"]]
    table = Table.infer(frame)
    before = np.concatenate(list(kgen.data.load(frame, "all", table=table)))
    monkeypatch.setattr("kgen.data.examples.IN_MEMORY_BYTES", 1000)
    after = np.concatenate(list(kgen.data.load(frame, "all", table=table)))
    np.testing.assert_array_equal(after, before)


def test_a_column_of_one_row_is_constant():
    frame = pd.DataFrame({"x": [1.5], "y": ["a"]})
    with pytest.raises(
        kgen.errors.InvalidArgument, match="no column to learn.*one row"
    ):
        Table.infer(frame)


BAD_FILES = {
    "empty": ("", "is empty"),
    "no rows": ("a,b\n", "no rows"),
    "no header": ("1,2\n3,4\n", "has no header"),
    "ragged": ("a,b\n1,2\n3,4,5\n", "one length"),
    "long first row": ("a,b\n1,2,3\n", "one length"),
    "names twice": ("a,b,a\n1,2,3\n", "several columns with the name `a`"),
    "mixed": ("a,b\n" + "1,2\n" * 60_000 + "x,2\n", "several kinds"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_are_no_tables(tmp_path, name):
    text, message = BAD_FILES[name]
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(kgen.errors.InvalidArgument, match=message):
        kgen.data.load(path)


def test_names_of_files_may_be_in_capitals(frame, tmp_path):
    frame = frame[["int8", "price", "text"]]
    frame.to_csv(tmp_path / "rows.csv.gz", index=False)
    (tmp_path / "rows.csv.gz").rename(tmp_path / "ROWS.CSV.GZ")
    frame.to_parquet(tmp_path / "ROWS.PARQUET")
    # What stands in the middle of a name is no ending.
    frame.to_csv(tmp_path / "rows.parquet.csv", index=False)
    for name in ("ROWS.CSV.GZ", "ROWS.PARQUET", "rows.parquet.csv"):
        assert Table.infer(tmp_path / name).names == ("int8", "price", "text")


def test_a_separator_is_not_looked_for_in_quotes(tmp_path):
    rows = "".join(f"{n % 7};{n / 7:.3f}\n" for n in range(60))
    (tmp_path / "rows.csv").write_text(f'"last, first, other";x\n{rows}')
    table = Table.infer(tmp_path / "rows.csv")
    assert table.names == ("last, first, other", "x")


def test_damaged_files(frame, tmp_path):
    path = tmp_path / "rows.parquet"
    frame[["int64", "price"]].to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 64 + whole[68:])
    with pytest.raises(kgen.errors.InvalidArgument, match="as Parquet"):
        Table.infer(path)
    path = tmp_path / "rows.csv.gz"
    frame[["int64", "price"]].to_csv(path)
    for content in (b"a,b\n1,2\n", path.read_bytes()[:-500]):
        path.write_bytes(content)
        with pytest.raises(kgen.errors.InvalidArgument, match="no gzip file"):
            Table.infer(path)


def test_a_file_in_another_encoding(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("a,b\nM\u00fcller,1\n".encode("latin-1"))
    with pytest.raises(kgen.errors.InvalidArgument, match="not in UTF-8"):
        Table.infer(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\nK\u00f6ln,1\n".encode("utf-16"), 'encoding="utf-16"'),
        ("a,b\nUlm,1\n".encode("utf-16-le"), "no text in UTF-8"),
        (b"PK\3\4\x14\0\0\0\x08\0" * 9, "as archives and workbooks"),
    ],
    ids=["UTF-16", "UTF-16 without its mark", "zip"],
)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_file_that_is_no_text(tmp_path, content, words, ending):
    opened = gzip.open if ending == ".csv.gz" else open
    with opened(tmp_path / f"rows{ending}", "wb") as file:
        file.write(content)
    with pytest.raises(kgen.errors.InvalidArgument, match=words):
        kgen.data.load(tmp_path / f"rows{ending}")


def test_names_of_categories_may_be_numbers(tmp_path):
    rows = "".join(f"{n % 6 + 1},{n / 7:.3f}\n" for n in range(60))
    (tmp_path / "rows.csv").write_text(f"state,x\n{rows}other,1.5\n")
    table = Table.infer(tmp_path / "rows.csv")
    back = table.decode(table.encode(table.read(tmp_path / "rows.csv")))
    assert set(back["state"]) == {"1", "2", "3", "4", "5", "6", "other"}


def test_mixed_columns_can_be_taken_in_several_ways():
    frame = pd.DataFrame({"x": [1, 2, "many"] * 10, "y": np.arange(30) % 7})
    with pytest.raises(kgen.errors.InvalidArgument, match="several kinds"):
        Table.infer(frame)
    table = Table.infer(frame, kinds={"x": "category"})
    assert (
        table.decode(table.encode(frame))["x"].tolist() == [1, 2, "many"] * 10
    )
    table = Table.infer(frame, kinds={"x": "numeric"})
    back = table.decode(table.encode(frame[:2]))
    assert back["x"].tolist() == [1, 2]
    assert table.columns[0].gaps == pytest.approx(1 / 3)
    # Rows that are drawn have as many gaps.
    assert table.patterns == [((), 2 / 3), (("x",), 1 / 3)]


@pytest.mark.parametrize(
    "training", ["no", [1, 0], [True], [True] * 3, [False] * 2, [[True] * 2]]
)
def test_rows_for_training_are_told_by_truth_values(training):
    with pytest.raises(kgen.errors.InvalidArgument, match="one for each row"):
        Table.infer(pd.DataFrame({"a": [1.5, 2.5]}), training=training)


def test_numbers_are_learned_from_the_rows_for_training(tmp_path):
    """Of a file that `load` splits; categories may come from all rows."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=ROWS),
            "word": np.where(np.arange(ROWS) == 0, "one", "two"),
            "vote": rng.choice(["yes", "no"], ROWS),
        }
    )
    frame.loc[3:6, "vote"] = None
    known = frame[frame["vote"].notna()].reset_index(drop=True)
    for target, rows in ((None, frame), ("vote", known)):
        labels = None
        if target is not None:
            labels = pd.factorize(rows["vote"], sort=True)[0]
        train, test = set_aside(len(rows), labels)
        outlier = rows.index[test[0]]
        changed = rows.assign(x=rows["x"].where(rows.index != outlier, 100.0))
        changed.to_csv(tmp_path / "rows.csv", index=False)
        source = kgen.data.open_source(
            tmp_path / "rows.csv", **({"target": target} if target else {})
        )
        found = next(c for c in source.table.columns if c.name == "x")
        expected = Table.infer(changed.iloc[train])
        assert found.encoding == expected.columns[0].encoding
        assert max(found.encoding.values) < 99
        assert "one" in str(source.table.get_config())


@pytest.mark.parametrize("target", [None, "word"])
def test_the_split_of_a_long_file_takes_little_memory(
    tmp_path, monkeypatch, target
):
    monkeypatch.setattr("kgen.tables.reading._ROWS", 1000)
    words = [f"a word of some length, {n % 2}" for n in range(50_000)]
    pd.DataFrame({"word": words}).to_csv(tmp_path / "rows.csv", index=False)
    tracemalloc.start()
    try:
        training = table_files._training_rows(tmp_path / "rows.csv", target)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert training.sum() == 40_000
    assert peak < 70 * len(words)  # the texts alone take more


def test_bad_arguments(frame):
    frame = frame[["int8", "price", "text"]]
    with pytest.raises(
        kgen.errors.InvalidArgument, match="did you mean 'text'"
    ):
        Table.infer(frame, target="test")
    with pytest.raises(kgen.errors.InvalidArgument, match="'price'"):
        Table.infer(frame, kinds={"prize": "numeric"})
    with pytest.raises(kgen.errors.InvalidArgument, match="'category'"):
        Table.infer(frame, kinds={"text": "categories"})
    with pytest.raises(
        kgen.errors.InvalidArgument, match=r"at most 5 \(`max_cat"
    ):
        Table.infer(frame, target="price", max_categories=5)
    with pytest.raises(kgen.errors.InvalidArgument, match="a dictionary"):
        Table.infer(frame, kinds=["text"])
    with pytest.raises(kgen.errors.InvalidArgument, match="target=''"):
        Table.infer(frame.rename(columns={"text": ""}), target="")
    with pytest.raises(kgen.errors.InvalidArgument, match="digits is no table"):
        kgen.data.open_source("digits", target="on")
    table = Table.infer(frame)
    with pytest.raises(kgen.errors.InvalidArgument, match="no column `price`"):
        table.encode(frame.drop(columns="price"))
    with pytest.raises(kgen.errors.InvalidArgument, match="column `price`"):
        table.encode(frame.assign(price="cheap"))
    with pytest.raises(kgen.errors.InvalidArgument, match="DataFrame"):
        table.encode(frame.to_numpy())
    with pytest.raises(kgen.errors.InvalidArgument, match="empty text"):
        Table.infer(frame.assign(text=["", "a", "b"] * 100))
    with pytest.raises(kgen.errors.InvalidArgument, match="no table"):
        kgen.data.load(np.zeros((4, 2), "float32"), table=table)
    labelled = Table.infer(frame, target="text")
    with pytest.raises(kgen.errors.InvalidArgument, match="can't be a class"):
        labelled.labels_of(frame.assign(text="z"))


def test_the_part_of_a_long_column_that_is_kept_is_like_the_whole(monkeypatch):
    """Also of a sorted one, of which the last part is not whole."""
    monkeypatch.setattr("kgen.tables.summaries._KEPT", 1000)
    summary = Summary("x", None, np.random.default_rng(0))
    for part in np.split(np.linspace(0.0, 1.0, 12_500), 25):
        summary.update(pd.Series(part))
    values = np.sort(summary.values())
    uniform = np.linspace(0, 1, len(values))
    assert np.abs(values - uniform).max() < 2.0 / np.sqrt(len(values))


def test_gaps_in_many_columns_are_as_frequent():
    n, rng = 3000, np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, 30))).rename(columns=str)
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    table = Table.infer(frame)
    full = np.zeros((4000, 60), "float32")
    share = table.decode(table.with_gaps(full, seed=0)).isna().to_numpy().mean()
    assert abs(share - 0.1) < 4 * np.sqrt(0.09 / (30 * 2000))


def test_gaps_of_rows_that_are_real_stay_gaps(frame):
    frame = frame[["int8", "price", "text", "bool"]]
    table = Table.infer(frame)
    back = table.decode(table.encode(frame[:9].assign(int8=None, bool=None)))
    assert back[["int8", "bool"]].isna().all(axis=None)
    pd.testing.assert_series_equal(back["price"], frame["price"][:9])


def test_whole_numbers_stay_within_their_type():
    largest = np.iinfo("int64").max
    frame = pd.DataFrame({"x": [0, 2**40, largest] * 10, "y": [1, 2] * 15})
    assert {c.name: c.kind for c in Table.infer(frame).columns}["x"] == "id"
    table = Table.infer(frame, kinds={"x": "integer"})
    assert (table.decode(table.encode(frame))["x"] >= 0).all()
    masses = pd.DataFrame({"x": np.linspace(5e28, 2e31, 60)})
    table = Table.infer(masses)
    assert table.columns[0].kind == "numeric"
    back = table.decode(table.encode(masses))
    np.testing.assert_allclose(back, masses, rtol=1e-4)
    small = pd.DataFrame({"x": np.arange(256, dtype="uint8")})
    table = Table.infer(small, kinds={"x": "integer"}, numbers="standard")
    drawn = table.decode(np.array([[99.0, 0.0], [-99.0, 0.0]], "float32"))
    assert drawn["x"].tolist() == [255, 0]


def test_categories_of_parts_of_a_file_may_differ(tmp_path):
    import pyarrow
    from pyarrow import parquet

    parts = [
        pyarrow.Table.from_pandas(
            pd.DataFrame({"x": pd.Categorical(values), "y": range(4)})
        )
        for values in (["p", "q"] * 2, ["r", "s"] * 2)
    ]
    with parquet.ParquetWriter(tmp_path / "x.parquet", parts[0].schema) as file:
        for part in parts:
            file.write_table(part)
    table = Table.infer(tmp_path / "x.parquet")
    back = table.decode(table.encode(table.read(tmp_path / "x.parquet")))
    assert back["x"].tolist() == ["p", "q"] * 2 + ["r", "s"] * 2


def test_far_dates_and_time_zones_of_text():
    days = ["2024-01-01", "9999-12-31", "2024-02-01"] * 5
    zones = ["2024-01-01T10:00:00+02:00"] * 8 + ["2024-01-02T10:00:01Z"] * 7
    frame = pd.DataFrame(
        {"day": np.array(days, "datetime64[us]"), "zone": zones}
    )
    back = Table.infer(frame)
    back = back.decode(back.encode(frame))
    assert back["day"].dt.strftime("%Y-%m-%d").tolist() == days
    utc = pd.to_datetime(frame["zone"], utc=True)
    assert (back["zone"] == utc).all()


def test_shares_and_values_are_counted_in_the_rows_for_training():
    half = np.arange(80) < 40
    frame = pd.DataFrame(
        {
            "gaps": np.where(half | (np.arange(80) % 2 == 0), 1.5, np.nan),
            "level": np.where(half, np.arange(80) % 4, np.arange(80) % 8),
            "word": np.where(half, "a", "b"),
            "vote": np.where(half & (np.arange(80) % 2 == 0), "yes", "no"),
        }
    )
    frame.loc[:3, "gaps"] = 2.5
    table = Table.infer(frame, target="vote", training=half)
    columns = {column.name: column for column in table.columns}
    assert columns["gaps"].gaps == 0
    assert columns["level"].encoding == Levels((0.0, 1.0, 2.0, 3.0), 40)
    assert table.class_shares == (0.5, 0.5)
    # The names of categories are those of all rows.
    assert columns["word"].encoding.values == ("a", "b")
    assert columns["word"].counts == (40, 0)


def test_a_table_may_have_empty_lines_before_it_and_hidden_folders_beside(
    tmp_path,
):
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "train.csv").write_text("\na,b\n1.5,2\n\n2.5,3\n3,4.5\n")
    (x,) = kgen.data.load(tmp_path, "all")
    assert len(x) == 3


def test_a_folder_of_pictures_may_have_a_table_beside_them(tmp_path):
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for n in range(2):
            Image.new("L", (4, 4)).save(tmp_path / "train" / name / f"{n}.png")
    (tmp_path / "train.csv").write_text("file,label\n0.png,cat\n")
    (x,) = kgen.data.load(tmp_path, "all")
    assert x.shape == (4, 4, 4, 1)


MORE_BAD = {
    "a line of Excel's": ("sep=;\na;b\n1;2\n3;5\n", "begins with .*'sep=;'"),
    "short row": ("a,b,c\n1,2,3\n4,5\n", "line 3: 2 values"),
    "header of values": ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "has no header"),
    "one bad value": (
        "a,b\n" + "".join(f"{n}.5,x\n" for n in range(300)) + "oops,y\n",
        "several kinds",
    ),
}


@pytest.mark.parametrize("name", MORE_BAD)
def test_more_files_that_are_no_tables(tmp_path, name):
    text, message = MORE_BAD[name]
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(kgen.errors.InvalidArgument, match=message):
        Table.infer(tmp_path / "rows.csv")


def test_categories_that_can_t_be_saved():
    frame = pd.DataFrame({"x": pd.cut(np.arange(30.0), 3), "y": range(30)})
    with pytest.raises(kgen.errors.InvalidArgument, match=r"astype\(str\)"):
        Table.infer(frame)
    with pytest.raises(kgen.errors.InvalidArgument, match="a pandas DataFrame"):
        Table.infer(np.zeros((3, 2)))
    with pytest.raises(kgen.errors.InvalidArgument, match="for the target"):
        Table.infer(frame[["y"]], target="y", kinds={"y": "id"})
