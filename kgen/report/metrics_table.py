"""The table of metrics on a page."""

from kgen.report import words
from kgen.report.elements import element
from kgen.report.evaluations import names, rows, unlike
from kgen.report.tables import dash, table

_ARROWS = {"lower": "\N{DOWNWARDS ARROW}", "higher": "\N{UPWARDS ARROW}"}
_MARKS = {"best": "\N{BLACK STAR} best", "tied": "\N{ALMOST EQUAL TO} tied"}


def section(evaluations):
    """The metrics, how to read each, and which run's is the best.

    Args:
        evaluations: Those of `kgen.report.write`.

    Returns:
        List of elements.
    """
    found = rows(evaluations)
    if not found:
        return [element("p", "No metric was computed.")]
    several = len(evaluations) > 1
    floors = any(row.floor for row in found)
    runs = names(evaluations) if several else ["value"]
    head = ["metric", *runs, *["floor"] * floors, "better"]
    if not several:
        head.append("how to read it")
    body = [_metric_row(row, floors, several) for row in found]
    class_ = "metrics several" if several else "metrics alone"
    parts = [table(_legend(found), head, body, class_)]
    if several:
        parts = [_marking(evaluations), *parts, *_readings(found)]
    return parts


def _marking(evaluations):
    differing = unlike(evaluations)
    class_ = "warning" if differing else "note"
    return element("p", words.marking(differing), class_=class_)


def _legend(found):
    """What the table's columns hold."""
    text = "The figures of each metric"
    if any(cell and cell.error for row in found for cell in row.cells):
        text += " \N{PLUS-MINUS SIGN} their standard errors"
    if any(row.floor for row in found):
        text += (
            ". The floor is what real examples, those of the training or of the "
            "test, have in the place of samples: a model that draws from the "
            "data's own distribution comes near it"
        )
    return f"{text}."


def _metric_row(row, floors, several):
    unit = [" ", element("span", row.unit, class_="unit")] if row.unit else []
    name = element("span", row.title, class_="name")
    cells = [element("th", name, *unit, scope="row")]
    cells += [_cell(cell) for cell in row.cells]
    if floors:
        floor = _minus(row.floor) if row.floor else dash()
        cells.append(element("td", floor, class_="floor number"))
    cells.append(element("td", *_better(row), class_="better"))
    if not several:
        cells.append(element("td", row.reading, class_="reading"))
    return element("tr", *cells)


def _cell(cell):
    if cell is None:
        return element("td", dash(), class_="number figure")
    parts = [element("span", _minus(cell.value), class_="value")]
    if cell.error:
        error = f" \N{PLUS-MINUS SIGN} {_minus(cell.error)}"
        parts.append(element("span", error, class_="error"))
    if cell.mark:
        parts += [" ", element("span", _MARKS[cell.mark], class_="mark")]
    return element("td", *parts, class_=f"number figure {cell.mark}".strip())


def _better(row):
    text = words.better(row)
    if not text:
        return [dash()]
    arrow = _ARROWS.get(text, "\N{RIGHTWARDS ARROW}")
    return [element("span", arrow, aria_hidden="true"), f" {text}"]


def _minus(text):
    return text.replace("-", "\N{MINUS SIGN}")


def _readings(found):
    parts = []
    for row in found:
        if row.reading:
            parts += [element("dt", row.title), element("dd", row.reading)]
    if not parts:
        return []
    return [
        element("h3", "How to read the metrics"),
        element("dl", *parts, class_="readings"),
    ]
