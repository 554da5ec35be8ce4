"""Types of columns that pandas takes from Arrow, and values that are of no use."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import kgen
from kgen.data import Table
from kgen.tables import forms

ROWS = 60


def arrow_columns():
    """A column of each of Arrow's types, and the values that come back."""
    days = pd.date_range("2020-01-01", periods=ROWS)
    whole = [None if n == 3 else n * 7 for n in range(ROWS)]
    cents = [None if n == 3 else decimal.Decimal(n) / 4 for n in range(ROWS)]
    words = ["a", "b", None] * (ROWS // 3)
    zone = days.tz_localize("Europe/Berlin")
    return {
        "int": (pa.int64(), list(range(0, 2 * ROWS, 2)), "int64"),
        "gaps": (pa.int32(), whole, "float64"),
        "double": (pa.float64(), np.arange(ROWS) / 4, "float64"),
        "bool": (pa.bool_(), np.arange(ROWS) % 2 == 0, "bool"),
        "date": (pa.date32(), list(days.date), None),
        "decimal": (pa.decimal128(9, 2), cents, "float64"),
        "dictionary": (pa.dictionary(pa.int32(), pa.string()), words, None),
        "zone": (
            pa.timestamp("ns", "Europe/Berlin"),
            zone,
            "datetime64[ns, Europe/Berlin]",
        ),
        "string": (pa.string(), words, None),
    }


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(
        {
            name: pd.Series(pa.array(values, kind), dtype=pd.ArrowDtype(kind))
            for name, (kind, values, _) in arrow_columns().items()
        }
    )


def test_columns_of_arrow_s_types_come_back_in_pandas_own(frame):
    table = Table.infer(frame)
    kinds = [column.kind for column in table.columns]
    assert kinds == [
        *["integer", "integer", "numeric", "boolean", "datetime"],
        *["numeric", "category", "datetime", "category"],
    ]
    back = table.decode(table.encode(frame))
    for column in table.columns:  # as rows without gaps have them
        known = column.known(frame[column.name])
        assert not isinstance(known.dtype, pd.ArrowDtype)
    for name, (_, values, dtype) in arrow_columns().items():
        assert not isinstance(back[name].dtype, pd.ArrowDtype)
        assert dtype is None or back[name].dtype == dtype
        expected = pd.Series(list(values))
        if name == "date":
            expected = pd.to_datetime(expected)
        known = expected.notna()
        assert (back[name].notna() == known).all()
        assert (back[name][known] == expected[known]).all()
    assert back["dictionary"].cat.categories.tolist() == ["a", "b"]


def test_a_parquet_file_of_arrow_s_types_is_read(frame, tmp_path):
    # pandas itself can't read the dictionary's type again.
    frame = frame.drop(columns="dictionary")
    frame.to_parquet(tmp_path / "rows.parquet")
    table = Table.infer(tmp_path / "rows.parquet")
    np.testing.assert_array_equal(
        table.encode(table.read(tmp_path / "rows.parquet")),
        Table.infer(frame).encode(frame),
    )


def test_numbers_are_no_dates_and_dates_no_numbers():
    days = pd.date_range("2020-01-01", periods=30)
    frame = pd.DataFrame({"year": np.arange(1990, 2020), "day": days})
    with pytest.raises(kgen.errors.InvalidArgument, match="1990 is a number"):
        Table.infer(frame, kinds={"year": "datetime"})
    table = Table.infer(frame, kinds={"year": "integer"})
    for changed in (
        {"day": 7},
        {"day": pd.Series([days[0], 7] * 15, dtype=object)},
        {"year": days},
        {"year": days - days[0]},
        {"year": pd.Series([days[0]] * 30, dtype=object)},
    ):
        with pytest.raises(kgen.errors.InvalidArgument, match="of the kind"):
            table.encode(frame.assign(**changed))


@pytest.mark.parametrize(
    "form",
    [
        "{0},{1:03d}",
        "{0},000",
        "{0}.{1}%",
        "${0}",
        "-{0},5 \u20ac",
        "0{2}/05/{3}",
    ]
    + ["1{2}.12.{3}", "{2} May {3}", "0{2}/05/{3} 10:30"],
)
def test_numbers_and_dates_as_text_are_told(form, monkeypatch):
    rows = np.arange(80)
    texts = [form.format(n, n % 7, n % 9 + 1, 1900 + n) for n in rows]
    frame = pd.DataFrame({"x": [*texts, "none"], "y": [*(rows % 4), 1]})
    with pytest.raises(kgen.errors.InvalidArgument, match="as text, such as"):
        Table.infer(frame)
    monkeypatch.setattr("kgen.tables.summaries._COUNTED", 50)
    with pytest.raises(kgen.errors.InvalidArgument, match="as text, such as"):
        Table.infer(frame)
    monkeypatch.undo()
    for kind in ("category", "id"):
        assert Table.infer(frame, kinds={"x": kind}).columns[0].kind == kind


@pytest.mark.parametrize(
    "form",
    [
        *["{0}.{0}.{0}.{0}", "a{0}", "{0}-{1}", "{0} km", "{0} Main 1234"],
        *["12-3.{0}", "1/2/2020 no. {0}"],
    ],
)
def test_other_text_with_digits_is_text(form):
    frame = pd.DataFrame({"x": [form.format(n, n % 7) for n in range(80)]})
    frame["y"] = np.arange(80) % 4
    assert Table.infer(frame).columns[0].kind == "category"


@pytest.mark.parametrize(
    "values",
    [
        pd.to_timedelta(range(9), unit="h"),
        pd.period_range("2020-01", periods=9, freq="M"),
        [[1, 2]] * 9,
        [{"a": 1}] * 9,
        [datetime.time(3)] * 9,
        [b"x"] * 9,
    ],
    ids=["timedelta", "period", "list", "dict", "time", "bytes"],
)
def test_values_that_nothing_can_be_learned_of(values):
    frame = pd.DataFrame({"x": values, "y": np.arange(9) % 4})
    with pytest.raises(kgen.errors.InvalidArgument, match="of the type"):
        Table.infer(frame)
    assert Table.infer(frame, kinds={"x": "id"}).names == ("y",)


def test_times_with_a_zone_and_times_without_one_are_kept_apart():
    days = pd.date_range("2024-05-01", periods=30)
    zone = days.tz_localize("Europe/Berlin")
    table = Table.infer(pd.DataFrame({"plain": days, "zone": zone}))
    frame = pd.DataFrame({"plain": days, "zone": zone})
    for changed, words in (
        ({"plain": zone}, "has a time zone"),
        ({"zone": days}, "has no time zone"),
    ):
        with pytest.raises(kgen.errors.InvalidArgument, match=words):
            table.encode(frame.assign(**changed))
    # A gap is neither.
    table.encode(frame.assign(zone=pd.Series([pd.NaT] * 30)))
    # A single value without a zone is in the column's.
    column = table.columns[1]
    seconds = zone[3].timestamp()
    for value in (zone[3], days[3], str(days[3]), column.typed(days[3])):
        assert column.number_of(value) * column.unit == seconds
    with pytest.raises(kgen.errors.InvalidArgument, match="no time zone"):
        column.number_of("2024-03-31 02:30")  # the clock skips it
    with pytest.raises(kgen.errors.InvalidArgument, match="no date"):
        column.number_of(2024)


@pytest.mark.parametrize("offsets", [("+01", "+02"), ("+0100", "+0200")])
def test_times_of_databases(offsets):
    zone = pd.date_range("2024-03-30", periods=3, tz="Europe/Berlin")
    texts = [f"2024-03-{30 + n} 00:00:00{offsets[n]}" for n in range(2)]
    objects = pd.Series(list(zone.to_pydatetime()), dtype=object)
    found = Table.infer(pd.DataFrame({"x": objects, "n": [1, 2, 4]}))
    assert found.columns[0].dtype == "datetime64[us, UTC]"
    assert forms.seconds(objects).tolist() == [x.timestamp() for x in zone]
    first = zone[0].timestamp()
    seconds = forms.seconds(pd.Series(texts))
    # By its offset, the second midnight is 23 hours after the first one.
    assert seconds.tolist() == [first, first + 23 * 3600]


def test_a_column_of_gaps_alone_can_be_of_any_kind():
    frame = pd.DataFrame({"d": [np.nan] * 4, "x": [1.5, 2.5, 3.0, 1.0]})
    table = Table.infer(frame, kinds={"d": "datetime"})
    back = table.decode(table.encode(frame))
    assert back["d"].isna().all()
    assert back["d"].dtype == "datetime64[us]"


def test_decimals_are_seen_to_float64_s_precision():
    values = np.array([1e12 + 1.5, 1e12 + 3.5, 1.7e9 + 0.123456])
    table = Table.infer(pd.DataFrame({"x": values, "y": [0.1 + 0.2, 0.5, 1]}))
    assert [column.decimals for column in table.columns] == [6, 1]
    whole = {"x": "integer"}
    with pytest.raises(kgen.errors.InvalidArgument, match="has decimals"):
        Table.infer(pd.DataFrame({"x": [1.5, 2.5, 3.5]}), kinds=whole)


def test_a_target_of_truth_values_may_be_unknown():
    frame = pd.DataFrame({"x": [1.5, 2.5, 3.0, 1.0], "y": [True, False] * 2})
    table = Table.infer(frame, target="y")
    x = table.encode(frame.drop(columns="y"))
    back = table.decode(x, np.array([1, 0, -1, 0]))
    assert back["y"].tolist()[:2] == [True, False]
    assert back["y"].isna().tolist() == [False, False, True, False]
    assert back["y"].dtype == object
