"""Evaluations as one page to read and to mail, and as a table on screen."""

from kgen.runs.report.images import pictures
from kgen.runs.report.page import write
from kgen.runs.report.terminal import table

__all__ = ["pictures", "table", "write"]
