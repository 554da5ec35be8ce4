"""The commands that are disturbed: what they need, and what they leave."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_digits

from kgen import registry
from tests.faults import compare, processes

VECTORS, PICTURES, STUDY, RUN = (
    "vectors.npz",
    "pictures.npz",
    "study.toml",
    "run",
)
_UNSTEADY = """
    --patience 2 --checkpoint-every 3e --set ema_decay=None
    --set optimizer=adam:0.01 --set discriminator_optimizer=adam:0.01 --seed 2
"""
_STUDY = """
model = "autoencoder"
objective = "val_mse"
tuner = "random"
[budget]
trials = 3
epochs = 2
[space]
latent_dim = {{values = [1, 2, 3]}}
hidden_units = [8]
[data]
source = "{}"
"""


@dataclasses.dataclass(frozen=True)
class Task:
    """A command, what goes on with it, and how its work is compared.

    Args:
        name: Of the task.
        command: Arguments of `kgen`.
        more: Those that are added to go on after a fault.
        marker: The file whose presence tells that there is something to go on
            with; None where the same command is simply given again.
        inputs: Names of what must be in the folder in which it runs.
        differences: As `compare.differences`.
    """

    name: str
    command: tuple
    more: tuple = ()
    marker: str | None = None
    inputs: tuple = ()
    differences: Callable = compare.differences

    def again(self, folder):
        """The arguments by which the command is given again after a fault."""
        began = self.marker and (folder / self.marker).exists()
        return (*self.command, *(self.more if began else ()))


def write_inputs(folder):
    """Writes the data and the study that all tasks use.

    Args:
        folder: `pathlib.Path`.
    """
    x, y = load_digits(return_X_y=True)
    x, y = (15 * x[:120]).astype("uint8"), y[:120] % 3
    np.savez(folder / PICTURES, x=x.reshape(-1, 8, 8, 1), y=y)
    np.savez(folder / VECTORS, x=x[:, 18:22], y=y)
    (folder / STUDY).write_text(_STUDY.format(folder / VECTORS))


def train(folder, model, data, epochs=3, name=None):
    """The task of training a model.

    Args:
        folder: Where the inputs are.
        model: Its name.
        data: Name of the data among the inputs.
        epochs: How many.
        name: Of the task; None for the model's.
    """
    options = f"""
        --data {folder / data} --network dense --set hidden_units=[8]
        --latent-dim 2 --epochs {epochs} --batch-size 32 --out {RUN}
        --fit-prior none --checkpoint-every 1e
    """
    if model == "bayes_classifier":  # it has no network
        options = options.replace("--set hidden_units=[8]", "")
    return Task(
        name or model,
        ("train", model, *options.split()),
        more=("--resume",),
        marker=f"{RUN}/config.json",
    )


def export_differences(folder, wanted):
    """As `compare.differences`, of the versions of an export.

    Each one that is there must be what the first one should be, and answer so.
    """
    place = pathlib.Path("saved_models", "vae")
    wanted = wanted / place / "1"
    versions = [
        path
        for path in sorted((folder / place).iterdir())
        if path.name.isdecimal()
    ]
    said = compare.left_over(folder / "saved_models")
    for path in versions:
        said += compare.differences(path, wanted)
        ours, theirs = map(processes.answers, (path, wanted))
        if not all(np.array_equal(ours[key], theirs[key]) for key in theirs):
            said.append(f"{path.name} answers otherwise")
    if 'name: "vae"' not in (folder / "saved_models/models.config").read_text():
        said.append("models.config lacks the model")
    return said if versions else ["there is no export"]


def differences_by_time(folder, wanted):
    """As `compare.differences`, where the clock says when checkpoints are kept.

    All but the last one, which is of the third epoch, may be others.
    """
    return [
        text
        for text in compare.differences(folder, wanted)
        if not text.startswith(f"{RUN}/checkpoints/epoch-")
        or "epoch-00003" in text
    ]


def all_tasks(folder):
    """All tasks, by their names.

    Args:
        folder: Where the inputs are.
    """
    tune = Task(
        "tune",
        ("tune", STUDY),
        more=("--resume",),
        marker="study.trials/study.json",
        inputs=(STUDY,),
    )
    evaluate = "evaluate run --extractor pixels --num-samples 50"
    vae = train(folder, "vae", VECTORS)
    coder = train(folder, "autoencoder", VECTORS)
    gan = train(folder, "gan", VECTORS, epochs=40)
    tasks = [
        dataclasses.replace(
            vae,
            name="vae-within",
            command=(*vae.command, "--checkpoint-every", "1"),
        ),
        dataclasses.replace(
            vae,
            name="vae-by-time",
            command=vae.command[:-2],
            differences=differences_by_time,
        ),
        *(train(folder, model, VECTORS) for model in registry.MODELS),
        *(
            train(folder, model, PICTURES, name=f"{model}-pictures")
            for model in ("vae", "gan", "denoising_autoencoder")
        ),
        # Its best model is of the third look of five, after which it is stopped.
        dataclasses.replace(
            gan,
            name="gan-best",
            command=(*gan.command, *_UNSTEADY.split()),
        ),
        dataclasses.replace(
            coder,
            name="autoencoder-prior",
            command=(*coder.command, "--fit-prior", "mixture:2"),
        ),
        Task(
            "fit-prior",
            ("fit-prior", RUN, "--prior", "mixture:2"),
            inputs=(RUN,),
        ),
        tune,
        dataclasses.replace(
            tune, name="tune-2", command=(*tune.command, "--workers", "2")
        ),
        Task(
            "evaluate",
            (*evaluate.split(), "--importance-samples", "5"),
            more=("--overwrite",),
            marker="run/report.html",  # it is written before the figures
            inputs=(RUN,),
        ),
        Task(
            "export",
            ("export", RUN),
            inputs=(RUN,),
            differences=export_differences,
        ),
    ]
    return {task.name: task for task in tasks}
