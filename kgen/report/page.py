"""One page of HTML that holds all that an evaluation found."""

import pathlib

from kgen import files
from kgen.report import pictures, words
from kgen.report.elements import document, element
from kgen.report.evaluations import check, in_order, rows, unlike

_STYLE = pathlib.Path(__file__).with_name("style.css")
# Whatever the texts hold, a browser fetches nothing and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_FACTS = {
    "model": lambda evaluation: str(evaluation["model"]),
    "data": words.data,
    "samples": words.samples,
    "features": words.features,
    "parameters": words.parameters,
    "evaluated": lambda evaluation: str(evaluation.get("date") or ""),
    "time taken": words.seconds,
}
_ARROWS = {"lower": "\N{DOWNWARDS ARROW}", "higher": "\N{UPWARDS ARROW}"}
_MARKS = {"best": "\N{BLACK STAR} best", "tied": "\N{ALMOST EQUAL TO} tied"}


def write(path, evaluations, title=None):
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
              same figure for training data against test data), `better`
              (`"lower"`, `"higher"`, `"near:1"`), `unit`, and `reading`, how to
              read it.
            - `skipped`: Dictionary of the titles of other metrics, and why they
              were not computed.
            - `pictures`: List of dictionaries with `title`, `caption`, `file`
              (a PNG's path or bytes) and `wide`, whether it takes the whole
              width.
            - `data`: Dictionary with `source`, `split`, `examples`.
            - `extractor`: Dictionary with `name`, `features` (how many) and
              `inception` (whether distances may be called FID); or None.
            - `num_samples`, `seed`, `date`, `seconds`; `parameters`, a
              dictionary of networks and numbers; `settings`, a dictionary that
              may be nested, and `versions`.
        title: What stands above; by default, what is evaluated.

    Raises:
        InvalidArgument: If there is no evaluation, one lacks what it needs, or
            a picture can't be read.

    Example:
        >>> kgen.report.write("report.html", [evaluation])
    """
    evaluations = check("kgen.report.write", evaluations)
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
    """One sentence on what this is."""
    models = in_order([{str(e["model"]): None} for e in evaluations])
    data = in_order([{words.data(e): None} for e in evaluations])
    text = f"{', '.join(models)}, judged on {'; '.join(filter(None, data))}"
    return text if any(data) else ", ".join(models)


def _sections(evaluations):
    """The page's parts by their headings; those without contents are left out."""
    several = len(evaluations) > 1
    drawn = pictures.sections(evaluations)
    found = {
        "Runs" if several else "The run": _facts(evaluations),
        "Metrics": _metrics(evaluations),
        "Not computed": _skipped(evaluations),
        "Pictures": [element("div", *drawn.values(), class_="pictures")]
        if drawn
        else [],
        "Settings": _nested(
            evaluations, "settings", "Settings of the training"
        ),
        "Versions": _nested(
            evaluations, "versions", "Versions of the software"
        ),
    }
    return {
        heading: element(
            "section",
            element("h2", heading),
            *parts,
            id=heading.lower().replace(" ", "-"),
        )
        for heading, parts in found.items()
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


def _table(caption, head, body, class_):
    """A table that scrolls in its own box, by keyboard, too."""
    parts = [element("caption", caption)]
    if head:
        cells = [element("th", text, scope="col") for text in head]
        parts.append(element("thead", element("tr", *cells)))
    parts.append(element("tbody", *body))
    return element(
        "div",
        element("table", *parts, class_=class_),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


# What the runs are, and how they were made


def _facts(evaluations):
    found = [
        {name: text(evaluation) for name, text in _FACTS.items()}
        for evaluation in evaluations
    ]
    return _compared("What was judged, and by what", evaluations, found)


def _skipped(evaluations):
    found = [evaluation.get("skipped") or {} for evaluation in evaluations]
    caption = "Metrics that were not computed, and why"
    return _compared(caption, evaluations, found)


def _nested(evaluations, key, caption):
    found = [_flat(evaluation.get(key) or {}) for evaluation in evaluations]
    return _compared(caption, evaluations, found, differing=True)


def _flat(settings, before=""):
    """Nested dictionaries as one: `options.kl_weight`."""
    found = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = str(value)
    return found


def _compared(caption, evaluations, found, differing=False):
    """Texts by name, one column a run; the rows that differ may be marked."""
    several = len(evaluations) > 1
    body = []
    for name in in_order(found):
        texts = [str(texts.get(name, "")) for texts in found]
        if not any(texts):
            continue
        label = [element("span", name, class_="name")]
        marked = differing and len(set(texts)) > 1
        if marked:
            label += [" ", element("span", "differs", class_="badge")]
        cells = _texts(texts)
        body.append(
            element(
                "tr",
                element("th", *label, scope="row"),
                *cells,
                class_="differs" if marked else "same",
            )
        )
    if not body:
        return []
    head = ["name", *(str(e["run"]) for e in evaluations)] if several else []
    return [
        _table(caption, head, body, "facts several" if several else "facts")
    ]


def _texts(texts):
    """What all runs agree on is said once, across their columns."""
    if len(texts) > 1 and len(set(texts)) == 1:
        return [element("td", texts[0], colspan=len(texts))]
    return [element("td", text or _dash()) for text in texts]


def _dash():
    return element("span", "\N{EN DASH}", class_="none", title="not there")


# The metrics


def _metrics(evaluations):
    found = rows(evaluations)
    if not found:
        return [element("p", "No metric was computed.")]
    several = len(evaluations) > 1
    floors = any(row.floor for row in found)
    runs = [str(e["run"]) for e in evaluations] if several else ["value"]
    head = ["metric", *runs, *["floor"] * floors, "better"]
    if not several:
        head.append("how to read it")
    body = [_metric_row(row, floors, several) for row in found]
    class_ = "metrics several" if several else "metrics alone"
    parts = [_table(_legend(found), head, body, class_)]
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
            ". The floor is the figure of the training data against the test "
            "data: no model can be expected to do better"
        )
    return f"{text}."


def _metric_row(row, floors, several):
    unit = [" ", element("span", row.unit, class_="unit")] if row.unit else []
    name = element("span", row.title, class_="name")
    cells = [element("th", name, *unit, scope="row")]
    cells += [_cell(cell) for cell in row.cells]
    if floors:
        floor = _minus(row.floor) if row.floor else _dash()
        cells.append(element("td", floor, class_="floor number"))
    cells.append(element("td", *_better(row), class_="better"))
    if not several:
        cells.append(element("td", row.reading, class_="reading"))
    return element("tr", *cells)


def _cell(cell):
    if cell is None:
        return element("td", _dash(), class_="number figure")
    parts = [element("span", _minus(cell.value), class_="value")]
    if cell.error:
        error = f" \N{PLUS-MINUS SIGN} {_minus(cell.error)}"
        parts.append(element("span", error, class_="error"))
    if cell.mark:
        parts.append(element("span", _MARKS[cell.mark], class_="mark"))
    return element("td", *parts, class_=f"number figure {cell.mark}".strip())


def _better(row):
    text = words.better(row)
    if not text:
        return [_dash()]
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
