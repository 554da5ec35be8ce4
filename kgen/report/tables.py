"""Tables of a page that are readable on a phone and by ear, too."""

from kgen.report.elements import element
from kgen.report.evaluations import in_order


def table(caption, head, body, class_):
    """A table that scrolls in its own box, by keyboard, too.

    Args:
        caption: What it holds, in words.
        head: The columns' names, or an empty list.
        body: Elements, one a row.
        class_: The style's name.

    Returns:
        An element.
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


def compared(caption, runs, found, differing=False):
    """A table of texts by name, one column a run.

    Args:
        caption: What it holds, in words.
        runs: The runs' names.
        found: List of dictionaries of texts, one for each run.
        differing: Whether the rows in which the runs differ are marked.

    Returns:
        List of the one element; empty where there is nothing to tell.
    """
    texts = {
        name: [str(of_run.get(name, "")) for of_run in found]
        for name in in_order(found)
    }
    body = [
        _row(name, cells, differing and len(set(cells)) > 1)
        for name, cells in texts.items()
        if any(cells)
    ]
    if not body:
        return []
    if len(runs) == 1:
        return [table(caption, [], body, "facts")]
    return [table(caption, ["name", *runs], body, "facts several")]


def _row(name, texts, differs):
    label = [element("span", name, class_="name")]
    if differs:
        label += [" ", element("span", "differs", class_="badge")]
    head = element("th", *label, scope="row")
    class_ = "differs" if differs else "same"
    return element("tr", head, *_texts(texts), class_=class_)


def _texts(texts):
    """What all runs agree on is said once, across their columns."""
    if len(texts) > 1 and len(set(texts)) == 1:
        return [element("td", texts[0], colspan=len(texts))]
    return [element("td", text or dash()) for text in texts]


def dash():
    """What stands where there is nothing."""
    return element("span", "\N{EN DASH}", class_="none")
