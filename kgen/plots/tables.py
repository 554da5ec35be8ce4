"""Tables: real columns beside synthetic ones, correlations, gaps."""

import math

import numpy as np
import pandas as pd
from matplotlib import dates
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from kgen import frames
from kgen.params import checked
from kgen.plots.figures import LARGEST, Path, save

_COLOURS = {"real": "tab:blue", "synthetic": "tab:orange"}
_PANELS = 4  # of columns in a row
_PANEL = 2.9, 2.3  # inches
_MOST = _PANELS * int(LARGEST / _PANEL[1] - 1)  # columns that are drawn
_BINS = 25
_FARTHEST = 1e307  # numbers beyond it overflow in Matplotlib
_BARS = 8  # of categories in a panel; the last one is of all other categories
_LETTERS = 14  # of a name or a category
_DAY = 86_400.0  # seconds
_ROW = 0.26  # inches for a column's bars
_CELLS = 12  # the most columns with which a map has its correlations as numbers
_LEAST_DIFFERENCE = 0.2  # the least difference that gets the full colour


@checked(**frames.TWO_TABLES)
def marginals(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    kinds: dict[str, str],
    path: Path,
    title: str = "Columns of real and of synthetic rows",
) -> None:
    """Draws how each column's values are distributed in two tables.

    Numbers and times have histograms over the real rows' range, in which synthetic
    values beyond it lie in a further bin at each end; categories have bars, the
    rarer ones together. Gaps are left out; their shares are told below the
    column's name. A table of very many columns shows the first ones.

    Args:
        real: Table of real rows.
        synthetic: Table of synthetic rows.
        kinds: Kind of each column that is drawn, by its name, as
            `kgen.metrics.tables.column_shapes` takes them.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.

    Raises:
        InvalidArgument: If a table is empty, lacks a column, or has values in it
            that are not of its kind.
    """
    given = {"real": real, "synthetic": synthetic}
    encoded = frames.encode(kinds, "marginals", **given)
    names = list(kinds)[:_MOST]
    if len(names) < len(kinds):
        title += f" (the first {len(names)} of {len(kinds)})"
    columns = min(len(names), _PANELS)
    rows = math.ceil(len(names) / columns)
    width, height = _PANEL
    figure = Figure(
        figsize=(max(width * columns, 5.0), height * rows + 0.8),
        layout="constrained",
    )
    figure.get_layout_engine().set(wspace=0.03, hspace=0.05)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(panels, names):
        pair = [table[name] for table in encoded.tables]
        known = [x[~np.isnan(x)] for x in pair]
        axes.tick_params(labelsize="x-small")
        axes.set_title(_heading(name, *pair), fontsize="small")
        if frames.are_numbers(kinds[name]):
            _histograms(axes, kinds[name], *known)
        else:
            _bars(axes, encoded.levels[name], *known)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.suptitle(title)
    _add_legend(figure)
    save(figure, path)


def _heading(name, real, synthetic):
    """A column's name, and below it the shares of gaps, if there are any."""
    gaps = [np.isnan(x).mean() for x in (real, synthetic)]
    heading = _short(name, 2 * _LETTERS)
    if not any(gaps):
        return heading
    return f"{heading}\ngaps: {gaps[0]:.1%} real, {gaps[1]:.1%} synthetic"


def _short(text, letters=_LETTERS):
    """A text on one line, whose middle is left out if it is long."""
    text = " ".join(str(text).split()).replace("$", r"\$")
    if len(text) <= letters:
        return text
    end = letters // 3  # where numbered names differ
    return f"{text[: letters - end - 1]}\u2026{text[-end:]}"


def _add_legend(figure):
    patches = [Patch(color=x, label=name) for name, x in _COLOURS.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=2)


def _histograms(axes, kind, real, synthetic):
    """Shares of both tables' values in the same bins."""
    if not len(real):
        _say(axes, "no real value")
        return
    edges = _edges(real, synthetic, kind)
    styles = {
        "real": {"histtype": "stepfilled", "alpha": 0.45},
        "synthetic": {"histtype": "step", "linewidth": 1.4},
    }
    for (name, style), x in zip(styles.items(), (real, synthetic)):
        x = np.clip(x, edges[0], edges[-1])
        shares = np.full(len(x), 1.0 / max(len(x), 1))
        scale = _DAY if kind == "datetime" else 1.0
        axes.hist(
            x / scale,
            edges / scale,
            weights=shares,
            color=_COLOURS[name],
            **style,
        )
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.locator_params("y", nbins=4)
    if kind != "datetime":
        axes.locator_params(
            "x", nbins=4, integer=kind == "integer", min_n_ticks=1
        )
        axes.xaxis.get_offset_text().set_fontsize("x-small")
        return
    locator = dates.AutoDateLocator(minticks=2, maxticks=4)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def _edges(real, synthetic, kind):
    """Bins over the range of real values, and one beyond it where some lie there."""
    low, high = np.clip([real.min(), real.max()], -_FARTHEST, _FARTHEST)
    step = np.spacing(max(abs(low), abs(high)))  # to the next number
    if kind == "integer" and high - low < _BINS and step < 0.5:
        edges = np.arange(low, high + 2.0) - 0.5  # one for each integer
    else:
        margin = 0.5 if low == high else 0.0
        if high - low < 2 * _BINS * step:  # too close for as many bins
            margin = max(margin, _BINS * step)
        edges = np.linspace(low - margin, high + margin, _BINS + 1)
    below, above = 2 * edges[0] - edges[1], 2 * edges[-1] - edges[-2]
    if (synthetic < edges[0]).any():
        edges = np.append(below, edges)
    if (synthetic > edges[-1]).any():
        edges = np.append(edges, above)
    return edges


