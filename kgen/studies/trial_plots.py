"""The trials of a study as one picture: what was tried, and how good it was."""

import math
import os

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kgen import files, names

_DPI = 120
_TRIAL = {"s": 22, "color": "tab:blue", "alpha": 0.7, "linewidths": 0}
_EDGE = {**_TRIAL, "s": 30, "clip_on": False}
_FAILED = {"s": 30, "color": "tab:red", "marker": "x", "linewidths": 1.2}
_FAILED.update(clip_on=False, zorder=4)
_BEST = {"s": 150, "color": "tab:orange", "marker": "*", "linewidths": 0.6}
_BEST.update(edgecolors="black", zorder=5)
_LONGEST = 14  # characters of a value
_STRETCH = 4  # an axis is so many times the distance from best to median value
_WIDE = 20  # the axis is logarithmic if the third quartile is so many times the best
_UNUSED = -0.2  # height, in parallel coordinates, of what a trial lacks


class _Scale:
    """How the objective is drawn: log or not, and which part of it.

    A few very bad trials must not squash the others: they are drawn at the
    edge.

    Args:
        values: The objectives of the trials that succeeded.
        direction: `"min"` or `"max"`.
    """

    def __init__(self, values, direction):
        self.sign = 1 if direction == "min" else -1
        values = np.sort(np.asarray(values, "float64"))[:: self.sign]
        self.log = bool(
            len(values)
            and direction == "min"
            and values[0] > 0
            and values[math.ceil(0.75 * len(values)) - 1] / values[0] > _WIDE
        )
        badness = self.sign * self._linear(values)
        best, worst = (badness[0], badness[-1]) if len(values) else (0.0, 1.0)
        median = np.median(badness) if len(values) else 0.0
        self._limit = np.inf
        if best < median and worst > best + _STRETCH * (median - best):
            self._limit = best + _STRETCH * (median - best)
            worst = max(bad for bad in badness if bad <= self._limit)
        margin = 0.08 * (worst - best) or 0.05 * abs(best) or 0.5
        ends = np.sort(self.sign * np.array([best - margin, worst + margin]))
        self.ends = tuple(10.0**ends if self.log else ends)
        self.edge = self.ends[1 if direction == "min" else 0]
        self.norm = (LogNorm if self.log else Normalize)(*self.ends, clip=True)

    def _linear(self, values):
        return np.log10(values) if self.log else np.asarray(values)

    def is_beyond(self, values):
        """Which of the values are out of the picture."""
        return self.sign * self._linear(values) > self._limit

    def shown(self, values):
        """Values, those beyond the edge brought back to it."""
        return np.where(self.is_beyond(values), self.edge, values)

    def height(self, values):
        """From 0 to 1: where on the axis values are."""
        low, high = self._linear(np.array(self.ends))
        return (self._linear(self.shown(values)) - low) / (high - low)


class _Parameter:
    """What a parameter may be, and where a value is on its axis.

    Args:
        entry: Its entry in the `space` of a study's results.
    """

    def __init__(self, entry):
        self.values, self.log = entry.get("values"), entry.get("log", False)
        if self.values is not None:
            self.marks = self.values
            self.texts = [_short(value) for value in self.values]
            return
        self.low, self.high = low, high = entry["min"], entry["max"]
        middle = math.sqrt(low * high) if self.log else (low + high) / 2
        self.is_whole = isinstance(low, int)
        self.marks = [low, round(middle) if self.is_whole else middle, high]
        self.texts = [f"{mark:.3g}" for mark in self.marks]

    def place(self, value):
        """Where it is on the horizontal axis of the parameter's panel."""
        return value if self.values is None else self.values.index(value)

    def height(self, value):
        """From 0 to 1: where it is on a vertical axis."""
        if self.values is not None:
            last = len(self.values) - 1
            return self.place(value) / last if last else 0.5
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def set_axis(self, axes):
        """Makes it the horizontal axis, with some room at the ends."""
        if self.values is not None:
            turned = _turned(sum(map(len, self.texts)) > 24, 30)
            places = range(len(self.texts))
            axes.set_xticks(places, self.texts, fontsize="small", **turned)
            axes.set_xlim(-0.6, len(self.texts) - 0.4)
            return
        low, high = self.low, self.high
        axes.set_xscale("log" if self.log else "linear")
        if self.log:
            margin = (high / low) ** 0.04
            axes.set_xlim(low / margin, high * margin)
            if high / low < 100:
                axes.set_xticks(self.marks, self.texts)
                axes.minorticks_off()
        else:
            margin = 0.04 * (high - low)
            axes.set_xlim(low - margin, high + margin)
            locator = MaxNLocator(5, integer=self.is_whole)
            axes.xaxis.set_major_locator(locator)


