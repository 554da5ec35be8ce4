"""Whether a built site is whole: every link leads somewhere, and nothing leaves it."""

import functools
import pathlib
import urllib.parse
from html.parser import HTMLParser

# What a browser fetches by itself to show a page.
_FETCHED = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
}
_HARMLESS_LINKS = {"canonical", "next", "prev"}


class _Page(HTMLParser):
    """The links of a page, and the places within it that links may name."""

    def __init__(self):
        super().__init__()
        self.links, self.fetched, self.places = [], [], set()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.places.update(filter(None, (given.get("id"), given.get("name"))))
        for attribute in ("href", "src"):
            link = given.get(attribute)
            if not link or given.get("rel") in _HARMLESS_LINKS:
                continue
            self.links.append(link)
            if (tag, attribute) in _FETCHED:
                self.fetched.append(link)


def problems(site: pathlib.Path) -> list[str]:
    """What is wrong with the links of a site.

    Args:
        site: The folder that it was built in.

    Returns:
        A sentence for each fault. Links to other sites are not followed.
    """
    _read.cache_clear()
    return [
        f"{path.relative_to(site)}: {fault}"
        for path in sorted(site.rglob("*.html"))
        if path.name != "404.html"  # it is served from anywhere
        for fault in _faults(path)
    ]


@functools.cache
def _read(path):
    page = _Page()
    page.feed(path.read_text())
    return page


def _faults(path):
    for link in _read(path).fetched:
        if urllib.parse.urlsplit(link).netloc:
            yield f"a browser would fetch {link}"
    for link in _read(path).links:
        parts = urllib.parse.urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        name = urllib.parse.unquote(parts.path)
        target = (path.parent / name).resolve() if name else path
        if not target.is_file():
            yield f"the link to {link} leads nowhere"
        elif parts.fragment and target.suffix == ".html":
            place = urllib.parse.unquote(parts.fragment)
            if place not in _read(target).places | {"__"}:
                yield f"there is no place {link}"
