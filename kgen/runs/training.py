"""Trains a model, and leaves all of it in a run's directory."""

import contextlib
import pathlib
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf

from kgen import arrays, interrupts, locks, plots
from kgen.callbacks import (
    Diverged,
    EpochOrder,
    GANWatch,
    Guard,
    KLWarmUp,
    SampleProgress,
)
from kgen.data import open_source
from kgen.errors import InvalidArgument, check_int, unknown_name
from kgen.errors import say as _say
from kgen.models import checks, factory, outputs
from kgen.parallel import strategies
from kgen.runs import settings, watch
from kgen.runs.checkpoints import Interval
from kgen.runs.data import validation_split
from kgen.runs.directory import save_model
from kgen.runs.drawings import draw, first

# How many real examples the samples are compared with while training.
_WATCHED = 256


def train(run, config, overwrite=False, resume=False, strategy=None):
    """Trains as `config` says, and leaves all of it in `run`.

    Args:
        run: A `Run`.
        config: The settings: `model`, `data`, `image_shape`, `data_dir`,
            `network`, `latent_dim`, `epochs`, `batch_size`, `seed`,
            `conditional`, `binarize`, `kl_warmup`, `options`; and perhaps
            `background`, `on_nan` and `checkpoint_every`, for which
            `settings.DEFAULTS` has values.
        overwrite: Whether a run that is there may be deleted.
        resume: Whether to go on with it, from its last whole epoch.
        strategy: `tf.distribute.Strategy` to train under, or None. Of several
            workers the chief alone reads and writes `run`.

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
    for name in ("epochs", "batch_size"):
        check_int(name, "train", config[name])
    _check_batch_size(config["batch_size"], strategy.num_replicas_in_sync)
    if factory.MODELS[config["model"]].needs_labels:
        config = {**config, "conditional": True}
    # Everything that may be refused comes before anything is written.
    config = {**settings.DEFAULTS, **config}
    source = open_source(
        config["data"],
        config["image_shape"],
        config["data_dir"],
        background=config["background"],
    )
    datasets = _datasets(source, config)
    # After the data: preparing a data set for the first time draws, too.
    keras.utils.set_random_seed(config["seed"])
    # A run that began before there were checks of networks' ends can go on.
    checked = outputs.only_warn() if resume else contextlib.nullcontext()
    with strategy.scope(), checked:
        model = build(config, source, datasets["train"])
    for name, dataset in datasets.items():
        if dataset:
            checks.check_data(
                model,
                dataset,
                argument="--data",
                owner="kgen train",
                batch_size=0 if name == "train" else None,
            )
    _check_whole(model, source)
    writes = strategies.writes(strategy)
    if model.conditional and not model.needs_labels and writes:
        text = checks.labels_from_1(
            source.classes, source.num_classes, "kgen train"
        )
        if text:
            _say(text)
    callbacks = _callbacks(run, config, model, datasets["train"], writes)
    config = {**config, **strategies.described(strategy)}
    run.checkpoints.every = _interval(config, model)
    with contextlib.ExitStack() as stack:
        epoch = strategies.by_chief(
            strategy,
            lambda: _begin(stack, run, model, config, overwrite, resume),
        )
        if epoch:
            _share_state(run, model, strategy)
        if writes:
            callbacks = [watch.Watch(run), *callbacks, *_records(run)]
        try:
            if epoch < config["epochs"]:
                epochs = config["epochs"]
                _fit(model, callbacks, datasets, epoch, epochs, writes)
        except (KeyboardInterrupt, Diverged) as error:
            if writes:
                _save_unfinished(run, model, callbacks)
                if isinstance(error, Diverged):
                    raise InvalidArgument(
                        _diverged_message(run, config, error)
                    ) from error
            raise
        strategies.by_chief(
            strategy, lambda: _end(run, model, source, config["epochs"])
        )
    return model


def _interval(config, model):
    """How often checkpoints are kept within an epoch, or None."""
    every = config["checkpoint_every"]
    if every is None:
        return None
    if config["on_nan"] != "stop":
        raise InvalidArgument(
            f"--checkpoint-every can't be used with --on-nan {config['on_nan']}: "
            "a training that goes on within an epoch would no longer know the "
            "state that the epoch began with, nor the steps left out before. "
            "Leave one of the options out: there is a checkpoint after each "
            "epoch."
        )
    if model.needs_labels:
        raise InvalidArgument(
            f"--checkpoint-every: {config['model']} counts over an epoch, which "
            "no checkpoint holds. Leave the option out: there is a checkpoint "
            "after each epoch."
        )
    if config["strategy"]:
        raise InvalidArgument(
            "--checkpoint-every is for one device: the sums of several are not "
            "kept. Leave it out: there is a checkpoint after each epoch."
        )
    return Interval.of(every)


def _save_unfinished(run, model, callbacks):
    """Saves a model whose training ended within an epoch."""
    with interrupts.ignored():
        for callback in callbacks:
            if isinstance(callback, watch.Watch):
                callback.check()
        _, epochs = run.checkpoints.newest()
        save_model(run, model, epochs, interrupted=True)


def _diverged_message(run, config, error):
    """What a `Diverged` means for a run, and what to try."""
    other = "skip" if config["on_nan"] == "rollback" else "rollback"
    _, epochs = run.checkpoints.newest()
    place = f"after epoch {epochs}" if epochs else "at the beginning"
    return (
        f"{error.fault} {run.model_file} holds {error.state}. Train again with "
        "a lower learning rate, such as --set optimizer=adam:0.0001, or go on "
        f"{place} with: kgen train {config['model']} --resume --out {run.path} "
        f"--on-nan {other}"
    )


def _check_batch_size(size, replicas):
    if size % replicas:
        raise InvalidArgument(
            f"--batch-size {size} can't be shared evenly by {replicas} devices. "
            f"Pass a multiple of {replicas}, such as "
            f"{max(1, round(size / replicas)) * replicas}."
        )


def _begin(stack, run, model, config, overwrite, resume):
    """Makes the run, or brings `model` to where it is; returns its epoch.

    The run is this process's own until the stack is closed.
    """
    stack.enter_context(locks.directory(run.path))
    if not resume:
        run.create(config, overwrite)
    stack.enter_context(watch.watched(run, config["model"]))
    run.sweep()
    return _resume(run, model, config) if resume else 0


def _end(run, model, source, epochs):
    """Saves the model, and draws what it does."""
    save_model(run, model, epochs)
    draw(run.path, model, source, run.history(), source.examples("train"))


def _share_state(run, model, strategy):
    """Gives all workers the chief's checkpoint: they may not see its disk."""
    state = strategies.send(
        strategy, lambda: run.checkpoints.restored.read_bytes()
    )
    if state is None:
        return
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "chief.weights.h5")
        path.write_bytes(state)
        model.load_weights(path)


