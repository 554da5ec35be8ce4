"""What models of tables draw: rows of a DataFrame, on conditions."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kgen.errors import InvalidArgument, invalid, unknown_name
from kgen.models.draws import new_seed
from kgen.tables import forms

if TYPE_CHECKING:  # slow to import
    from kgen.models.base import GenerativeModel

# How many rows are drawn for each one that is asked for before giving up.
_MOST_DRAWS = 1000
# The least and the most rows that are drawn at a time.
_LEAST, _MOST = 1000, 100_000

Draw = Callable[[int, Any, int], np.ndarray]


def sample(
    model: "GenerativeModel",
    draw: Draw,
    num_samples: int,
    labels: Any,
    seed: int | None,
    conditions: Mapping[str, Any] | None,
) -> Any:
    """What a model draws: an array; of a table, rows that meet the conditions.

    Rows are drawn until enough of them meet the conditions, so that they are
    draws from the model's distribution given the conditions.

    Args:
        model: The model.
        draw: Function of a number of examples, their labels and a seed, to an array
            of them; of rows as they are encoded.
        num_samples: How many.
        labels: Integers, the examples' classes; or None.
        seed: Integer, or None.
        conditions: Dictionary from names of columns to a value, a list of values,
            or a pair `(low, high)` of bounds; or None.

    Raises:
        InvalidArgument: If a condition can't be used, or almost no row meets it.
    """
    owner = f"{type(model).__name__}.sample"
    table, seed = model.table, new_seed(seed)
    if table is None:
        if conditions is not None:
            expected = "None without a table"
            raise invalid("conditions", owner, expected, conditions)
        labels = model.labels_for(num_samples, labels, "sample")
        return draw(num_samples, labels, seed)
    if conditions is not None and not isinstance(conditions, Mapping):
        expected = 'a dictionary such as {"age": (18, 30)}'
        raise invalid("conditions", owner, expected, conditions)
    conditions = table.typed(conditions or {})
    _check(conditions, table, owner)
    if labels is None and model.conditional:
        labels = _target_labels(conditions, table)

    def rows(count, seed):
        chosen = _labels(model, labels, count, seed)
        drawn = draw(count, chosen, seed)
        if not model.draws_gaps:  # else it has learned them itself
            drawn = np.asarray(table.with_gaps(drawn, seed))
        return table.decode(drawn, chosen)

    if not conditions:
        return rows(num_samples, seed)
    if np.ndim(labels):
        expected = "one for all rows, together with `conditions`"
        raise invalid("labels", owner, expected, f"{len(labels)}")
    return _until_met(rows, num_samples, seed, conditions, owner)


def as_array(model: Any, examples: Any) -> np.ndarray:
    """Examples that a model drew, as an array: rows of a table are encoded.

    Args:
        model: Any object with a method `sample`.
        examples: What that returned.
    """
    table = getattr(model, "table", None)
    return examples if table is None else table.encode(examples)


def _until_met(rows, num_samples, seed, conditions, owner):
    """Draws rows until enough of them meet the conditions."""
    import pandas as pd

    found: list = []
    have = drawn = 0
    while have < num_samples:
        if drawn > _MOST_DRAWS * max(num_samples, 100):
            raise InvalidArgument(
                f"`{owner}`: {have} of {drawn} rows that were drawn meet the "
                f"conditions {conditions}. Ask for fewer rows, or for less."
            )
        share = have / drawn if have else 0.1
        size = int(np.clip((num_samples - have) / share * 1.2, _LEAST, _MOST))
        part_seed = int(np.random.default_rng([seed, drawn]).integers(2**31))
        part = rows(size, part_seed)
        found.append(part[_meets(part, conditions)])
        have, drawn = have + len(found[-1]), drawn + size
    return pd.concat(found, ignore_index=True).iloc[:num_samples]


def _labels(model, labels, count, seed):
    """`count` labels; drawn by `class_shares` where none are given.

    Args:
        labels: Integers; or None for all classes, or a set of some.
    """
    if model.conditional and (labels is None or isinstance(labels, set)):
        shares = np.array(model.class_shares)
        if labels is not None:
            others = [n for n in range(len(shares)) if n not in labels]
            shares[others] = 0.0
        rng = np.random.default_rng([seed, 2])  # another stream than z's
        labels = rng.choice(len(shares), size=count, p=shares / shares.sum())
    return model.labels_for(count, labels, "sample")


def _target_labels(conditions, table):
    """The classes that a condition on the target asks for, taken out of these."""
    if table.target not in conditions:
        return None
    wanted = _listed(conditions.pop(table.target))
    return {table.class_names.index(forms.text_of(value)) for value in wanted}


def _check(conditions, table, owner):
    columns = {column.name: column for column in table.columns}
    for name, wanted in conditions.items():
        if name not in table.names:
            raise unknown_name("conditions", owner, table.names, name)
        if isinstance(wanted, list) and not wanted:
            expected = f"one value or more of `{name}`"
            raise invalid("conditions", owner, expected, wanted)
        # Rows without a value of the target are left out of training.
        has_gaps = columns[name].gaps > 0 and name != table.target
        if not has_gaps and any(map(forms.is_missing, _listed(wanted))):
            argument = f'conditions["{name}"]'
            expected = "no gap: rows that are drawn have none in this column"
            raise invalid(argument, owner, expected, wanted)
        is_text = columns[name].encoding.is_text
        check = _check_texts if is_text else _check_numbers
        check(columns[name], wanted, owner)


def _check_texts(column, wanted, owner):
    if isinstance(wanted, tuple):
        expected = (
            f"one value or a list of values for the categories of `{column.name}`; "
            "a pair is the bounds of numbers"
        )
        raise invalid("conditions", owner, expected, wanted)
    known = column.encoding.possible_values
    for value in _listed(wanted):
        if forms.is_missing(value):
            continue
        if not known:
            raise _impossible(column, wanted, owner)
        if forms.text_of(value) not in known:
            argument = f'conditions["{column.name}"]'
            raise unknown_name(argument, owner, known, str(value))


def _check_numbers(column, wanted, owner):
    """Raises unless rows can have one of the values, or one within the bounds."""
    import pandas as pd

    is_pair = isinstance(wanted, tuple)
    values = pd.Series(wanted if is_pair else _listed(wanted), dtype=object)
    can_miss = values.isna().any()
    try:
        numbers = [column.number_of(value) for value in values.dropna()]
    except InvalidArgument:  # of another kind
        numbers, can_miss = [], False
    if is_pair:
        is_possible = len(values) == len(numbers) == 2 and column.can_have(
            *numbers
        )
    else:
        is_possible = can_miss or any(column.can_have(x, x) for x in numbers)
    if not is_possible:
        raise _impossible(column, wanted, owner)


def _impossible(column, wanted, owner):
    """The error of a condition that no row can meet."""
    argument, encoding = f'conditions["{column.name}"]', column.encoding
    ends = encoding.possible_values
    if not ends:
        expected = "no condition: the column had no value in training"
        return invalid(argument, owner, expected, wanted)
    if not encoding.is_text:
        ends = column.series_of(np.array(ends, "float64")).tolist()
    before, joint = (
        ("out of ", ", ") if encoding.is_discrete else ("from ", " to ")
    )
    expected = f"values {before}{joint.join(map(forms.text_of, ends))}"
    if isinstance(wanted, tuple):
        expected = f"bounds (low, high) that hold {expected}"
    return invalid(argument, owner, expected, wanted)


def _listed(wanted):
    return wanted if isinstance(wanted, list) else [wanted]


def _meets(rows, conditions):
    """Which rows meet all conditions: truth values of shape `(n,)`."""
    meets = np.ones(len(rows), bool)
    for name, wanted in conditions.items():
        column = rows[name]
        if isinstance(wanted, tuple):
            low, high = wanted
            between = (column >= low) & (column <= high)
            meets &= between.to_numpy(bool, na_value=False)
        else:
            values = _listed(wanted)
            known = [x for x in values if not forms.is_missing(x)]
            has_value = column.isin(known)
            if len(known) < len(values):  # a gap is asked for
                has_value |= column.isna()
            meets &= has_value.to_numpy(bool)
    return meets
