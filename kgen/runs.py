"""A run: one training, and the directory that holds all of it."""

import contextlib
import hashlib
import math
import os
import pathlib
import re
import shutil
import sys
import tempfile
import warnings

import keras
import numpy as np
import tensorflow as tf

import kgen
from kgen import (
    archives,
    arrays,
    files,
    histories,
    interrupts,
    locks,
    metrics,
    plots,
    run_watch,
    settings,
)
from kgen.callbacks import (
    Diverged,
    EpochOrder,
    GANWatch,
    Guard,
    KLWarmUp,
    SampleProgress,
)
from kgen.checkpoints import Checkpoints, Interval
from kgen.data import open_source
from kgen.data.examples import subset
from kgen.errors import InvalidArgument, check_int, unknown_name
from kgen.errors import say as _say
from kgen.models import checks, factory, outputs
from kgen.parallel import strategies

# The most that is held at a time for a picture of pictures: 256 MiB.
_NUMBERS = 2**26
# What a training leaves; --overwrite deletes these and no other files.
_LEFT = (
    "config.json",
    "model.keras",
    "history.csv",
    "checkpoints",
    "logs",
    "samples.png",
    "reconstructions.png",
    "denoised.png",
    "errors.png",
    "losses.png",
    "latent.png",
    "interpolations.png",
    "attributes.png",
    "confusion.png",
    "progress",
    "progress.png",
    "metrics.json",
    "report.html",
)
# What the commands on a run write beside it.
_MADE = re.compile(
    r"(sample|reconstruct|denoise|encode|classify)-\d+\.(png|npz)"
    r"|history\.csv\.(damaged|before)(-\d+)?"
)
# What the holder of the lock alone writes in the folders of a run.
_UNDER_LOCK = re.compile(
    rf"{'|'.join(map(re.escape, _LEFT))}"
    r"|epoch-\d+(-step-\d+)?\.(weights\.h5|json|npy)"
)
# How many examples are drawn as codes, and how many are classified, at most.
_CODES, _CLASSIFIED = 2_000, 10_000
# Ways through the latent space that are drawn, and pictures on each of them.
_WAYS, _STEPS = 6, 10
# Examples among which pairs of one class are looked for.
_PAIRED = 256
# How many real examples the samples are compared with while training.
_WATCHED = 256


