"""Judges synthetic rows of tables.py; runs in the peers' environment.

    python benchmarks/tables_judge.py FOLDER TARGET METHOD ...

FOLDER holds train.csv and test.csv, and a folder for each method with its rows.csv;
a line of JSON is printed for each method. "real" judges real rows in place of
synthetic ones: the test rows where synthetic rows are compared with those for
training, and these where they are compared with the test rows.

- shapes, pairs, quality: sdmetrics' report against the training rows. Its pairs are
  those that are related in the training rows (by a correlation above .5 or an
  association above .3): on few columns these are few. Beside a category, it cuts each
  table's numbers into ten equal parts of *its own* range, so that one extreme value
  moves the figure.
- all_pairs: what sees all pairs of columns: the mean of 1 - total variation distance
  of the two columns' joint shares, where numbers are cut at the training rows'
  fifths, and gaps are a category.
- accuracy and f1, or r2: gradient boosting, trained on synthetic rows, of the target
  of the test rows (f1 is the mean over classes).
- auc: gradient boosting that tells synthetic rows from test rows, in 5 folds; .5 is
  best.
- copies: share of rows that equal a training row in all columns.
- distance: median distance to the closest training row, a mean over columns: of
  numbers in shares of the training rows' range, of categories 0 or 1; a gap is half
  to one away from a number. nearer: the share of rows that are closer to a training
  row than to any test row, ties by halves; .5 where nothing is remembered.
- out_of_range: share of rows with a number outside the training rows' range or a
  category that these don't have. not_whole: share of rows with a fraction in a column
  of whole numbers.
- gaps: mean over columns of the difference of the rates of gaps.
"""

import itertools
import json
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd
import tables_sets
from sdmetrics.reports import QualityReport
from sklearn import ensemble, metrics, model_selection, neighbors, preprocessing


def quality(real, rows, columns):
    """sdmetrics' figures of rows, against real ones."""
    types = {
        name: {"sdtype": "categorical" if kind == "category" else "numerical"}
        for name, kind in columns.items()
    }
    metadata = {"tables": {"rows": {"columns": types}}}
    report = QualityReport()
    report.generate({"rows": real}, {"rows": rows}, metadata, verbose=False)
    scores = report.get_properties().set_index("Property")["Score"]
    return {
        "shapes": scores["Column Shapes"],
        "pairs": scores["Column Pair Trends"],
        "quality": report.get_score(),
    }


def _cut(real, rows, kind):
    """The texts of real cells and others; numbers are cut into fifths."""
    columns = [real, rows]
    if kind != "category":
        edges = np.unique(real.quantile([0.2, 0.4, 0.6, 0.8]))
        columns = [
            column.where(column.isna(), np.searchsorted(edges, column))
            for column in columns
        ]
    return [column.astype(str) for column in columns]


def all_pairs(real, rows, columns):
    """The mean over pairs of columns of 1 - total variation distance."""
    cut = [_cut(real[name], rows[name], columns[name]) for name in columns]
    found = []
    for first, second in itertools.combinations(cut, 2):
        ours, theirs = (
            (one + "|" + other).value_counts(normalize=True)
            for one, other in zip(first, second)
        )
        distance = ours.sub(theirs, fill_value=0).abs().sum() / 2
        found.append(1 - distance)
    return {"all_pairs": np.mean(found)}


class Numbers:
    """Rows as a matrix of numbers for trees: codes of categories, NaN for gaps.

    Args:
        real: DataFrame whose categories are known; others are gaps.
        columns: Their kinds.
    """

    def __init__(self, real, columns):
        self.columns = list(columns)
        self.texts = [name for name in columns if columns[name] == "category"]
        self.coder = preprocessing.OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            encoded_missing_value=np.nan,
        )
        if self.texts:
            self.coder.fit(real[self.texts])

    def __call__(self, rows):
        rows = rows[self.columns].copy()
        if self.texts:
            codes = self.coder.transform(rows[self.texts])
            rows[self.texts] = codes.astype(object)
        return rows.astype(float)

    def trees(self, kind):
        """Gradient boosting that knows which columns are categories."""
        mask = [name in self.texts for name in self.columns]
        return kind(categorical_features=mask, random_state=0)


def trained_on(rows, test, columns, target):
    """How well rows teach what the target of the test rows is."""
    inputs = {name: kind for name, kind in columns.items() if name != target}
    numbers = Numbers(test, inputs)
    rows = rows.dropna(subset=target)
    if columns[target] != "category":
        model = numbers.trees(ensemble.HistGradientBoostingRegressor)
        model.fit(numbers(rows), rows[target])
        guess = model.predict(numbers(test))
        return {"r2": metrics.r2_score(test[target], guess)}
    guess = np.full(len(test), rows[target].mode()[0], dtype=object)
    if rows[target].nunique() > 1:
        model = numbers.trees(ensemble.HistGradientBoostingClassifier)
        model.fit(numbers(rows), rows[target])
        guess = model.predict(numbers(test))
    truth, guess = test[target].astype(str), guess.astype(str)
    f1 = metrics.f1_score(
        truth,
        guess,
        average="macro",
        labels=sorted(set(truth)),
        zero_division=0,
    )
    return {"accuracy": metrics.accuracy_score(truth, guess), "f1": f1}


