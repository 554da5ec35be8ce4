"""What is kept of a column in one pass over a table of any length."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from kgen.errors import InvalidArgument
from kgen.tables import forms

if TYPE_CHECKING:  # slow to import
    import pandas as pd

# How many numbers of a column are kept, to which its encoding is fitted.
_KEPT = 100_000
# The most different values that are counted; a column with more has no categories.
_COUNTED = 20_000
# The most decimals that numbers are seen to be rounded to.
_DECIMALS = 8
# Text that is shown in a message.
_SHOWN = 40


class Summary:
    """Counts, bounds and a random part of a column's values.

    Args:
        name: The column's name.
        kind: Its kind if the user has said so, or None.
        rng: Random generator, for the part that is kept.
    """

    def __init__(
        self, name: str, kind: str | None, rng: np.random.Generator
    ) -> None:
        self.name, self.kind, self._rng = name, kind, rng
        self.form: str | None = None
        self.dtype: str | None = None
        self.category_dtype: pd.CategoricalDtype | None = None
        # Of training; of all rows, how many values are not missing.
        self.rows = self.gaps = 0
        self.known_of_all = 0
        self.counts: dict | None = {}
        # Of a column with too many different values to be counted, some of them.
        self.first: list = []
        self.originals: dict = {}
        self.low, self.high = np.inf, -np.inf
        self.decimals = 0
        self.is_sequence = True
        # The first text that is taken for a gap in a column of numbers, or None.
        self.unread: str | None = None
        self._seen: object = None  # the first value
        self._last: float | None = None
        self._fitted = 0
        self._values: list[np.ndarray] = []
        self._keys: list[np.ndarray] = []

    @property
    def known(self) -> int:
        """How many values of training are not missing."""
        return self.rows - self.gaps

    def update(
        self, series: "pd.Series", training: np.ndarray | None = None
    ) -> np.ndarray:
        """Takes the next rows.

        Args:
            series: Their values.
            training: Truth values: the rows of which numbers are kept, and values
                and gaps counted; None for all. What a column is, and the names of
                its categories, are learned from all rows.

        Returns:
            Which values are missing: booleans of shape `(n,)`.

        Raises:
            InvalidArgument: If values are of several forms.
        """
        series = forms.without_arrow(series)
        missing = series.isna().to_numpy(bool)
        if self.kind == "id":
            return missing
        self._take_dtype(series)
        if training is None:
            training = np.ones(len(series), bool)
        form = self._form_of(series)
        if form is not None:
            self._take_form(form, series)
            if self.form == forms.TEXT:
                texts = forms.texts(series[~missing])
                self._count(texts, training[~missing])
                self._take_originals(series)
            else:
                values = self._numbers_of(series)
                unread = series[np.isnan(values) & ~missing]
                if len(unread) and self.unread is None:
                    self.unread = unread.iloc[0]
                missing = np.isnan(values)  # some perhaps were text
                self._take_numbers(values[~missing], training[~missing])
        self.known_of_all += int(np.sum(~missing))
        self.rows += int(training.sum())
        self.gaps += int(missing[training].sum())
        return missing

    def values(self) -> np.ndarray:
        """The random part of the numbers, with the least and the greatest."""
        if not self._fitted:
            return np.empty(0)
        self._thin()
        kept = np.concatenate([*self._values, [self.low, self.high]])
        # If all values were kept, the bounds are among them already.
        return kept if self._fitted > len(kept) - 2 else kept[:-2]

    def _take_dtype(self, series):
        dtype = series.dtype
        if self.dtype is None or self.form is None:
            self.dtype = str(dtype)
        if str(dtype) == self.dtype == "category":
            self._take_categories(dtype)
        if str(dtype) != self.dtype and self.form == forms.form_of(series):
            # Parts of a file may differ, such as integers first and floats with gaps
            # after them.
            is_numpy = (
                isinstance(dtype, np.dtype) and self.dtype in np.sctypeDict
            )
            self.dtype = (
                str(np.result_type(np.dtype(self.dtype), dtype))
                if is_numpy
                else str(dtype)
            )

    def _take_categories(self, dtype):
        """Takes the categories of pandas' type; parts of a file may differ."""
        import pandas as pd

        if self.category_dtype is None:
            self.category_dtype = dtype
        elif self.category_dtype != dtype:
            known = self.category_dtype.categories
            both = known.append(dtype.categories.difference(known))
            self.category_dtype = pd.CategoricalDtype(both)
        by_text: dict = {}
        for value in map(self._plain, self.category_dtype.categories):
            other = by_text.setdefault(forms.text_of(value), value)
            if other != value:
                raise InvalidArgument(
                    f"Column `{self.name}` has the categories {other!r} and {value!r}, "
                    "which are the same as text. Rename one of them: "
                    f'df["{self.name}"].cat.rename_categories(...)'
                )

    def _plain(self, value):
        """A value of a category as a saved table can hold it, or an error."""
        value = forms.plain(value)
        if not isinstance(value, (str, int, float, bool)):
            raise InvalidArgument(
                f"Column `{self.name}` has categories of the type "
                f"{type(value).__name__}, which can't be saved. Convert them: "
                f'df["{self.name}"].astype(str)'
            )
        return value

    def _form_of(self, series):
        if self.kind == "category":
            return forms.TEXT if series.notna().any() else None
        form = forms.form_of(series)
        if form is None or self.kind is None:
            if form == forms.TEXT and self.form in (None, forms.DATETIME):
                return forms.DATETIME if _are_dates(series) else forms.TEXT
            return form
        asked = {"datetime": forms.DATETIME, "boolean": forms.BOOLEAN}
        return asked.get(self.kind, forms.NUMBER)

    def _take_form(self, form, series):
        if form == forms.OTHER:
            raise self._unusable(series)
        if forms.MIXED in (form, self.form) or self.form not in (None, form):
            raise self.mixed([self._seen, *series])
        if self.form is None:
            self._seen = series[series.notna()].iloc[0]
        self.form = form

    def unfit(self, reason: object) -> InvalidArgument:
        """The error of a column whose values are not of its kind.

        Args:
            reason: Why not.
        """
        return InvalidArgument(
            f"Column `{self.name}` can't be of the kind {self.kind or self.form}: "
            f"{reason}. Correct its values, or take them as text: "
            f"{forms.kind_option(self.name, 'category')}."
        )

    def mixed(self, values: Iterable) -> InvalidArgument:
        """The error of a column with values of several forms.

        Args:
            values: Some of its values; the first one of each form is shown.
        """
        import pandas as pd

        known = pd.Series([*values], dtype=object).dropna()
        texts = known.map(str)
        is_number = pd.to_numeric(texts, errors="coerce").notna()
        dates = pd.to_datetime(
            texts, format="ISO8601", errors="coerce", utc=True
        )
        looks = pd.DataFrame(
            {
                "type": known.map(type),
                "is_number": is_number,
                "is_date": dates.notna() & ~is_number,
            }
        )
        shown = known[~looks.duplicated()].map(forms.plain)
        return InvalidArgument(
            f"Column `{self.name}` holds values of several kinds, such as "
            f"{', '.join(repr(x)[:_SHOWN] for x in shown.iloc[:4])}. Say what it "
            f"is: {forms.kind_option(self.name, 'category')} takes all as text, "
            '"numeric" takes text that is no number as missing, "id" leaves the '
            "column out."
        )

    def _unusable(self, series):
        """The error of a column with values that nothing can be learned of."""
        found = type(series[series.notna()].iloc[0]).__name__
        column = f'df["{self.name}"]'
        return InvalidArgument(
            f"Column `{self.name}` holds values of the type {found}, which can't be "
            f"learned. Convert them: durations by {column}.dt.total_seconds(), "
            f"periods by {column}.dt.to_timestamp(), others by {column}.astype(str); "
            f"or leave the column out: {forms.kind_option(self.name, 'id')}"
        )

    def _numbers_of(self, series):
        force = self.kind in ("numeric", "integer", "count")
        try:
            if self.form == forms.DATETIME:
                times = forms.times(series)
                self._take_time_zone(times)
                values = forms.seconds(times)
            else:
                values = forms.numbers(series, force)
        except (ValueError, TypeError, OverflowError) as error:
            raise self.unfit(error) from error
        return values

    def _take_time_zone(self, times):
        """Takes the type of times, which may have been text; see `forms.times`."""
        dtype = str(times.dtype)
        if not str(self.dtype).startswith("datetime64"):
            self.dtype = (
                "datetime64[us, UTC]" if "," in dtype else "datetime64[us]"
            )
        elif ("," in dtype) != ("," in str(self.dtype)):
            raise InvalidArgument(
                f"Column `{self.name}` has times with a time zone, and others "
                "without one."
            )

    def _take_numbers(self, values, training):
        if not len(values):
            return
        self._is_next(values)
        while self.decimals <= _DECIMALS and not _are_round(
            values, self.decimals
        ):
            self.decimals += 1
        values = values[training]
        self._count(values, np.ones(len(values), bool))
        if len(values):
            self.low = min(self.low, float(values.min()))
            self.high = max(self.high, float(values.max()))
            self._keep(values)

    def _is_next(self, values):
        """Whether all rows so far count up by one, as numbers of rows do."""
        first = values[0] if self._last is None else self._last + 1
        expected = first + np.arange(len(values))
        self._last = values[-1]
        self.is_sequence = self.is_sequence and np.array_equal(values, expected)

    def _keep(self, values):
        """Keeps values, of which `_thin` leaves those with the smallest random keys."""
        self._fitted += len(values)
        self._values.append(values)
        self._keys.append(self._rng.random(len(values)))
        if sum(map(len, self._values)) > 2 * _KEPT:
            self._thin()

    def _thin(self):
        """Leaves values with the smallest keys, a random sample of all parts."""
        if sum(map(len, self._values)) > _KEPT:
            kept, keys = map(np.concatenate, (self._values, self._keys))
            chosen = np.sort(np.argpartition(keys, _KEPT)[:_KEPT])
            self._values, self._keys = [kept[chosen]], [keys[chosen]]

    def _count(self, values, training):
        """Counts values of training; others are values, too, with a count of 0."""
        if self.counts is None:
            return
        found, places = np.unique(values, return_inverse=True)
        counts = np.bincount(places[training], minlength=len(found))
        for value, count in zip(found.tolist(), counts.tolist()):
            self.counts[value] = self.counts.get(value, 0) + count
        if len(self.counts) > _COUNTED:
            self.first, self.counts = list(self.counts)[:1000], None

    def _take_originals(self, series):
        """Keeps what categories are, where they are no strings."""
        for value in series[series.notna()].unique():
            if not isinstance(value, str) and len(self.originals) <= _COUNTED:
                self.originals[forms.text_of(value)] = self._plain(value)


def _are_round(values, decimals):
    """Whether numbers have so many decimals, but for some roundings of float64."""
    return np.allclose(np.round(values, decimals), values, rtol=2e-15, atol=0)


def _are_dates(series):
    """Whether all text of a column is dates of ISO 8601, such as 2024-03-01."""
    import pandas as pd

    known = series[series.notna()]
    if not isinstance(series.dtype, pd.CategoricalDtype):
        # Numbers alone, such as 20240301, are not meant.
        if known.str.contains(r"^\d{4}-\d\d-\d\d", na=False).all():
            times = pd.to_datetime(
                known, format="ISO8601", errors="coerce", utc=True
            )
            return bool(times.notna().all())
    return False
