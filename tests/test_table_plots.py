"""The pictures of tables: what is in them, read from Matplotlib's objects."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kgen import plots
from kgen.errors import InvalidArgument
from kgen.plots import figures

NAN = np.nan


def figure_of(monkeypatch, function, *args, **kwargs):
    """The Matplotlib figure that a function of `plots.tables` saves."""
    saved = []
    monkeypatch.setattr(
        plots.tables, "save", lambda figure, _: saved.append(figure)
    )
    function(*args, "x.png", **kwargs)
    return saved[0]


def marginals(monkeypatch, real, synthetic, kind):
    """The panel of a single column."""
    tables = [pd.DataFrame({"x": x}) for x in (real, synthetic)]
    figure = figure_of(monkeypatch, plots.marginals, *tables, {"x": kind})
    return figure.axes[0]


def outline(patch):
    """The x and the y coordinates of a histogram's outline."""
    return patch.get_xy()[:, 0], patch.get_xy()[:, 1]


def test_integers_have_a_bin_each_and_what_is_beyond_one_more(monkeypatch):
    axes = marginals(monkeypatch, [1, 2, 2, NAN], [1, 2, 7, 99], "integer")
    real, synthetic = axes.patches
    assert set(outline(real)[0]) == {0.5, 1.5, 2.5, 3.5}
    assert outline(real)[1].max() == pytest.approx(2 / 3)
    x, y = outline(synthetic)
    assert y[x > 2.5].max() == pytest.approx(0.5)
    assert axes.get_title() == "x\ngaps: 25.0% real, 0.0% synthetic"
    ticks = axes.get_xticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_numbers_below_have_a_bin_of_their_own(monkeypatch):
    real = np.linspace(0.0, 25.0, 1000)
    axes = marginals(monkeypatch, real, np.full(4, -80.0), "numeric")
    x, y = outline(axes.patches[1])
    assert x.min() == pytest.approx(-1.0) and y[x <= 0.0].max() == 1.0
    assert axes.get_title() == "x"


@pytest.mark.parametrize("kind", ["numeric", "integer"])
@pytest.mark.parametrize(
    "x",
    [
        [1.0 - 2**-53, 1.0, 1.0 + 2**-52],
        [1e17, 1e17, 1e17],
        [-1.7e308, 0.0, 1.7e308],
    ],
)
def test_bins_of_extreme_numbers(tmp_path, kind, x):
    edges = plots.tables._edges(np.array(x), np.array([-1.7e308, 5.0]), kind)
    assert (np.diff(edges) > 0).all() and np.isfinite(edges).all()
    real = pd.DataFrame({"x": x})
    plots.marginals(real, real, {"x": "numeric"}, tmp_path / "x.png")
    assert (tmp_path / "x.png").exists()


def test_times_are_read_as_dates(monkeypatch):
    real = pd.to_datetime(["2001-01-01", "2001-12-31", "2001-06-01"])
    axes = marginals(monkeypatch, real, real[:1], "datetime")
    axes.figure.canvas.draw()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert "Jul" in labels or "Jun" in labels


def test_categories_have_bars_and_rare_ones_share_one(monkeypatch):
    real = list("aaabbc") + [None]
    axes = marginals(monkeypatch, real, ["b", "z"], "category")
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["a", "b", "c", "z"]
    widths = [bar.get_width() for bar in axes.patches]
    expected = [1 / 2, 1 / 3, 1 / 6, 0.0, 0.0, 0.5, 0.0, 0.5]
    assert widths == pytest.approx(expected)
    many = [f"c{i:02}" for i in range(20) for _ in range(21 - i)]
    axes = marginals(monkeypatch, many, many, "category")
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [*(f"c{i:02}" for i in range(7)), "13 others"]
    widths = [bar.get_width() for bar in axes.patches]
    assert sum(widths[:8]) == pytest.approx(1.0)


def test_columns_without_values(monkeypatch):
    axes = marginals(monkeypatch, [NAN], [1.0], "numeric")
    assert axes.texts[0].get_text() == "no real value"
    axes = marginals(monkeypatch, [None], [None], "category")
    assert axes.texts[0].get_text() == "no value"
    axes = marginals(monkeypatch, [1.0, 1.0], [NAN], "numeric")
    assert outline(axes.patches[0])[1].max() == 1.0
    axes = marginals(monkeypatch, ["a"], [None], "category")
    assert [bar.get_width() for bar in axes.patches] == [1.0, 0.0]