class _Trials:
    """The trials of a study, those that succeeded and the others.

    Args:
        results: What `kgen.studies.results.collect` returns.
    """

    def __init__(self, results):
        self.done, self.failed = [], []
        for trial in results["trials"]:
            value = trial["value"]
            if value is not None and math.isfinite(value):
                self.done.append(trial)
            elif trial["status"] != "running":
                self.failed.append(trial)
        self.values = np.array([trial["value"] for trial in self.done], float)
        self.space = {k: _Parameter(v) for k, v in results["space"].items()}
        self.scale = _Scale(self.values, results["direction"])
        words = {"min": "lower", "max": "higher"}[results["direction"]]
        self.objective = results["objective"]
        self.label = f"{self.objective}\n({words} is better)"
        self.best = None
        if self.done:
            self.best = int(np.argmin(self.scale.sign * self.values))

    def title(self, study):
        """The picture's title: how many trials there are, and the best one."""
        count = len(self.done) + len(self.failed)
        text = f"{study}: {count} trial{'' if count == 1 else 's'}"
        if self.best is None:
            return f"{text}, all failed" if count else text
        best = self.done[self.best]
        return (
            f"{text}; best {self.objective} {best['value']:.6g}, "
            f"trial {best['trial']}"
        )


def draw(results: dict, path: str | os.PathLike) -> None:
    """Draws a study: its objective by trial, by each parameter, and all at once.

    The last part are parallel coordinates: a line for each trial.

    Args:
        results: What `kgen.studies.results.collect` returns.
        path: The PNG file; an existing one is replaced.
    """
    trials = _Trials(results)
    count = len(trials.space)
    width = min(max(10.0, 1.35 * (count + 1)), 20.0)
    rows = math.ceil(count / int(width / 3.2))
    columns = math.ceil(count / rows)
    heights = (3.2, 2.4 * rows + 0.2, 4.6)
    figure = Figure(figsize=(width, sum(heights) + 0.4), layout="constrained")
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=heights)
    figure.suptitle(trials.title(results["study"]))
    _draw_by_trial(top.subplots(), trials)
    panels = middle.subplots(rows, columns, squeeze=False).ravel()
    for number, (axes, name) in enumerate(zip(panels, trials.space)):
        _draw_by_parameter(axes, trials, name)
        if number % columns == 0:
            axes.set_ylabel(trials.label)
    for axes in panels[count:]:
        axes.remove()
    _draw_parallel(bottom.subplots(), trials)
    with files.new_file(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)


