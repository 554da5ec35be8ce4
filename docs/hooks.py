"""What MkDocs calls while it builds the site. See `kgen_docs`."""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kgen_docs import formulas, links, macros, notebooks, repository
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

# What the theme would fetch so that the search works on pages from a disk.
_FETCHED_WORKER = "https://unpkg.com/iframe-worker/shim"


def on_files(files, config):
    """Adds the tutorials, and pictures from other folders of the repository."""
    for name in repository.pictures():
        path = str(repository.ROOT / name)
        files.append(File.generated(config, f"files/{name}", abs_src_path=path))
    for path in sorted(notebooks.FOLDER.glob("*.ipynb")):
        text, pictures = notebooks.page(path)
        for name, content in {f"{path.stem}.md": text, **pictures}.items():
            uri = f"tutorials/{name}"
            files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Puts what macros give in their places."""
    try:
        return macros.expand(markdown)
    except ValueError as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from error


def on_page_content(html, page, config, files):
    """Draws formulas."""
    return formulas.as_mathml(html)


def on_post_build(config):
    """Puts the site's own worker in its place, and checks all links."""
    site = pathlib.Path(config.site_dir)
    for path in site.rglob("*.html"):
        up = "../" * (len(path.relative_to(site).parts) - 1)
        text = path.read_text()
        path.write_text(text.replace(_FETCHED_WORKER, f"{up}assets/worker.js"))
    found = links.problems(site)
    if found:
        raise PluginError("\n".join(["Links that are wrong:", *found]))
