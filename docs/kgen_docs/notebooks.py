"""The tutorials: notebooks that are run, and become pages with their outputs."""

import base64
import hashlib
import pathlib
import re
import resource
import sys
import tempfile

import nbclient
import nbformat

from kgen_docs.quoting import ROOT

FOLDER = ROOT / "docs" / "tutorials"
# What was run with these very sources is not run again.
_KEPT = ROOT / "build" / "tutorials"
# Seconds of one processor that a tutorial may take: less than 3 minutes on two, and
# the same where others use them, too.
LIMIT = 180


def page(path: pathlib.Path) -> tuple[str, dict[str, bytes]]:
    """Runs a notebook, unless it was run as it is before.

    Args:
        path: A notebook without outputs.

    Returns:
        Markdown, and its pictures by their names.

    Raises:
        RuntimeError: If it takes too long.
    """
    executed = _executed(path)
    parts = [
        f"[Download this page as a notebook.]({path.name}){{ download }}",
    ]
    pictures = {}
    for number, cell in enumerate(executed.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            name = cell.metadata.get("picture", str(number))
            parts.append(_shown(output, f"{path.stem}-{name}", cell, pictures))
    # The title stands above the line with the download.
    parts[0], parts[1] = parts[1], parts[0]
    return "\n\n".join(parts), pictures


def _shown(output, name, cell, pictures):
    """An output in Markdown."""
    if output.output_type == "stream":
        lines = filter(_is_said, output.text.splitlines())
        text = "\n".join(lines).rstrip()
        return f"```text\n{text}\n```" if text else ""
    data = output.data
    if "image/png" in data:
        pictures[f"{name}.png"] = base64.b64decode(data["image/png"])
        return (
            f"![{cell.metadata.get('alt', 'What the code draws')}]({name}.png)"
        )
    if "text/markdown" in data:
        return data["text/markdown"]
    if "text/html" in data:
        return f'<div class="output">{data["text/html"]}</div>'
    return f"```text\n{data['text/plain'].rstrip()}\n```"


def _seconds():
    """What processes that have ended took of the processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _is_said(line):
    """Whether a line is for readers: no progress bar, no log of TensorFlow."""
    return not re.search("\u2501|^[IWE][0-9]{4} |^WARNING: All log", line)


def _executed(path):
    """The notebook with its outputs, in a folder of its own."""
    kept = _KEPT / f"{path.stem}-{_state(path)}.ipynb"
    if kept.exists():
        return nbformat.read(kept, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    begin = _seconds()
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(
            notebook,
            timeout=10 * LIMIT,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        ).execute()
    seconds = _seconds() - begin
    if seconds > LIMIT:
        raise RuntimeError(
            f"{path.name} took {seconds:.0f} s, above {LIMIT} s."
        )
    print(f"{path.name}: {seconds:.0f} s of one processor", file=sys.stderr)
    _KEPT.mkdir(parents=True, exist_ok=True)
    for old in _KEPT.glob(f"{path.stem}-*"):
        old.unlink()
    nbformat.write(notebook, kept)
    return notebook


def _state(path):
    """A hash of the notebook and of kgen's sources."""
    digest = hashlib.sha256(path.read_bytes())
    for source in sorted((ROOT / "kgen").rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
