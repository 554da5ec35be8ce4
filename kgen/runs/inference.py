"""What the commands on a trained run compute: samples, codes, classes, ..."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kgen import files, locks, plots, registry
from kgen.errors import InvalidArgument, command, say, unknown_name
from kgen.runs.directory import Run, save_model
from kgen.runs.drawings import corrupt_and_denoise, denoised_title
from kgen.runs.held_out import held_out
from kgen.tables import forms, reading

# A threshold of outliers is the quantile of so many held-out examples at most.
_QUANTILE = 0.99
_HELD_OUT = 10_000


@dataclasses.dataclass(frozen=True)
class Result:
    """What one of the functions here has computed.

    Args:
        arrays: By their names in a `.npz` file.
        title: Of a picture with a row for each array; None for a picture of
            `images`, by their `labels` if there are any.
        summary: A few words about it.
        rows: A DataFrame for files of tables; None for a column an array.
        cells: The rows as they are written in a CSV file, instead of `rows`; or None.
    """

    arrays: dict[str, Any] = dataclasses.field(default_factory=dict)
    title: str | None = None
    summary: str = ""
    rows: Any = None
    cells: Any = None

    def write(self, file: pathlib.Path) -> None:
        """Writes the arrays as `.npz`, `.csv` or `.parquet`, or draws them."""
        if file.suffix in (".csv", ".parquet"):
            import pandas as pd

            rows = pd.DataFrame(self.arrays) if self.rows is None else self.rows
            if file.suffix == ".csv" and self.cells is not None:
                rows = self.cells
            write_rows(rows, file)
        elif file.suffix == ".npz":
            with files.new_file(file) as temporary:
                np.savez(temporary, **self.arrays)
        elif self.title:
            plots.pairs(self.arrays, file, self.title)
        else:
            labels, names = map(self.arrays.get, ("labels", "class_names"))
            plots.samples(
                self.arrays["images"],
                file,
                labels=labels,
                class_names=() if names is None else names,
            )


def _names(class_names):
    """`class_names` as an array that NumPy's files can hold, if there are any."""
    return {"class_names": np.array(class_names)} if len(class_names) else {}


def write(
    path: str | os.PathLike,
    method: str,
    file: pathlib.Path | None,
    endings: Sequence[str],
    is_best: bool = False,
    **options: Any,
) -> tuple[pathlib.Path, str]:
    """Writes what a method of a run's model computes.

    Args:
        path: The run's directory.
        method: Name of the method, and of a function here, which calls it.
        file: Where the result is written; None for the next free name in the
            run.
        endings: What the file's name may end in, the usual one first.
        is_best: Whether it is the best model of the training, not the last one.
        **options: Arguments of the function here.

    Returns:
        The file, and a few words about the result.

    Raises:
        FileNotFoundError: If there is no run, or its training has not finished.
        InvalidArgument: If the model has no such method, its examples can't be
            drawn in such a file, or an option can't be used.
    """
    run = Run(path, is_best)
    model = run.model()
    if not hasattr(model, _NEEDED.get(method, method)):
        raise InvalidArgument(
            f"The run in {path} is of the model {run.settings.model}, which "
            f"can't {method}. {_advice(run, model, method)}"
        )
    run.sweep_if_free()
    if method in _OF_ROWS:
        endings = [x for x in endings if _fits(x, model.table, method)]
    shape = model.input_shapes[0]
    can_draw = plots.is_drawable if method == "sample" else plots.has_panel
    drawable = can_draw(shape)
    usual = (x for x in endings if drawable or x != ".png")
    ending = file.suffix if file else next(usual)
    if ending not in endings:
        what = "a table" if model.table is not None else "no table"
        raise InvalidArgument(
            f"--out {file}: the model of {path} is of {what}. Pass a name that ends "
            f"in {' or '.join(endings)}."
        )
    if ending == ".png" and not drawable:
        raise InvalidArgument(
            f"Examples of shape {tuple(shape)} can't be drawn. Pass --out with a "
            "name that ends in .npz."
        )
    result = _FUNCTIONS[method](run, model, **options)
    # Another command may have taken a name while this one computed.
    file = file or run.free_file(method, ending)
    result.write(file)
    return file, result.summary


def _advice(run, model, method):
    """What to do where a run's model lacks a method."""
    if method == "sample" and getattr(model, "decodes_z_alone", False):
        line = command("fit-prior", run.path)
        return f"Fit a density to its codes first: {line}"
    able = [
        name
        for name, entry in registry.MODELS.items()
        if hasattr(entry.model_class, _NEEDED.get(method, method))
    ]
    if method == "impute":  # which this model can, too, of a table
        return f"Models of a table that can: {', '.join(able)}."
    others = [name for name in able if name != run.settings.model]
    return f"Models that can: {', '.join(others)}." if others else ""


def write_rows(rows: Any, file: pathlib.Path) -> None:
    """Writes a DataFrame as a CSV or Parquet file, whole or not at all."""
    with files.new_file(file) as temporary:
        if file.suffix == ".csv":
            rows.to_csv(temporary, index=False)
        else:
            rows.to_parquet(temporary, index=False)


