"""The page: all that an evaluation computed, in one file of HTML."""

import os
import pathlib

from kgen import files
from kgen.runs.report import images, words
from kgen.runs.report.html import (
    comparison_table,
    dash,
    document,
    element,
    table,
)
from kgen.runs.report.ranking import check, differences, rows

_STYLE = pathlib.Path(__file__).with_name("style.css")
# Whatever the texts hold, a browser fetches nothing and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_FACTS = {
    "model": lambda evaluation: str(evaluation["model"]),
    "data": words.data,
    "samples": words.samples,
    "features": words.features,
    "target": lambda evaluation: str(evaluation.get("target") or ""),
    "parameters": words.parameters,
    "evaluated": lambda evaluation: str(evaluation.get("date") or ""),
    "time taken": words.seconds,
}
_ARROWS = {"lower": "\N{DOWNWARDS ARROW}", "higher": "\N{UPWARDS ARROW}"}
_MARKS = {"best": "\N{BLACK STAR} best", "tied": "\N{ALMOST EQUAL TO} tied"}


def write(
    path: str | os.PathLike, evaluations: list[dict], title: str | None = None
) -> None:
    """Writes a report of one run, or of several side by side.

    The page stands alone: its style and its pictures are in it, it has no
    script, and a browser fetches nothing.

    Args:
        path: The HTML file; an existing one is replaced.
        evaluations: List of dictionaries, one for each run. `run`, `model` and
            `metrics` must be there; what else is missing is not shown.

            - `run`: The run's directory; `model`: its kind of model.
            - `metrics`: Dictionary of name and metric, a dictionary with
              `title` and `value`, and, if known, `standard_error`, `floor` (the
              same figure of real examples in the place of samples), `better`
              (`"lower"`, `"higher"`, `"near:1"`), `unit`, `reading`, how to
              read it, `count`, of how many samples it is, beside as many
              real examples, and `each`, the values of test examples that it is
              the mean of, in the order of all runs.
            - `skipped`: Dictionary of the titles of other metrics, and why they
              were not computed.
            - `pictures`: List of dictionaries with `title`, `caption`, `file`
              (a PNG's path or bytes) and `wide`, whether it takes the whole
              width.
            - `data`: Dictionary with `source`, `split`, `examples`.
            - `extractor`: Dictionary with `name`, `features` (how many) and
              `inception` (whether distances may be called FID); or None.
            - `num_samples`, None if none were drawn; `num_compared`, how many of
              these at most are compared with real examples; `target`, `seed`, `date`,
              `seconds`; `parameters`, a dictionary of networks and numbers;
              `settings`, a dictionary that may be nested, and `versions`.
        title: What stands above; by default, what is evaluated.

    Raises:
        InvalidArgument: If there is no evaluation, one lacks what it needs, or
            a picture can't be read.

    Example:
        >>> kgen.runs.report.write("report.html", [evaluation])
    """
    evaluations = check("kgen.runs.report.write", evaluations)
    title = title or _title(evaluations)
    shown = _sections(evaluations)
    head = [
        element("meta", charset="utf-8"),
        element(
            "meta",
            name="viewport",
            content="width=device-width, initial-scale=1",
        ),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", title),
        element("style", _STYLE.read_text("utf-8")),
    ]
    body = [
        element(
            "header", element("h1", title), element("p", _lead(evaluations))
        ),
        _contents(shown),
        element("main", *shown.values()),
    ]
    with files.new_file(path) as temporary:
        temporary.write_bytes(document(head, body))


def _title(evaluations):
    if len(evaluations) > 1:
        return f"Comparison of {len(evaluations)} runs"
    return f"Evaluation of {evaluations[0]['run']}"


def _lead(evaluations):
    """The sentence below the title."""
    models = ", ".join(dict.fromkeys(str(e["model"]) for e in evaluations))
    data = "; ".join(filter(None, dict.fromkeys(map(words.data, evaluations))))
    return f"{models}, judged on {data}" if data else models


