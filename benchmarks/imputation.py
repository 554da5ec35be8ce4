"""Gaps of real tables filled: kgen beside scikit-learn's imputers.

    python benchmarks/imputation.py --data FOLDER
    python benchmarks/imputation.py --data FOLDER --methods kgen --seeds 0

FOLDER is that of tables.py; four more tables are scikit-learn's. From each table, 10,
30 and 50 % of the cells are taken out at random, the same for all methods; a method
is fitted to the table with gaps, and fills these. `rmse` is over the numbers that
were taken out, in standard deviations of their columns; `accuracy` is over the
categories. Gaps that a table has itself are filled, too, but nobody knows how well.

scikit-learn's imputers get standardised numbers, and categories as indicators, of
which the largest counts; so "mean" fills in the most frequent category. "iterative"
has no indicator of a column's most frequent category, "iterative-all" has all; one
is better at categories, the other often at numbers. They and kgen have their
defaults. "forests" is the iterative imputer with 5 rounds of 50 trees, which is
slow and good. Writes imputation.jsonl, imputation.csv and imputation.txt
(means over seeds, with their standard errors, and counts over the seeds that two
methods share) to --out; what these have of other sets, rates, seeds and methods stays.
"""

import argparse
import os
import pathlib
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
import tables_report
import tables_sets
from sklearn import datasets, ensemble, impute
from sklearn.experimental import enable_iterative_imputer  # noqa: F401

RATES = (0.1, 0.3, 0.5)
_MOST = 2000  # rows of a table


def _of_scikit_learn(load):
    """A table of scikit-learn, with its target as one more column."""
    found = load(as_frame=True)
    rows = found.data.copy()
    rows["target"] = found.target
    if "target_names" in found:
        rows["target"] = np.asarray(found.target_names, object)[found.target]
    return rows


SETS = {
    "breast cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    "iris": datasets.load_iris,
    "diabetes": datasets.load_diabetes,
    "penguins": "penguins",
    "chile": "chile",
    "insurance": "insurance",
    "chains": "chains",
    "schooling": "schooling",
    "diamonds": "diamonds",
}


def table(name, folder):
    """A set's rows, at most `_MOST` of them; categories are texts."""
    source = SETS[name]
    if callable(source):
        return _of_scikit_learn(source)
    rows = tables_sets.SETS[source].read(folder)
    return rows.sample(min(_MOST, len(rows)), random_state=0, ignore_index=True)


def with_gaps(rows, rate, seed):
    """Rows without some of their cells, and where these were.

    Returns:
        A DataFrame, and booleans of its shape that are true at cells that were
        taken out, not at gaps that were there before.
    """
    random = np.random.default_rng(seed)
    taken = (random.random(rows.shape) < rate) & rows.notna().to_numpy()
    return rows.mask(taken), taken


class Scikit:
    """An imputer of matrices, for tables.

    Args:
        imputer: One of scikit-learn's.
        all_flags: Whether each category has an indicator. Regressions get none of
            the most frequent one: with all of them each follows from the others, and
            would stay where it began.
    """

    def __init__(self, imputer, all_flags=True):
        self.imputer = imputer.set_output(transform="pandas")
        self.all_flags = all_flags

    def _flags(self, column):
        """Indicators of a column's categories, NaN at gaps."""
        names = list(column.value_counts().index)
        flags = {
            (column.name, name): (column == name).astype(float)
            for name in names[0 if self.all_flags else 1 :]
        }
        flags = pd.DataFrame(flags, index=column.index)
        return names, flags.where(column.notna(), np.nan, axis=0)

    def _choice(self, names, flags):
        """The category of the largest indicator in each row."""
        values = flags.to_numpy()
        if not self.all_flags:
            rest = 1 - values.sum(axis=1, keepdims=True)
            values = np.concatenate([rest, values], axis=1)
        return np.array(names, object)[values.argmax(axis=1)]

    def fill(self, rows, columns):
        numbers = [name for name in columns if columns[name] != "category"]
        texts = [name for name in columns if columns[name] == "category"]
        mean, scale = rows[numbers].mean(), rows[numbers].std(ddof=0)
        standard = (rows[numbers] - mean) / scale.replace(0, 1)
        flags = {name: self._flags(rows[name]) for name in texts}
        parts = [standard, *(part for _, part in flags.values())]
        matrix = pd.concat(
            [part.set_axis(map(str, part), axis=1) for part in parts], axis=1
        )
        with warnings.catch_warnings():  # it has not converged after 10 rounds
            warnings.simplefilter("ignore")
            filled = self.imputer.fit_transform(matrix)
        done = filled[numbers] * scale + mean
        for name, (names, part) in flags.items():
            done[name] = self._choice(names, filled[list(map(str, part))])
        return rows.fillna(done[list(rows)])


class Kgen:
    """`kgen.sklearn.TableSynthesizer`, with its defaults."""

    def __init__(self, seed, epochs=None):
        import kgen

        options = {} if epochs is None else {"epochs": epochs}
        self.model = kgen.sklearn.TableSynthesizer(random_state=seed, **options)

    def fill(self, rows, columns):
        return self.model.fit(rows).impute(rows)


