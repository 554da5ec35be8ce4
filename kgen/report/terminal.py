"""The table of metrics as plain text."""

import textwrap

from kgen.report import words
from kgen.report.evaluations import check, rows, unlike

_WIDTH = 88
_LEAST, _MOST = 20, 38  # columns for the metrics' names
_SIGNS = {"best": "*", "tied": "="}


def table(evaluations):
    """The metrics as a plain table for the terminal.

    Args:
        evaluations: As for `write`; `pictures` are not looked at.

    Returns:
        String of several lines: for one run of 88 columns at most. The best of
        several runs has a star, those that are tied for it a sign of equality.

    Raises:
        InvalidArgument: If there is no evaluation, or one lacks what it needs.

    Example:
        >>> print(kgen.report.table([evaluation]))
    """
    evaluations = check("kgen.report.table", evaluations)
    several = len(evaluations) > 1
    differing = unlike(evaluations)
    parts = [*_about(evaluations, differing), *_lines(evaluations)]
    if several:
        signs = "" if differing else " (*: best; =: tied)"
        parts += ["", *_filled(words.marking(differing) + signs)]
    return "\n".join([*parts, *_skipped(evaluations)])


def _about(evaluations, differing):
    """The runs, and what they were judged by: once, where all are alike."""
    lines = []
    for name, evaluation in zip(_names(evaluations), evaluations):
        before = f"{name}: " if len(evaluations) > 1 else ""
        lines += _filled(f"{before}{evaluation['run']} ({evaluation['model']})")
        if differing:
            lines += _filled(f"  {_judged(evaluation)}")
    if not differing:
        lines += _filled(_judged(evaluations[0]))
    return [*lines, ""]


def _names(evaluations):
    """Short ones: a path as a column's head would make it wide."""
    return [f"run {number}" for number in range(1, len(evaluations) + 1)]


def _judged(evaluation):
    parts = {
        "data": words.data(evaluation),
        "samples": words.samples(evaluation),
        "features": words.features(evaluation),
    }
    return "; ".join(f"{name}: {text}" for name, text in parts.items() if text)


def _filled(text):
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False
    )


def _lines(evaluations):
    found = rows(evaluations)
    if not found:
        return ["no metric"]
    floors = any(row.floor for row in found)
    several = len(evaluations) > 1
    # Two columns more: those of the marks.
    head = [f"{name}  " for name in _names(evaluations)]
    head = head if several else ["value"]
    head = [*head, *["floor"] * floors, "better"]
    body = [
        [
            *(_cell(cell, several) for cell in row.cells),
            *[row.floor or "-"] * floors,
            words.better(row) or "-",
        ]
        for row in found
    ]
    widths = [max(map(len, column)) for column in zip(head, *body)]
    left = _WIDTH - sum(widths) - 2 * len(widths)
    most = _MOST if several else max(_LEAST, min(left, _MOST))
    names = [_wrapped(row, most) for row in found]
    width = max(len(line) for name in names for line in name)
    lines = [_aligned("metric", width, head, widths)]
    for (name, *rest), cells in zip(names, body):
        lines.append(_aligned(name, width, cells, widths))
        lines += [f"  {line}" for line in rest]
    return lines


def _wrapped(row, width):
    text = f"{row.title}, {row.unit}" if row.unit else row.title
    return textwrap.wrap(text, width - 2, break_on_hyphens=False) or [""]


def _aligned(name, width, cells, widths):
    cells = [cell.rjust(width) for cell, width in zip(cells, widths)]
    return "  ".join([name.ljust(width), *cells])


def _cell(cell, marked):
    """With room for a mark where there may be one, so that figures align."""
    if cell is None:
        text, sign = "-", " "
    else:
        text = f"{cell.value} +- {cell.error}" if cell.error else cell.value
        sign = _SIGNS.get(cell.mark, " ")
    return f"{text} {sign}" if marked else text


def _skipped(evaluations):
    """Why metrics are missing: once, where the reason is the same."""
    found = {}
    for name, evaluation in zip(_names(evaluations), evaluations):
        for item in (evaluation.get("skipped") or {}).items():
            found.setdefault(item, []).append(name)
    lines = []
    for (title, reason), names in found.items():
        of = f" of {', '.join(names)}" if len(evaluations) > 1 else ""
        lines += _filled(f"not computed{of}: {title}: {reason}")
    return ["", *lines] if lines else []
