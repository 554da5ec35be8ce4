"""One page of HTML that holds all that an evaluation found."""

import pathlib

from kgen import files
from kgen.report import metrics_table, pictures, words
from kgen.report.elements import document, element
from kgen.report.evaluations import check, names
from kgen.report.tables import compared

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
              these at most are compared with real examples; `seed`, `date`,
              `seconds`; `parameters`, a dictionary of networks and numbers;
              `settings`, a dictionary that may be nested, and `versions`.
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
    models = ", ".join(dict.fromkeys(str(e["model"]) for e in evaluations))
    data = dict.fromkeys(words.data(e) for e in evaluations)
    data = "; ".join(filter(None, data))
    return f"{models}, judged on {data}" if data else models


def _sections(evaluations):
    """The page's parts by their headings; those without contents are left out."""
    several = len(evaluations) > 1
    drawn = pictures.sections(evaluations)
    found = {
        "Runs" if several else "The run": _facts(evaluations),
        "Metrics": metrics_table.section(evaluations),
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


def _facts(evaluations):
    found = [
        {name: text(evaluation) for name, text in _FACTS.items()}
        for evaluation in evaluations
    ]
    if len(found) == 1:  # of several, their names stand above the columns
        found = [{"run": names(evaluations)[0], **found[0]}]
    return compared("What was judged, and by what", names(evaluations), found)


def _skipped(evaluations):
    found = [evaluation.get("skipped") or {} for evaluation in evaluations]
    caption = "Metrics that were not computed, and why"
    return compared(caption, names(evaluations), found)


def _nested(evaluations, key, caption):
    found = [_flat(evaluation.get(key) or {}) for evaluation in evaluations]
    return compared(caption, names(evaluations), found, differing=True)


def _flat(settings, before=""):
    """Nested dictionaries as one: `options.kl_weight`."""
    found = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = str(value)
    return found