def _forests(seed):
    trees = ensemble.RandomForestRegressor(
        50, max_features="sqrt", random_state=seed
    )
    return impute.IterativeImputer(trees, max_iter=5, random_state=seed)


METHODS = {
    "mean": lambda seed: Scikit(impute.SimpleImputer()),
    "nearest": lambda seed: Scikit(impute.KNNImputer()),
    "iterative": lambda seed: Scikit(
        impute.IterativeImputer(random_state=seed), all_flags=False
    ),
    "iterative-all": lambda seed: Scikit(
        impute.IterativeImputer(random_state=seed)
    ),
    "forests": lambda seed: Scikit(_forests(seed)),
    "kgen": Kgen,
}


def figures(rows, filled, taken, columns):
    """How near filled cells are to those that were taken out.

    Returns:
        Dictionary with `rmse` and `accuracy`; None of what the table lacks.

    Raises:
        ValueError: If gaps are left, or other cells were changed.
    """
    if filled.isna().to_numpy().any():
        raise ValueError("gaps are left")
    errors, hits = [], []
    for index, (name, kind) in enumerate(columns.items()):
        there = taken[:, index]
        real, guess = rows[name], filled[name]
        known = real.notna() & ~there
        if kind == "category":
            same = real.astype(str) == guess.astype(str)
            hits.append(same[there])
        else:
            same = np.isclose(real, guess.astype(float), rtol=1e-5)
            error = (guess - real) / (real.std(ddof=0) or 1)
            errors.append(error[there])
        if not np.all(np.asarray(same)[known]):
            raise ValueError(f"known cells of {name!r} were changed")
    found = {"rmse": None, "accuracy": None}
    if errors:
        square = np.concatenate(errors).astype(float) ** 2
        found["rmse"] = round(float(np.sqrt(square.mean())), 4)
    if hits:
        found["accuracy"] = round(float(np.concatenate(hits).mean()), 4)
    return found


def rows_of(name, rows, rate, seed, arguments):
    """A row of results for each method."""
    columns = tables_sets.kinds(rows)
    holed, taken = with_gaps(rows, rate, seed)
    for method in arguments.methods:
        options = {}
        if method == "kgen" and arguments.epochs is not None:
            options = {"epochs": arguments.epochs}
        imputer = METHODS[method](seed, **options)
        start = sum(os.times()[:4])
        filled = imputer.fill(holed.copy(), columns)
        seconds = round(sum(os.times()[:4]) - start, 2)
        found = {
            "set": name,
            "rate": rate,
            "seed": seed,
            "method": method,
            **figures(rows, filled, taken, columns),
            "cpu_seconds": seconds,
        }
        print(found, flush=True)
        yield found


def _text(results, figure, lower_is_better):
    """A table of one figure: a line a set and rate, a column a method."""
    groups = results.dropna(subset=figure).groupby(
        ["set", "rate", "method"], sort=False
    )[figure]
    mean, error = groups.mean(), groups.sem().fillna(0)
    cells = mean.map("{:.3f}".format) + " +- " + error.map("{:.3f}".format)
    cells = cells.unstack()
    cells = cells[[method for method in METHODS if method in cells]]
    order = {name: index for index, name in enumerate(SETS)}
    cells = cells.sort_index(
        key=lambda level: level.map(lambda value: order.get(value, value))
    )
    text = f"{figure}\n{cells.to_string()}\n"
    if "kgen" not in cells:
        return text
    counts = _counts(results, figure, lower_is_better)
    return f"{text}kgen is better than each of these on: {counts}\n"


def _counts(results, figure, lower_is_better):
    """On how many sets and rates kgen is better than each other method.

    The seed draws the gaps, so that two methods are compared by the means over those
    seeds that both have.
    """
    values = results.pivot(
        index=["set", "rate", "seed"], columns="method", values=figure
    )
    counts = {}
    for name in METHODS:
        if name == "kgen" or name not in values:
            continue
        pairs = values[["kgen", name]].dropna().groupby(["set", "rate"]).mean()
        gain = pairs[name] - pairs["kgen"]
        better = gain > 0 if lower_is_better else gain < 0
        counts[name] = f"{better.sum()} of {len(pairs)}"
    return counts


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, help="folder of CSV files")
    add("--sets", nargs="+", choices=SETS, default=list(SETS))
    add("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    add("--rates", nargs="+", type=float, default=RATES)
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--epochs", type=int, help="of kgen; its default if not given")
    add(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("benchmarks/results/imputation"),
    )
    arguments = parser.parse_args()
    keys = ["set", "rate", "seed", "method"]
    for name in arguments.sets:
        rows = table(name, arguments.data)
        found = [
            row
            for rate in arguments.rates
            for seed in arguments.seeds
            for row in rows_of(name, rows, rate, seed, arguments)
        ]
        path = arguments.out / "imputation.jsonl"
        results = tables_report.merged(path, pd.DataFrame(found), keys)
        results.to_csv(path.with_suffix(".csv"), index=False)
        text = _text(results, "rmse", True)
        text += "\n" + _text(results, "accuracy", False)
        path.with_suffix(".txt").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