def test_very_many_columns_are_cut_off(monkeypatch):
    monkeypatch.setattr(plots.tables, "_MOST", 6)
    names = [f"{'a long name of a column'} {i}" for i in range(9)]
    table = pd.DataFrame({name: [1, 2, 3] for name in names})
    kinds = dict.fromkeys(names, "integer")
    figure = figure_of(monkeypatch, plots.marginals, table, table, kinds)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 6
    assert shown[5].get_title() == "a long name of a column 5"
    assert "(the first 6 of 9)" in figure.get_suptitle()


def correlations(size, value):
    names = [f"column {i}" for i in range(size)]
    table = pd.DataFrame(np.eye(size), index=names, columns=names)
    table.iloc[0, 1] = table.iloc[1, 0] = value
    return table


@pytest.mark.parametrize("size, rows", [(2, 1), (12, 1), (13, 3), (40, 3)])
def test_heat_maps_of_correlations(monkeypatch, size, rows):
    real, synthetic = correlations(size, 0.7), correlations(size, NAN)
    synthetic.iloc[0, 0] = 0.4
    figure = figure_of(monkeypatch, plots.correlations, real, synthetic)
    maps = [axes for axes in figure.axes if axes.images]
    titles = [axes.get_title() for axes in maps]
    assert titles == ["real", "synthetic", "synthetic - real"]
    for axes, values in zip(maps, (real, synthetic, synthetic - real)):
        drawn = axes.images[0].get_array().filled(NAN)
        np.testing.assert_array_equal(drawn, values)
        if rows == 3 or axes is maps[0]:  # in one row, names are at its left
            labels = [label.get_text() for label in axes.get_yticklabels()]
            assert labels == list(real.index)
        known = np.isfinite(values.to_numpy()).sum()
        assert len(axes.texts) == (known if rows == 1 else 0)
        assert axes.get_subplotspec().get_gridspec().nrows == rows
    assert maps[0].images[0].get_clim() == (-1.0, 1.0)
    assert maps[2].images[0].get_clim() == pytest.approx((-0.6, 0.6))


def test_a_difference_of_nothing_has_no_strong_colours(monkeypatch):
    real = correlations(2, 0.5)
    figure = figure_of(monkeypatch, plots.correlations, real, real + 1e-3)
    limits = [axes.images[0].get_clim() for axes in figure.axes[:3]]
    assert limits[2] == (-0.2, 0.2)


def test_gaps_by_column(monkeypatch):
    real = pd.DataFrame({"a": [1, NAN], "b": [1, 2], "c": [None, None]})
    synthetic = pd.DataFrame({"c": ["x", None], "b": [1, 2], "a": [0, 0]})
    (axes,) = figure_of(monkeypatch, plots.gaps, real, synthetic).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["a", "c"]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == [0.5, 1.0, 0.0, 0.5]
    assert axes.get_title() == "Gaps by column\n1 of 3 columns have none"
    (axes,) = figure_of(monkeypatch, plots.gaps, real[["b"]], synthetic).axes
    assert axes.get_title() == "Gaps by column\nno column has any"


@pytest.mark.parametrize("count", [1, 40])
def test_pictures_are_written(tmp_path, count):
    rng = np.random.default_rng(0)
    names = [f"$x_{i}$" for i in range(count)]  # no formulas
    real = pd.DataFrame(rng.normal(size=(50, count)), columns=names)
    matrix = real.corr()
    plots.marginals(
        real, real, dict.fromkeys(names, "numeric"), tmp_path / "marginals.png"
    )
    plots.correlations(matrix, matrix, tmp_path / "correlations.png")
    plots.gaps(real.mask(real > 1), real, tmp_path / "gaps.png")
    for name in ("marginals", "correlations", "gaps"):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert max(image.size) <= figures.LARGEST * figures.DPI
            assert np.asarray(image.convert("L")).min() < 128


def test_a_missing_column_in_words():
    table = pd.DataFrame({"x": [1]})
    with pytest.raises(InvalidArgument, match="`real` of `marginals`.*'y'"):
        plots.marginals(table, table, {"y": "numeric"}, "x.png")
