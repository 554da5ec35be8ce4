"""Trains a model, and leaves all of it in a run's directory."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from kgen import interrupts
from kgen.callbacks import Diverged
from kgen.data import Source, Table
from kgen.data.sources import is_table
from kgen.errors import InvalidArgument, command
from kgen.models import factory, outputs
from kgen.parallel import strategies
from kgen.runs import best, fit_prior, progress
from kgen.runs.beginning import begin
from kgen.runs.callbacks import callbacks_of, set_checkpoints, with_records
from kgen.runs.data import check_training_data, validation_split
from kgen.runs.directory import Run, save_model
from kgen.runs.disk import DirectoryCheck
from kgen.runs.drawings import draw
from kgen.runs.introduction import introduce
from kgen.runs.settings import TrainSettings

# With fewer training examples, `kgen train` fits no density to the codes by default:
# each of its 10 Gaussians would have fewer than 100 codes.
_FEWEST_CODES = 1000


def train(
    run: Run,
    settings: TrainSettings,
    overwrite: bool = False,
    resume: bool = False,
    strategy: tf.distribute.Strategy | None = None,
    typed_names: set[str] | None = None,
    report: Callable[[str], None] | None = None,
    verbose: bool = False,
) -> keras.Model:
    """Trains as `settings` say, and leaves all of it in `run`.

    Args:
        run: The run.
        settings: How to train.
        overwrite: Whether a run that is there may be deleted.
        resume: Whether to go on with it, from its last checkpoint.
        strategy: The strategy to train under, or None. Of several workers the
            chief alone reads and writes `run`.
        typed_names: Names of the settings that a user has typed. If it is not
            None, a resumed run takes the others from its own `config.json`, and
            all workers take the chief's settings.
        report: Function that shows lines about what is trained, and each epoch's
            figures that matter; of several workers, the chief's is called. None
            to show nothing.
        verbose: Whether Keras's own lines are shown, with all figures.

    Returns:
        The trained model.

    Raises:
        InvalidArgument: If a setting or the data can't be used; or if the loss
            or a gradient becomes NaN or infinite, once the model is saved as it
            was before.
        KeyboardInterrupt: After Ctrl-C, once the model is saved.
        OSError: If the disk is full, or another fault of the system's ends it.
    """
    strategy = strategy or tf.distribute.get_strategy()
    settings = dataclasses.replace(settings, **strategies.describe(strategy))
    settings, resume, table = _agree(
        run, settings, typed_names, resume, strategy
    )
    if not resume:
        strategies.by_chief(strategy, lambda: run.check_free(overwrite))
    _check_batch_size(settings.batch_size, settings.devices)
    # Everything that may be refused comes before anything is written.
    source = settings.source(table=table)
    settings = _with_network_family(settings, source)
    datasets = _datasets(source, settings)
    model = _built(settings, source, datasets["train"], strategy, resume)
    is_chief = strategies.is_chief(strategy)
    is_asked = resume or typed_names is None or "fit_prior" in typed_names
    settings = _with_checked_prior(settings, model, source, is_asked)
    check_training_data(model, source, datasets, is_chief)
    callbacks = callbacks_of(
        run, settings, model, source, datasets["train"], is_chief
    )
    screen = progress.Screen(report if is_chief else None, verbose)
    set_checkpoints(run, settings, model)
    trackers: list[keras.callbacks.Callback] = []
    with contextlib.ExitStack() as stack:

        def start():
            given = run, model, settings, source, overwrite, resume
            epochs, trackers[:] = begin(stack, *given)
            return epochs

        epochs_done = strategies.by_chief(strategy, start)
        if epochs_done:
            _share_state(run, model, strategy)
        if is_chief:
            about = introduce(run, settings, source, model, epochs_done)
            screen.say(about + best.describe(callbacks, model, source))
            best.say_if_too_patient(settings, callbacks, epochs_done)
            callbacks = with_records(run, callbacks, settings, screen)
            callbacks += trackers
        epochs = range(epochs_done, settings.epochs)
        if epochs:
            stack.enter_context(screen.shown())
            with (
                _saves_if_ended(run, model, settings, callbacks, is_chief),
                interrupts.deferred() as run.checkpoints.interrupt,
            ):
                _fit(model, callbacks, datasets, epochs, screen.keras_verbose)
        # Another worker may have died by now. What follows the last checkpoint must
        # not need it, as reading variables that are summed over workers would.
        finished = model

        def end():
            nonlocal finished
            screen.finishing("Saving, and drawing pictures")
            finished = _end(run, model, source, settings)

        strategies.by_chief(strategy, end)
    keeper = run.checkpoints.best
    screen.conclude(keeper and keeper.comparison())
    return finished


def _built(
    settings: TrainSettings,
    source: Source,
    dataset: tf.data.Dataset,
    strategy: tf.distribute.Strategy,
    resume: bool,
) -> keras.Model:
    """The model in the strategy's scope, by draws of the run's seed."""
    # After the data: preparing a data set for the first time draws, too.
    keras.utils.set_random_seed(settings.seed)
    # A run that began before there were checks of networks' ends can go on.
    checked = outputs.only_warn() if resume else contextlib.nullcontext()
    with strategy.scope(), checked:
        return build(settings, source, dataset)


def _agree(
    run: Run,
    settings: TrainSettings,
    typed_names: set[str] | None,
    resume: bool,
    strategy: tf.distribute.Strategy,
) -> tuple[TrainSettings, bool, Table | None]:
    """The settings to train with, whether to resume, and the run's table, if any.

    The chief's settings are used: other workers may not see the run.
    """
    table = _table_of(run) if resume else None
    if typed_names is None:
        return settings, resume, table

    def chosen():
        if not resume:
            return settings.as_config(), False
        old, asked = run.settings, settings
        if "network" in typed_names and old.network != asked.network:
            source = old.source(table=table)
            old, asked = (_with_network_family(x, source) for x in (old, asked))
        return old.resumed(asked, typed_names, run.path).as_config(), True

    config, resume = strategies.by_chief(strategy, chosen)
    return TrainSettings(**config), resume, table


def _table_of(run):
    """The table of a run that goes on, or None where it has none yet.

    It is that of the trained model: another version may infer another one.
    """
    if not run.model_file.exists() or not is_table(run.settings.data):
        return None
    try:
        return run.model().table
    except InvalidArgument:  # a damaged file, which the training makes anew
        return None


def _with_network_family(settings, source):
    """The settings with the networks that are built: vectors get dense ones."""
    shape = source.examples("train").shape
    family = factory.family_of(settings.network, shape, source.table)
    return dataclasses.replace(settings, network=family)


def _with_checked_prior(settings, model, source, is_asked):
    """The settings; of too few codes without a density that nobody has asked for.

    Raises:
        InvalidArgument: If the density can't be fitted to the model's codes.
    """
    count = len(source.examples("train"))
    if count < _FEWEST_CODES and not is_asked:
        settings = dataclasses.replace(settings, fit_prior=None)
    if settings.fit_prior:
        fit_prior.check(
            model, settings.fit_prior, count, "kgen train --fit-prior"
        )
    return settings


def _check_batch_size(size: int, replicas: int) -> None:
    if size % replicas:
        raise InvalidArgument(
            f"--batch-size {size} can't be shared evenly by {replicas} devices. "
            f"Pass a multiple of {replicas}, such as "
            f"{max(1, round(size / replicas)) * replicas}."
        )


def _datasets(
    source: Source, settings: TrainSettings
) -> dict[str, tf.data.Dataset | None]:
    options: dict[str, Any] = {
        "labels": settings.conditional,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "binarize": settings.binarize,
    }
    split = validation_split(source)
    return {
        "train": source.dataset("train", **options),
        "validation": split and source.dataset(split, **options),
    }


def build(
    settings: TrainSettings, source: Source, dataset: tf.data.Dataset
) -> keras.Model:
    """Makes and compiles the model that the settings describe.

    Args:
        settings: The settings.
        source: What `dataset` is of.
        dataset: The batches to train on.
    """
    settings.check_options()
    spec = dataset.element_spec
    num_classes = class_names = None
    if settings.conditional:
        spec = spec[0]
        num_classes = source.num_classes
        if source.table is None:  # which has its target's names
            class_names = source.class_names or None
    try:
        return factory.compiled_model(
            settings.model,
            input_shape=tuple(spec.shape[1:]),
            table=source.table,
            network=settings.network,
            latent_dim=settings.latent_dim,
            num_classes=num_classes,
            class_names=class_names,
            seed=settings.seed,
            **settings.options,
        )
    except InvalidArgument:
        raise
    except (TypeError, ValueError) as error:  # Keras's, about a value
        if not settings.options:
            raise
        text = " ".join(f"{k}={v}" for k, v in settings.options.items())
        raise InvalidArgument(f"--set {text}: {error}") from error


def _share_state(
    run: Run, model: keras.Model, strategy: tf.distribute.Strategy
) -> None:
    """Gives all workers the chief's checkpoint: they may not see its disk."""
    state = strategies.send(
        strategy,
        # There is one, since the run has epochs.
        lambda: run.checkpoints.restored.read_bytes(),  # type: ignore[union-attr]
    )
    if state is None:
        return
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "chief.weights.h5")
        path.write_bytes(state)
        model.load_weights(path)