def sample(
    run: Run,
    model: keras.Model,
    num: int,
    seed: int,
    label: str | None,
    conditions: tuple[tuple[str, Any], ...] = (),
) -> Result:
    """New examples; of all classes in turn where no label is given.

    A table's classes are as frequent as in training.
    """
    number = None if label is None else _number_of(label, model)
    if model.table is not None:
        rows = model.sample(
            num,
            labels=number,
            seed=seed,
            conditions=model.table.typed(_joined(conditions)),
        )
        cells = _cells_of(model.table, rows)
        return Result(rows=rows, cells=cells, summary=f"{len(rows)} rows")
    if conditions:
        raise InvalidArgument(
            f"--where: the model of {run.path} is of no table. Leave it out."
        )
    labels = model.labels_in_turn(num) if number is None else number
    arrays = {"images": model.sample(num, labels=labels, seed=seed)}
    if labels is not None:
        arrays["labels"] = model.labels_for(num, labels, "sample")
        arrays |= _names(model.class_names)
    return Result(arrays)


def _cells_of(table, rows):
    """Rows as a CSV file has them: whole numbers and truth values as text.

    A column of whole numbers with gaps is one of floats, which pandas would write
    as 40.0.
    """
    cells = rows.copy()
    for column in table.columns:
        is_whole = column.kind in ("integer", "count", "boolean")
        if is_whole and column.name in rows:
            cells[column.name] = forms.texts(rows[column.name])
    return cells


def _joined(conditions):
    """Conditions as a dictionary; several values of one column become a list."""
    joined = {}
    for name, wanted in conditions:
        joined.setdefault(name, []).append(wanted)
    for name, values in joined.items():
        if len(values) > 1 and any(isinstance(x, tuple) for x in values):
            raise InvalidArgument(
                f"--where: column `{name}` has bounds beside another condition. Pass "
                "its bounds once, or values alone."
            )
    return {n: x if len(x) > 1 else x[0] for n, x in joined.items()}


def _number_of(label: str, model: keras.Model) -> int:
    """The number of a class that a user has typed by its name or its number.

    Raises:
        InvalidArgument: If there is no such class; the nearest name is offered.
    """
    names = list(model.class_names)
    if label not in names:
        try:
            return int(label)
        except ValueError:
            pass
        if not names:
            raise InvalidArgument(
                f"--label {label}: the names of the classes are not known. Pass the "
                "number of a class, from 0."
            )
        raise unknown_name("--label", "kgen sample", names, label)
    number = names.index(label)
    if label.isdecimal() and int(label) != number:
        say(
            f"--label {label} is the class of this name, with the number {number}."
        )
    return number


def reconstruct(
    run: Run, model: keras.Model, data: str | None, num: int
) -> Result:
    """`num` test examples, and their reconstructions."""
    dataset = held_out(run, model, data, num, batch_size=num).dataset
    inputs, originals = model.unpack(next(iter(dataset)))
    if model.table is not None:
        rows = _reconstructed_rows(model, inputs, originals)
        return Result(rows=rows, cells=_cells_of(model.table, rows))
    arrays = {
        "original": originals.numpy(),
        "reconstruction": model.reconstruct(dataset),
    }
    return Result(arrays, "Originals and their reconstructions")


def _reconstructed_rows(model, inputs, originals):
    """Each row above its reconstruction."""
    import pandas as pd

    labels = inputs[1].numpy() if model.conditional else None
    given = (originals.numpy(), model(inputs).numpy())
    names = ("original", "reconstruction")
    parts = [model.rows_of(x, labels) for x in given]
    row, of = (reading.free_name(n, parts[0].columns) for n in ("row", "of"))
    for name, part in zip(names, parts):
        part.insert(0, row, range(len(part)))
        part.insert(1, of, name)
    return pd.concat(parts).sort_values(row, kind="stable")


def impute(
    run: Run,
    model: keras.Model,
    data: str,
    num_samples: int,
    draw: bool,
    seed: int,
) -> Result:
    """Rows of a table without their gaps."""
    rows = model.table.read(data)
    filled = model.impute(rows, num_samples, draw, seed)
    # Rows with inferred types would change cells such as 00501, or 2^60 + 1.
    cells, gaps = reading.cells(data), 0
    for column in model.table.encoded:
        name = column.name
        missing = column.known(rows[name]).isna() & filled[name].notna()
        gaps += int(missing.sum())
        if cells is not None:
            cells.loc[missing, name] = forms.texts(filled.loc[missing, name])
    if cells is None:
        cells = _cells_of(model.table, filled)
    summary = f"{gaps} gaps in {len(filled)} rows are filled"
    return Result(rows=filled, cells=cells, summary=summary)


