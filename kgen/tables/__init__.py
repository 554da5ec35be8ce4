"""Tables: the kinds of columns, and how rows become numbers and come back."""

from kgen.tables.conditions import Conditions
from kgen.tables.table import Table, with_table

__all__ = ["Conditions", "Table", "with_table"]
