"""Generative against discriminative classifiers: one table, one picture."""

from kgen.comparison.data import CompareSettings, Data, nested_order, read
from kgen.comparison.judging import compare, judge, table

__all__ = [
    "CompareSettings",
    "Data",
    "compare",
    "judge",
    "nested_order",
    "read",
    "table",
]
