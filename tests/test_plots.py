"""The pictures: that they are drawn, their size, and what is in them."""

import numpy as np
import pytest
from matplotlib.colors import same_color
from PIL import Image

from kgen import plots, priors


def pictures(count, height=8, width=8, channels=1):
    shape = (count, height, width, channels)
    return np.random.default_rng(0).uniform(0.2, 0.8, shape)


def points(count, size):
    return np.random.default_rng(0).normal(size=(count, size))


def read(path):
    """A PNG as an array of shape `(height, width, 3)` in [0, 1]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")) / 255


def count_runs(dark):
    """How many runs of True there are in a vector."""
    return int(np.sum(np.diff(np.r_[0, dark.astype(int)]) == 1))


def figure_of(monkeypatch, function, *args, **kwargs):
    """The Matplotlib figure that a function of `plots` saves."""
    saved = []
    modules = plots.classes, plots.curves, plots.pictures, plots.sequences
    for module in modules:
        monkeypatch.setattr(
            module, "save", lambda figure, _: saved.append(figure)
        )
    function(*args, **kwargs)
    return saved[0]


def test_image_grid():
    images = pictures(5, 2, 3)
    grid = plots.image_grid(images, columns=3, gap=1)
    assert grid.shape == (2 * 3 + 1, 3 * 4 + 1, 1)
    np.testing.assert_array_equal(grid[1:3, 1:4], images[0])
    np.testing.assert_array_equal(grid[4:6, 5:8], images[4])
    assert np.all(grid[3:, 9:] == 1.0)
    assert np.all(grid[:, 0] == 1.0)


def test_a_grid_is_clipped():
    grid = plots.image_grid(np.full((1, 2, 2, 1), -3.0), 1)
    assert grid.min() == 0.0


@pytest.mark.parametrize(
    "count, rows, columns", [(1, 1, 1), (5, 2, 3), (36, 6, 6)]
)
def test_samples_shows_all_pictures(tmp_path, count, rows, columns):
    # Black pictures on white: the rows and columns can be counted.
    plots.samples(np.zeros((count, 8, 8, 1)), tmp_path / "s.png", title="")
    black = read(tmp_path / "s.png").max(axis=2) < 0.5
    assert count_runs(black.any(axis=1)) == rows
    assert count_runs(black.any(axis=0)) == columns


def test_samples_keeps_colours(tmp_path):
    images = np.zeros((4, 8, 8, 3))
    images[..., 0] = 1.0
    plots.samples(images, tmp_path / "s.png", title="")
    colours = read(tmp_path / "s.png").reshape(-1, 3)
    assert np.mean(np.all(colours == [1, 0, 0], axis=1)) > 0.5


def test_grey_is_not_stretched(tmp_path):
    plots.samples(np.full((1, 8, 8, 1), 0.5), tmp_path / "s.png", title="")
    values, counts = np.unique(read(tmp_path / "s.png"), return_counts=True)
    assert values[np.argmax(counts)] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("shape", [(8, 8, 1), (64, 4, 1), (16, 12, 3)])
def test_samples_has_the_shape_of_its_grid(tmp_path, shape):
    plots.samples(pictures(9, *shape), tmp_path / "s.png")
    height, width, _ = read(tmp_path / "s.png").shape
    assert max(height, width) < 800
    assert (height > 1.3 * width) == (shape[0] > 1.3 * shape[1])


def test_large_pictures_keep_their_pixels(tmp_path):
    plots.samples(pictures(36, 128, 128), tmp_path / "s.png")
    assert read(tmp_path / "s.png").shape[1] >= 6 * 128


def test_samples_draws_points(tmp_path):
    plots.samples(points(50, 2), tmp_path / "s.png")
    assert read(tmp_path / "s.png").min() < 0.5


@pytest.mark.parametrize("count, lines", [(1, 1), (3, 1), (13, 2), (24, 2)])
def test_pairs_names_every_row(monkeypatch, count, lines):
    x = pictures(count)
    rows = {"original": x, "reconstruction": 1 - x}
    figure = figure_of(monkeypatch, plots.pairs, rows, "p.png", title="Title")
    assert len(figure.axes) == lines
    assert figure.axes[0].get_title() == "Title"
    for axes in figure.axes:
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels == list(rows)


def test_pairs_lays_a_short_line_out_as_the_others(tmp_path):
    x = np.zeros((13, 8, 8, 1))
    plots.pairs({"": x}, tmp_path / "p.png")
    black = read(tmp_path / "p.png").max(axis=2) < 0.1
    upper, lower = np.array_split(black, 2)
    left = [part.any(axis=0).argmax() for part in (upper, lower)]
    assert count_runs(upper.any(axis=0)) == 12
    assert count_runs(lower.any(axis=0)) == 1
    # The 13th picture stands below the first, of its size.
    assert left[0] == left[1]
    assert upper[:, left[0]].sum() == lower[:, left[1]].sum()


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 2)])
def test_names_stand_above_the_columns_they_name(monkeypatch, shape):
    frames = {name: np.zeros((6, *shape)) for name in ("epoch 1", "epoch 2")}
    for column_labels, rotation in (
        (list("abcdef"), 0),
        (["a", "quite a long tortoise"] * 3, 90),
    ):
        options = {"column_labels": column_labels}
        figure = figure_of(
            monkeypatch, plots.progress, frames, "p.png", **options
        )
        (axes,) = figure.axes
        ticks = axes.get_xticklabels()
        assert [tick.get_text() for tick in ticks] == column_labels
        assert {tick.get_rotation() for tick in ticks} == {rotation}
        left, right = axes.get_xlim()
        shares = (axes.get_xticks() - left) / (right - left)
        expected = (np.arange(6) + 0.5) / 6
        np.testing.assert_allclose(shares, expected, atol=0.02)


def test_pairs_of_very_many(monkeypatch):
    x = np.zeros((2500, 28, 28, 1))
    figure = figure_of(monkeypatch, plots.pairs, {"a": x, "b": x}, "p.png")
    assert len(figure.axes) == 50
    assert max(figure.get_size_inches()) * plots.figures.DPI < 2**16


HISTORY = {
    "epoch": [0, 1, 2],
    "loss": [9.0, 8.0, 7.0],
    "val_loss": [9.5, 8.5, 7.5],
    "kl_loss": [1.0, 2.0, 3.0],
    "regularization_loss": [0.0, 0.0, 0.0],
    "elbo": [-9.0, -8.0, -7.0],
}


def test_losses_draws_what_there_is(monkeypatch):
    figure = figure_of(monkeypatch, plots.losses, HISTORY, "h.png")
    panels = {axes.get_title(): axes.get_lines() for axes in figure.axes}
    assert list(panels) == ["loss", "kl loss"]
    assert [line.get_label() for line in panels["loss"]] == [
        "training",
        "validation",
    ]
    np.testing.assert_array_equal(panels["loss"][0].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(
        panels["loss"][1].get_ydata(), [9.5, 8.5, 7.5]
    )


def test_a_distance_that_few_epochs_have_is_drawn_as_points(monkeypatch):
    history = {**HISTORY, "val_frechet_distance": [np.nan, 4.0, np.inf]}
    figure = figure_of(monkeypatch, plots.losses, history, "h.png")
    *_, axes = figure.axes
    assert axes.get_title() == "Frechet distance"
    (line,) = axes.get_lines()
    assert line.get_xydata().tolist() == [[2.0, 4.0]]


@pytest.mark.parametrize("epochs", [1, 3])
def test_losses_has_whole_epochs_below(monkeypatch, tmp_path, epochs):
    history = {name: values[:epochs] for name, values in HISTORY.items()}
    plots.losses(history, tmp_path / "h.png")
    assert read(tmp_path / "h.png").min() < 0.5
    figure = figure_of(monkeypatch, plots.losses, history, "h.png")
    ticks = figure.axes[0].get_xticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_a_loss_of_zero_is_drawn_too(tmp_path):
    plots.losses({"epoch": [0], "loss": [0.0]}, tmp_path / "h.png")
    assert (tmp_path / "h.png").exists()


@pytest.mark.parametrize(
    "size, names",
    [
        (1, ("z1", "(spread at random)")),
        (2, ("z1", "z2")),
        (8, ("principal component 1", "principal component 2")),
    ],
)
@pytest.mark.parametrize("classes", [None, 3, 20, 21, 47])
def test_latent(monkeypatch, tmp_path, size, names, classes):
    z = points(300, size)
    labels = None if classes is None else np.arange(300) % classes
    plots.latent(z, tmp_path / "l.png", labels)
    assert read(tmp_path / "l.png").min() < 0.5
    figure = figure_of(monkeypatch, plots.latent, z, "l.png", labels)
    assert figure.axes[0].get_xlabel().startswith(names[0])
    assert figure.axes[0].get_ylabel().startswith(names[1])
    legend = 0 if classes in (None, 21, 47) else classes
    assert sum(len(x.get_texts()) for x in figure.legends) == legend
    # More classes than colours: a bar tells them.
    assert len(figure.axes) == (2 if classes in (21, 47) else 1)


def test_latent_by_principal_components(monkeypatch):
    z = points(400, 3) * np.array([1.0, 30.0, 10.0])
    figure = figure_of(monkeypatch, plots.latent, z, "l.png")
    share = np.linalg.eigvalsh(np.cov(z.T))[-1] / np.trace(np.cov(z.T))
    assert f"({share:.0%} of the variance)" in figure.axes[0].get_xlabel()
    drawn = figure.axes[0].collections[0].get_offsets()
    assert abs(np.corrcoef(drawn[:, 0], z[:, 1])[0, 1]) > 0.99


def test_latent_uses_the_names_of_the_classes(monkeypatch):
    figure = figure_of(
        monkeypatch,
        plots.latent,
        np.eye(4),
        "l.png",
        np.array([0, 2, 2, 0]),
        ("shirt", "shoe", "bag"),
    )
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["shirt", "bag"]


@pytest.mark.parametrize("z", [np.zeros((5, 8)), np.ones((1, 8))])
def test_codes_that_do_not_differ(tmp_path, z):
    plots.latent(z, tmp_path / "l.png")
    assert (tmp_path / "l.png").exists()


def test_errors_by_latent_size(monkeypatch):
    curves = {"PCA": ([1, 2, 3], [0.3, 0.2, 0.1]), "autoencoder": ([2], [0.1])}
    (axes,) = figure_of(monkeypatch, plots.errors, curves, "x.png").axes
    line, point = axes.lines
    assert list(line.get_ydata()) == [0.3, 0.2, 0.1]
    assert point.get_marker() == "o" and point.get_color() != line.get_color()
    assert axes.get_xlabel() == "latent size" and axes.get_ylim()[0] == 0
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["PCA", "autoencoder"]


def test_classifiers_by_family_and_by_what_they_were_given(monkeypatch):
    keys = ("model", "family", "on", "accuracy")
    rows = [
        ("Bayes", "generative", "pixels", 0.8),
        ("VAE-Bayes", "generative", "pixels", 0.95),
        ("k-NN", "discriminative", "pixels", 0.9),
        ("Bayes", "generative", "codes", 0.7),
    ]
    rows = [dict(zip(keys, row)) for row in rows]
    curve = {
        "labels": [20, 40],
        "accuracy": {
            "Bayes": [0.6, 0.8],
            "VAE-Bayes": [None, 0.95],
            "k-NN": [0.5, 0.9],
        },
    }
    figure = figure_of(monkeypatch, plots.classifiers, rows, curve, "x.png")
    left, right = figure.axes
    names = [text.get_text() for text in left.get_yticklabels()]
    assert names == list(curve["accuracy"])
    points = [line for line in left.lines if len(line.get_xdata())]
    for row, point in zip(rows, points, strict=True):
        assert list(point.get_xdata()) == [row["accuracy"]]
        assert list(point.get_ydata()) == [names.index(row["model"])]
        hollow = same_color(point.get_markerfacecolor(), "white")
        assert hollow == (row["on"] == "codes")
    assert len(right.lines) == 3
    for line, (name, values) in zip(right.lines, curve["accuracy"].items()):
        assert line.get_label() == name
        known = [value for value in values if value is not None]
        assert list(line.get_ydata()) == known
        red, _, blue, _ = line.get_color()
        assert (blue > red) == ("Bayes" in name)
    assert right.get_xscale() == "log"
    assert "pixels" in right.get_title()


def test_losses_names_units_and_leaves_out_what_repeats(monkeypatch):
    history = {
        "epoch": [0, 1],
        "loss": [3.0, 2.0],
        "reconstruction_loss": [3.0, 2.0],
        "regularization_loss": [0.0, 0.0],
        "mse": [0.2, 0.1],
        "psnr": [10.0, 12.0],
    }
    figure = figure_of(monkeypatch, plots.losses, history, "x.png")
    shown = {axes.get_title(): axes.get_ylabel() for axes in figure.axes}
    assert shown == {
        "loss": "nats per example",
        "MSE": "squared error per pixel",
        "PSNR": "dB",
    }


def test_is_picture():
    assert plots.is_picture((8, 8, 1))
    assert plots.is_picture((8, 8, 3))
    assert not any(map(plots.is_picture, [(5,), (8, 8), (8, 8, 2)]))


def test_is_drawable():
    assert all(map(plots.is_drawable, [(2,), (8, 8, 3), (9, 2)]))
    assert not any(map(plots.is_drawable, [(5,), (8, 8, 2)]))
    assert plots.has_panel((9, 2)) and not plots.has_panel((2,))


def drawn_lines(figure):
    """For each channel of each row: the lines, as `(n, length, 2)`."""
    return [
        np.array(lines.get_segments()) for lines in figure.axes[0].collections
    ]


def test_sequences_are_lines_in_panels_of_one_scale(monkeypatch):
    x = np.array([[[0.0, 4], [1, 4]], [[2, 4], [0, 4]], [[4, 4], [0, 0]]])
    rows = {"original": x, "reconstruction": x / 2}
    figure = figure_of(monkeypatch, plots.pairs, rows, "p.png")
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["original", "reconstruction"]
    first, _, halved, _ = drawn_lines(figure)  # two channels of two rows
    size = 0.86
    expected = np.arange(3)[:, None] + [0, size]  # a column each
    np.testing.assert_allclose(first[..., 0], expected)
    np.testing.assert_allclose(first[..., 1], size * (1 - x[..., 0] / 4))
    np.testing.assert_allclose(halved[..., 1], 1 + size * (1 - x[..., 0] / 8))


def test_sampled_sequences_are_in_rows_of_their_classes(monkeypatch):
    x, labels = np.zeros((10, 3, 1)), np.array([0] * 9 + [1])
    options = {"labels": labels, "class_names": ("sine", "step")}
    figure = figure_of(monkeypatch, plots.samples, x, "p.png", **options)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["sine", "sine", "step"]
    assert [len(row) for row in drawn_lines(figure)] == [8, 1, 1]
    figure = figure_of(monkeypatch, plots.samples, x, "p.png")
    assert [len(row) for row in drawn_lines(figure)] == [4, 4, 2]


def test_progress_of_pictures_is_a_row_for_each_time(tmp_path):
    frames = {f"epoch {n}": np.zeros((4, 8, 8, 1)) for n in (1, 5, 9)}
    plots.progress(frames, tmp_path / "p.png", title="")
    black = read(tmp_path / "p.png").max(axis=2) < 0.5
    black = black[:, 160:]  # without the rows' names
    assert count_runs(black.any(axis=1)) == 3


def test_progress_of_points_is_a_panel_for_each_time(monkeypatch):
    frames = {f"epoch {n}": points(30, 2) for n in range(7)}
    figure = figure_of(monkeypatch, plots.progress, frames, "p.png")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == list(frames)


def test_the_players_losses_and_probabilities(monkeypatch):
    names = ["loss", "generator_loss", "discriminator_loss", "penalty"]
    names += ["real_probability", "fake_probability"]
    history = {"epoch": [0, 1], **{name: [0.7, 0.6] for name in names[1:]}}
    history |= {f"val_{name}": [0.5, 0.4] for name in names[1:]}
    history["loss"] = [2.0, 1.0]
    figure = figure_of(monkeypatch, plots.losses, history, "p.png")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [
        "generator loss",
        "discriminator loss",
        "penalty",
        "D's mean probability",
    ]
    labels = figure.axes[-1].get_legend_handles_labels()[1]
    assert labels == [
        "real",
        "real, validation",
        "generated",
        "generated, validation",
    ]


@pytest.mark.parametrize(
    "count, rows, columns", [(3, 1, 3), (4, 2, 2), (5, 2, 3)]
)
def test_many_losses_are_drawn_in_rows(monkeypatch, count, rows, columns):
    """Of more in a row, nothing can be read on a phone."""
    names = ["loss", *(f"{letter}_loss" for letter in "abcde")][:count]
    history = {name: [n + 2.0, n + 1.0] for n, name in enumerate(names)}
    history["epoch"] = [0, 1]
    figure = figure_of(monkeypatch, plots.losses, history, "x.png")
    assert len(figure.axes) == count
    places = [axes.get_subplotspec() for axes in figure.axes]
    assert {place.get_gridspec().nrows for place in places} == {rows}
    assert {place.get_gridspec().ncols for place in places} == {columns}


def test_a_confusion_is_of_what_has_a_label(tmp_path):
    def drawn(labels, predicted):
        plots.confusion(labels, predicted, tmp_path / "c.png", ("cat", "dog"))
        return read(tmp_path / "c.png")

    found = drawn([0, 0, 1], [1, 1, 1])
    np.testing.assert_array_equal(drawn([0, 0, 1, -1], [1, 1, 1, 0]), found)
    right = drawn([0, 0, 1], [0, 0, 1])
    assert found.shape == right.shape and not np.array_equal(found, right)


@pytest.mark.parametrize("centre", [0.0, 6.0])
def test_lines_hold_these_shares_of_a_prior(monkeypatch, centre):
    prior = priors.NormalPrior()
    prior.build((None, 2))
    z = centre + 0.3 * points(200, 2)
    figure = figure_of(monkeypatch, plots.latent, z, "l.png", prior=prior)
    axes = figure.axes[0]
    # exp(-r^2 / 2) of N(0, I) lies outside of a circle of radius r.
    expected = 1.0 - np.array([0.9, 0.5, 0.1])
    densities = axes.collections[-1].levels * 2.0 * np.pi
    np.testing.assert_allclose(densities, expected, atol=0.02)
    assert axes.get_xlim()[0] < -2.1 and axes.get_xlim()[1] > centre
