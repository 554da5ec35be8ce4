"""The settings of a training: checked once, and kept in the run's config.json."""

import dataclasses
import os
from typing import Any

from kgen import files, names, registry
from kgen.data import Source, Table, open_source
from kgen.errors import InvalidArgument, command, invalid, unknown_name
from kgen.models import factory
from kgen.params import (
    SEED,
    Boolean,
    Constraint,
    Each,
    Instance,
    Integer,
    Number,
    Optional,
    Options,
    Text,
)
from kgen.priors import fitting
from kgen.runs.checkpoints import Interval

_OWNER = "kgen train"
# The settings that a resumed run may change.
_CHANGEABLE = (
    "epochs",
    "on_nan",
    "checkpoint_every",
    "fit_prior",
    "log_to",
    "patience",
)


class _Shape(Constraint):
    """Height, width and channels of a picture, or a sequence's length and channels."""

    def check(self, argument: str, owner: str, value: Any) -> tuple:
        if not isinstance(value, (list, tuple)) or len(value) not in (2, 3):
            expected = "nothing, or two or three positive integers"
            raise invalid(argument, owner, expected, value)
        return tuple(Integer().check(argument, owner, side) for side in value)


class _Interval(Text):
    """How often checkpoints are kept, as `--checkpoint-every` has it."""

    def check(self, argument: str, owner: str, value: Any) -> str:
        Interval.of(super().check(argument, owner, value))
        return value


class _Kinds(Instance):
    """Kinds of a table's columns, by their names."""

    def __init__(self) -> None:
        super().__init__(dict, "an object of columns' kinds")

    def check(self, argument: str, owner: str, value: Any) -> dict[str, str]:
        for kind in super().check(argument, owner, value).values():
            Options(names.COLUMN_KINDS).check(argument, owner, kind)
        return value


class _FittedPrior(Text):
    """A density that is fitted to codes, by its name."""

    def check(self, argument: str, owner: str, value: Any) -> str:
        fitting.named(super().check(argument, owner, value), owner, argument)
        return value


