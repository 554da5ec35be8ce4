"""The picture of a study: what is in it, and where."""

import pathlib

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image

from kgen import cli
from kgen.studies import trial_plots
from tests.studies import common


def results(count=20, kinds=("log", "range", "whole", "words"), failed=()):
    """Results of made-up trials whose objective is their number, from 1."""
    entries = {
        "log": {"min": 1e-4, "max": 1e-2, "log": True},
        "range": {"min": 0.0, "max": 1.0, "log": False},
        "whole": {"min": 2, "max": 64, "log": False},
        "words": {"values": ["relu", None, [512, 256], "gradient_penalty:0.1"]},
    }
    space = {
        f"{kind}_{number}.rate": entries[kind]
        for number, kind in enumerate(kinds)
    }
    draws = np.random.default_rng(0)
    trials = []
    for number in range(count):
        chosen = {name: draw(one, draws) for name, one in space.items()}
        trial = {"trial": number, "settings": chosen, "parameters": chosen}
        if number in failed:
            trial.update(status="failed", value=None, reason="no luck")
        else:
            trial.update(status="completed", value=number + 1.0)
        trials.append(trial)
    return {
        "study": "made_up.toml",
        "objective": "val_mse",
        "direction": "min",
        "space": space,
        "trials": trials,
    }


def draw(one, draws):
    if "values" in one:
        return one["values"][draws.integers(len(one["values"]))]
    low, high = one["min"], one["max"]
    if one["log"]:
        return float(np.exp(draws.uniform(np.log(low), np.log(high))))
    if isinstance(low, int):
        return int(draws.integers(low, high + 1))
    return float(draws.uniform(low, high))


@pytest.fixture
def figure_of(monkeypatch, tmp_path):
    """Function from results to the figure that is saved."""
    saved = []

    def save(figure, path, **options):
        saved.append(figure)
        pathlib.Path(path).touch()

    monkeypatch.setattr(Figure, "savefig", save)

    def draw_it(found):
        trial_plots.draw(found, tmp_path / "x.png")
        return saved[-1]

    return draw_it


ALL = ["log", "range", "whole", "words"]


