"""Tables: the kinds of columns, and how rows become numbers and come back."""

from kgen.tables.table import Table, with_table

__all__ = ["Table", "with_table"]
