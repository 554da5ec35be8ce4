"""Every snippet of README and docs runs, or says why it is not run here."""

import os
import shutil

import click
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

from kgen import cli, registry
from kgen.models import factory
from kgen.models.training import Trained
from tests import quick
from tests.docs.snippets import (
    DOCUMENTS,
    ROOT,
    SMALLER,
    commands,
    snippets,
    words,
)
from tests.eager import train_eagerly

PROGRAMS = {
    document: [s for s in snippets("python") if s.document == document]
    for document in DOCUMENTS
}
# Those that train several models are slow.
HEAVY = {
    "docs/guides/autoencoders.md",
    "docs/guides/from-keras.md",
    "docs/guides/from-sdv.md",
    "docs/guides/gan.md",
    "docs/guides/judging.md",
    "docs/guides/tables.md",
    "docs/guides/tuning.md",
    "docs/guides/vaegan.md",
}
OF_KGEN = [c for c in commands() if c.code.startswith("kgen ")]


def test_every_shell_command_is_run_or_says_why_not():
    left = [c for c in commands() if c not in OF_KGEN and not c.reason]
    assert not left
    lines = (ROOT / "README.md").read_text().splitlines()
    assert "    pip install . && kgen train vae --export" in lines
    assert "    pip install tox && tox" in lines


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the documents name."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("roses", "tulips"):
        path = tmp_path / "flowers" / name
        path.mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(256, size=(28, 28), dtype="uint8")
            Image.fromarray(pixels).save(path / f"{number}.png")
    people = {
        "age": rng.integers(18, 31, 300),
        "income": rng.lognormal(10, 0.5, 300),
        "city": rng.choice(["Ulm", "Bonn", "Jena"], 300),
        "zip": rng.choice([89073, 53111, 7743], 300),
    }
    people = pd.DataFrame(people)
    people.loc[::10, "income"] = np.nan
    people.to_csv("people.csv", index=False)
    for name in ("noisy.npy", "others.npy"):
        np.save(name, rng.random((30, 8, 8, 1)).astype("float32"))
    return tmp_path


@pytest.fixture
def short(monkeypatch):
    """Makes trainings short: an epoch each, of 40 steps at most."""
    fit = Trained.fit

    def briefly(self, x, *args, **kwargs):
        if "epochs" in kwargs:
            kwargs["epochs"] = kwargs.get("initial_epoch", 0) + 1
        if isinstance(x, tf.data.Dataset) and x.cardinality() > 40:
            x = x.take(40)
        return fit(self, x, *args, **{**kwargs, "verbose": 0})

    monkeypatch.setattr(Trained, "fit", briefly)


@pytest.fixture(scope="module")
def trainings():
    """Models of the same settings are made once for all pages."""
    with quick.trainings():
        yield


def documents():
    for document, programs in PROGRAMS.items():
        if any(not program.reason for program in programs):
            marks = pytest.mark.slow if document in HEAVY else ()
            yield pytest.param(document, marks=marks)


@pytest.mark.parametrize("document", list(documents()))
@pytest.mark.filterwarnings("ignore")  # of models that are trained for an epoch
def test_python(document, folder, short, monkeypatch):
    """The blocks of a page, one after the other, as one program."""
    train_eagerly(monkeypatch)
    names = {}
    for program in PROGRAMS[document]:
        if program.reason:
            continue
        code = program.code
        for text, smaller in SMALLER.items():
            code = code.replace(text, smaller)
        exec(compile(code, document, "exec"), names)


@pytest.mark.parametrize("command", OF_KGEN, ids=lambda command: command.code)
def test_commands_are_understood(command, folder):
    """Their options exist, with such values."""
    (folder / "runs" / "vae-1").mkdir(parents=True)
    (folder / "RUN").mkdir()
    name, *arguments = words(command)
    context = cli.main.commands[name].make_context(name, arguments)
    if name != "train":
        return
    model = context.params["model"]
    network = context.params["network"]
    if network not in registry.MODELS[model].networks:
        network = "dense"
    known = factory.options_of(model, network)
    known |= factory.compile_options_of(model)
    assert {option for option, _ in context.params["set_options"]} <= {*known}


def test_an_unknown_option_is_not_understood():
    with pytest.raises(click.NoSuchOption):
        cli.main.commands["train"].make_context(
            "train", ["vae", "--epoch", "1"]
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "document",
    sorted({c.document for c in OF_KGEN if not c.reason}),
)
def test_commands(document, folder, trainings):
    """The commands of a page, in their order, with an epoch each."""
    shutil.copytree(ROOT / "tuning", folder / "tuning")
    for model in ("gan", "vae"):  # what pages take for granted, the VAE as RUN
        run(["train", model], folder)
    for command in OF_KGEN:
        if command.document == document and not command.reason:
            run(words(command), folder)


def run(arguments, folder):
    """Runs a command in this process, with what its placeholders stand for."""
    runs = sorted((folder / "runs").glob("*"), key=os.path.getmtime)
    places = {"FOLDER": "flowers", "RUN": str(runs[-1]) if runs else ""}
    arguments = [places.get(argument, argument) for argument in arguments]
    if arguments[0] == "train":
        arguments = with_few_epochs(arguments)
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 0, (arguments, result.output, result.exception)


def with_few_epochs(arguments):
    few = "2" if "--resume" in arguments else "1"
    if "--epochs" in arguments:
        position = arguments.index("--epochs")
        arguments = arguments[:position] + arguments[position + 2 :]
    return [*arguments, "--epochs", few]
