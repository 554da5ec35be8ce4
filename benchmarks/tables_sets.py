"""The real tables of tables.py and imputation.py, and how each is split.

    halves = split("chile", folder)     a table for training and one for testing
    columns = kinds(training)           "number", "whole number" or "category"

The first two sets are what is compared in the end. The others are there to develop
on: choose nothing on the first two.
"""

import dataclasses

import pandas as pd

JUDGED = ("chile", "diamonds")
_YES = {0: "no", 1: "yes"}


@dataclasses.dataclass(frozen=True)
class Table:
    """A file of the folder, and what is made of it.

    Args:
        file: Name of the CSV file.
        target: What the other columns are to tell. Rows without it are left out.
        rows: How many rows each half has at most; None for all.
        left_out: Columns that are left out.
        texts: For columns whose numbers are names: the text of each number.
    """

    file: str
    target: str
    rows: int | None = None
    left_out: tuple[str, ...] = ()
    texts: dict[str, dict] = dataclasses.field(default_factory=dict)

    def read(self, folder):
        """All rows, in the order of the file, as a DataFrame."""
        path = folder / self.file
        if not path.exists():
            raise SystemExit(
                f"{path} is missing: --help says where it is from."
            )
        rows = pd.read_csv(path)
        rows = rows.drop(columns=["Unnamed: 0"], errors="ignore")
        rows = rows.drop(columns=list(self.left_out)).replace(self.texts)
        return rows.dropna(subset=self.target, ignore_index=True)


SETS = {
    "chile": Table("Chile.csv", "vote"),
    "diamonds": Table("diamonds.csv", "price", 10_000),
    "penguins": Table("penguins.csv", "species"),
    # Hours and health insurance of wives: its columns are like those of "adult".
    "insurance": Table("HI.csv", "whi", 5_000),
    # Blood of 7,874 people: the cause of death is a gap for who is alive.
    "chains": Table(
        "flchain.csv", "age", None, (), {"death": _YES, "mgus": _YES}
    ),
    # Gaps in 8 of 27 columns; the years of work follow from two others.
    "schooling": Table("Schooling.csv", "wage76", None, ("lwage76",)),
}


def split(name, folder, seed=0):
    """Halves of a set's rows in an order drawn by the seed.

    Returns:
        DataFrames of as many rows for training and for testing.
    """
    table = SETS[name]
    rows = table.read(folder)
    count = min(table.rows or len(rows), len(rows) // 2)
    order = rows.sample(2 * count, random_state=seed)
    return (
        order[:count].reset_index(drop=True),
        order[count:].reset_index(drop=True),
    )


def kinds(rows):
    """The kind of each column by its name, from the table for training."""

    def kind(column):
        if not pd.api.types.is_numeric_dtype(column):
            return "category"
        whole = (column.dropna() % 1 == 0).all()
        return "whole number" if whole else "number"

    return {name: kind(rows[name]) for name in rows}


def read(path, columns):
    """A CSV file of real or synthetic rows, with columns of these kinds."""
    texts = {name: str for name, kind in columns.items() if kind == "category"}
    rows = pd.read_csv(path, dtype=texts)[list(columns)]
    for name, kind in columns.items():
        if kind != "category":
            rows[name] = pd.to_numeric(rows[name], errors="coerce").astype(
                float
            )
    return rows
