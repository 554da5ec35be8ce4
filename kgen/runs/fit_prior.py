"""`kgen fit-prior`: a density of a run's codes, from which its model samples."""

import keras

from kgen import locks
from kgen.data import Source
from kgen.errors import InvalidArgument
from kgen.priors import fitting
from kgen.runs.directory import Run, save_model
from kgen.runs.drawings import draw

_OWNER = "kgen fit-prior"


def check(
    model: keras.Model, prior: str | None, count: int, owner: str
) -> None:
    """Raises if a density can't be fitted to the codes of a model.

    Args:
        model: The model.
        prior: As in `CodeSampler.fit_prior`.
        count: The number of training examples.
        owner: The command, for the message.

    Raises:
        InvalidArgument: If the model has no codes to sample from, the name can't be
            used, or there are too few examples.
    """
    if not getattr(model, "decodes_z_alone", False):
        raise InvalidArgument(
            f"{owner}: this {type(model).__name__} has no codes that could be drawn "
            "and decoded. An autoencoder, a VAE and a VAE-GAN have, without skip "
            "connections."
        )
    if prior is not None:
        fitting.check(prior, model.latent_dim, count, owner)


def fit(run: Run, prior: str | None) -> None:
    """Fits a density to the codes of a run's training examples.

    `model.keras` gets it, and the pictures are drawn anew. The settings of the run
    keep its name, so that a training that goes on ends with a new fit.

    Args:
        run: A run whose training has finished.
        prior: As in `CodeSampler.fit_prior`.

    Raises:
        FileNotFoundError: If there is no run, or its training has not finished.
        InvalidArgument: If the density can't be fitted to these codes.
    """
    with locks.directory(run.path):
        model, settings = run.model(), run.settings
        source = settings.source(table=model.table)
        train = source.examples("train")
        check(model, prior, len(train), _OWNER)
        run.sweep()
        run.tell_changed_data(source, "the density is fitted to other examples")
        fit_and_save(run, model, source, prior)
        draw(run.path, model, source, run.history(), train)


def fit_and_save(
    run: Run, model: keras.Model, source: Source, prior: str | None
) -> None:
    """Fits a density to the codes of training examples, and saves the model.

    Args:
        run: The run, which has a model.
        model: That model, loaded from its file: it is that of one device.
        source: Its data.
        prior: As in `CodeSampler.fit_prior`.
    """
    settings = run.settings
    train = source.examples("train").batches(
        labels=model.conditional,
        batch_size=256,
        binarize=settings.binarize,
        seed=settings.seed,
    )
    model.fit_prior(train, prior, seed=settings.seed)
    # First the settings: with them, `kgen train --resume` makes the same model.
    run.extend(settings.epochs, fit_prior=prior)
    save_model(run, model)
