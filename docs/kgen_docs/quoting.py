"""Quotes of the sources and of the tests, which fail when these change."""

import ast
import pathlib
import textwrap

ROOT = pathlib.Path(__file__).parents[2]


def source(place: str, first: str = "", last: str = "") -> str:
    """Quotes a function or class, or some of its lines.

    Args:
        place: A file and a name in it, such as `kgen/models/vae.py::VAE.compile`.
        first: How the first line begins; empty for the whole definition.
        last: How the last line begins, which may be the first one; empty for
            that line alone.

    Returns:
        Markdown.

    Raises:
        ValueError: If there is no such file, name or line.
    """
    path, _, name = place.partition("::")
    lines = definition(path, name).splitlines()
    if first:
        begin = _position(lines, first, 0, place)
        end = _position(lines, last, begin, place) if last else begin
        lines = textwrap.dedent("\n".join(lines[begin : end + 1])).splitlines()
    code = "\n".join(lines)
    return f'```python title="{path}, {name}"\n{code}\n```'


def test(place: str) -> str:
    """Quotes a test, folded.

    Args:
        place: A file and a test in it, as pytest takes it.

    Returns:
        Markdown.

    Raises:
        ValueError: If there is no such test.
    """
    path, _, name = place.partition("::")
    code = definition(path, name.replace("::", "."), docstring=True)
    block = textwrap.indent(f"```python\n{code}\n```", " " * 4)
    return f'??? success "The test: `{place}`"\n\n{block}'


def definition(path: str, name: str, docstring: bool = False) -> str:
    """The source of a function or class.

    Args:
        path: A file, from the root of the repository.
        name: The name in it, with dots inside a class.
        docstring: Whether the docstring is wanted, too.

    Returns:
        Its lines, not indented.

    Raises:
        ValueError: If there is no such file or name.
    """
    if not (ROOT / path).is_file():
        raise ValueError(f"There is no file {path}.")
    text = (ROOT / path).read_text()
    node = ast.parse(text)
    for part in name.split("."):
        found = [n for n in node.body if getattr(n, "name", None) == part]
        if not found:
            raise ValueError(f"There is no {name} in {path}.")
        node = found[-1]  # before it, there may be overloads
    lines = text.splitlines()
    above = [decorator.lineno for decorator in node.decorator_list]
    begin = min([node.lineno, *above]) - 1
    kept = lines[begin : node.end_lineno]
    if not docstring and ast.get_docstring(node) is not None:
        doc = node.body[0]
        del kept[doc.lineno - 1 - begin : doc.end_lineno - begin]
    return textwrap.dedent("\n".join(kept))


def _position(lines, start, after, place):
    for position, line in enumerate(lines[after:], after):
        if line.strip().startswith(start):
            return position
    raise ValueError(f"There is no line {start!r} in {place}.")
