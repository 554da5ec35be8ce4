"""README.md beside model.json: the same facts, for people and for model hubs."""

import json
import os
import pathlib
from collections.abc import Iterator

FILE = "README.md"
# Of the settings, these have a place of their own or say nothing to others.
_LEFT_OUT = {"examples", "classes", "data", "data_dir", "strategy", "devices"}


def write(directory: str | os.PathLike, card: dict) -> None:
    """Writes the README.md of an exported model.

    Args:
        directory: That of the SavedModel; a server passes over the file.
        card: What model.json holds.
    """
    text = "\n".join(_lines(card))
    pathlib.Path(directory, FILE).write_text(text + "\n", "utf-8")


def _lines(card: dict) -> Iterator[str]:
    """The lines of the text, which begins with what model hubs read."""
    kind = card["model"]
    name = card.get("name", kind)
    yield from ("---", "library_name: keras", "tags:", "- kgen", f"- {kind}")
    yield from ("---", "", f"# {name}", "")
    yield f"A `{kind}` of kgen as a SavedModel."
    if "classes" in card:
        classes = ", ".join(map(_cell, card["classes"]))
        yield from ("", f"Its classes, from label 0 on: {classes}.")
    columns = card.get("table", {}).get("columns", [])
    if columns:
        yield from (
            "",
            'A row is a tensor for each column; `""` or `NaN` is a gap.',
        )
    for title, rows in (
        ("Columns", _columns(columns)),
        ("Data", _data(card.get("data", {}))),
        ("Training", _training(card)),
        ("Figures", _figures(card.get("metrics"))),
        ("Signatures", _signatures(card["signatures"])),
        ("Versions", [("", ""), *card["versions"].items()]),
    ):
        if len(rows) > 1:
            yield from ("", f"## {title}", "")
            yield from _table(rows)
    yield from ("", "## Use", "", "```python", "import tensorflow as tf", "")
    yield 'signatures = tf.saved_model.load("PATH").signatures'
    first = card["signatures"]["serving_default"]["inputs"]
    given = ", ".join(f"{key}={key}" for key in first)
    yield f'signatures["serving_default"]({given})'
    yield from ("```", "", "`model.json` has all of this, and more.")


def _columns(columns):
    """Which tensor is which column of a table, and what its values are."""
    rows = [("tensor", "column", "kind", "values")]
    for facts in columns:
        values = "0 or 1" if facts["kind"] == "boolean" else ""
        if "unit" in facts:
            values = f"in units of {facts['unit']}"
        elif "values" in facts:
            values = ", ".join(map(str, facts["values"]))
        elif "range" in facts:
            values = "from {:g} to {:g}".format(*facts["range"])
        rows.append((facts["input"], facts["column"], facts["kind"], values))
    return rows


def _data(data):
    """What the model was trained on; of a path, the last part alone."""
    rows = [("", "")]
    if "source" in data:
        rows.append(("source", pathlib.PurePath(data["source"]).name))
    rows += [(key, data[key]) for key in ("split", "examples") if key in data]
    if "shape" in data:
        rows.append(("shape of an example", _shape(data["shape"])))
    return rows


def _training(card):
    settings = {
        name: value
        for name, value in card.get("settings", {}).items()
        if name not in _LEFT_OUT
        and value is not False  # which a 0 equals
        and value not in (None, {}, [])
    }
    settings |= settings.pop("options", {})
    settings |= {"epochs": card.get("trained", {}).get("epochs")}
    settings = {k: v for k, v in settings.items() if v is not None}
    return [("setting", "value"), *settings.items()]


def _figures(metrics):
    """What `kgen evaluate` found, where it was of this very model."""
    if not metrics:
        return []
    values = metrics["values"].items()
    texts = [(k, f"{v:.4g}" if isinstance(v, float) else v) for k, v in values]
    return [("figure", "value"), *texts]


def _signatures(signatures):
    rows = [("signature", "takes", "gives")]
    for name, both in signatures.items():
        texts = [
            ", ".join(
                f"{key} {_shape(spec['shape'])} {spec['dtype']}"
                for key, spec in both[side].items()
            )
            for side in ("inputs", "outputs")
        ]
        rows.append((name, *texts))
    return rows


def _shape(sizes):
    return (
        f"({', '.join('n' if size is None else str(size) for size in sizes)})"
    )


def _cell(value):
    """A value within a table of Markdown."""
    text = value if isinstance(value, str) else json.dumps(value)
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


def _table(rows):
    """The lines of a table, whose first row is its head."""
    head, *rest = (f"| {' | '.join(map(_cell, row))} |" for row in rows)
    yield from (head, "|" + "---|" * len(rows[0]), *rest)
