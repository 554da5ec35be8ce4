"""A run's directory: its files, and what a kill may have left of them."""

import contextlib
import os
import pathlib
import re
import shutil
import zipfile
from collections.abc import Iterator
from typing import Any

import keras

from kgen import files, locks
from kgen.data import Source
from kgen.errors import InvalidArgument, command, say, say_once
from kgen.models import saving
from kgen.runs import archives
from kgen.runs.checkpoints import Checkpoints
from kgen.runs.data import describe_change
from kgen.runs.history import History
from kgen.runs.history_file import DamagedHistory
from kgen.runs.settings import TrainSettings, read

# What a training leaves; --overwrite deletes these and no other files.
_RUN_FILES = (
    "config.json",
    "model.keras",
    "best.keras",
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
    "marginals.png",
    "correlations.png",
    "gaps.png",
    "progress",
    "progress.png",
    "metrics.json",
    "report.html",
    "trackers.json",
)
# What may lie where a first beginning was refused or killed.
_BEFORE_A_RUN = (locks.NAME, "wandb")
# What the commands on a run write beside it.
_COMMAND_OUTPUTS = re.compile(
    r"(sample|reconstruct|impute|denoise|encode|classify|detect)"
    r"-\d+\.(png|npz|csv|parquet)"
    r"|history\.csv\.(damaged|before)(-\d+)?"
)
# What the holder of the lock alone writes in the folders of a run.
_UNDER_LOCK = re.compile(
    rf"{'|'.join(map(re.escape, _RUN_FILES))}"
    r"|(epoch-\d+(-step-\d+)?|best-\d+)\.(weights\.h5|json|npy)"
)