def _sections(evaluations):
    """The page's parts by their headings; those without contents are left out."""
    runs = [str(evaluation["run"]) for evaluation in evaluations]
    several = len(runs) > 1

    def nested(key, caption):
        texts = [_flat(evaluation.get(key) or {}) for evaluation in evaluations]
        return comparison_table(caption, runs, texts, mark_differences=True)

    facts = [
        {name: text(evaluation) for name, text in _FACTS.items()}
        for evaluation in evaluations
    ]
    if not several:  # of several, their names stand above the columns
        facts = [{"run": runs[0], **facts[0]}]
    skipped = [evaluation.get("skipped") or {} for evaluation in evaluations]
    pictures = images.sections(evaluations)
    sections = {
        # People look first.
        "Pictures": pictures and [element("div", *pictures, class_="pictures")],
        "Runs" if several else "The run": comparison_table(
            "What was judged, and by what", runs, facts
        ),
        "Metrics": _metrics(evaluations, runs),
        "Not computed": comparison_table(
            "Metrics that were not computed, and why", runs, skipped
        ),
        "Settings": nested("settings", "Settings of the training"),
        "Versions": nested("versions", "Versions of the software"),
    }
    return {
        heading: element(
            "section",
            element("h2", heading),
            *parts,
            id=heading.lower().replace(" ", "-"),
        )
        for heading, parts in sections.items()
        if parts
    }


def _contents(shown):
    """Links to all headings."""
    items = []
    for heading, section in shown.items():
        link = element("a", heading, href=f"#{section.get('id')}")
        inner = [
            element("li", element("a", part[0].text, href=f"#{part.get('id')}"))
            for part in section.iter("section")
            if part is not section
        ]
        inner = [element("ul", *inner)] if inner else []
        items.append(element("li", link, *inner))
    return element("nav", element("ul", *items), aria_label="Contents")


def _flat(settings, prefix=""):
    """Nested dictionaries as one: `options.kl_weight`."""
    flat = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat


# The metrics


def _metrics(evaluations, runs):
    """The metrics, how to read each, and which run is the best in it."""
    metric_rows = rows(evaluations)
    if not metric_rows:
        return [element("p", "No metric was computed.")]
    several = len(runs) > 1
    floors = any(row.floor for row in metric_rows)
    columns = runs if several else ["value"]
    head = ["metric", *columns, *["floor"] * floors, "better"]
    if not several:
        head.append("how to read it")
    body = [_metric_row(row, floors, several) for row in metric_rows]
    class_ = "metrics several" if several else "metrics alone"
    parts = [table(_legend(metric_rows), head, body, class_)]
    if several:
        unlike = differences(evaluations)
        class_ = "warning" if unlike else "note"
        marking = element("p", words.marking(unlike), class_=class_)
        parts = [marking, *parts, *_readings(metric_rows)]
    return parts


def _legend(metric_rows):
    """What the table's columns hold."""
    text = "The figures of each metric"
    if any(cell and cell.error for row in metric_rows for cell in row.cells):
        text += " \N{PLUS-MINUS SIGN} their standard errors"
    if any(row.floor for row in metric_rows):
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
    better = [dash()]
    if row.better:
        text = words.better(row.better)
        arrow = _ARROWS.get(text, "\N{RIGHTWARDS ARROW}")
        better = [element("span", arrow, aria_hidden="true"), f" {text}"]
    cells.append(element("td", *better, class_="better"))
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


def _minus(text):
    return text.replace("-", "\N{MINUS SIGN}")


def _readings(metric_rows):
    """The sentences on all metrics, where the table has no column for them."""
    parts = []
    for row in metric_rows:
        if row.reading:
            parts += [element("dt", row.title), element("dd", row.reading)]
    if not parts:
        return []
    return [
        element("h3", "How to read the metrics"),
        element("dl", *parts, class_="readings"),
    ]
