"""The pictures of a report, held in the page itself."""

import base64
import pathlib
import struct

from kgen.errors import invalid
from kgen.report.elements import element
from kgen.report.evaluations import in_order

_PNG = b"\x89PNG\r\n\x1a\n"
_END = b"IEND\xaeB`\x82"  # of a file that was written to its end


def sections(evaluations):
    """The pictures by their titles, those of several runs side by side.

    Args:
        evaluations: Those of `kgen.report.write`.

    Returns:
        Dictionary of a title and its element.

    Raises:
        InvalidArgument: If a picture is no PNG file.
    """
    several = len(evaluations) > 1
    by_run = [_by_title(evaluation) for evaluation in evaluations]
    found = {}
    for number, title in enumerate(in_order(by_run), 1):
        figures = [
            figure
            for evaluation, pictures in zip(evaluations, by_run)
            for figure in _figures(
                pictures.get(title, []), title, str(evaluation["run"]), several
            )
        ]
        given = [p for pictures in by_run for p in pictures.get(title, [])]
        wide = any(picture.get("wide") for picture in given)
        found[title] = element(
            "section",
            element("h3", title),
            element("div", *figures, class_="stacked" if wide else "beside"),
            id=f"picture-{number}",
            class_="wide" if wide or several else "narrow",
        )
    return found


def _by_title(evaluation):
    found = {}
    for picture in evaluation.get("pictures") or []:
        found.setdefault(picture["title"], []).append(picture)
    return found


def _figures(pictures, title, run, several):
    """A run's figures of one title; of several runs, also that it has none."""
    if not pictures and several:
        return [element("p", f"{run}: no such picture", class_="none")]
    return [_figure(picture, title, run, several) for picture in pictures]


def _figure(picture, title, run, several):
    data = _read(picture["file"])
    width, height = struct.unpack(">II", data[16:24])
    source = base64.b64encode(data).decode("ascii")
    caption = [element("strong", run), " "] if several else []
    return element(
        "figure",
        element(
            "img",
            src=f"data:image/png;base64,{source}",
            alt=f"{title} of {run}",
            width=width,
            height=height,
        ),
        element("figcaption", *caption, picture.get("caption") or ""),
    )


def _read(file):
    """The bytes of a PNG; its header tells its size."""
    if isinstance(file, bytes):
        data, name = file, f"{len(file)} bytes"
    else:
        name = str(file)
        try:
            data = pathlib.Path(file).read_bytes()
        except OSError as error:
            raise _no_picture(f"{name} ({error.strerror})") from error
    if not (data.startswith(_PNG) and data.endswith(_END)):
        raise _no_picture(f"{name} (no whole PNG)")
    return data


def _no_picture(received):
    return invalid(
        "pictures",
        "kgen.report.write",
        "PNG files that can be read, or their bytes",
        received,
    )