class Run:
    """A run's directory.

    `config.json` (enough to repeat the run), `model.keras`, `checkpoints/`,
    `history.csv`, `logs/` for TensorBoard, and the pictures.

    Args:
        path: The directory.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.checkpoints = Checkpoints(self.path / "checkpoints")
        self.history_file = histories.History(self.path / "history.csv")

    @property
    def config_file(self):
        """The file that makes a directory a run."""
        return self.path / "config.json"

    @property
    def model_file(self):
        """The trained model's file."""
        return self.path / "model.keras"

    @property
    def config(self):
        """The settings, as a dictionary.

        Raises:
            FileNotFoundError: If the directory holds no run.
            InvalidArgument: If `config.json` is damaged, or not a run's.
        """
        if not self.config_file.is_file():
            raise FileNotFoundError(
                f"{self.path} holds no run: there is no {self.config_file.name}"
                " in it. Expected a directory that `kgen train` made."
            )
        return settings.read(self.config_file)

    def create(self, config, overwrite=False):
        """Makes the directory and writes the settings.

        Args:
            config: Dictionary that JSON can hold.
            overwrite: Whether a run that is there may be deleted; other files
                beside it stay.

        Raises:
            FileExistsError: If there is a run and `overwrite` is False, or
                something else in the directory.
            InvalidArgument: If its `config.json` is not a run's.
        """
        if self.config_file.exists():
            self.config  # noqa: B018  what is no run is never deleted
            if not overwrite:
                raise FileExistsError(
                    f"{self.path} holds a run already. Pass --resume to go on "
                    "with it, --overwrite to delete it, or another --out."
                )
            self._delete()
        elif self._holds_others():
            raise FileExistsError(
                f"{self.path} holds something that is not a run. Choose another"
                " --out."
            )
        self._write_config(config)

    def _holds_others(self):
        """Whether there is more than what a kill left of a first beginning."""
        names = os.listdir(self.path) if self.path.is_dir() else []
        return any(
            name != locks.NAME
            and files.is_left_over(name) != self.config_file.name
            for name in names
        )

    def sweep(self):
        """Deletes what killed processes have left half written.

        Call it only while holding the directory's lock.
        """
        for folder in (".", "checkpoints", "progress"):
            files.sweep(self.path / folder, _UNDER_LOCK.fullmatch)
        # These are written without the lock, but not for a whole day.
        files.sweep(self.path, _MADE.fullmatch, age=files.STALE)

    def sweep_if_free(self):
        """As `sweep`; does nothing while another process writes the run."""
        with (
            contextlib.suppress(InvalidArgument, OSError),
            locks.directory(self.path),
        ):
            self.sweep()

    def _delete(self):
        made = [p for p in self.path.iterdir() if _MADE.fullmatch(p.name)]
        # config.json last: till then it's a run.
        for path in [*made, *(self.path / name for name in reversed(_LEFT))]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _write_config(self, config):
        versions = {
            name: sys.modules[name].__version__
            for name in ("kgen", "keras", "tensorflow", "numpy")
        }
        config = {**config, "versions": versions}
        files.write_json(self.config_file, config)

    def extend(self, epochs, **facts):
        """Notes that a resumed run goes on to `epochs` epochs in all.

        Args:
            epochs: Their number.
            **facts: Other settings that have changed.
        """
        self._write_config({**self.config, "epochs": epochs, **facts})

    def is_trained(self, epochs=None):
        """Whether the run has seen `epochs` epochs; None for its own number."""
        if not self.config_file.exists():
            return False
        _, seen = self.checkpoints.newest()
        return seen == (epochs or self.config["epochs"])

    def model(self):
        """The trained model.

        Raises:
            FileNotFoundError: If the run has not finished.
        """
        model = self.config["model"]
        if not self.model_file.exists():
            raise FileNotFoundError(
                f"{self.path} has no {self.model_file.name} yet: its training "
                f"has not finished. Go on with `kgen train {model} --resume "
                f"--out {self.path}`."
            )
        return archives.load(
            self.model_file,
            "Make it anew from the last checkpoint with `kgen train "
            f"{model} --resume --out {self.path}`.",
        )

    def trained(self):
        """How far the model in `model.keras` was trained.

        Returns:
            Dictionary of `epochs`, whole ones, and `interrupted`: whether it saw
            a part of another one; `{}` where the file does not tell.
        """
        try:
            return archives.facts(self.model_file)
        except ValueError as error:
            _say(
                f"{self.model_file} does not tell how far it was trained: "
                f"{error}"
            )
            return {}

    def source(self, data=None, any_range=False):
        """The run's source, or another one in the same shape.

        Args:
            data: What `kgen.data.load` takes as `source`, or None.
            any_range: Whether pictures may have values outside [0, 1].
        """
        config = self.config
        return open_source(
            data or config["data"],
            config["image_shape"],
            config["data_dir"],
            any_range,
            config["background"],
        )

    def history(self, before=None):
        """The logs by epoch, those from epoch `before` on left out.

        Returns:
            Dictionary from names to lists of floats.
        """
        try:
            return self.history_file.read(before)
        except histories.Damaged as error:
            _say(f"{error}. It is left out.")
            return {}

    def trim_history(self, before):
        """Drops the rows from epoch `before` on, which a resume repeats."""
        self.history_file.trim(before)

    def free_file(self, stem, ending):
        """The first of `stem-1`, `stem-2`, ... that isn't there yet."""
        number = 1
        while (path := self.path / f"{stem}-{number}{ending}").exists():
            number += 1
        return path


@contextlib.contextmanager
def new_run(name, root="runs"):
    """Makes the first of `runs/NAME-1`, `runs/NAME-2`, ... that isn't there yet.

    It is made at once, so that no other process takes the same number, and
    removed again if it is still empty in the end.

    Args:
        name: String.
        root: Directory of all runs.

    Returns:
        A context manager that gives the `Run`.
    """
    root = pathlib.Path(root)
    made = [one for one in (root, *root.parents) if not os.path.lexists(one)]
    root.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = root / f"{name}-{number}"
        try:
            path.mkdir()
            break
        except FileExistsError:
            number += 1
    try:
        yield Run(path)
    finally:
        with contextlib.suppress(OSError):  # it is no longer empty
            for one in (path, *made):
                one.rmdir()


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
            callbacks = [run_watch.Watch(run), *callbacks, *_records(run)]
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
            if isinstance(callback, run_watch.Watch):
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
    stack.enter_context(run_watch.watched(run, config["model"]))
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


def data_name(data):
    """A source as the settings of a run name it: the same from any folder."""
    is_path = data != "digits" and os.path.exists(data)
    return os.path.abspath(data) if is_path else data


def validation_split(source):
    """The split that a training is judged by, epoch by epoch, or None."""
    return source.first_of("validation", "test")


def held_out_split(source, given=False):
    """The split whose examples show what a trained model is worth.

    It is test: validation may have chosen the model.

    Args:
        source: A `Source`.
        given: Whether it is not the run's own: without splits, it is meant
            whole.
    """
    if given and "all" in source.splits:
        return "all"
    return source.first_of("test", "validation", "train")


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
        _, x = _first(model, dataset, _WATCHED)
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