@pytest.mark.parametrize(
    "found",
    [
        results(1),
        results(2, ["log"]),
        results(1, failed=[0]),
        results(12, failed=range(12)),
        results(0),
        results(6, (4 * ALL)[:15], failed=[3, 4]),
        results(200, ALL[2:]),
    ],
    ids=["one", "two", "failed", "all failed", "none", "wide", "many"],
)
def test_any_study_can_be_drawn(tmp_path, found):
    trial_plots.draw(found, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        width, height = image.size
    assert 1200 <= width <= 2400 and height > 900


def panels(figure):
    """The axes by their parts: by trial, by each parameter, parallel ones."""
    top, middle, bottom = figure.subfigs
    return top.axes[0], middle.axes, bottom.axes[0]


def points(axes, label):
    (found,) = (one for one in axes.collections if one.get_label() == label)
    return np.asarray(found.get_offsets())


def labels(axes):
    return {one.get_label() for one in axes.collections}


@pytest.mark.parametrize("direction", ["min", "max"])
def test_every_trial_is_a_point_and_the_best_so_far_a_line(
    figure_of, direction
):
    found = {**results(6, failed=[4]), "direction": direction}
    values = [3.0, 2.0, 5.0, 1.0, None, 4.0]
    for trial, value in zip(found["trials"], values):
        trial["value"] = value
    axes, _, _ = panels(figure_of(found))
    np.testing.assert_array_equal(
        points(axes, "trial"), [[0, 3], [1, 2], [2, 5], [3, 1], [5, 4]]
    )
    (line,) = axes.lines
    assert line.get_drawstyle() == "steps-post"
    best = {"min": [3, 2, 2, 1, 1, 1], "max": [3, 3, 5, 5, 5, 5]}[direction]
    np.testing.assert_array_equal(line.get_ydata(), best)
    star = {"min": [3, 1], "max": [2, 5]}[direction]
    np.testing.assert_array_equal(points(axes, "best"), [star])
    edge = axes.get_ylim()[1 if direction == "min" else 0]
    np.testing.assert_allclose(points(axes, "failed: 1"), [[4, edge]])


def test_a_few_bad_trials_do_not_squash_the_others(figure_of):
    found = results(12)
    for trial in found["trials"][-3:]:
        trial["value"] *= 100
    axes, _, _ = panels(figure_of(found))
    low, high = axes.get_ylim()
    assert axes.get_yscale() == "linear" and high < 12
    assert len(points(axes, "trial")) == 9
    beyond = points(axes, "beyond the axis: 3")
    np.testing.assert_allclose(beyond, [[9, high], [10, high], [11, high]])
    assert low < 1


def test_trials_of_many_sizes_have_a_log_axis(figure_of):
    found = results(10)
    for number, trial in enumerate(found["trials"]):
        trial["value"] = 10.0 ** (number / 2)
    axes, by_parameter, _ = panels(figure_of(found))
    assert all(one.get_yscale() == "log" for one in [axes, *by_parameter])
    assert len(points(axes, "trial")) == 10


def test_the_best_is_never_out_of_the_picture():
    draws = np.random.default_rng(0)
    for direction in ("min", "max"):
        for _ in range(200):
            values = draws.standard_cauchy(draws.integers(1, 9))
            scale = trial_plots._Scale(values, direction)
            best = values.min() if direction == "min" else values.max()
            assert not scale.is_beyond(best)
            assert scale.ends[0] < best < scale.ends[1]
            assert sum(scale.is_beyond(values)) <= len(values) / 2
            heights = scale.height(values)
            assert heights.min() >= -1e-9 and heights.max() <= 1 + 1e-9


def test_each_parameter_has_a_panel_with_its_own_axis(figure_of):
    found = results(40, failed=[7])
    _, by_parameter, _ = panels(figure_of(found))
    assert [one.get_xlabel() for one in by_parameter] == list(found["space"])
    assert [one.get_xscale() for one in by_parameter] == [
        "log",
        *3 * ["linear"],
    ]
    done = [trial for trial in found["trials"] if trial["value"] is not None]
    for axes, (name, one) in zip(by_parameter, found["space"].items()):
        chosen = [trial["parameters"][name] for trial in done]
        x, y = points(axes, "trial").T
        np.testing.assert_array_equal(y, [trial["value"] for trial in done])
        if "values" in one:
            # Side by side, and nearer to their own tick than to another's.
            places = [one["values"].index(value) for value in chosen]
            np.testing.assert_array_equal(np.round(x), places)
            assert len(set(x)) == len(x)
            words = [text.get_text() for text in axes.get_xticklabels()]
            assert words == ["relu", "None", "[512, 256]", "gradien…ty:0.1"]
        else:
            np.testing.assert_allclose(x, chosen)
            low, high = axes.get_xlim()
            assert low < one["min"] and one["max"] < high
        assert "failed: 1" in labels(axes)


def test_parallel_lines_cross_the_axes_at_their_values(figure_of):
    found = results(3, failed=[2])
    chosen = [
        {"rate": 1e-3, "share": 0.25, "network": "conv", "filters": 16},
        {"rate": 1e-4, "share": 1.0, "network": "dense"},
        {"rate": 1e-2, "share": 0.0, "network": "unet", "filters": 32},
    ]
    found["space"] = {
        "rate": {"min": 1e-4, "max": 1e-2, "log": True},
        "share": {"min": 0.0, "max": 1.0, "log": False},
        "network": {"values": ["conv", "dense", "unet"]},
        "filters": {"values": [16, 32, 64]},
    }
    for trial, values in zip(found["trials"], chosen):
        trial["parameters"] = values
    _, by_parameter, axes = panels(figure_of(found))
    worse, best, failed = (line.get_ydata() for line in axes.lines[:3])
    unused = trial_plots._UNUSED
    np.testing.assert_allclose(worse[:4], [0.0, 1.0, 0.5, unused])
    np.testing.assert_allclose(best[:4], [0.5, 0.25, 0.0, 0.0])
    np.testing.assert_allclose(failed, [1.0, 0.0, 1.0, 0.5])
    assert best[4] < worse[4]  # val_mse: from low to high
    assert [text.get_text() for text in axes.get_yticklabels()] == ["not used"]
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert names == [
        "rate\n(log)",
        *["share", "network", "filters"],
        "val_mse",
    ]
    texts = {text.get_text() for text in axes.texts}
    assert {"0.0001", "0.001", "0.01", "0", "1", "conv", "64"} <= texts
    # A trial that has no such parameter has no point.
    assert len(points(by_parameter[0], "trial")) == 2
    assert len(points(by_parameter[3], "trial")) == 1


def test_a_study_is_drawn_beside_its_file(tmp_path, monkeypatch):
    common.at_best(monkeypatch, lambda settings, seed: 1.0, drawn=True)
    path = common.write(
        tmp_path,
        tuner="grid",
        budget="epochs = 1",
        space="hidden_units = [4]\nlatent_dim = {values = [1, 2]}\n"
        'optimizer = {text = "adam:{rate}", rate = {values = [0.1, 0.01]}}',
    )
    result = CliRunner().invoke(cli.main, ["tune", str(path)])
    assert result.exit_code == 0, result.output
    assert "latent_dim=2 optimizer.rate=0.1" in result.stdout
    found = common.results_of(path)
    assert list(found["space"]) == ["latent_dim", "optimizer.rate"]
    assert [one["parameters"] for one in found["trials"]] == [
        {"latent_dim": size, "optimizer.rate": rate}
        for size in (1, 2)
        for rate in (0.1, 0.01)
    ]
    with Image.open(tmp_path / "study.png") as image:
        assert image.size[0] >= 1200


def test_a_long_search_is_drawn_while_it_goes_on(tmp_path, monkeypatch):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    drawn = []
    monkeypatch.setattr(cli.tune, "_SECONDS", -1)
    monkeypatch.setattr(
        trial_plots, "draw", lambda found, path: drawn.append(found["trials"])
    )
    path = common.write(tmp_path, **common.GRID)
    assert CliRunner().invoke(cli.main, ["tune", str(path)]).exit_code == 0
    assert [len(trials) for trials in drawn] == [1, 2, 3, 4, 5, 6, 6]
