"""A picture of a study: what was tried, and what it was worth."""

import math

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kgen import files
from kgen.studies import results

_DPI = 120
_TRIAL = {"s": 22, "color": "tab:blue", "alpha": 0.7, "linewidths": 0}
_EDGE = {**_TRIAL, "s": 30, "clip_on": False}
_FAILED = {
    "s": 30,
    "color": "tab:red",
    "marker": "x",
    "linewidths": 1.2,
    "clip_on": False,
    "zorder": 4,
}
_BEST = {
    "s": 150,
    "color": "tab:orange",
    "marker": "*",
    "edgecolors": "black",
    "linewidths": 0.6,
    "zorder": 5,
}
_LONGEST = 14  # characters of a value
_STRETCH = 4  # an axis goes so much further than from the best to the median
_WIDE = 20  # best to third quartile: from there on, a log axis
_UNUSED = -0.2  # height of what a trial leaves out, in parallel coordinates


class _Scale:
    """How the objective is drawn: log or not, and which part of it.

    A few very bad trials must not squash the others: these are drawn at the
    edge.

    Args:
        values: The objectives of the trials that succeeded.
        direction: `"min"` or `"max"`.
    """

    def __init__(self, values, direction):
        self.worse = 1 if direction == "min" else -1
        values = np.sort(np.asarray(values, "float64"))[:: self.worse]
        self.log = bool(
            len(values)
            and direction == "min"
            and values[0] > 0
            and values[math.ceil(0.75 * len(values)) - 1] / values[0] > _WIDE
        )
        losses = self.worse * self._linear(values)
        best, worst = (losses[0], losses[-1]) if len(values) else (0.0, 1.0)
        median = np.median(losses) if len(values) else 0.0
        self._limit = np.inf
        if best < median and worst > best + _STRETCH * (median - best):
            self._limit = worst = best + _STRETCH * (median - best)
            worst = max(loss for loss in losses if loss <= worst)
        margin = 0.08 * (worst - best) or 0.05 * abs(best) or 0.5
        ends = np.sort(self.worse * np.array([best - margin, worst + margin]))
        self.ends = tuple(10.0**ends if self.log else ends)

    def _linear(self, values):
        return np.log10(values) if self.log else np.asarray(values)

    @property
    def edge(self):
        """The end of the axis on the worse side."""
        return self.ends[1] if self.worse == 1 else self.ends[0]

    @property
    def norm(self):
        """Colours of it."""
        return (LogNorm if self.log else Normalize)(*self.ends, clip=True)

    def is_beyond(self, values):
        """Which of the values are out of the picture."""
        return self.worse * self._linear(values) > self._limit

    def shown(self, values):
        """Values, those beyond the edge brought back to it."""
        return np.where(self.is_beyond(values), self.edge, values)

    def height(self, values):
        """From 0 to 1: where on the axis values are."""
        low, high = self._linear(np.array(self.ends))
        return (self._linear(self.shown(values)) - low) / (high - low)

    def set(self, axes):
        """Makes it the vertical axis."""
        axes.set_yscale("log" if self.log else "linear")
        axes.set_ylim(*self.ends)
        axes.grid(alpha=0.3)


class _Trials:
    """The trials of a study, those that succeeded and the others.

    Args:
        found: What `kgen.studies.results.collect` returns.
    """

    def __init__(self, found):
        self.done, self.failed = [], []
        for trial in found["trials"]:
            value = trial["value"]
            if value is not None and math.isfinite(value):
                self.done.append(trial)
            elif trial["status"] != "running":
                self.failed.append(trial)
        self.values = np.array([trial["value"] for trial in self.done], float)
        self.space = found["space"]
        self.scale = _Scale(self.values, found["direction"])
        words = {"min": "lower", "max": "higher"}[found["direction"]]
        self.label = f"{found['objective']}\n({words} is better)"
        self.best = None
        if self.done:
            self.best = int(np.argmin(self.scale.worse * self.values))

    def with_parameter(self, name):
        """Indices of those that succeeded with it, and those that failed."""
        return (
            [
                number
                for number, trial in enumerate(trials)
                if name in trial.get("parameters", {})
            ]
            for trials in (self.done, self.failed)
        )


