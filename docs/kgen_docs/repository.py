"""Pages and pictures of the repository that are a part of the site, too."""

import posixpath
import re

from kgen_docs.quoting import ROOT

# Where a file of the repository stands on the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "design.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "tuning/README.md": "guides/studies.md",
    "saved_models/README.md": "guides/exports.md",
}
_PICTURES = ("benchmarks/results/**/*.png", "tuning/*.png")


def pictures() -> list[str]:
    """The pictures that pages show from `files/`, from the root."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for pattern in _PICTURES
        for path in ROOT.glob(pattern)
    )


def file(path: str) -> str:
    """A file of the repository, with links that fit its page.

    Args:
        path: A key of `PAGES`.

    Returns:
        Markdown.

    Raises:
        ValueError: If a link leads to what is not on the site.
    """
    page = PAGES[path]

    def relinked(link):
        target, _, anchor = link[2].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return link[0]
        target = posixpath.normpath(
            posixpath.join(posixpath.dirname(path), target)
        )
        place = _place(target, path)
        place = posixpath.relpath(place, posixpath.dirname(page) or ".")
        return f"{link[1]}({place}{'#' * bool(anchor)}{anchor})"

    text = (ROOT / path).read_text()
    return re.sub(r"(\[[^\]\n]*\])\(([^)\s]+)\)", relinked, text)


def _place(target, path):
    if target in PAGES:
        return PAGES[target]
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    if target in pictures():
        return f"files/{target}"
    raise ValueError(f"The link to {target} in {path} leads out of the site.")
