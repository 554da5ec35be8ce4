"""Figures of tables.py and imputation.py in files that grow run by run."""

import json

import pandas as pd

# A heading, the column it is of, a factor, and digits after the point.
_COLUMNS = (
    ("shapes", "shapes", 1, 3),
    ("pairs", "pairs", 1, 3),
    ("quality", "quality", 1, 3),
    ("all pairs", "all_pairs", 1, 3),
    ("accuracy", "accuracy", 1, 3),
    ("F1", "f1", 1, 3),
    ("R2", "r2", 1, 3),
    ("AUC", "auc", 1, 3),
    ("copies %", "copies", 100, 2),
    ("distance", "distance", 1, 4),
    ("nearer", "nearer", 1, 3),
    ("outside %", "out_of_range", 100, 2),
    ("fractions %", "not_whole", 100, 1),
    ("gaps", "gaps", 1, 4),
    ("CPU s", "fit_cpu_seconds", 1, 1),
    ("to sample", "sample_cpu_seconds", 1, 1),
    ("MiB", "peak_mib", 1, 0),
)


def merged(path, rows, keys):
    """Rows and what a file has of others, which then holds both.

    Args:
        path: A file of JSON lines.
        rows: DataFrame.
        keys: Names of columns; a new row takes the place of one with equal values.

    Returns:
        DataFrame of all rows.
    """
    if path.exists():
        lines = path.read_text().splitlines()
        earlier = pd.DataFrame([json.loads(line) for line in lines])
        rows = pd.concat([earlier, rows], ignore_index=True)
        rows = rows.drop_duplicates(keys, keep="last", ignore_index=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.to_json(path, orient="records", lines=True)
    return rows


def _line(method, rows):
    """The means over seeds of one method's figures, as texts."""
    cells = {"method": method, "seeds": len(rows)}
    for heading, column, factor, digits in _COLUMNS:
        values = factor * rows[column].dropna() if column in rows else ()
        cells[heading] = f"{values.mean():.{digits}f}" if len(values) else ""
    return cells


def _remarks(rows):
    """Lines on what methods left out, or why they are not in the table."""
    for column in ("error", "note"):
        found = rows.dropna(subset=column) if column in rows else rows[:0]
        for _, row in found.iterrows():
            yield f"  {row.method}, seed {row.seed}: {row[column]}"


def write(table, out, order):
    """Writes tables.csv, one line a run, and tables.txt, means over seeds.

    Args:
        table: DataFrame of all runs.
        out: A folder.
        order: The names of the sets and of the methods, in order.
    """
    sets, methods = order
    table.to_csv(out / "tables.csv", index=False)
    texts = []
    for name in sets:
        rows = table[table["set"] == name]
        if rows.empty:
            continue
        there = rows.dropna(subset="shapes")
        lines = [
            _line(method, there[there["method"] == method])
            for method in methods
            if (there["method"] == method).any()
        ]
        shown = pd.DataFrame(lines)
        shown = shown.loc[:, (shown != "").any()]
        texts += [name, shown.to_string(index=False), *_remarks(rows), ""]
    (out / "tables.txt").write_text("\n".join(texts))
