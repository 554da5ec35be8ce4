"""A run's directory: its files, their settings, and what a kill may leave."""

import contextlib
import os
import pathlib
import re
import shutil
import sys

from kgen import files, locks
from kgen.data import open_source
from kgen.errors import InvalidArgument
from kgen.errors import say as _say
from kgen.runs import archives, history, settings
from kgen.runs.checkpoints import Checkpoints

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
        self.history_file = history.History(self.path / "history.csv")

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
        except history.Damaged as error:
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
