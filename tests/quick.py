"""What makes many trainings quick: models are traced once, pictures are blank.

Building and tracing are most of a short training, and drawing is most of what
follows it.
"""

import contextlib
import functools
import shutil
import tempfile

import keras
import pytest
from matplotlib.figure import Figure
from PIL import Image

from kgen.data import tensorflow_sets
from kgen.export import savedmodel
from kgen.extractors import classifier
from kgen.plots import figures
from kgen.runs import drawings, training
from tests.models.contract import variables_of


class Models:
    """Models that are made once, and given as they were then.

    All that training changes is put back whenever a model is asked for; what was
    traced stays. So a model can be in one use at a time.
    """

    def __init__(self):
        self._made = {}

    def get(self, key, build):
        """The model of a key, as `build()` has made it.

        Args:
            key: Hashable.
            build: Function without arguments, which is called once.
        """
        if key not in self._made:
            model = build()
            self._made[key] = model, [x.numpy() for x in variables_of(model)]
        model, initial = self._made[key]
        model._initial_epoch = None  # which BackupAndRestore leaves behind
        for variable, value in zip(variables_of(model), initial, strict=True):
            variable.assign(value)
        return model

    @contextlib.contextmanager
    def anew(self):
        """Within it, models are made anew, as in a new process."""
        made, self._made = self._made, {}
        try:
            yield
        finally:
            self._made = made


def spoil(model):
    """Changes all that training changes."""
    for variable in variables_of(model):
        variable.assign(variable + keras.ops.ones((), variable.dtype))


@contextlib.contextmanager
def trainings():
    """Within it, trainings by `kgen.runs` are quick, and draw nothing.

    A model of the same settings is made once, the digits are read once, and the
    classifier whose features judge samples is trained for few epochs.

    Returns:
        A context manager that gives the `Models`.
    """
    models, builders = Models(), {}
    build, read = training.build, tensorflow_sets._read_split

    def build_once(settings, source, dataset):
        key = (
            settings.model,
            settings.network,
            settings.latent_dim,
            settings.conditional and source.num_classes,
            settings.seed,
            settings.options,
            dataset.element_spec,
        )
        return models.get(repr(key), lambda: build(settings, source, dataset))

    @functools.cache
    def digits(place, split, *look):
        return read(builders[place], split, *look)

    def read_once(builder, *arguments):
        if builder.name != "digits":
            return read(builder, *arguments)
        place = str(builder.data_path)
        builders[place] = builder
        return digits(place, *arguments)

    with (
        tempfile.TemporaryDirectory() as cache,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(classifier, "_MOST_EPOCHS", 5)
        patch.setenv("KGEN_CACHE", cache)  # others are not to find it
        patch.setattr(training, "build", build_once)
        patch.setattr(training, "draw", lambda *arguments: None)
        patch.setattr(tensorflow_sets, "_read_split", read_once)
        patch.setattr(Figure, "savefig", blank)
        yield models


class Graphs:
    """The graphs of exports that were written, by their signatures.

    Tracing them is most of an export. An export with the signatures of an
    earlier one gets a copy of its graph, and so its weights.

    Args:
        folder: Where to keep them, a `pathlib.Path`.
    """

    def __init__(self, folder):
        self._folder, self._written = folder, {}
        self._write = savedmodel._write_signatures

    @contextlib.contextmanager
    def copied(self):
        """Within it, exports get copies."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(savedmodel, "_write_signatures", self._write_once)
            yield

    def _write_once(self, signatures, directory):
        key = repr([(name, specs) for name, (_, specs) in signatures.items()])
        if key not in self._written:
            copy = self._folder / str(len(self._written))
            self._written[key] = copy, self._write(signatures, directory)
            shutil.copytree(directory, copy)
        copy, specs = self._written[key]
        shutil.copytree(copy, directory, dirs_exist_ok=True)
        return specs


@contextlib.contextmanager
def pictures():
    """Within it, trainings draw: a blank picture for each that there would be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "draw", drawings.draw)
        yield


def blank(figure, path, **options):
    """Stands in for `Figure.savefig`: a blank picture of the same size."""
    width, height = (int(figures.DPI * x) for x in figure.get_size_inches())
    Image.new("L", (width, height)).save(path, "png", compress_level=0)