def denoise(
    run: Run, model: keras.Model, data: str | None, num: int | None
) -> Result:
    """Noisy examples without their noise.

    Those of `data` are noisy already; the run's own are corrupted as in
    training.
    """
    parts, position = [], 0
    for batch in held_out(run, model, data, num, any_range=True).dataset:
        inputs, x = model.unpack(batch)
        if data:
            rows = {"noisy": x.numpy(), "denoised": model(inputs).numpy()}
        else:
            rows = corrupt_and_denoise(model, inputs, x, position)
        parts.append(rows)
        position += len(x)
    arrays = {
        name: np.concatenate([part[name] for part in parts])
        for name in parts[0]
    }
    if data or not plots.has_panel(model.input_shapes[0]):
        return Result(arrays, "Noisy pictures, denoised")
    title = denoised_title(arrays)
    return Result(arrays, title, title)


def encode(run: Run, model: keras.Model, data: str | None) -> Result:
    """Codes of the test examples, with their labels and files if they have any."""
    held = held_out(run, model, data, any_range=model.encodes_any_range)
    if hasattr(model, "posterior"):
        codes = model.posterior(held.dataset)
        arrays = dict(zip(("mean", "log_var"), codes))
        if model.posterior_flow is not None:
            arrays["z"] = model.encode(held.dataset)
    else:
        arrays = {"z": model.encode(held.dataset)}
    count, size = next(iter(arrays.values())).shape
    return Result(
        {**arrays, **held.facts}, summary=f"{count} codes of size {size}"
    )


def classify(run: Run, model: keras.Model, data: str | None) -> Result:
    """log P(y|x) and log p(x) of the test examples, in nats, and the classes."""
    from scipy.special import log_softmax, logsumexp

    held = held_out(run, model, data, labels=False)
    joint = model.log_joint(held.dataset)
    names = model.class_names or tuple(map(str, range(joint.shape[1])))
    rows = _classified_rows(names, joint)
    if model.table is not None:
        return Result(rows=rows, summary=f"{len(joint)} rows")
    for place, (name, values) in enumerate(held.columns.items()):
        rows.insert(place, name, values)
    arrays = {
        "log_probabilities": log_softmax(joint, axis=1),
        "log_prob": logsumexp(joint, axis=1),
        "predicted": joint.argmax(axis=1),
        **held.facts,
        **_names(model.class_names),
    }
    return Result(arrays, summary=f"{len(joint)} examples", rows=rows)


def detect(
    run: Run,
    model: keras.Model,
    data: str,
    quantile: float | None,
    num_samples: int | None,
    save_threshold: bool,
) -> Result:
    """Scores of the examples of `data`, and which of them are outliers."""
    labels = model.conditional and not model.needs_labels
    held = held_out(run, model, data, labels=labels)
    if save_threshold:
        with locks.directory(run.path):
            model = run.model()  # as it is now
            threshold = _set_threshold(
                run, model, labels, quantile, num_samples
            )
            save_model(run, model)
    else:
        threshold = _set_threshold(run, model, labels, quantile, num_samples)
    scores = model.outlier_score(held.dataset, **model.threshold_options)
    if held.has_class is not None:  # a row that is left out keeps its place
        every = np.full(len(held.has_class), np.nan)
        every[held.has_class] = scores
        scores = every
    found = scores > model.threshold
    files = {k: v for k, v in held.columns.items() if k == "file"}
    return Result(
        {**files, "outlier_score": scores, "is_outlier": found},
        summary=f"{found.sum()} of {len(found)} examples are outliers, with scores "
        f"above {model.threshold:.6g} nats, {threshold}",
    )


def _set_threshold(run, model, labels, quantile, num_samples):
    """Fits a threshold if the model has none, or another one is asked for.

    Returns:
        Where the threshold comes from, in words.
    """
    options = {} if num_samples is None else {"num_samples": num_samples}
    if model.threshold is not None and quantile is None and not options:
        return "the model's threshold"
    quantile = _QUANTILE if quantile is None else quantile
    held = held_out(run, model, num=_HELD_OUT, labels=labels)
    model.fit_threshold(held.dataset, quantile, **options)
    count = len(held.examples)
    return f"the {quantile:g} quantile of {count} examples of the run"


def _classified_rows(class_names, joint):
    """The most probable class of each row, and the probabilities of all."""
    import pandas as pd
    from scipy.special import logsumexp, softmax

    rows = pd.DataFrame(softmax(joint, axis=1), columns=list(class_names))
    rows = rows.add_prefix("P(").add_suffix(")")
    names = np.array(class_names, "O")
    rows.insert(0, "predicted", names[joint.argmax(axis=1)])
    rows.insert(1, "log_prob", logsumexp(joint, axis=1))
    return rows


_FUNCTIONS: dict[str, Callable[..., Result]] = {
    "sample": sample,
    "reconstruct": reconstruct,
    "impute": impute,
    "denoise": denoise,
    "encode": encode,
    "classify": classify,
    "detect": detect,
}
# What writes a table's rows, where the model is of a table.
_OF_ROWS = ("sample", "reconstruct", "impute", "classify")
_ENDINGS_OF_ROWS = (".csv", ".parquet")
# The models' method that a function needs, where it has another name.
_NEEDED = {"detect": "outlier_score"}


def _fits(ending, table, method):
    """Whether examples of a model with or without a table go into such a file."""
    if table is None and method == "classify":  # one row for each, of any data
        return True
    return (ending in _ENDINGS_OF_ROWS) == (table is not None)