def draw(found, path):
    """Draws a study: its objective by trial, by each parameter, and all at once.

    The last part are parallel coordinates: a line for each trial.

    Args:
        found: What `kgen.studies.results.collect` returns.
        path: The PNG file; an existing one is replaced.
    """
    trials = _Trials(found)
    names = list(found["space"])
    width = min(max(10.0, 1.35 * (len(names) + 1)), 20.0)
    rows = math.ceil(len(names) / int(width / 3.2))
    columns = math.ceil(len(names) / rows)
    heights = (3.2, 2.4 * rows + 0.2, 4.6)
    figure = Figure(figsize=(width, sum(heights) + 0.4), layout="constrained")
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=heights)
    figure.suptitle(_title(found, trials))
    _by_trial(top.subplots(), trials)
    panels = middle.subplots(rows, columns, squeeze=False).ravel()
    for number, (axes, name) in enumerate(zip(panels, names)):
        _by_parameter(axes, trials, name)
        if number % columns == 0:
            axes.set_ylabel(trials.label)
    for axes in panels[len(names) :]:
        axes.remove()
    _parallel(bottom.subplots(), trials)
    with files.new_file(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)


def _title(found, trials):
    count = len(trials.done) + len(trials.failed)
    text = f"{found['study']}: {count} trial{'' if count == 1 else 's'}"
    if trials.best is None:
        return f"{text}, all failed" if count else text
    best = trials.done[trials.best]
    return (
        f"{text}; best {found['objective']} {best['value']:.6g}, "
        f"trial {best['trial']}"
    )


def _marks(axes, trials, x, failed_x, picked=slice(None)):
    """Points of trials; what is out of the picture is at its edge.

    Args:
        axes: Matplotlib's.
        trials: `_Trials`.
        x: Where those that succeeded are.
        failed_x: Where those that failed are.
        picked: Indices of those that succeeded and are drawn.
    """
    scale, x = trials.scale, np.asarray(x, "float64")
    values = trials.values[picked]
    beyond = scale.is_beyond(values)
    scale.set(axes)
    axes.scatter(x[~beyond], values[~beyond], label="trial", **_TRIAL)
    if beyond.any():
        axes.scatter(
            x[beyond],
            scale.shown(values[beyond]),
            marker="^" if scale.worse == 1 else "v",
            label=f"beyond the axis: {beyond.sum()}",
            **_EDGE,
        )
    if len(failed_x):
        axes.scatter(
            failed_x,
            np.full(len(failed_x), scale.edge),
            label=f"failed: {len(failed_x)}",
            **_FAILED,
        )
    best = np.arange(len(trials.values))[picked] == trials.best
    if best.any():
        axes.scatter(x[best], values[best], label="best", **_BEST)
    if not len(trials.values):
        axes.set_yticks([])


def _by_trial(axes, trials):
    """The objective from trial to trial, and the best so far."""
    numbers, failed = (
        [trial["trial"] for trial in part]
        for part in (trials.done, trials.failed)
    )
    if numbers:
        worse = trials.scale.worse
        so_far = worse * np.minimum.accumulate(worse * trials.values)
        axes.step(
            [*numbers, max(numbers + failed)],
            trials.scale.shown([*so_far, so_far[-1]]),
            where="post",
            color="tab:orange",
            label="best so far",
        )
    _marks(axes, trials, numbers, failed)
    axes.set(xlabel="trial", ylabel=trials.label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=5,
        frameon=False,
        fontsize="small",
    )


def _by_parameter(axes, trials, name):
    """The objective by the values of one parameter."""
    one = trials.space[name]
    picked, failed = trials.with_parameter(name)
    x, failed_x = (
        [_place(one, part[number]["parameters"][name]) for number in numbers]
        for part, numbers in ((trials.done, picked), (trials.failed, failed))
    )
    if "values" in one:
        # Trials of the same value lie side by side.
        draws = np.random.default_rng(0)
        x, failed_x = (
            np.asarray(part) + draws.uniform(-0.2, 0.2, len(part))
            for part in (x, failed_x)
        )
        words = [_words(value) for value in one["values"]]
        turned = sum(map(len, words)) > 24
        axes.set_xticks(
            range(len(words)),
            words,
            fontsize="small",
            rotation=30 if turned else 0,
            ha="right" if turned else "center",
            rotation_mode="anchor",
        )
        axes.set_xlim(-0.6, len(words) - 0.4)
    else:
        axes.set_xscale("log" if one["log"] else "linear")
        _set_range(axes, one)
    _marks(axes, trials, x, failed_x, picked)
    axes.set_xlabel(name)