def told_apart(rows, test, columns):
    """Area under the curve of telling rows from test rows."""
    numbers = Numbers(test, columns)
    x = pd.concat([numbers(rows), numbers(test)], ignore_index=True)
    y = np.repeat([1, 0], [len(rows), len(test)])
    folds = model_selection.StratifiedKFold(5, shuffle=True, random_state=0)
    trees = numbers.trees(ensemble.HistGradientBoostingClassifier)
    return model_selection.cross_val_score(
        trees, x, y, cv=folds, scoring="roc_auc"
    ).mean()


class Distances:
    """Distances of rows to the closest of others; see this file's docstring."""

    def __init__(self, train, columns):
        self.columns = columns
        numbers = [name for name in columns if columns[name] != "category"]
        self.low, self.high = train[numbers].min(), train[numbers].max()

    def matrix(self, rows, categories):
        """Coordinates whose absolute differences sum to a row's distance."""
        parts = []
        for name, kind in self.columns.items():
            column = rows[name]
            if kind == "category":
                codes = pd.Categorical(column.fillna("(gap)"), categories[name])
                parts.append(pd.get_dummies(codes).to_numpy(float) / 2)
                continue
            extent = (self.high[name] - self.low[name]) or 1.0
            place = ((column - self.low[name]) / extent).fillna(0.5)
            parts.append(np.stack([place, column.isna() / 2], axis=1))
        return np.concatenate(parts, axis=1).astype("float32")

    def closest(self, rows, others):
        """The distance of each row to the closest of others."""
        both = pd.concat([rows, others])
        categories = {
            name: both[name].fillna("(gap)").unique()
            for name, kind in self.columns.items()
            if kind == "category"
        }
        search = neighbors.NearestNeighbors(n_neighbors=1, metric="manhattan")
        search.fit(self.matrix(others, categories))
        found, _ = search.kneighbors(self.matrix(rows, categories))
        return found[:, 0] / len(self.columns)


def _keys(rows):
    """A text for each row; equal rows have equal ones."""
    return (
        rows.astype(object)
        .where(rows.notna(), "(gap)")
        .astype(str)
        .agg("|".join, axis=1)
    )


def remembered(rows, train, test, columns):
    """Copies of training rows, and how near rows come to them."""
    distances = Distances(train, columns)
    to_train = distances.closest(rows, train)
    to_test = distances.closest(rows, test)
    ties = np.isclose(to_train, to_test, atol=1e-6)
    nearer = np.where(ties, 0.5, to_train < to_test)
    return {
        "copies": _keys(rows).isin(set(_keys(train))).mean(),
        "distance": np.median(to_train),
        "nearer": nearer.mean(),
    }


def faults(rows, train, columns):
    """What no real row could be."""
    outside = np.zeros(len(rows), bool)
    fractions = np.zeros(len(rows), bool)
    for name, kind in columns.items():
        column, real = rows[name], train[name]
        known = column.notna()
        if kind == "category":
            outside |= known & ~column.isin(real.unique())
            continue
        outside |= known & ~column.between(real.min(), real.max())
        if kind == "whole number":
            fractions |= known & (column % 1 != 0)
    return {
        "out_of_range": outside.mean(),
        "not_whole": fractions.mean(),
        "gaps": (rows.isna().mean() - train.isna().mean()).abs().mean(),
    }


def judge(rows, train, test, columns, target):
    """All figures of synthetic rows; of real ones if `rows` is None."""
    for_train, for_test = (test, train) if rows is None else (rows, rows)
    figures = {
        **quality(train, for_train, columns),
        **all_pairs(train, for_train, columns),
        **trained_on(for_test, test, columns, target),
        "auc": told_apart(for_test, test, columns),
        **remembered(for_train, train, test, columns),
        **faults(for_train, train, columns),
    }
    if rows is None:
        del figures["nearer"]  # test rows are nearest to themselves
    return {name: round(float(value), 4) for name, value in figures.items()}


def main():
    warnings.simplefilter("ignore")
    folder, target, *methods = sys.argv[1:]
    folder = pathlib.Path(folder)
    columns = tables_sets.kinds(pd.read_csv(folder / "train.csv"))
    train, test = (
        tables_sets.read(folder / name, columns)
        for name in ("train.csv", "test.csv")
    )
    for method in methods:
        rows = None
        if method != "real":
            rows = tables_sets.read(folder / method / "rows.csv", columns)
        figures = judge(rows, train, test, columns, target)
        print(json.dumps({"method": method, **figures}), flush=True)


if __name__ == "__main__":
    main()
