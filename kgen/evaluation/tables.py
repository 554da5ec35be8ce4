"""Synthetic rows of a table, beside held-out real ones."""

from typing import Any

from kgen import frames
from kgen.evaluation.estimates import Estimate
from kgen.evaluation.evidence import Evidence
from kgen.evaluation.groups import COMPARED, Metric, group, too_few
from kgen.metrics.tables import table_figures

_LEAST = 10  # rows of each


def _no_training_rows(evidence):
    if evidence.train is None:
        return "no training rows to compare with"
    return None


def _no_target(evidence):
    if evidence.target is None:
        return "there is no target to predict: --target COLUMN names one"
    if len(evidence.model.table.figured_kinds) < 2:
        return "there is no column to predict the target from"
    return None


def _not_of_classes(evidence):
    reason = _no_target(evidence)
    if reason is None and _is_number(evidence):
        reason = f"the target `{evidence.target}` holds numbers"
    return reason


def _not_of_numbers(evidence):
    reason = _no_target(evidence)
    if reason is None and not _is_number(evidence):
        reason = f"the target `{evidence.target}` holds no numbers"
    return reason


def _is_number(evidence):
    kinds = evidence.model.table.figured_kinds
    return frames.are_numbers(kinds[evidence.target])


@group(
    method="sample",
    of_tables=True,
    obstacles=(_no_training_rows, too_few(_LEAST, *COMPARED)),
    obstacles_of={
        "learned_accuracy": _not_of_classes,
        "learned_f1": _not_of_classes,
        "learned_r2": _not_of_numbers,
    },
    column_shapes=Metric(
        "Shapes of columns",
        "higher",
        "",
        "How far the distribution of each column agrees with that of the training "
        "rows, from 0 to 1, in the mean over columns; the floor is that of "
        "held-out rows.",
    ),
    gaps=Metric(
        "Shares of gaps",
        "higher",
        "",
        "How far the share of gaps in each column agrees with that of the training "
        "rows, from 0 to 1.",
    ),
    pair_trends=Metric(
        "Trends of pairs",
        "higher",
        "",
        "How far each pair of columns goes together as in the training rows, from 0 "
        "to 1, in the mean over pairs.",
    ),
    learned_accuracy=Metric(
        "Accuracy learned of synthetic rows",
        "higher",
        "",
        "Of gradient boosting that is trained on synthetic rows to tell the target, "
        "on held-out rows; the floor is that of training rows.",
    ),
    learned_f1=Metric(
        "F1 learned of synthetic rows",
        "higher",
        "",
        "As the accuracy; the mean over the target's classes.",
    ),
    learned_r2=Metric(
        "R2 learned of synthetic rows",
        "higher",
        "",
        "On held-out rows, of gradient boosting that is trained on synthetic rows to "
        "predict the target, which is a number: 1 at most, and 0 for a guess of the "
        "mean; the floor is that of training rows.",
    ),
    telling_apart=Metric(
        "Telling rows apart",
        "lower",
        "AUC",
        "How well gradient boosting tells synthetic rows from held-out ones: 0.5 "
        "where it can't. The floor has training rows in place of synthetic ones.",
    ),
    exact_copies=Metric(
        "Copies of training rows",
        None,
        "",
        "The share of rows that equal a training row in all columns; well above the "
        "floor, that of held-out rows, the model repeats what it has seen.",
    ),
    near_copies=Metric(
        "Rows near to training rows",
        None,
        "",
        "The share that is nearer to a training row than 99 % of the held-out rows "
        "are.",
    ),
    valid_rows=Metric(
        "Valid rows",
        "higher",
        "",
        "The share without a category or a value outside of what training rows "
        "have.",
    ),
)
def tables(evidence: Evidence) -> dict[str, Estimate]:
    table = evidence.model.table
    target = None if _no_target(evidence) else evidence.target
    found = table_figures(
        *evidence.rows, table.figured_kinds, target, evidence.seed
    )
    names = {
        "accuracy": "learned_accuracy",
        "macro_f1": "learned_f1",
        "r2": "learned_r2",
    }
    return {
        names.get(name, name): _estimate(figure)
        for name, figure in found["figures"].items()
        if figure["value"] is not None and names.get(name, name) in _KNOWN
    }


_KNOWN = set(tables.metrics)


def _estimate(figure: dict[str, Any]) -> Estimate:
    return Estimate(figure["value"], floor=figure["floor"])
