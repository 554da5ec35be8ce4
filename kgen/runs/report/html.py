"""HTML as a tree of elements, whose texts are escaped when it is written."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# It writes here, and parses nothing.
from xml.etree import ElementTree  # nosec B405

Element = ElementTree.Element


def element(tag: str, *children: Element | str, **attributes: Any) -> Element:
    """Makes an element of HTML.

    Args:
        tag: Its name.
        *children: Elements and strings, in their order.
        **attributes: By name; `class_` stands for `class`, `aria_label` for
            `aria-label`.
    """
    parent = Element(tag)
    for name, value in attributes.items():
        parent.set(name.rstrip("_").replace("_", "-"), str(value))
    for child in children:
        if not isinstance(child, str):
            parent.append(child)
        elif len(parent):
            parent[-1].tail = (parent[-1].tail or "") + child
        else:
            parent.text = (parent.text or "") + child
    return parent


def document(head: Iterable[Element], body: Iterable[Element]) -> bytes:
    """Returns the text of a whole page in English, in UTF-8.

    A path may hold bytes that are no text: they become question marks.
    """
    root = element("html", element("head", *head), element("body", *body))
    root.set("lang", "en")
    text = ElementTree.tostring(root, encoding="unicode", method="html")
    return f"<!DOCTYPE html>\n{text}\n".encode("utf-8", "replace")


def table(
    caption: str, head: Iterable[str], body: Iterable[Element], class_: str
) -> Element:
    """Makes a table that scrolls in its own box, by keyboard, too.

    Args:
        caption: What it holds, in words.
        head: The columns' names, or an empty list.
        body: Elements, one a row.
        class_: The style's name.
    """
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


def comparison_table(
    caption: str,
    runs: list[str],
    texts: Sequence[Mapping],
    mark_differences: bool = False,
) -> list[Element]:
    """Makes a table of texts by name, with one column a run.

    Args:
        caption: What it holds, in words.
        runs: The runs' names.
        texts: A dictionary of texts for each run.
        mark_differences: Whether rows in which the runs differ are marked.

    Returns:
        List of the one element; empty where there is nothing to tell.
    """
    body = []
    for name in dict.fromkeys(itertools.chain(*texts)):
        cells = [str(of_run.get(name, "")) for of_run in texts]
        if any(cells):
            differs = mark_differences and len(set(cells)) > 1
            body.append(_comparison_row(name, cells, differs))
    if not body:
        return []
    if len(runs) == 1:
        return [table(caption, [], body, "facts")]
    return [table(caption, ["name", *runs], body, "facts several")]


def _comparison_row(name, texts, differs):
    label = [element("span", name, class_="name")]
    if differs:
        label += [" ", element("span", "differs", class_="badge")]
    if len(texts) > 1 and len(set(texts)) == 1:
        # What all runs agree on is said once, across their columns.
        cells = [element("td", texts[0], colspan=len(texts))]
    else:
        cells = [element("td", text or dash()) for text in texts]
    class_ = "differs" if differs else "same"
    head = element("th", *label, scope="row")
    return element("tr", head, *cells, class_=class_)


def dash() -> Element:
    """Makes the mark of an empty cell."""
    return element("span", "\N{EN DASH}", class_="none")