_CONSTRAINTS = {
    "background": Text("a colour"),
    "checkpoint_every": Optional(_Interval('nothing, or text such as "10m"')),
    "on_nan": Options(names.ON_NAN),
    "log_to": Each(Options(names.TRACKERS), "a list of names of trackers"),
    "patience": Integer(0),
    "model": Options(registry.MODELS),
    "data": Text("the name of a source"),
    "image_shape": Optional(_Shape()),
    "data_dir": Optional(Text("nothing, or a directory")),
    "target": Optional(Text("nothing, or the name of a column")),
    "kinds": _Kinds(),
    "numbers": Options(names.NUMBERS),
    "network": Options(names.NETWORKS),
    "latent_dim": Integer(),
    "epochs": Integer(),
    "batch_size": Integer(),
    "seed": SEED,
    "conditional": Boolean(),
    "binarize": Boolean(),
    "kl_warmup": Number(),
    "fit_prior": Optional(
        _FittedPrior('nothing, or text such as "mixture:10"')
    ),
    "options": Instance(dict, "an object"),
    "strategy": Optional(Options(names.STRATEGIES)),
    "devices": Integer(),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a run is trained. `config.json` has the same settings.

    Settings with a default were added in later versions; runs of earlier ones
    get the default. Without `background`, they ignored transparency, and showed
    the colour that is stored in transparent pixels.

    Args:
        **settings: Each is an option of `kgen train`, whose help explains it;
            `conditional` is always true for a classifier, and where a table has a
            `target`. `options` are the
            names and values of `--set`. `strategy` and `devices` say what a
            run was trained by.

    Raises:
        InvalidArgument: If a value is of a wrong type or out of range, or a
            name is unknown; the nearest one is offered.
    """

    background: str = "white"
    checkpoint_every: str | None = None
    on_nan: str = "stop"
    fit_prior: str | None = None
    log_to: tuple[str, ...] = ()
    patience: int = 0
    target: str | None = None
    kinds: dict[str, str] = dataclasses.field(default_factory=dict)
    numbers: str = "quantiles"
    model: str
    data: str
    image_shape: tuple[int, ...] | None
    data_dir: str | None
    network: str
    latent_dim: int
    epochs: int
    batch_size: int
    seed: int
    conditional: bool
    binarize: bool
    kl_warmup: float
    options: dict[str, Any]
    strategy: str | None = None
    devices: int = 1

    def __post_init__(self) -> None:
        for name, constraint in _CONSTRAINTS.items():
            value = constraint.check(name, _OWNER, getattr(self, name))
            object.__setattr__(self, name, value)
        needs_labels = registry.MODELS[self.model].model_class.needs_labels
        if needs_labels or self.target:
            object.__setattr__(self, "conditional", True)

    def check_options(self) -> None:
        """Raises if the model does not know one of the options.

        They are read from the signatures of the networks' builders, the model
        and its `compile`: a new argument needs no entry here.

        Only a training needs to: a run of another version, with options that
        this one does not know, has a model that can be used all the same.

        Raises:
            InvalidArgument: The nearest name is offered.
        """
        known = {
            **factory.options_of(self.model, self.network),
            **factory.compile_options_of(self.model),
        }
        others = {n: _place_of(n) for n in _CONSTRAINTS if n != "options"}
        for name in self.options:
            if name in others:
                raise InvalidArgument(
                    f"--set {name}: this is set by {others[name]}."
                )
            if name not in known:
                own = [n for n in known if n not in others]
                raise unknown_name("--set", _OWNER, own, name, others)

    def as_config(self) -> dict[str, Any]:
        """Returns the settings as a dictionary that JSON can hold."""
        return {name: getattr(self, name) for name in _CONSTRAINTS}

    def source(
        self,
        data: str | None = None,
        any_range: bool = False,
        table: Table | None = None,
    ) -> Source:
        """Opens the data.

        Args:
            data: Other data in the same shape, as `source` in
                `kgen.data.load`; or None.
            any_range: Whether pictures may have values outside [0, 1].
            table: The table of the trained model, which its rows are encoded by;
                None before there is one.
        """
        of_table = {
            name: getattr(self, name)
            for name in ("target", "kinds", "numbers")
            if getattr(self, name) != _DEFAULTS[name]
        }
        return open_source(
            data or self.data,
            self.image_shape,
            self.data_dir,
            any_range,
            self.background,
            table,
            # New rows may have no class, and there must be a result for each row.
            every_row=data is not None and table is not None,
            **({} if table else of_table),
        )

    def resumed(
        self, asked: "TrainSettings", typed_names: set[str], run: os.PathLike
    ) -> "TrainSettings":
        """Returns the settings with which a run of these settings goes on.

        Args:
            asked: The settings that the user asks for.
            typed_names: Names of those that the user has typed; the others are
                defaults, which don't count. `epochs`, `on_nan`, `checkpoint_every`,
                `log_to`, `fit_prior` and `patience` may differ, and devices always
                may.
            run: The run's directory, for messages.

        Raises:
            InvalidArgument: If another setting was typed that differs.
        """
        if asked.model != self.model:
            line = command("train", self.model, "--resume", "--out", run)
            raise InvalidArgument(
                f"The run in {run} is of the model {self.model}, not "
                f"{asked.model}. Go on with: {line}"
            )
        for name in _CONSTRAINTS:
            if name in (*_CHANGEABLE, "strategy", "devices"):
                continue
            old, new = getattr(self, name), getattr(asked, name)
            # Options that were not typed are the run's own.
            whole = {**old, **new} if name == "options" else new
            if name in typed_names and whole != old:
                raise InvalidArgument(
                    f"The run in {run} has {_option(name)} {names.as_typed(old)}; it "
                    f"can't be resumed with {names.as_typed(new)}. Leave the option "
                    "out, or train again with a new --out."
                )
        new = {n: getattr(asked, n) for n in _CHANGEABLE if n in typed_names}
        text = self.checkpoint_every
        if text and Interval.of(text).within_epochs:
            if asked.strategy or new.get("on_nan", self.on_nan) != "stop":
                # Such trainings have no checkpoints within epochs. If the option was
                # typed, `train` refuses it.
                new = {"checkpoint_every": None, **new}
        new |= {"strategy": asked.strategy, "devices": asked.devices}
        return dataclasses.replace(self, **new)


_DEFAULTS = {
    field.name: field.default
    for field in dataclasses.fields(TrainSettings)
    if field.default is not dataclasses.MISSING
} | {"kinds": {}}


def _option(name):
    """The option of `kgen train` that is a setting."""
    own = {"options": "--set", "kinds": "--kind"}
    return own.get(name, f"--{name.replace('_', '-')}")


def _place_of(name):
    """The argument or option of `kgen train` that sets what `--set` does not take."""
    if name == "model":
        return "the argument MODEL"
    return f"the option {_option(name)}"


def read(file: os.PathLike) -> tuple[TrainSettings, dict[str, Any]]:
    """Reads the settings of a run, and all else that is kept with them.

    Those that earlier versions did not have get their defaults.

    Args:
        file: Its `config.json`.

    Returns:
        The settings, checked; and a dictionary of all that the file holds: runs
        of newer versions may have more settings.

    Raises:
        InvalidArgument: If the file is damaged, or not a run's.
    """
    try:
        config = files.read_json(file)
    except ValueError as error:
        raise InvalidArgument(
            f"{file} can't be read: {error}. Correct it, or put it back from a "
            "copy."
        ) from error
    missing = _CONSTRAINTS.keys() - _DEFAULTS.keys()
    missing -= config.keys() if isinstance(config, dict) else set()
    if missing:
        raise InvalidArgument(
            f"{file} is not a run's: it lacks {', '.join(sorted(missing))}. "
            "Expected what `kgen train` made."
        )
    config |= {n: v for n, v in _DEFAULTS.items() if n not in config}
    try:
        settings = TrainSettings(**{n: config[n] for n in _CONSTRAINTS})
    except InvalidArgument as error:
        raise InvalidArgument(
            f"{file} can't be used: {error}. Correct it."
        ) from error
    return settings, config