def save_model(run, model, epochs, interrupted=False):
    """Writes `model.keras`, whole, with what `Run.trained` gives.

    Args:
        run: A `Run`.
        model: Its model.
        epochs: How many whole ones it was trained for.
        interrupted: Whether it saw a part of another one.
    """
    facts = {"epochs": epochs, "interrupted": interrupted}
    archives.save(run.model_file, model, facts)


def fingerprint(model):
    """A hash of a model's weights, by which figures are known to be theirs.

    Args:
        model: A `keras.Model`.

    Returns:
        String of 32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight))
    return digest.hexdigest()


def draw(directory, model, source, history, train=None, split=None, count=36):
    """Draws a run's pictures: samples, reconstructions, losses, codes, ...

    Args:
        directory: Where to write them.
        model: The run's model.
        source: A `Source`.
        history: The run's logs by epoch.
        train: The examples that the model was trained on, or None.
        split: Of the source, whose examples are drawn; None for the one that
            the run is judged by.
        count: How many samples.
    """
    split = split or held_out_split(source)
    # Of one count, what it began with would be drawn.
    counted = model.needs_labels and model.counts
    once = history and len(history["epoch"]) == 1
    if history and not (counted and once):
        plots.losses(history, directory / "losses.png")
    shape = model.input_shapes[0]
    if hasattr(model, "sample") and plots.is_drawable(shape):
        count = count if plots.is_picture(shape) else 2000
        labels = model.labels_in_turn(count)
        images = model.sample(count, labels=labels, seed=0)
        plots.samples(images, directory / "samples.png")
    if hasattr(model, "encode"):
        draw_codes(directory, model, source, split, train)
    elif hasattr(model, "interpolate") and plots.is_picture(shape):
        draw_ways(model, directory / "interpolations.png")
    if model.needs_labels and source.examples(split).labels is not None:
        draw_confusion(directory, model, source, split)


def draw_confusion(directory, model, source, split):
    """Draws which classes a classifier takes for which."""
    found = source.examples(split)
    found = subset(found, _CLASSIFIED)
    pairs = found.batches(labels=True, batch_size=256)
    found = [(y, model.classify(x)) for x, y in pairs.as_numpy_iterator()]
    labels, predicted = (np.concatenate(parts) for parts in zip(*found))
    plots.confusion(
        labels,
        predicted,
        directory / "confusion.png",
        source.class_names,
    )


def draw_codes(directory, model, source, split, train=None):
    """Draws what there is to see of codes: their map, reconstructions, ..."""
    found = source.examples(split)
    found = subset(found, _CODES)
    dataset = found.batches(labels=model.conditional, batch_size=256)
    z = model.encode(dataset)
    plots.latent(
        z,
        directory / "latent.png",
        found.labels,
        source.class_names,
        title=f"Codes of {len(z)} examples",
    )
    if isinstance(model, kgen.Autoencoder) and train is not None:
        draw_errors(model, train, dataset, directory / "errors.png")
    if not plots.is_picture(model.input_shapes[0]):
        return
    draw_reconstructions(model, dataset, directory / "reconstructions.png")
    if hasattr(model, "denoise"):
        draw_denoised(model, dataset, directory / "denoised.png")
    if model.decodes_z_alone:
        draw_interpolations(model, dataset, directory / "interpolations.png")
    if hasattr(model, "attribute_vector"):
        names = dict(enumerate(source.class_names))
        draw_attributes(model, found, names, directory / "attributes.png")


def draw_interpolations(model, dataset, path, count=_WAYS, steps=_STEPS):
    """Draws what lies between pairs of pictures, through the latent space.

    Where the networks take labels, a pair is of one class: all that lies between
    is decoded by its label.
    """
    inputs, x = _first(model, dataset, _PAIRED)
    classes = inputs[1].numpy() if model.conditional else np.zeros(len(x))
    pairs = pairs_by_class(classes)[:count]
    if not pairs:
        return
    ends = [
        tf.nest.map_structure(lambda v, i=i: v.numpy()[list(i)], inputs)
        for i in zip(*pairs)
    ]
    between = model.interpolate(*ends, steps=steps)
    _draw_ways(between, path, "From one picture to another")


def pairs_by_class(classes):
    """Pairs of places with the same class: one of each class, then a second, ...

    Args:
        classes: Array of shape `(n,)`.

    Returns:
        List of pairs of integers.
    """
    found = []
    for of_class in np.unique(classes):
        places = np.flatnonzero(classes == of_class).tolist()
        found += enumerate(zip(places[::2], places[1::2]))
    return [pair for _, pair in sorted(found, key=lambda item: item[0])]


def draw_ways(model, path, count=_WAYS, steps=_STEPS):
    """Draws what lies between pairs of samples; a pair is of one class."""
    labels = model.labels_in_turn(count)
    between = model.interpolate(count, steps, labels=labels, seed=0)
    _draw_ways(between, path, "From one sample to another")


def _draw_ways(between, path, title):
    rows = {str(number): row for number, row in enumerate(between, 1)}
    plots.pairs(rows, path, title, columns=len(between[0]))


def draw_attributes(model, found, names, path, count=_WAYS, steps=_STEPS):
    """Draws a picture of a class moved by the vector to the next class."""
    if model.conditional or found.labels is None:
        return  # then the labels say it, not the code
    most = max(1, _NUMBERS // math.prod(model.input_shapes[0]))
    found = subset(found, most)
    x, y = _all(found.batches(batch_size=256)), found.labels
    classes = np.unique(y)
    rows = {}
    for one, other in list(zip(classes, classes[1:]))[:count]:
        both = np.isin(y, [one, other])
        vector = model.attribute_vector(x[both], y[both] == other)
        z = model.encode(x[y == one][:1])
        moved = z + np.linspace(0.0, 1.5, steps)[:, None] * vector
        name = f"{names.get(one, one)} to {names.get(other, other)}"
        rows[name] = model.decode(moved.astype("float32"))
    if rows:
        title = "Codes moved by the vector from one class to another"
        plots.pairs(rows, path, title, columns=steps)


def draw_reconstructions(model, dataset, path, count=24):
    """Draws the first pictures of `dataset` above their reconstructions."""
    inputs, originals = _first(model, dataset, count)
    rows = {
        "original": np.asarray(originals),
        "reconstruction": np.asarray(model(inputs)),
    }
    plots.pairs(rows, path, "Originals and their reconstructions")


def draw_denoised(model, dataset, path, count=12):
    """Draws the first pictures of `dataset`, corrupted, and denoised."""
    inputs, originals = _first(model, dataset, count)
    rows = denoised(model, inputs, originals)
    plots.pairs(rows, path, denoised_title(rows))


def denoised(model, inputs, originals, position=0):
    """Pictures, corrupted by the model's own layer, and denoised.

    Args:
        model: A `DenoisingAutoencoder`.
        inputs: What its networks take.
        originals: The pictures in them.
        position: The place of the batch in the data; another, other draws.

    Returns:
        Dictionary of arrays: `original`, `noisy`, `denoised`.
    """
    noisy = model.corrupt(originals, position)
    labels = inputs[1] if model.conditional else None
    return {
        "original": np.asarray(originals),
        "noisy": noisy,
        "denoised": np.asarray(model(model.with_labels(noisy, labels))),
    }


def denoised_title(rows):
    """The PSNR before and after, in words."""
    before, after = (
        np.mean(metrics.pictures.psnr_at_most(rows[name], rows["original"]))
        for name in ("noisy", "denoised")
    )
    return f"PSNR {before:.1f} dB noisy, {after:.1f} dB denoised"


def draw_errors(model, train, dataset, path):
    """Draws the model's error against PCA's by the size of the code.

    Both have learned from `train`, and are judged by `dataset`.
    """
    most = max(2, min(10_000, _NUMBERS // math.prod(model.input_shapes[0])))
    x = _rows(subset(train, most).batches(batch_size=256))
    test = dataset.map(lambda *batch: model.unpack(batch)[1])
    test = _rows(test.unbatch().take(most).batch(256))
    rebuilt = model.reconstruct(dataset)[: len(test)].reshape(test.shape)
    size = model.latent_dim
    curves = {
        "PCA": pca_errors(x, test, max(2 * size, 8)),
        "autoencoder": ([size], [np.mean(np.square(test - rebuilt))]),
    }
    plots.errors(curves, path)


def pca_errors(x, test, most):
    """PCA's mean squared errors by the number of components.

    Args:
        x: Array of shape `(n, d)` that PCA is fitted to.
        test: Array of shape `(m, d)`.
        most: The largest number of components.

    Returns:
        Numbers of components from 1 on, and the errors per number on `test`.
    """
    from sklearn.decomposition import PCA

    with warnings.catch_warnings():  # of data without any variance
        warnings.simplefilter("ignore", RuntimeWarning)
        pca = PCA(min(most, *x.shape), random_state=0).fit(x)
    # Components are orthogonal: each takes its own part off the whole.
    whole = np.sum(np.mean(np.square(test - pca.mean_), axis=0))
    parts = np.mean(np.square(pca.transform(test)), axis=0)
    sizes = np.arange(1, len(parts) + 1)
    return sizes, (whole - np.cumsum(parts)) / test.shape[1]


def _all(dataset):
    return np.concatenate(list(dataset.as_numpy_iterator()))


def _rows(dataset):
    x = _all(dataset)
    return x.reshape(len(x), -1)


def _first(model, dataset, count):
    """The networks' inputs and the pictures of the first `count` examples."""
    few = dataset.unbatch().take(count).batch(count)
    return model.unpack(next(iter(few)))
