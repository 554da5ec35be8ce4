"""What an evaluation found: one page to read and to mail, one table on screen."""

from kgen.report.page import write
from kgen.report.terminal import table

__all__ = ["table", "write"]