def _set_range(axes, one):
    """The horizontal axis of a range, with some room at the ends."""
    low, high = one["min"], one["max"]
    if one["log"]:
        room = (high / low) ** 0.04
        axes.set_xlim(low / room, high * room)
        if high / low < 100:
            ticks = _marked(one)
            axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
            axes.minorticks_off()
    else:
        room = 0.04 * (high - low)
        axes.set_xlim(low - room, high + room)
        whole = isinstance(low, int)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole))


def _place(one, value):
    """Where a value is on a parameter's own axis."""
    if "values" not in one:
        return value
    return one["values"].index(value)


def _words(value):
    """A value, short enough for a tick."""
    text = results.words(value)
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2  # values often differ at their ends
    return f"{text[:half]}…{text[1 - half :]}"


def _parallel(axes, trials):
    """A line for each trial, through its parameters to its objective."""
    names, scale = list(trials.space), trials.scale
    colours = ScalarMappable(
        scale.norm, "viridis" if scale.worse == 1 else "viridis_r"
    )
    # The best ones are on top.
    order = np.argsort(-scale.worse * trials.values, kind="stable")
    faint = 0.9 if len(order) < 60 else 0.5
    for number in order:
        value = trials.values[number]
        best = number == trials.best
        axes.plot(
            range(len(names) + 1),
            [*_heights(trials, trials.done[number]), scale.height(value)],
            color="tab:orange" if best else colours.to_rgba(value),
            linewidth=2.5 if best else 1.0,
            alpha=1.0 if best else faint,
        )
    for trial in trials.failed:
        if trial.get("parameters"):
            axes.plot(
                range(len(names)),
                _heights(trials, trial),
                ":",
                color="tab:red",
                linewidth=1.0,
            )
    for place, name in enumerate(names):
        _axis(axes, place, _ticks(trials.space[name]))
    _axis(axes, len(names), [])
    _name_axes(axes, trials, names)
    if len(order):
        _objective_axis(axes, trials, colours)


def _heights(trials, trial):
    """Where a trial's line crosses the parameters' axes."""
    chosen = trial["parameters"]
    return [
        _height(one, chosen[name]) if name in chosen else _UNUSED
        for name, one in trials.space.items()
    ]


def _height(one, value):
    """From 0 to 1: where a value is on a parameter's axis."""
    if "values" in one:
        last = len(one["values"]) - 1
        return _place(one, value) / last if last else 0.5
    low, high = one["min"], one["max"]
    if one["log"]:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _ticks(one):
    """Heights and texts along a parameter's axis."""
    if "values" in one:
        texts = {_height(one, value): _words(value) for value in one["values"]}
        return list(texts.items())
    return [(_height(one, value), f"{value:.3g}") for value in _marked(one)]


def _marked(one):
    """The ends of a range, and what is between them."""
    low, high = one["min"], one["max"]
    middle = math.sqrt(low * high) if one["log"] else (low + high) / 2
    return [low, round(middle) if isinstance(low, int) else middle, high]


def _axis(axes, place, ticks):
    """One vertical axis of parallel coordinates."""
    axes.plot([place, place], [0.0, 1.0], color="black", linewidth=0.8)
    for height, text in ticks:
        axes.annotate(
            text,
            (place, height),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            zorder=6,
            bbox={"facecolor": "white", "alpha": 0.75, "pad": 0.5, "lw": 0},
        )


def _name_axes(axes, trials, names):
    """What the axes of parallel coordinates are, below them."""
    texts = [
        f"{name}\n(log)" if trials.space[name].get("log") else name
        for name in names
    ]
    turned = len(names) > 5
    axes.set_xticks(
        range(len(names) + 1),
        [*texts, trials.label.partition("\n")[0]],
        rotation=20 if turned else 0,
        ha="right" if turned else "center",
        rotation_mode="anchor",
    )
    axes.tick_params(length=0)
    unused = any(
        name not in trial.get("parameters", {name: 0})
        for trial in trials.done + trials.failed
        for name in names
    )
    axes.set_yticks([_UNUSED] if unused else [], ["not used"] if unused else [])
    axes.set_title(
        "A line for each trial: the best one orange, failed ones dotted",
        loc="left",
        fontsize="small",
    )
    axes.set_xlim(-0.15, len(names) + 0.15)
    axes.set_ylim(_UNUSED - 0.06 if unused else -0.06, 1.06)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _objective_axis(axes, trials, colours):
    """The colours' key, beside the last of the axes."""
    bar = axes.figure.colorbar(colours, ax=axes, pad=0.01, aspect=30)
    bar.set_label(trials.label)
    if trials.scale.is_beyond(trials.values).any():
        bar.set_label(f"{trials.label}, the worst beyond the end")
