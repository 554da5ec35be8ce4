"""What a classifier learns of synthetic rows: to predict, to tell them apart."""

import numpy as np
import pandas as pd

from kgen import frames
from kgen.errors import invalid, unknown_name
from kgen.params import SEED, Text, checked

FOLDS = 5
LEAST_ROWS = 2 * FOLDS  # of each kind, for rows that are told apart
_FEW_ROWS = 50_000
_MANY_ROWS = 10_000  # beyond which gradient boosting stops early, by default
_CATEGORIES = 255  # that scikit-learn's gradient boosting takes in a column


@checked(**frames.THREE_TABLES, target=Text("a column's name"), seed=SEED)
def train_on_synthetic(
    train: pd.DataFrame,
    held_out: pd.DataFrame,
    synthetic: pd.DataFrame,
    kinds: dict[str, str],
    target: str,
    seed: int = 0,
) -> dict[str, dict[str, float | None]]:
    """Returns how well what is learned of synthetic rows holds for real ones.

    Gradient boosting (scikit-learn's, by its defaults) learns to predict a column
    from the others, once from the training rows and once from the synthetic rows;
    both are tested on the held-out rows. Categories and gaps are given to it as
    they are; the 255th most frequent category of a column and rarer ones count as
    one. Rows without the target are left out.

    Args:
        train: Table of the training rows.
        held_out: Table of real rows not trained on.
        synthetic: Table of the rows to be judged.
        kinds: Kind of each column that is used, by its name, as `column_shapes`
            takes them.
        target: Name of the column that is predicted.
        seed: Integer.

    Returns:
        Dictionary with `real`, of what was learned of the training rows, and
        `synthetic`, each a dictionary with `accuracy` and `macro_f1`, from 0 to 1,
        where the target is a category or a boolean; else with `r2`, 1 at most, 0
        for a guess of the mean, and below for what is worse. All are None if no
        synthetic row has a target.

    Raises:
        InvalidArgument: If a table is empty, lacks a column, or has values in it
            that are not of its kind; or if the target is no column, or has fewer
            than two values in the training rows, or of numbers in the held-out ones.

    References:
        Esteban et al. (2017), Real-valued (medical) time series generation with
        recurrent conditional GANs, arXiv 1706.02633, section 4.2 ("train on
        synthetic, test on real").
    """
    owner = "train_on_synthetic"
    check_target(target, kinds, owner)
    if len(kinds) < 2:
        raise invalid("kinds", owner, "a column besides the target", kinds)
    given = {"train": train, "held_out": held_out, "synthetic": synthetic}
    encoded = frames.encode(kinds, owner, **given)
    tables = [_with_target(table, target) for table in encoded.tables]
    real, test, made = tables
    is_number = frames.are_numbers(kinds[target])
    _check_values("train", real[target], owner, 2)
    _check_values("held_out", test[target], owner, 2 if is_number else 1)
    judge = _r2 if is_number else _accuracies
    inputs = {name: kind for name, kind in kinds.items() if name != target}
    with _threads(len(train)):
        return {
            "real": judge(real, test, inputs, target, seed),
            "synthetic": judge(made, test, inputs, target, seed),
        }


def _threads(count):
    """A context in which gradient boosting of few rows has a single thread.

    On few rows, several threads gain little. Where other programs use the processor,
    too, they would wait for each other for minutes instead of seconds.
    """
    from threadpoolctl import threadpool_limits

    limit = None if count > _FEW_ROWS else 1
    return threadpool_limits(limit, user_api="openmp")


def check_target(target: str, kinds: dict[str, str], owner: str) -> None:
    """Raises unless the target is one of the columns."""
    if target not in kinds:
        raise unknown_name("target", owner, kinds, target)


def _with_target(table, target):
    known = ~np.isnan(table[target])
    return {name: x[known] for name, x in table.items()}


def _check_values(argument, y, owner, least):
    found = len(np.unique(y))
    if found < least:
        values = "a value" if least == 1 else "two values or more"
        expected = f"{values} of the target that is to be predicted"
        raise invalid(argument, owner, expected, found)


def _accuracies(rows, test, inputs, target, seed):
    from sklearn.metrics import accuracy_score, f1_score

    y = rows[target]
    if not len(y):
        return {"accuracy": None, "macro_f1": None}
    model, used = _classifier(rows, y, inputs, seed)
    guesses = model.predict(_features(test, used))
    return {
        "accuracy": float(accuracy_score(test[target], guesses)),
        "macro_f1": float(
            f1_score(test[target], guesses, average="macro", zero_division=0.0)
        ),
    }


