"""The files that benchmarks have written, as tables."""

import ast
import csv
import json
import pathlib
import textwrap

from kgen_docs.markdown import table
from kgen_docs.quoting import ROOT

FOLDER = ROOT / "benchmarks" / "results"


def results(name: str) -> str:
    """What a benchmark is, its command, and all that it has written.

    Args:
        name: Of the folder or the file without its ending in benchmarks/results.

    Returns:
        Markdown.
    """
    parts = [_description(name)]
    folder = FOLDER / name
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in files or [FOLDER / f"{name}.txt"]:
        shown = _SHOWN.get(path.suffix)
        if shown:
            title = path.relative_to(ROOT)
            parts.append(f'??? abstract "{title}"\n\n' + _indented(shown(path)))
    return "\n\n".join(parts)


def names() -> list[str]:
    """The benchmarks that have results."""
    return sorted(path.stem for path in FOLDER.iterdir())


def _description(name):
    script = ROOT / "benchmarks" / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(script.read_text()))
    first, _, rest = docstring.partition("\n")
    parts = [f"### {name}\n\n{first}"]
    for block in rest.strip("\n").split("\n\n"):
        if block.startswith("    "):
            block = f"```bash\n{textwrap.dedent(block)}\n```"
        parts.append(block)
    return "\n\n".join(parts)


def _indented(text):
    return textwrap.indent(text, " " * 4)


def _text(path):
    return f"```text\n{path.read_text().rstrip()}\n```"


def _csv(path):
    with open(path, newline="") as lines:
        head, *rows = csv.reader(lines)
    return table(head, rows)


def _json(path):
    """Dictionaries of figures as one table, all else as it is."""
    found = json.loads(path.read_text())
    rows = dict(_leaves(found, ()))
    return table(("what", "value"), rows.items())


def _leaves(value, path):
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, (*path, str(key)))
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
        for number, part in enumerate(value):
            yield from _leaves(part, (*path, str(number)))
    else:
        yield ", ".join(path), value


def _picture(path):
    place = pathlib.PurePosixPath("..", "files", path.relative_to(ROOT))
    return f"![{path.stem}]({place})"


_SHOWN = {".txt": _text, ".csv": _csv, ".json": _json, ".png": _picture}