class Run:
    """A run's directory.

    `config.json` (enough to repeat the run), `model.keras`, `best.keras` (where its
    training was followed), `checkpoints/`, `history.csv`, `logs/` for TensorBoard, and
    the pictures.

    Args:
        path: The directory.
        best: Whether its model is that of `best.keras`, and not the last one.
    """

    def __init__(self, path: str | os.PathLike, best: bool = False) -> None:
        self.path = pathlib.Path(path)
        self.config_file = self.path / "config.json"
        self.best_file = self.path / "best.keras"
        self.is_best = best
        last_file = self.path / "model.keras"
        self.model_file = self.best_file if best else last_file
        self.checkpoints = Checkpoints(self.path / "checkpoints")
        self.history_file = History(self.path / "history.csv")

    @property
    def settings(self) -> TrainSettings:
        """The settings in `config.json`, checked.

        Raises:
            FileNotFoundError: If the directory holds no run.
            InvalidArgument: If `config.json` is damaged, or not a run's.
        """
        return self._read()[0]

    @property
    def config(self) -> dict[str, Any]:
        """All that `config.json` holds; what is a setting is in `settings`, too.

        The rest are the `versions` that trained the run, the `examples` that it
        was trained on, the names of their `classes`, and settings of newer versions
        of kgen. It raises what `settings` raises.
        """
        return self._read()[1]

    def _read(self) -> tuple[TrainSettings, dict[str, Any]]:
        if not self.config_file.is_file():
            raise FileNotFoundError(
                f"{self.path} holds no run: there is no {self.config_file.name}"
                " in it. Expected a directory that `kgen train` made."
            )
        return read(self.config_file)

    def create(
        self,
        settings: TrainSettings,
        overwrite: bool = False,
        facts: dict[str, Any] | None = None,
    ) -> None:
        """Makes the directory and writes the settings.

        Args:
            settings: The settings.
            overwrite: Whether a run that is there may be deleted; other files
                beside it stay.
            facts: What `config.json` is to hold beside the settings, or None.

        Raises:
            FileExistsError: As `check_free`.
            InvalidArgument: As `check_free`.
        """
        self.check_free(overwrite)
        if self.config_file.exists():
            self._delete()
        self._write_config({**settings.as_config(), **(facts or {})})

    def check_free(self, overwrite: bool = False) -> None:
        """Raises unless a run can be made here.

        Args:
            overwrite: Whether a run that is there may be deleted.

        Raises:
            FileExistsError: If there is a run and `overwrite` is False, or
                something else in the directory.
            InvalidArgument: If its `config.json` is not a run's.
        """
        if self.config_file.exists():
            self._read()  # what is no run is never deleted
            if not overwrite:
                raise FileExistsError(
                    f"{self.path} holds a run already. Pass --resume to go on "
                    "with it, --overwrite to delete it, or another --out."
                )
        elif self._holds_others():
            raise FileExistsError(
                f"{self.path} holds something that is not a run. Choose another"
                " --out."
            )

    def _holds_others(self) -> bool:
        """Whether there is more than what is left of a first beginning."""
        names = os.listdir(self.path) if self.path.is_dir() else []
        return any(
            name not in _BEFORE_A_RUN
            and files.is_left_over(name) != self.config_file.name
            for name in names
        )

    def sweep(self) -> None:
        """Deletes what killed processes have left half written.

        Call it only while holding the directory's lock.
        """
        for folder in (".", "checkpoints", "progress"):
            files.sweep(self.path / folder, _UNDER_LOCK.fullmatch)
        # These are written without the lock, but not for a whole day.
        files.sweep(self.path, _COMMAND_OUTPUTS.fullmatch, age=files.STALE)

    def sweep_if_free(self) -> None:
        """As `sweep`; does nothing while another process writes the run."""
        with (
            contextlib.suppress(InvalidArgument, OSError),
            locks.directory(self.path),
        ):
            self.sweep()

    def _delete(self) -> None:
        names = filter(_COMMAND_OUTPUTS.fullmatch, os.listdir(self.path))
        # config.json last: until then the directory is a run.
        for name in [*names, *reversed(_RUN_FILES)]:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _write_config(self, config: dict[str, Any]) -> None:
        versions = files.versions("kgen", "keras", "tensorflow", "numpy")
        files.write_json(self.config_file, {**config, "versions": versions})

    def tell_changed_data(
        self,
        source: Source,
        consequence: str = "it may have been trained on examples that it is now "
        "evaluated by",
    ) -> None:
        """Tells the user if the run's data are not those of its training.

        Args:
            source: The data as they are now.
            consequence: What follows from it.
        """
        change = describe_change(self.config.get("examples"), source)
        if change:
            say(
                f"the data of {self.path} have changed since its training "
                f"({change}): {consequence}."
            )

    def extend(self, epochs: int, **changed: Any) -> None:
        """Notes how many epochs a run has in all, and what else has changed.

        Settings of a newer version, which this one does not know, stay. If there is an
        evaluation, users are told that it is of before.

        Args:
            epochs: The number of epochs.
            **changed: Other settings that have changed.
        """
        self._write_config({**self.config, "epochs": epochs, **changed})
        if (self.path / "metrics.json").exists():
            again = command("evaluate", self.path, "--overwrite")
            say_once(
                "metrics.json and report.html are of the model before this change. "
                f"`{again}` evaluates it again."
            )

    def is_trained(self, epochs: int | None = None) -> bool:
        """Whether the run has seen `epochs` epochs; None for its own number."""
        if not self.config_file.exists():
            return False
        _, seen = self.checkpoints.newest()
        return seen == (epochs or self.settings.epochs)

    def model(self) -> keras.Model:
        """Loads the trained model.

        Raises:
            FileNotFoundError: If the run has not finished.
            InvalidArgument: If the file is damaged, or needs a class that is
                not known.
        """
        model = self.settings.model
        line = command("train", model, "--resume", "--out", self.path)
        resume = f"`{line}`"
        if self.is_best and not self.model_file.exists():
            raise FileNotFoundError(
                f"{self.path} has no {self.model_file.name}: its training was not "
                "followed, or has not finished. Leave out --best, or train with "
                "--patience."
            )
        if not self.model_file.exists():
            raise FileNotFoundError(
                f"{self.path} has no {self.model_file.name} yet: its training "
                f"has not finished. Go on with {resume}."
            )
        return archives.load(
            self.model_file,
            f"Or make it anew from the last checkpoint with {resume}.",
        )

    def training_progress(self) -> dict[str, Any]:
        """How far the model in `model.keras` was trained.

        Returns:
            Dictionary of `epochs`, whole ones, and `interrupted`: whether it saw
            a part of another one; `{}` where the file does not tell.
        """
        try:
            return saving.facts_of(self.model_file)
        except (ValueError, zipfile.BadZipFile) as error:
            say(
                f"{self.model_file} does not tell how far it was trained: "
                f"{error}"
            )
            return {}

    def history(self) -> dict[str, list[float]]:
        """The logs by epoch.

        Returns:
            Dictionary from names to lists of floats.
        """
        try:
            return self.history_file.read()
        except DamagedHistory as error:
            say(f"{error}. It is left out.")
            return {}

    def free_file(self, stem: str, ending: str) -> pathlib.Path:
        """The first of `stem-1`, `stem-2`, ... that isn't there yet."""
        return files.free_path(self.path / stem, ending)


@contextlib.contextmanager
def new_run(name: str, root: str | os.PathLike = "runs") -> Iterator[Run]:
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
    with files.directory_if_filled(root):
        while True:
            path = files.free_path(root / name)
            with contextlib.suppress(FileExistsError):  # another's, just now
                path.mkdir()
                break
        try:
            yield Run(path)
        finally:
            with contextlib.suppress(OSError):  # it is no longer empty
                path.rmdir()


def save_model(
    run: Run,
    model: keras.Model,
    epochs: int | None = None,
    interrupted: bool = False,
) -> None:
    """Writes `model.keras`, whole, with what `Run.training_progress` gives.

    Args:
        run: A `Run`.
        model: Its model.
        epochs: How many whole ones it was trained for; None for as many as before,
            if its training has not gone on.
        interrupted: Whether it saw a part of another one.
    """
    facts = {"epochs": epochs, "interrupted": interrupted}
    if epochs is None:
        facts = {"epochs": run.settings.epochs, "interrupted": False}
        facts |= run.training_progress()
    saving.save_with_facts(run.model_file, model, facts)