def _check_whole(model, source):
    """Looks at all numbers where they are in memory, not at a batch alone."""
    for split in ("train", validation_split(source)):
        images = getattr(split and source.examples(split), "images", None)
        if isinstance(images, np.ndarray) and images.dtype != np.uint8:
            arrays.check_array(
                images,
                model.input_shapes[0],
                model.support,
                "kgen train",
                "--data",
            )


def _resume(run, model, config):
    """Brings `model` to the run's last whole epoch; returns its number."""
    # One within an epoch has the sums of one device, and not what the other
    # answers to NaN need to know of the epoch.
    within = config["strategy"] is None and config["on_nan"] == "stop"
    epoch, epochs = run.checkpoints.restore(model, within), config["epochs"]
    if epoch > epochs:
        raise InvalidArgument(
            f"The run in {run.path} has seen {epoch} epochs already; it can't "
            f"be resumed with --epochs {epochs}. Pass at least {epoch}."
        )
    by = ("strategy", "devices", "checkpoint_every", "on_nan")
    changed = by if epoch < epochs else ()
    run.extend(epochs, **{name: config.get(name) for name in changed})
    run.trim_history(epoch)
    return epoch


def _datasets(source, config):
    options = {
        "labels": config["conditional"],
        "batch_size": config["batch_size"],
        "seed": config["seed"],
        "binarize": config["binarize"],
    }
    held_out = validation_split(source)
    return {
        "train": source.dataset("train", **options),
        "validation": held_out and source.dataset(held_out, **options),
    }


def build(config, source, dataset):
    """Makes and compiles the model that `config` describes."""
    known = {
        **factory.options_of(config["model"], config["network"]),
        **factory.compile_options_of(config["model"]),
    }
    for name in config["options"]:
        if name in settings.NAMES:
            option = name.replace("_", "-")
            raise InvalidArgument(
                f"--set {name}: it has an option of its own, --{option}."
            )
        if name not in known:
            # What has an option of its own is told when it is tried.
            names = [*known, *sorted(settings.NAMES - {"options"})]
            raise unknown_name("--set", "kgen train", names, name)
    spec = dataset.element_spec
    num_classes = None
    if config["conditional"]:
        spec = spec[0]
        num_classes = source.num_classes
    try:
        return factory.compiled_model(
            config["model"],
            input_shape=tuple(spec.shape[1:]),
            network=config["network"],
            latent_dim=config["latent_dim"],
            num_classes=num_classes,
            **{"seed": config["seed"], **config["options"]},
        )
    except InvalidArgument:
        raise
    except (TypeError, ValueError) as error:  # Keras's, about a value
        given = config["options"].items()
        if not given:
            raise
        text = " ".join(f"{name}={value}" for name, value in given)
        raise InvalidArgument(f"--set {text}: {error}") from error


def _callbacks(run, config, model, dataset, writes):
    """The callbacks that say how the run is trained, and show it."""
    guard = Guard(
        config["on_nan"],
        report=_say if writes else lambda text: None,
    )
    callbacks = [EpochOrder(dataset), guard]
    if config["kl_warmup"]:
        if not hasattr(model, "sampling"):
            raise InvalidArgument(
                f"--kl-warmup: the loss of {config['model']} has no KL term. "
                "Leave the option out."
            )
        callbacks.append(KLWarmUp(config["kl_warmup"]))
    if not writes:
        return callbacks
    if hasattr(model, "adversarial_loss"):
        _, x = first(model, dataset, _WATCHED)
        callbacks.append(GANWatch(x, report=_say))
    if hasattr(model, "sample") and plots.is_drawable(model.input_shapes[0]):
        callbacks.append(
            SampleProgress(run.path / "progress", run.path / "progress.png")
        )
    return callbacks


def _records(run):
    """The callbacks that keep what happens."""
    return [
        run.history_file,
        keras.callbacks.TensorBoard(run.path / "logs", write_graph=False),
        run.checkpoints,
    ]


def _fit(model, callbacks, datasets, epoch, epochs, writes):
    verbose = 1 if sys.stdout.isatty() else 2
    model.fit(
        datasets["train"],
        validation_data=datasets["validation"],
        initial_epoch=epoch,
        epochs=epochs,
        callbacks=callbacks,
        verbose=verbose if writes else 0,
    )
