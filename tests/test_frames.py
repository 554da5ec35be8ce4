import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from kgen import frames
from kgen.errors import InvalidArgument

NAN = np.nan
DAY = 86_400.0


def encoded(kind, *columns):
    """What the columns of one kind become, each alone in a frame."""
    given = {f"f{i}": pd.DataFrame({"x": x}) for i, x in enumerate(columns)}
    found = frames.encode({"x": kind}, "judge", **given)
    return found, [table["x"] for table in found.tables]


@pytest.mark.parametrize(
    "values, expected",
    [
        (pd.Series([1, 2], dtype="int8"), [1, 2]),
        (pd.Series([1, 2**60], dtype="uint64"), [1, 2**60]),
        (pd.Series([0.5, NAN], dtype="float32"), [0.5, NAN]),
        (pd.Series([1, None], dtype="Int64"), [1, NAN]),
        (pd.Series([1.5, None], dtype="Float32"), [1.5, NAN]),
        (pd.Series([True, False]), [1, 0]),
        (pd.Series([1, None, 2.5], dtype="object"), [1, NAN, 2.5]),
        (
            pd.Series([decimal.Decimal("1.5"), pd.NA], dtype="object"),
            [1.5, NAN],
        ),
        (pd.Series([None, None], dtype="object"), [NAN, NAN]),
        (pd.Series([pd.NaT, pd.NaT]), [NAN, NAN]),
        (pd.Series([1], dtype="int64[pyarrow]"), [1]),
    ],
)
def test_numbers(values, expected):
    _, (array,) = encoded("numeric", values)
    assert array.dtype == "float64"
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_all_units_are_seconds(unit):
    times = pd.Series(["1970-01-02", None, "1969-12-31T12:00:00.5"])
    times = pd.to_datetime(times, format="ISO8601")
    times = times.astype(f"datetime64[{unit}]")
    half = 0.0 if unit == "s" else 0.5
    _, (array,) = encoded("datetime", times)
    np.testing.assert_array_equal(array, [DAY, NAN, half - DAY / 2])


def test_times_with_a_zone_and_as_other_objects():
    zone = pd.Series(["1970-01-02T01:00:00+01:00"])
    one_zone = pd.to_datetime(zone).dt.tz_convert("Asia/Tokyo")
    objects = [
        zone,
        one_zone,
        pd.Series([datetime.datetime(1970, 1, 2)], dtype="object"),
        pd.Series([datetime.date(1970, 1, 2)], dtype="object"),
        pd.Series(["1970-01-02"]),
    ]
    _, arrays = encoded("datetime", *objects)
    np.testing.assert_array_equal(arrays, [[DAY]] * len(objects))
    far = pd.Series(["9000-01-01"], dtype="datetime64[s]")
    _, (array,) = encoded("datetime", far)
    assert array[0] == np.datetime64("9000-01-01", "s").astype("int64")


def test_codes_are_those_of_the_first_frame_by_frequency():
    found, arrays = encoded(
        "category",
        pd.Series(["b", "a", None, "a"]),
        pd.Series(pd.Categorical(["c", "a", "b"], ["a", "b", "c", "d"])),
        pd.Series([NAN, "d"], dtype="object"),
    )
    np.testing.assert_array_equal(arrays[0], [1, 0, NAN, 0])
    np.testing.assert_array_equal(arrays[1], [2, 0, 1])
    np.testing.assert_array_equal(arrays[2], [NAN, 3])
    assert found.levels == {"x": ["a", "b", "c", "d"]}
    assert found.known == {"x": 2}


def test_equal_values_have_one_code():
    columns = [
        pd.Series([True, True, False]),
        pd.Series([1.0, 0.0, NAN]),
        pd.Series([True, None], dtype="boolean"),
        pd.Series(["1"]),
    ]
    found, arrays = encoded("boolean", *columns)
    np.testing.assert_array_equal(arrays[1], [0, 1, NAN])
    np.testing.assert_array_equal(arrays[2], [0, NAN])
    np.testing.assert_array_equal(arrays[3], [2])
    assert found.known == {"x": 2}


def test_gaps_alone():
    found, arrays = encoded("category", pd.Series([None, pd.NA]), ["a", "a"])
    np.testing.assert_array_equal(arrays, [[NAN, NAN], [0, 0]])
    assert found.known == {"x": 0}


def test_columns_without_a_kind_are_left_out_and_frames_stay():
    frame = pd.DataFrame({"id": [7, 8], "x": [1, 2]}, index=[5, 5])
    before = frame.copy()
    (table,) = frames.encode({"x": "integer"}, "judge", frame=frame).tables
    assert list(table) == ["x"]
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    "kind, values, message",
    [
        ("numeric", ["1", "old"], "finite numbers in the column 'x'.*old"),
        ("numeric", [1.0, np.inf], "finite numbers.*=inf is no"),
        ("integer", [[1], [2]], "finite numbers in the column 'x'"),
        ("numeric", pd.to_datetime(["2020-01-01"]), "finite numbers"),
        ("datetime", ["yesterday"], "times in the column 'x'.*yesterday"),
        ("datetime", [3, 4], "times in the column 'x'.*int64"),
        ("category", [["a"], ["b"]], "can be hashed in the column 'x'"),
    ],
)
def test_values_that_are_not_of_their_kind(kind, values, message):
    with pytest.raises(InvalidArgument, match=message) as caught:
        encoded(kind, values)
    assert str(caught.value).startswith(
        "Invalid value for argument `f0` of `judge`. Expected "
    )


def test_a_missing_column_is_named():
    given = {"a": pd.DataFrame({"x": [1]}), "b": pd.DataFrame({"y": [1]})}
    with pytest.raises(
        InvalidArgument,
        match="`b` of `judge`. Expected the columns of `kinds`, 'x'. "
        "Received: b=a table without 'x'",
    ):
        frames.encode({"x": "integer"}, "judge", **given)


@pytest.mark.parametrize(
    "value, message",
    [
        ([[1]], "a pandas DataFrame"),
        (pd.DataFrame({"x": []}), "one row or more"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "'x' twice"),
    ],
)
def test_what_is_no_table(value, message):
    with pytest.raises(InvalidArgument, match=message):
        frames.Frame().check("real", "judge", value)


@pytest.mark.parametrize(
    "value, message",
    [
        ({}, "a dictionary such as"),
        (["x"], "a dictionary such as"),
        ({1: "integer"}, "a dictionary such as"),
        ({"x": "categry"}, r"kinds\['x'\].*did you mean 'category'"),
        ({"x": None}, "one of 'numeric', 'integer'"),
    ],
)
def test_what_are_no_kinds(value, message):
    with pytest.raises(InvalidArgument, match=message):
        frames.Kinds().check("kinds", "judge", value)
