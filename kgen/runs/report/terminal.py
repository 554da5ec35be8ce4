"""The table of metrics as plain text."""

import textwrap

from kgen.runs.report import words
from kgen.runs.report.ranking import check, differences, rows

_WIDTH = 88
_LEAST, _MOST = 20, 38  # columns for the metrics' names
_SIGNS = {"best": "*", "tied": "="}


def table(evaluations: list[dict]) -> str:
    """Returns the metrics as a plain table for the terminal.

    Args:
        evaluations: As for `write`; `pictures` are not looked at.

    Returns:
        String of several lines: for one run of 88 columns at most. The best of
        several runs has a star, those that are tied for it a sign of equality.

    Raises:
        InvalidArgument: If there is no evaluation, or one lacks what it needs.

    Example:
        >>> print(kgen.runs.report.table([evaluation]))
    """
    evaluations = check("kgen.runs.report.table", evaluations)
    # Short names: a path as a column's head would make it wide.
    names = [f"run {number}" for number in range(1, len(evaluations) + 1)]
    unlike = differences(evaluations)
    lines = [
        *_about(evaluations, names, unlike),
        "",
        *_metrics(evaluations, names),
    ]
    if len(evaluations) > 1:
        signs = "" if unlike else " (*: best; =: tied)"
        lines += ["", *_wrap(words.marking(unlike) + signs)]
    return "\n".join([*lines, *_skipped(evaluations, names)])


def _about(evaluations, names, unlike):
    """The runs, and what they were judged by: once, where all are alike."""
    lines = []
    for name, evaluation in zip(names, evaluations):
        before = f"{name}: " if len(evaluations) > 1 else ""
        lines += _wrap(f"{before}{evaluation['run']} ({evaluation['model']})")
        if unlike:
            lines += _wrap(f"  {_judged_by(evaluation)}")
    return lines if unlike else lines + _wrap(_judged_by(evaluations[0]))


def _judged_by(evaluation):
    parts = {
        "data": words.data(evaluation),
        "samples": words.samples(evaluation),
        "features": words.features(evaluation),
        "target": evaluation.get("target"),
    }
    return "; ".join(f"{name}: {text}" for name, text in parts.items() if text)


def _wrap(text):
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False
    )


def _metrics(evaluations, names):
    """The lines of the table."""
    metric_rows = rows(evaluations)
    if not metric_rows:
        return ["no metric"]
    floors = any(row.floor for row in metric_rows)
    several = len(evaluations) > 1
    # Two columns more: those of the marks.
    columns = [f"{name}  " for name in names] if several else ["value"]
    head = [*columns, *["floor"] * floors, "better"]
    body = [
        [
            *(_cell(cell, several) for cell in row.cells),
            *[row.floor or "-"] * floors,
            words.better(row.better) or "-",
        ]
        for row in metric_rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *body)]
    left = _WIDTH - sum(widths) - 2 * len(widths)
    most = _MOST if several else max(_LEAST, min(left, _MOST))
    titles = [_title(row, most) for row in metric_rows]
    width = max(len(line) for title in titles for line in title)
    lines = [_align("metric", width, head, widths)]
    for (first, *rest), cells in zip(titles, body):
        lines.append(_align(first, width, cells, widths))
        lines += [f"  {line}" for line in rest]
    return lines


def _title(row, width):
    text = f"{row.title}, {row.unit}" if row.unit else row.title
    return textwrap.wrap(text, width - 2, break_on_hyphens=False) or [""]


def _align(title, width, cells, widths):
    cells = [cell.rjust(width) for cell, width in zip(cells, widths)]
    return "  ".join([title.ljust(width), *cells])


def _cell(cell, marked):
    """With room for a mark where there may be one, so that figures align."""
    text, sign = "-", " "
    if cell is not None:
        text = f"{cell.value} +- {cell.error}" if cell.error else cell.value
        sign = _SIGNS.get(cell.mark, " ")
    return f"{text} {sign}" if marked else text


def _skipped(evaluations, names):
    """Why metrics are missing: once, where the reason is the same."""
    runs_by_reason = {}
    for name, evaluation in zip(names, evaluations):
        for item in (evaluation.get("skipped") or {}).items():
            runs_by_reason.setdefault(item, []).append(name)
    lines = []
    for (title, reason), runs in runs_by_reason.items():
        of = f" of {', '.join(runs)}" if len(evaluations) > 1 else ""
        lines += _wrap(f"not computed{of}: {title}: {reason}")
    return ["", *lines] if lines else []