def _draw_points(axes, trials, x, failed_x, picked=slice(None)):
    """Draws points of trials; what is out of the picture is at its edge.

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
    axes.set_yscale("log" if scale.log else "linear")
    axes.set_ylim(*scale.ends)
    axes.grid(alpha=0.3)
    axes.scatter(x[~beyond], values[~beyond], label="trial", **_TRIAL)
    if beyond.any():
        axes.scatter(
            x[beyond],
            scale.shown(values[beyond]),
            marker="^" if scale.sign == 1 else "v",
            label=f"beyond the axis: {beyond.sum()}",
            **_EDGE,
        )
    if len(failed_x):
        edge = np.full(len(failed_x), scale.edge)
        label = f"failed: {len(failed_x)}"
        axes.scatter(failed_x, edge, label=label, **_FAILED)
    best = np.arange(len(trials.values))[picked] == trials.best
    if best.any():
        axes.scatter(x[best], values[best], label="best", **_BEST)
    if not len(trials.values):
        axes.set_yticks([])


def _draw_by_trial(axes, trials):
    """Draws the objective from trial to trial, and the best so far."""
    numbers, failed = (
        [trial["trial"] for trial in part]
        for part in (trials.done, trials.failed)
    )
    if numbers:
        sign = trials.scale.sign
        so_far = sign * np.minimum.accumulate(sign * trials.values)
        axes.step(
            [*numbers, max(numbers + failed)],
            trials.scale.shown([*so_far, so_far[-1]]),
            where="post",
            color="tab:orange",
            label="best so far",
        )
    _draw_points(axes, trials, numbers, failed)
    axes.set(xlabel="trial", ylabel=trials.label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=5,
        frameon=False,
        fontsize="small",
    )


def _draw_by_parameter(axes, trials, name):
    """Draws the objective by the values of one parameter."""
    parameter = trials.space[name]
    picked = [
        number
        for number, trial in enumerate(trials.done)
        if name in trial.get("parameters", {})
    ]
    x, failed_x = (
        [
            parameter.place(trial["parameters"][name])
            for trial in part
            if name in trial.get("parameters", {})
        ]
        for part in (trials.done, trials.failed)
    )
    if parameter.values is not None:
        # Trials of the same value lie side by side.
        draws = np.random.default_rng(0)
        x, failed_x = (
            np.asarray(part) + draws.uniform(-0.2, 0.2, len(part))
            for part in (x, failed_x)
        )
    parameter.set_axis(axes)
    _draw_points(axes, trials, x, failed_x, picked)
    axes.set_xlabel(name)


def _draw_parallel(axes, trials):
    """Draws a line for each trial, through its parameters to its objective."""
    scale, count = trials.scale, len(trials.space)
    colours = ScalarMappable(
        scale.norm, "viridis" if scale.sign == 1 else "viridis_r"
    )
    # The best ones are on top.
    order = np.argsort(-scale.sign * trials.values, kind="stable")
    faint = 0.9 if len(order) < 60 else 0.5
    for number in order:
        value, is_best = trials.values[number], number == trials.best
        axes.plot(
            range(count + 1),
            [*_heights(trials, trials.done[number]), scale.height(value)],
            color="tab:orange" if is_best else colours.to_rgba(value),
            linewidth=2.5 if is_best else 1.0,
            alpha=1.0 if is_best else faint,
        )
    for trial in trials.failed:
        if trial.get("parameters"):
            heights = _heights(trials, trial)
            line = {"color": "tab:red", "linewidth": 1.0}
            axes.plot(range(count), heights, ":", **line)
    for place, parameter in enumerate(trials.space.values()):
        _draw_axis(axes, place, parameter)
    _draw_axis(axes, count)
    _name_axes(axes, trials)
    if len(order):
        bar = axes.figure.colorbar(colours, ax=axes, pad=0.01, aspect=30)
        beyond = scale.is_beyond(trials.values).any()
        ending = ", the worst beyond the end" if beyond else ""
        bar.set_label(f"{trials.label}{ending}")


def _heights(trials, trial):
    """Where a trial's line crosses the parameters' axes."""
    chosen = trial["parameters"]
    return [
        parameter.height(chosen[name]) if name in chosen else _UNUSED
        for name, parameter in trials.space.items()
    ]


def _draw_axis(axes, place, parameter=None):
    """Draws one vertical axis of parallel coordinates."""
    axes.plot([place, place], [0.0, 1.0], color="black", linewidth=0.8)
    if parameter is None:
        return
    # Of integers that are close, the middle may be one of the ends.
    heights = map(parameter.height, parameter.marks)
    for height, text in dict(zip(heights, parameter.texts)).items():
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


def _name_axes(axes, trials):
    """Writes the names of the axes of parallel coordinates below them."""
    texts = [
        f"{name}\n(log)" if parameter.log else name
        for name, parameter in trials.space.items()
    ]
    axes.set_xticks(
        range(len(texts) + 1),
        [*texts, trials.objective],
        **_turned(len(texts) > 5, 20),
    )
    axes.tick_params(length=0)
    unused = any(
        name not in trial.get("parameters", {name: 0})
        for trial in trials.done + trials.failed
        for name in trials.space
    )
    axes.set_yticks([_UNUSED] if unused else [], ["not used"] if unused else [])
    axes.set_title(
        "A line for each trial: the best one orange, failed ones dotted",
        loc="left",
        fontsize="small",
    )
    axes.set_xlim(-0.15, len(texts) + 0.15)
    axes.set_ylim(_UNUSED - 0.06 if unused else -0.06, 1.06)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _turned(is_turned, degrees):
    """Options that turn the texts of ticks where there is too little room."""
    return {
        "rotation": degrees if is_turned else 0,
        "ha": "right" if is_turned else "center",
        "rotation_mode": "anchor",
    }


def _short(value):
    """A value, short enough for a tick."""
    text = names.as_typed(value)
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2  # values often differ at their ends
    return f"{text[:half]}…{text[1 - half :]}"
