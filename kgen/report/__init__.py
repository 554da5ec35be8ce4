"""Evaluations as one page to read and to mail, and as a table on screen."""

from kgen.report.images import pictures
from kgen.report.page import write
from kgen.report.terminal import table

__all__ = ["pictures", "table", "write"]
