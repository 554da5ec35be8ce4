"""Reads tables in parts: DataFrames, CSV and Parquet files."""

import codecs
import contextlib
import csv
import gzip
import os
import pathlib
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kgen.errors import InvalidArgument, invalid

if TYPE_CHECKING:  # slow to import
    import pandas as pd

ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
# Rows of a file that are read at a time.
_ROWS = 50_000
# Bytes at the beginning of a file by which text is told from other files.
_START = 4096


def is_table(source: Any) -> bool:
    """Whether a source is a DataFrame, or the name of a file of a table."""
    if isinstance(source, (str, os.PathLike)):
        return str(source).lower().endswith(ENDINGS)
    return hasattr(source, "columns") and hasattr(source, "dtypes")


def frames(
    source: Any,
    columns: Sequence[str] | None = None,
    as_text: Sequence[str] = (),
) -> Iterator["pd.DataFrame"]:
    """The rows of a table, part by part.

    Args:
        source: A DataFrame, or a CSV or Parquet file.
        columns: Names of the columns to read; None for all.
        as_text: Those of a CSV file that are read as text, whatever they hold.

    Raises:
        InvalidArgument: If the file can't be read as a table.
        FileNotFoundError: If there is none.
    """
    if not isinstance(source, (str, os.PathLike)):
        _check_frame(source)
        yield source if columns is None else source[list(columns)]
        return
    path = pathlib.Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    read = _read_parquet if _has(path, ".parquet") else _read_csv
    found = 0
    for frame in read(path, columns, dict.fromkeys(as_text, "str")):
        found += len(frame)
        yield frame
    if not found:
        raise InvalidArgument(f"{path} holds no rows.")


def cells(source: Any) -> "pd.DataFrame | None":
    """All cells of a CSV file as the text that stands there; None of other sources.

    Args:
        source: As in `frames`.
    """
    import pandas as pd

    if not isinstance(source, (str, os.PathLike)):
        return None
    path = pathlib.Path(source)
    if _has(path, ".parquet"):
        return None
    parts = _read_csv(path, None, "str", keep_default_na=False)
    return pd.concat(parts, ignore_index=True)


def _check_frame(frame):
    """Raises unless a DataFrame has rows, and names of columns that differ."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise invalid(
            "source",
            "load",
            "a pandas DataFrame, or the path of a CSV or Parquet file",
            f"a {type(frame).__name__}",
        )
    if not len(frame) or not len(frame.columns):
        raise invalid(
            "source", "load", "rows and columns", f"shape {tuple(frame.shape)}"
        )
    check_names([str(name) for name in frame.columns], "The DataFrame")
    others = [name for name in frame.columns if not isinstance(name, str)]
    if others:
        raise invalid(
            "source",
            "load",
            "columns whose names are text; "
            "`df.set_axis(df.columns.map(str), axis=1)` makes them",
            f"a column with the name {others[0]!r}",
        )


def check_names(names: Sequence[str], owner: str) -> None:
    """Raises unless the names of columns differ; `owner` has them."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidArgument(
            f"{owner} has several columns with the name `{twice[0]}`. Rename them, "
            "or leave all but one out."
        )


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with `_` appended until it is none of `taken`."""
    while name in taken:
        name += "_"
    return name


def check_rows(source: Any) -> None:
    """Raises unless all rows of a CSV file have as many values as its header.

    pandas would read a row that is too short as one with missing values at its end.
    Other sources can't have such rows.

    Args:
        source: As in `frames`.
    """
    if not isinstance(source, (str, os.PathLike)):
        return
    path = pathlib.Path(source)
    if _has(path, ".parquet") or not path.is_file():
        return
    with _in_words(path), _opened(path) as file:
        lines = csv.reader(file, delimiter=_check_header(path))
        filled = filter(None, lines)  # pandas leaves out empty lines, too
        count = len(next(filled))
        for row in filled:
            if len(row) != count:
                raise InvalidArgument(
                    f"{path}, line {lines.line_num}: {len(row)} values, and the "
                    f"header has {count} names. Expected rows of one length."
                )


def _has(path, *endings):
    """Whether a file's name has an ending, in small letters or capitals."""
    return path.name.lower().endswith(endings)


