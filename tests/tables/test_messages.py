"""What is said of columns that can't be what they should be: the value is named."""

import numpy as np
import pandas as pd
import pytest

import kgen
from kgen.data import Table
from kgen.errors import InvalidArgument

ROWS = 60


def refused(match, kinds=None, **columns):
    """Says no to a table with a column of numbers and these columns."""
    frame = pd.DataFrame({**columns, "y": np.arange(ROWS) % 7})
    with pytest.raises(InvalidArgument, match=match):
        Table.infer(frame, kinds=kinds)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        *[
            (kind, "all its values are text, such as 'Ulm'")
            for kind in ("numeric", "integer", "count")
        ],
        ("boolean", "'Ulm' is no number"),
        ("datetime", "'Ulm' is no date in the form of ISO 8601"),
    ],
)
def test_text_is_no_column_of_another_kind(kind, reason):
    words = f'`city` can\'t be of the kind {kind}: {reason}.*"category"'
    refused(words, {"city": kind}, city=[None, *["Ulm"] * (ROWS - 1)])


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([*map(str, range(50)), *["unknown"] * 10], "'0', 'unknown'"),
        ([1, "1", 2] * 20, "1, '1'"),
        ([True, 2, "x"] * 20, "True, 2, 'x'"),
    ],
)
def test_a_value_of_each_kind_is_shown(values, shown):
    refused(f"of several kinds, such as {shown}. Say", x=values)


def test_a_value_of_each_kind_is_shown_of_parts_of_a_file(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("kgen.tables.reading._ROWS", 20)
    days = pd.date_range("2024-01-01", periods=30).astype(str)
    for values, shown in (
        (range(30), "0, '20', 'oops'"),
        (days, "'2024-01-01', 'oops'"),
    ):
        rows = pd.DataFrame({"x": [*values, "oops"]})
        rows.to_csv(tmp_path / "rows.csv", index=False)
        with pytest.raises(InvalidArgument, match=f"such as {shown}. Say"):
            Table.infer(tmp_path / "rows.csv")


def test_infinity_is_named_without_its_row_in_a_part():
    x = np.linspace(0.0, 1.0, ROWS)
    table = Table.infer(pd.DataFrame({"x": x}))
    x[5] = -np.inf
    refused("`x` can't be of the kind number: -inf is no finite number", x=x)
    with pytest.raises(
        InvalidArgument, match="column `x`.*x=-inf is no finite"
    ):
        table.encode(pd.DataFrame({"x": x}))
    with pytest.raises(
        InvalidArgument, match="column `x`.*x='low' is no number"
    ):
        table.encode(pd.DataFrame({"x": [0.5, "low"]}))


@pytest.mark.parametrize("numbers", ["quantiles", "standard", "modes"])
@pytest.mark.parametrize("scale", [1e-200, 1e307])
def test_numbers_of_a_variance_that_float64_can_not_hold(numbers, scale):
    frame = pd.DataFrame({"x": np.linspace(0.5, 1.0, ROWS) * scale})
    with pytest.raises(InvalidArgument, match="`x` has numbers from .* unit"):
        Table.infer(frame, numbers=numbers)


def test_text_that_utf_8_can_not_hold():
    city = pd.Series(["Ulm", "Bonn\udcff"] * (ROWS // 2), dtype=object)
    words = r"`city` holds '\\udcff', which is no character"
    refused(words, city=city)
    table = Table.infer(pd.DataFrame({"city": ["Ulm", "Bonn"] * 30}))
    with pytest.raises(InvalidArgument, match=words):
        table.encode(pd.DataFrame({"city": city}))


def test_categories_that_are_the_same_as_text():
    values = pd.Series([1, "1", "2"] * (ROWS // 3), dtype="category")
    refused("the categories 1 and '1'.*the same as text", x=values)


def test_hints_are_for_commands_too():
    name = "zip code"
    words = (
        r"kinds=\{\"zip code\": \"category\"\} \(--kind 'zip code'=category\)"
    )
    refused(words, **{name: [1, "many"] * (ROWS // 2)})


def test_what_is_left_out_is_said_in_a_line(tmp_path, capsys):
    rows = pd.DataFrame({"gone": [None] * ROWS, "y": np.arange(ROWS) / 7.0})
    rows["class"] = ["a", "b", None] * (ROWS // 3)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    table = Table.infer(tmp_path / "rows.csv", target="class")
    kgen.data.load(tmp_path / "rows.csv", "all", table=table)
    assert capsys.readouterr().err.splitlines() == [
        "kgen: column `gone` has no values: nothing can be learned of it.",
        "kgen: 20 rows without a value of the target `class` are left out.",
    ]