def _bars(axes, levels, real, synthetic):
    """Shares of both tables' categories, the most frequent real ones at the top."""
    if not levels:
        _say(axes, "no value")
        return
    names = [_short(level) for level in levels]
    if len(names) > _BARS:
        rest = len(names) - _BARS + 1
        names = [*names[: _BARS - 1], f"{rest:,} others"]
    places = np.arange(len(names))
    # Codes are in the order of their frequency.
    for shift, (label, x) in zip(
        (-0.2, 0.2), {"real": real, "synthetic": synthetic}.items()
    ):
        codes = np.minimum(x.astype("int64"), len(names) - 1)
        shares = np.bincount(codes, minlength=len(names)) / max(len(x), 1)
        axes.barh(places + shift, shares, 0.4, color=_COLOURS[label])
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.locator_params("x", nbins=4)


def _say(axes, text):
    axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])


def correlations(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    path: Path,
    title: str = "Correlations of columns, Cramer's V where one is of categories",
) -> None:
    """Draws heat maps of two tables' correlations, and of their difference.

    Args:
        real: Those of the real rows, a square table from -1 to 1 with NaN where
            there is none, as `kgen.metrics.tables.correlations` returns it.
        synthetic: Those of the synthetic rows, of the same columns.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
    """
    count = len(real)
    side = min(max(2.4, 0.19 * count), LARGEST / 4)
    few = count <= _CELLS  # three maps side by side can be read
    shape = (1, 3) if few else (3, 1)
    rows, columns = shape
    size = side * columns + 2.6, (side + 1.1) * rows + 0.6
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(*shape, sharex=few, sharey=few)
    difference = synthetic - real
    widest = np.nanmax(np.abs(difference.to_numpy()), initial=_LEAST_DIFFERENCE)
    maps = {
        "real": (real, "RdBu_r", 1.0),
        "synthetic": (synthetic, "RdBu_r", 1.0),
        "synthetic - real": (difference, "PuOr_r", widest),
    }
    names = [_short(name) for name in real.index]
    for axes, (label, (values, colours, limit)) in zip(panels, maps.items()):
        axes.set_facecolor("0.85")  # where there is no correlation
        picture = axes.imshow(values, cmap=colours, vmin=-limit, vmax=limit)
        axes.set_title(label, fontsize="medium")
        axes.set_xticks(range(count), names, rotation=90, fontsize="x-small")
        axes.set_yticks(range(count), names, fontsize="x-small")
        if few:
            _write_values(axes, values.to_numpy(), limit)
        if label != "real" or not few:
            bar = figure.colorbar(picture, ax=axes, shrink=0.8)
            bar.ax.tick_params(labelsize="x-small")
    figure.suptitle(title)
    save(figure, path)


def _write_values(axes, values, limit):
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        axes.text(
            column,
            row,
            # Rounded first, so that there is no -0.00.
            f"{round(value, 2) + 0.0:.2f}".replace("0.", "."),
            ha="center",
            va="center",
            fontsize=min(9, 60 / len(values)),
            color="white" if abs(value) > 0.6 * limit else "black",
        )


def gaps(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    path: Path,
    title: str = "Gaps by column",
) -> None:
    """Draws the share of gaps in each column of two tables.

    Columns without gaps in either table are counted below the title.

    Args:
        real: Table of real rows.
        synthetic: Table of synthetic rows; its columns that are not in `real`, or
            not in it, are left out.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
    """
    names = [name for name in real.columns if name in synthetic.columns]
    shares = pd.DataFrame(
        {
            "real": real[names].isna().mean(),
            "synthetic": synthetic[names].isna().mean(),
        }
    )
    shown = shares[(shares > 0.0).any(axis=1)]
    height = min(_ROW * len(shown) + 1.6, LARGEST)
    figure = Figure(figsize=(6, max(height, 2.2)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(shown))
    for shift, (label, colour) in zip((-0.2, 0.2), _COLOURS.items()):
        axes.barh(places + shift, shown[label], 0.4, color=colour)
    axes.set_yticks(
        places, [_short(name, 2 * _LETTERS) for name in shown.index]
    )
    axes.invert_yaxis()
    axes.set(
        xlim=(0.0, None if len(shown) else 1.0),
        xlabel="share of rows with a gap",
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="x", alpha=0.3)
    without = len(shares) - len(shown)
    if not len(shown):
        title += "\nno column has any"
    elif without:
        title += f"\n{without} of {len(shares)} columns have none"
    axes.set_title(title)
    _add_legend(figure)
    save(figure, path)