def _opened(path):
    opened = gzip.open if _has(path, ".gz") else open
    return opened(path, "rt", encoding="utf-8-sig", newline="")


def _check_text(path, start):
    """Raises if a file is in UTF-16 or no text, by its first bytes."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InvalidArgument(
            f"{path} is in UTF-16. Save it again in UTF-8, or read it by "
            '`pandas.read_csv(path, encoding="utf-16")` and pass the DataFrame.'
        )
    if b"\0" in start:
        raise InvalidArgument(
            f"{path} is no text in UTF-8: it has bytes of 0, as archives and workbooks "
            "have. Save the table as a CSV file."
        )


def _read_parquet(path, columns, dtypes):
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InvalidArgument(
            f"{path}: Parquet files need pyarrow. Install it: pip install pyarrow"
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            check_names(file.schema_arrow.names, str(path))
            wanted = None if columns is None else list(columns)
            for batch in file.iter_batches(_ROWS, columns=wanted):
                yield pyarrow.Table.from_batches([batch]).to_pandas()
    except (
        pyarrow.ArrowInvalid,
        pyarrow.ArrowNotImplementedError,
        OSError,  # of pages that are damaged
    ) as error:
        raise InvalidArgument(
            f"{path} can't be read as Parquet: {error}"
        ) from error


def _read_csv(path, columns, dtypes, **options):
    import pandas as pd

    with _in_words(path):
        separator = _check_header(path)
        reader = pd.read_csv(
            path,
            sep=separator,
            usecols=columns,
            dtype=dtypes,
            chunksize=_ROWS,
            encoding="utf-8-sig",
            index_col=False,
            **options,
        )
        with reader:
            for frame in reader:
                yield frame if columns is None else frame[list(columns)]


@contextlib.contextmanager
def _in_words(path):
    """Says what is wrong with a CSV file in the words of this package."""
    import pandas as pd

    try:
        yield
    except UnicodeDecodeError as error:
        raise InvalidArgument(
            f"{path} is not in UTF-8: the byte {error.object[error.start]:#x} at "
            f"{error.start} is no text. Save it again in UTF-8, or read it by "
            '`pandas.read_csv(path, encoding="latin-1")` and pass the DataFrame.'
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidArgument(
            f"{path} is damaged, or no gzip file: {error}"
        ) from error
    except pd.errors.EmptyDataError as error:
        raise InvalidArgument(f"{path} is empty.") from error
    except (pd.errors.ParserError, csv.Error) as error:
        raise InvalidArgument(
            f"{path} can't be read as a table; are all rows of one length? "
            f"pandas says: {error}"
        ) from error


def _check_header(path):
    """Returns what separates the columns, or raises without names of columns."""
    with _opened(path) as file:
        _check_text(path, file.buffer.peek(_START)[:_START])
        line = next(filter(str.strip, file), "")
    if not line:
        raise InvalidArgument(f"{path} is empty.")
    if re.fullmatch("sep=.", line.strip("\r\n"), re.IGNORECASE):
        raise InvalidArgument(
            f"{path} begins with the line {line.strip()!r}, which tells Excel what "
            "separates the columns. Remove it: the first line must have the columns' "
            "names."
        )
    unquoted = re.sub('"[^"]*"', "", line)
    is_tsv = _has(path, ".tsv", ".tsv.gz")
    separator = "\t" if is_tsv else max(",\t;|", key=unquoted.count)
    names = next(csv.reader([line], delimiter=separator))
    numbers = list(filter(_is_number, names))
    # Names of columns may be years, but not numbers with a decimal point.
    if numbers and (len(numbers) == len(names) or "." in "".join(numbers)):
        raise InvalidArgument(
            f"{path} has no header: its first line is {line.strip()[:60]!r}. Write "
            "the columns' names in the first line."
        )
    check_names(names, str(path))
    return separator


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def text_columns(kinds: Mapping[str, str]) -> list[str]:
    """The columns of a CSV file that are read as text: asked-for categories."""
    return [name for name, kind in kinds.items() if kind == "category"]
