"""The pictures of a report: which there are, and PNG files in the page itself."""

import base64
import itertools
import pathlib
import struct

from kgen.errors import invalid
from kgen.runs.report.html import Element, element

_PNG = b"\x89PNG\r\n\x1a\n"
_END = b"IEND\xaeB`\x82"  # of a file that was written to its end


# The pictures that a run may have, in their order, with a title, a caption and
# whether they take the whole width: two narrow ones stand side by side.
_PICTURES = {
    "losses": ("Training", "The logs by epoch.", True),
    "samples": ("Samples", "New ones, from draws of the prior.", False),
    "marginals": (
        "Columns",
        "The distribution of each column, of test rows and of synthetic ones.",
        True,
    ),
    "correlations": (
        "Correlations",
        "How columns go together, in test rows and in synthetic ones.",
        True,
    ),
    "gaps": ("Gaps", "The share of gaps in each column.", False),
    "latent": (
        "Latent map",
        "Codes of test examples, by class where classes are known; of two "
        "dimensions with contours of the prior.",
        False,
    ),
    "nearest": (
        "Nearest training examples",
        "The samples that are nearest to a training example, above it: equal "
        "pictures would mean that the model repeats what it has seen.",
        True,
    ),
    "reconstructions": (
        "Reconstructions",
        "Test examples above what comes back from their codes.",
        True,
    ),
    "denoised": (
        "Denoised",
        "Test examples, corrupted as in training, and without the noise.",
        True,
    ),
    "interpolations": (
        "Interpolations",
        "What lies between two codes: those of test examples or, of a model "
        "without an encoder, draws of the prior.",
        True,
    ),
    "attributes": (
        "Attributes",
        "Codes moved by the mean difference of two classes.",
        True,
    ),
    "errors": (
        "Size of the code",
        "The error of reconstructions beside PCA's.",
        False,
    ),
    "confusion": ("Confusion", "Which classes are taken for which.", False),
}


def pictures(folder: pathlib.Path, **more: str) -> list[dict]:
    """Returns the `pictures` of an evaluation, whose files are in a folder.

    Args:
        folder: The folder.
        **more: Text that goes on after the caption of a picture, by its stem.
    """
    return [
        {
            "title": title,
            "caption": f"{caption} {more.get(stem, '')}".strip(),
            "file": file,
            "wide": wide,
        }
        for stem, (title, caption, wide) in _PICTURES.items()
        if (file := folder / f"{stem}.png").exists()
    ]


def sections(evaluations: list[dict]) -> list[Element]:
    """Makes a section for each title, with the images of all runs.

    Args:
        evaluations: Those of `kgen.runs.report.write`.

    Raises:
        InvalidArgument: If an image is no PNG file.
    """
    several = len(evaluations) > 1
    given = [evaluation.get("pictures") or [] for evaluation in evaluations]
    titles = dict.fromkeys(
        picture["title"] for picture in itertools.chain(*given)
    )
    parts = []
    for number, title in enumerate(titles, 1):
        figures, wide = [], False
        for evaluation, all_of_run in zip(evaluations, given):
            run = str(evaluation["run"])
            of_run = [p for p in all_of_run if p["title"] == title]
            figures += [_figure(picture, run, several) for picture in of_run]
            if several and not of_run:
                text = f"{run}: no such picture"
                figures.append(element("p", text, class_="none"))
            wide = wide or any(picture.get("wide") for picture in of_run)
        section = element(
            "section",
            element("h3", title),
            element("div", *figures, class_="stacked" if wide else "beside"),
            id=f"picture-{number}",
            class_="wide" if wide or several else "narrow",
        )
        parts.append(section)
    return parts


def _figure(picture, run, several):
    data = _read(picture["file"])
    width, height = struct.unpack(">II", data[16:24])  # of the PNG's header
    source = base64.b64encode(data).decode("ascii")
    caption = [element("strong", run), " "] if several else []
    return element(
        "figure",
        element(
            "img",
            src=f"data:image/png;base64,{source}",
            alt=f"{picture['title']} of {run}",
            width=width,
            height=height,
        ),
        element("figcaption", *caption, picture.get("caption") or ""),
    )


def _read(file):
    """Returns the bytes of a PNG, which is given by them or by its path."""
    reason = "no whole PNG"
    try:
        data = file
        if not isinstance(file, bytes):
            data = pathlib.Path(file).read_bytes()
        if data.startswith(_PNG) and data.endswith(_END):
            return data
    except OSError as error:
        reason = error.strerror
    name = f"{len(file)} bytes" if isinstance(file, bytes) else str(file)
    raise invalid(
        "pictures",
        "kgen.runs.report.write",
        "PNG files that can be read, or their bytes",
        f"{name} ({reason})",
    )