def _r2(rows, test, inputs, target, seed):
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.metrics import r2_score

    if not len(rows[target]):
        return {"r2": None}
    used = _with_values(rows, inputs)
    model = DummyRegressor()
    if used:
        model = HistGradientBoostingRegressor(**_settings(used, seed))
    model.fit(_features(rows, used), rows[target])
    guesses = model.predict(_features(test, used))
    return {"r2": float(r2_score(test[target], guesses))}


def _classifier(rows, y, inputs, seed):
    """A classifier, and the kinds of the columns that it takes."""
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier

    used = _with_values(rows, inputs)
    model = DummyClassifier()
    _, counts = np.unique(y, return_counts=True)
    if used and len(counts) > 1:  # it refuses a single class
        model = HistGradientBoostingClassifier(
            early_stopping=_stops_early(counts), **_settings(used, seed)
        )
    return model.fit(_features(rows, used), y), used


def _stops_early(counts):
    """scikit-learn's default, where a tenth of the rows can have all classes."""
    total = counts.sum()
    can_hold_out = counts.min() > 1 and len(counts) <= total // 10
    return bool(total > _MANY_ROWS and can_hold_out)


def _with_values(rows, inputs):
    """The columns that are not gaps alone, which gradient boosting fails at."""
    return {
        name: kind
        for name, kind in inputs.items()
        if not np.isnan(rows[name]).all()
    }


def _settings(used, seed):
    categories = [not frames.are_numbers(kind) for kind in used.values()]
    return {"categorical_features": categories, "random_state": seed}


def _features(table, used):
    """Array of shape `(n, columns)`."""
    # Codes are in the order of their frequency: the last ones are rare.
    columns = [
        table[name]
        if frames.are_numbers(kind)
        else np.minimum(table[name], _CATEGORIES - 1)
        for name, kind in used.items()
    ]
    count = len(next(iter(table.values())))
    return np.array(columns).reshape(len(columns), count).T


@checked(**frames.TWO_TABLES, seed=SEED)
def telling_apart(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    kinds: dict[str, str],
    seed: int = 0,
) -> float:
    """Returns how well a classifier tells synthetic rows from real ones.

    Gradient boosting (scikit-learn's, by its defaults) learns from four fifths of
    both tables, and is tested on the rest, five times. Categories and gaps are
    given to it as they are; the 255th most frequent category of a column and rarer
    ones count as one.

    Args:
        real: Table of real rows, which the synthetic ones' model has not seen.
        synthetic: Table of the rows to be judged, best as many.
        kinds: Kind of each column that is used, by its name, as `column_shapes`
            takes them.
        seed: Integer.

    Returns:
        The mean area under the ROC curve, from 0 to 1: the probability that of a
        synthetic and a real row the classifier takes the right one for synthetic.
        0.5 is best: the rows can't be told apart; 1 is worst. Values below 0.5 are
        chance.

    Raises:
        InvalidArgument: If a table has fewer than 10 rows, lacks a column, or has
            values in it that are not of its kind.

    References:
        Lopez-Paz & Oquab (2017), Revisiting classifier two-sample tests,
        arXiv 1610.06545.
    """
    from sklearn.model_selection import StratifiedKFold

    owner = "telling_apart"
    for name, frame in (("real", real), ("synthetic", synthetic)):
        if len(frame) < LEAST_ROWS:
            rows = f"{LEAST_ROWS} rows or more"
            raise invalid(name, owner, rows, len(frame))
    encoded = frames.encode(kinds, owner, real=real, synthetic=synthetic)
    table = {
        name: np.concatenate([part[name] for part in encoded.tables])
        for name in kinds
    }
    y = np.repeat([0, 1], [len(real), len(synthetic)])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with _threads(len(y)):
        areas = [
            _area(table, y, learned, tested, kinds, seed)
            for learned, tested in folds.split(y, y)
        ]
    return float(np.mean(areas))


def _area(table, y, learned, tested, kinds, seed):
    """The area under the curve on some rows, of what is learned from others."""
    from sklearn.metrics import roc_auc_score

    rows, test = (
        {name: x[places] for name, x in table.items()}
        for places in (learned, tested)
    )
    model, used = _classifier(rows, y[learned], kinds, seed)
    guesses = model.predict_proba(_features(test, used))[:, 1]
    return roc_auc_score(y[tested], guesses)