def _fit(
    model: keras.Model,
    callbacks: list[keras.callbacks.Callback],
    datasets: dict[str, tf.data.Dataset | None],
    epochs: range,
    verbose: int,
) -> None:
    model.fit(
        datasets["train"],
        validation_data=datasets["validation"],
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        callbacks=callbacks,
        verbose=verbose,
    )


@contextlib.contextmanager
def _saves_if_ended(
    run: Run,
    model: keras.Model,
    settings: TrainSettings,
    callbacks: list[keras.callbacks.Callback],
    is_chief: bool,
) -> Iterator[None]:
    """Within it, the chief saves a model whose training ends before its time."""
    try:
        yield
    except (KeyboardInterrupt, Diverged) as error:
        if not is_chief:
            raise
        with interrupts.ignored():
            for callback in callbacks:
                if isinstance(callback, DirectoryCheck):
                    callback.check()
            save_model(run, model, run.checkpoints.epochs, interrupted=True)
            if run.checkpoints.best:
                run.checkpoints.best.save()
        if isinstance(error, Diverged):
            message = _diverged_message(run, settings, error)
            raise InvalidArgument(message) from error
        raise


def _diverged_message(
    run: Run, settings: TrainSettings, error: Diverged
) -> str:
    """What a `Diverged` means for a run, and what to try."""
    alternative = "skip" if settings.on_nan == "rollback" else "rollback"
    whole = [c.epochs for c in run.checkpoints.all() if not c.steps]
    epochs = max(whole, default=0)
    where = f"after epoch {epochs}" if epochs else "at the beginning"
    line = command(
        *("train", settings.model, "--resume", "--out", run.path),
        *("--on-nan", alternative),
    )
    return (
        f"{error.fault} {run.model_file} holds {error.state}. Train again with "
        "a lower learning rate, such as --set optimizer=adam:0.0001, or go on "
        f"{where} with: {line}"
    )


def _end(
    run: Run,
    model: keras.Model,
    source: Source,
    settings: TrainSettings,
) -> keras.Model:
    """Saves the model and the best one, and draws what it does.

    Returns:
        The model; with a fitted prior, which is of one device, what was saved.
    """
    save_model(run, model, run.checkpoints.epochs)
    if run.checkpoints.best:
        run.checkpoints.best.save()
    if settings.fit_prior:
        model = run.model()
        fit_prior.fit_and_save(run, model, source, settings.fit_prior)
    draw(run.path, model, source, run.history(), source.examples("train"))
    return model
