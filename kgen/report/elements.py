"""HTML as a tree: what is text stays text, since the writer escapes it."""

# It writes here, and parses nothing.
from xml.etree import ElementTree  # nosec B405


def element(tag, *children, **attributes):
    """An element of HTML.

    Args:
        tag: Its name.
        children: Elements and strings, in their order.
        attributes: By name; `class_` stands for `class`, `aria_label` for
            `aria-label`.

    Returns:
        An `ElementTree.Element`.
    """
    found = ElementTree.Element(tag)
    for name, value in attributes.items():
        found.set(name.rstrip("_").replace("_", "-"), str(value))
    for child in children:
        if not isinstance(child, str):
            found.append(child)
        elif len(found):
            found[-1].tail = (found[-1].tail or "") + child
        else:
            found.text = (found.text or "") + child
    return found


def document(head, body):
    """The text of a whole page in English.

    Args:
        head: Elements of the head.
        body: Elements of the body.

    Returns:
        Bytes, in UTF-8. A path may hold bytes that are no text: they become
        question marks.
    """
    root = element("html", element("head", *head), element("body", *body))
    root.set("lang", "en")
    text = ElementTree.tostring(root, encoding="unicode", method="html")
    return f"<!DOCTYPE html>\n{text}\n".encode("utf-8", "replace")
