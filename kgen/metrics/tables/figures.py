"""All figures of synthetic rows, each with its floor and a sentence."""

from typing import Any

import numpy as np
import pandas as pd

from kgen import frames
from kgen.metrics.tables import sentences
from kgen.metrics.tables.learning import (
    LEAST_ROWS,
    check_target,
    telling_apart,
    train_on_synthetic,
)
from kgen.metrics.tables.pairs import pair_trends
from kgen.metrics.tables.records import copies
from kgen.metrics.tables.shapes import column_shapes
from kgen.metrics.tables.validity import validity
from kgen.params import SEED, Optional, Text, checked

_CLOSEST = 5_000  # rows whose closest training row is looked for, at most


@checked(
    **frames.THREE_TABLES, target=Optional(Text("a column's name")), seed=SEED
)
def table_figures(
    train: pd.DataFrame,
    held_out: pd.DataFrame,
    synthetic: pd.DataFrame,
    kinds: dict[str, str],
    target: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Returns what synthetic rows of a table are worth, by all figures.

    Each figure stands beside its floor: the same figure of held-out real rows in
    place of synthetic ones. Where the number of rows matters, as many of both are
    compared, drawn by the seed.

    Args:
        train: Table of the rows that the synthetic ones' model was trained on.
        held_out: Table of real rows that it has not seen.
        synthetic: Table of the rows to be judged.
        kinds: Kind of each column that is compared, by its name: `"numeric"`,
            `"integer"`, `"datetime"`, `"category"` or `"boolean"`. Other columns,
            such as numbers of rows, are left out.
        target: Name of a column that is to be predicted from the others; None to
            leave this figure out.
        seed: Integer.

    Returns:
        Dictionary of what JSON knows, with `rows`, the numbers of rows: `train`,
        `held_out`, `synthetic`, and `compared`, of the last two each; and
        `figures`, by name: dictionaries with `value`, a number or None; `floor`;
        `better`, which is `"higher"`, `"lower"`, or None where the floor is best;
        `sentence`, what it means for this table; and `details`. The figures, from 0
        to 1 but for `r2`:

        - `column_shapes`, `gaps` (both of `column_shapes`);
        - `pair_trends`, `strong_pair_trends` (of `pair_trends`);
        - `accuracy` and `macro_f1`, or `r2`, of what is learned of synthetic rows,
          of training rows as the floor (of `train_on_synthetic`);
        - `telling_apart`, from held-out rows; its floor has training rows in place
          of synthetic ones. None for fewer than 10 rows of a table;
        - `exact_copies`, `near_copies`, `closest_distance` (of `copies`), of 5,000
          rows at most;
        - `valid_rows` (of `validity`).

    Raises:
        InvalidArgument: If a table is empty, lacks a column, or has values in it
            that are not of its kind; or if the target is no column, or has too few
            values to be predicted.

    Example:

        kinds = {"age": "integer", "income": "numeric", "vote": "category"}
        found = table_figures(train, test, synthetic, kinds, target="vote")
        for name, figure in found["figures"].items():
            print(name, figure["value"], figure["floor"], figure["sentence"])
    """
    if target is not None:
        check_target(target, kinds, "table_figures")
    # What can't be had is refused before any work.
    given = {"train": train, "held_out": held_out, "synthetic": synthetic}
    frames.encode(kinds, "table_figures", **given)
    count = min(len(held_out), len(synthetic))
    alike = [_drawn(frame, count, seed) for frame in (held_out, synthetic)]
    closest = [_drawn(frame, _CLOSEST, seed) for frame in (held_out, synthetic)]
    learned = {}
    if target is not None:
        learned = _learned(kinds, target, seed, train, held_out, synthetic)
    figures = {
        **_shapes(kinds, train, *alike),
        **_pairs(kinds, train, *alike),
        **learned,
        "telling_apart": _telling_apart(kinds, seed, train, *alike),
        **_copies(kinds, train, *closest),
        "valid_rows": _validity(kinds, train, held_out, synthetic),
    }
    rows = {name: len(frame) for name, frame in given.items()}
    return {"rows": {**rows, "compared": count}, "figures": figures}


def _drawn(frame, count, seed):
    """Rows of a table, as many as asked for at most, in their order."""
    if len(frame) <= count:
        return frame
    places = np.random.default_rng(seed).permutation(len(frame))[:count]
    return frame.iloc[np.sort(places)]


def _figure(value, floor, better, sentence, details=None):
    return {
        "value": value,
        "floor": floor,
        "better": better,
        "sentence": sentence,
        "details": details,
    }


def _shapes(kinds, train, held_out, synthetic):
    found = column_shapes(train, synthetic, kinds)
    floor = column_shapes(train, held_out, kinds)
    columns = found["columns"]
    value, least = found["shape"], floor["shape"]
    shapes = {name: column["shape"] for name, column in columns.items()}
    sentence = sentences.shapes(value, least, shapes)
    gaps = sentences.gaps(found["gaps"], floor["gaps"], columns)
    return {
        "column_shapes": _figure(value, least, "higher", sentence, columns),
        "gaps": _figure(found["gaps"], floor["gaps"], "higher", gaps),
    }


def _pairs(kinds, train, held_out, synthetic):
    found = pair_trends(train, synthetic, kinds)
    floor = pair_trends(train, held_out, kinds)
    every = found["mean"], floor["mean"]
    strong = found["strong"], floor["strong"]
    sentence = sentences.pairs(*every, found["pairs"])
    return {
        "pair_trends": _figure(*every, "higher", sentence, found["pairs"]),
        "strong_pair_trends": _figure(
            *strong, "higher", sentences.strong_pairs(*strong)
        ),
    }


def _learned(kinds, target, seed, train, held_out, synthetic):
    given = train, held_out, synthetic
    found = train_on_synthetic(*given, kinds, target, seed)
    figures = {}
    for name, floor in found["real"].items():
        value = found["synthetic"][name]
        sentence = sentences.learned(name, target, value, floor)
        figures[name] = _figure(value, floor, "higher", sentence)
    return figures


def _telling_apart(kinds, seed, train, held_out, synthetic):
    count = min(len(train), len(held_out))
    if count < LEAST_ROWS:
        reason = sentences.too_few(LEAST_ROWS)
        return _figure(None, None, "lower", reason)
    train, held_out, synthetic = (
        _drawn(frame, count, seed) for frame in (train, held_out, synthetic)
    )
    value = telling_apart(held_out, synthetic, kinds, seed)
    floor = telling_apart(held_out, train, kinds, seed)
    sentence = sentences.telling_apart(value, floor)
    return _figure(value, floor, "lower", sentence)


def _copies(kinds, train, held_out, synthetic):
    found = copies(train, held_out, synthetic, kinds)
    names = {
        "exact_copies": "exact",
        "near_copies": "near",
        "closest_distance": "distance",
    }
    figures = {}
    for name, key in names.items():
        pair = found["synthetic"][key], found["held_out"][key]
        figures[name] = _figure(*pair, None, sentences.COPIES[key](*pair))
    return figures


def _validity(kinds, train, held_out, synthetic):
    found = validity(train, synthetic, kinds)
    pair = found["valid"], validity(train, held_out, kinds)["valid"]
    sentence = sentences.validity(*pair, found["columns"])
    return _figure(*pair, "higher", sentence, found["columns"])
