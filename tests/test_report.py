"""A report says what an evaluation found, and no more than that."""

import base64
import html.parser
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.runs import report
from kgen.runs.report.numbers import texts
from tests.report_examples import evaluation, metric, png

VOID = ("meta", "img")


class Tree(html.parser.HTMLParser):
    """A page as a tree; fails where an element isn't closed."""

    def __init__(self):
        super().__init__()
        self.builder = ElementTree.TreeBuilder()

    def handle_starttag(self, tag, attrs):
        self.builder.start(tag, dict(attrs))
        if tag in VOID:
            self.builder.end(tag)

    def handle_endtag(self, tag):
        assert self.builder.end(tag).tag == tag

    def handle_data(self, data):
        self.builder.data(data)


def written(path, evaluations, title=None):
    """The tree of the page that is written."""
    report.write(path, evaluations, title)
    tree = Tree()
    text = path.read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>\n<html")
    tree.feed(text.removeprefix("<!DOCTYPE html>\n").rstrip())
    return tree.builder.close()


def said(element):
    return " ".join("".join(element.itertext()).split())


def cells(page, section):
    """The rows of a section's table, by their first cell: lists of texts."""
    rows = page.findall(f".//section[@id='{section}']//tbody/tr")
    return {said(row[0]): [said(cell) for cell in row[1:]] for row in rows}


def metrics_of(page):
    return cells(page, "metrics")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "report.html"


# Numbers


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (3.2134, 0.0961, ("3.213", "0.096")),
        (228.7049, 0.1234, ("228.70", "0.12")),
        (228.7049, 0.0996, ("228.70", "0.10")),  # rounds up to one digit more
        (228.7049, 12.6, ("229", "13")),
        (123_456.0, 1234.5, ("123,500", "1,200")),
        (0.00213, 0.00034, ("0.00213", "0.00034")),
        (1.234e-6, 3.4e-7, ("1.23e-6", "0.34e-6")),
        (-0.00012, 0.034, ("0.000", "0.034")),  # no minus before zero
        (-1.5, 0.25, ("-1.50", "0.25")),
        (2.5e9, 1e8, ("2.50e9", "0.10e9")),
        (0.0, 0.5, ("0.00", "0.50")),
        (0.9876, 0.0, ("0.9876", "0")),
        (1.0, 3e-17, ("1", "0")),  # rounding of a sum, no error
        (3.21, math.nan, ("3.210", "NaN")),
        (math.nan, 0.1, ("NaN", "0.1000")),
        (-math.inf, None, ("-inf", "")),
        (0.98123, None, ("0.9812", "")),
        (228.7049, None, ("228.7", "")),
        (99.996, None, ("100.0", "")),
        (12_345.6, None, ("12,346", "")),
        (8, None, ("8", "")),
        (10_000, None, ("10,000", "")),
        (0.0, None, ("0", "")),
        (2.13456e-5, None, ("2.135e-5", "")),
        (5e-324, None, ("4.941e-324", "")),
    ],
)
def test_digits_follow_the_standard_error(value, error, expected):
    assert texts(value, error) == expected


# One run


def test_one_run(path):
    page = written(path, [evaluation()])
    assert page.get("lang") == "en"
    assert said(page.find(".//title")) == "Evaluation of runs/vae-1"
    assert said(page.find(".//h1")) == "Evaluation of runs/vae-1"
    assert cells(page, "the-run") == {
        "run": ["runs/vae-1"],
        "model": ["vae"],
        "data": ["digits, split test, 360 examples"],
        "samples": ["10,000 (seed 0)"],
        "features": [
            "a classifier of digits (test accuracy 0.978), 64 features; "
            "a Frechet distance by them is no FID"
        ],
        "parameters": ["encoder 12,345; decoder 2,345; 14,690 together"],
        "evaluated": ["2026-03-14 15:09"],
        "time taken": ["3 min 20 s"],
    }
    reading = "How far the samples are from the data as a whole."
    assert metrics_of(page) == {
        "Frechet distance squared units of the features": [
            "3.213 ± 0.096",
            "0.8123",
            "↓ lower",
            reading,
        ],
        "Kernel distance": ["−0.00012 ± 0.00034", "–", "↓ lower", ""],
        "Active units": ["8", "–", "–", ""],
    }
    assert cells(page, "not-computed") == {
        "Diversity (MS-SSIM)": ["the pictures are too small"]
    }
    assert cells(page, "settings") == {
        "data": ["digits"],
        "epochs": ["20"],
        "options.kl_weight": ["1.0"],
        "options.optimizer": ["adam:0.001"],
    }
    assert cells(page, "versions") == {"kgen": ["0.1.0"], "keras": ["3.15.1"]}


def test_pictures_are_in_the_page(path, tmp_path):
    file = tmp_path / "losses.png"
    file.write_bytes(png(70, 20))
    given = evaluation()
    given["pictures"].append({"title": "Curves", "file": file})
    page = written(path, [given])
    images = page.findall(".//img")
    for image, size in zip(images, [(40, 30), (1500, 200), (70, 20)]):
        before, data = image.get("src").split(",", 1)
        assert before == "data:image/png;base64"
        assert base64.b64decode(data, validate=True) == png(*size)
        sides = (int(image.get("width")), int(image.get("height")))
        assert sides == size
    assert [image.get("alt") for image in images] == [
        "Samples of runs/vae-1",
        "Reconstructions of runs/vae-1",
        "Curves of runs/vae-1",
    ]
    assert said(page.find(".//figcaption")) == "None chosen."


def test_the_page_is_whole(path):
    page = written(path, [evaluation()], "A title")
    assert said(page.find(".//title")) == said(page.find(".//h1")) == "A title"
    for tag in ("script", "link", "iframe", "base"):
        assert page.find(f".//{tag}") is None
    style = said(page.find(".//style"))
    assert "url(" not in style and "@import" not in style
    ids = [e.get("id") for e in page.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    links = {link.get("href") for link in page.findall(".//nav//a")}
    assert links == {f"#{id}" for id in ids}
    for table in page.findall(".//table"):
        assert said(table.find("caption"))
        assert all(th.get("scope") for th in table.findall(".//th"))


def test_pictures_come_before_figures(path):
    page = written(path, [evaluation()])
    main = page.findall(".//main/section")
    assert [s.get("id") for s in main][:3] == ["pictures", "the-run", "metrics"]


def test_an_old_report_is_replaced_and_nothing_lies_beside_it(path):
    path.write_text("old")
    written(path, [evaluation()])
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_the_least_that_an_evaluation_may_hold(path):
    least = {"run": "r", "model": "gan", "metrics": {}}
    page = written(path, [least])
    assert "No metric was computed." in said(page)
    sections = [s.get("id") for s in page.findall(".//section")]
    assert sections == ["the-run", "metrics"]
    assert "no metric" in report.table([least])


def test_a_report_says_how_many_samples_are_compared(path):
    page = written(path, [evaluation(num_compared=1437)])
    assert cells(page, "the-run")["samples"] == [
        "10,000 (seed 0), of which 1,437 at most are compared by features"
    ]
    page = written(path, [evaluation(num_compared=10_000)])
    assert cells(page, "the-run")["samples"] == ["10,000 (seed 0)"]


def test_runs_without_samples_say_nothing_of_them(path):
    """And are like others: their metrics are of no samples."""
    drawn = evaluation(metrics={"mse": metric(1.0)})
    none = drawn | {"num_samples": None, "extractor": None}
    page = written(path, [none])
    assert not {"samples", "features"} & set(cells(page, "the-run"))
    text = report.table([none])
    assert "seed" not in text and "features" not in text
    text = report.table([drawn, none | {"metrics": {"mse": metric(2.0)}}])
    assert "were not judged alike" not in text and "*" in text
    other = drawn | {"extractor": None}  # of samples, without features
    assert "features: none" in report.table([other])


def test_a_reading_says_of_how_many_samples(path):
    one, other = several(
        metric(1.0, reading="Quality.", count=1437),
        metric(2.0, reading="Quality.", count=1437),
    )
    for evaluations in ([one], [one, other]):
        page = said(
            written(path, evaluations).find(".//section[@id='metrics']")
        )
        assert "Quality. Of 1,437 samples and as many real examples." in page
    other["metrics"]["m"]["count"] = 360
    assert "Of 1,437 / 360 samples" in said(written(path, [one, other]))


def test_the_legend_of_floors_holds_for_all_of_them(path):
    """Accuracies of samples above that of test examples are no wonder."""
    page = written(path, [evaluation()])
    caption = said(page.find(".//section[@id='metrics']//caption"))
    assert "real examples" in caption and "in the place of samples" in caption
    assert "better" not in caption


def test_only_inception_makes_it_fid(path):
    inception = {"name": "Inception-v3", "features": 2048, "inception": True}
    page = written(path, [evaluation(extractor=inception)])
    assert cells(page, "the-run")["features"] == [
        "Inception-v3, 2,048 features"
    ]
    page = written(path, [evaluation(extractor=None)])
    assert cells(page, "the-run")["features"] == ["none"]


EVIL = "<script>alert('1')</script>\"&amp;"


def test_what_users_name_is_text(path):
    given = evaluation(
        run=EVIL,
        model=EVIL,
        date=EVIL,
        settings={EVIL: EVIL, "options": {EVIL: EVIL}},
        versions={EVIL: EVIL},
        parameters={EVIL: 1},
        data={"source": EVIL, "split": EVIL},
        extractor={"name": EVIL},
        metrics={EVIL: metric(1.0, title=EVIL, unit=EVIL, reading=EVIL)},
        skipped={EVIL: EVIL},
        pictures=[{"title": EVIL, "caption": EVIL, "file": png()}],
    )
    for evaluations in ([given], [given, evaluation()]):
        page = written(path, evaluations, EVIL)
        assert page.find(".//script") is None
        assert "<script" not in re.sub('="[^"]*"', "", path.read_text())
        assert said(page.find(".//h1")) == EVIL
        assert page.find(".//img").get("alt") == f"{EVIL} of {EVIL}"
    assert cells(written(path, [given]), "settings")[EVIL] == [EVIL]


def test_paths_that_are_no_text(path):
    run = b"run-\xff".decode("utf-8", "surrogateescape")
    page = written(path, [evaluation(run)])
    assert said(page.find(".//h1")) == "Evaluation of run-?"


# Several runs


def several(*metrics):
    """A run for each metric, or for None, which is a run without it."""
    return [
        evaluation(f"run-{number}", metrics={"m": given} if given else {})
        for number, given in enumerate(metrics)
    ]


def marks(path, *metrics):
    page = written(path, several(*metrics))
    row = page.find(".//section[@id='metrics']//tbody/tr")
    found = [
        cell.find("span[@class='mark']")
        for cell in row.findall("td")[: len(metrics)]
    ]
    return [None if mark is None else said(mark).split()[1] for mark in found]


@pytest.mark.parametrize(
    ("better", "values", "error", "expected"),
    [
        ("lower", (3.0, 1.0, 2.0), None, [None, "best", None]),
        ("higher", (3.0, 1.0, 2.0), None, ["best", None, None]),
        ("near:1", (0.7, 1.2, 3.0), None, [None, "best", None]),
        (None, (3.0, 1.0, 2.0), None, [None, None, None]),
        ("lower", (1.0, 1.0, 2.0), None, ["tied", "tied", None]),
        # What reads the same: 0.1234.
        ("lower", (0.12341, 0.12342, 2.0), None, ["tied", "tied", None]),
        # A difference's error is sqrt(2) * 0.1; twice that is 0.283.
        ("lower", (1.0, 1.28, 1.29), 0.1, ["tied", "tied", None]),
        ("higher", (1.0, 1.28, 1.0), 0.1, ["tied", "tied", "tied"]),
        ("lower", (1.0, 1.5, 2.0), 0.1, ["best", None, None]),
        ("lower", (math.nan, 1.5, 2.0), None, [None, "best", None]),
        ("lower", (math.nan, 1.5, math.nan), None, [None, None, None]),
        ("higher", (math.inf, 1.5, 2.0), None, ["best", None, None]),
        ("higher", (math.inf, math.inf, 2.0), 0.1, ["tied", "tied", None]),
        ("lower", (math.inf, 1.5, 2.0), None, [None, "best", None]),
        ("lower", (1.0, 2.0, 3.0), math.nan, ["best", None, None]),
    ],
)
def test_the_best_is_marked(path, better, values, error, expected):
    given = [metric(value, error, better) for value in values]
    assert marks(path, *given) == expected


def test_means_over_the_same_examples_are_compared_by_pairs(path):
    """One is worse in each example, by far less than the examples differ."""
    draws = np.random.default_rng(0)
    one = draws.normal(0.0, 10.0, 100)
    other = one + draws.normal(0.5, 0.1, 100)
    given = [metric(each.mean(), 1.0, each=each) for each in (one, other)]
    assert marks(path, *given) == ["best", None]
    other += draws.normal(0.0, 10.0, 100)
    given[1] = metric(one.mean() + 1.0, 1.0, each=other)
    assert marks(path, *given) == ["tied", "tied"]
    # One example alone has no spread: its own errors count.
    given = [metric(value, 1.0, each=[value]) for value in (1.0, 2.0)]
    assert marks(path, *given) == ["tied", "tied"]


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_standard_errors_that_are_unknown_count_as_none(path, unknown):
    given = [metric(1.0, 0.1), metric(1.19, unknown), metric(1.21, unknown)]
    assert marks(path, *given) == ["tied", "tied", None]


def test_a_missing_metric_is_a_dash(path):
    page = written(path, several(metric(2.0), None, metric(1.0)))
    assert metrics_of(page) == {"Distance": ["2", "–", "1 ★ best", "↓ lower"]}
    assert marks(path, None, metric(1.0)) == [None, None]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"num_samples": 99}, "they differ in number of samples."),
        (
            {"num_samples": 99, "num_compared": 9},
            "they differ in number of samples.",
        ),
        ({"num_compared": 9}, "they differ in number of samples."),
        ({"extractor": None}, "they differ in features."),
        (
            {"data": {"source": "mine"}, "num_samples": 99},
            "they differ in data and number of samples.",
        ),
    ],
)
def test_runs_that_were_not_judged_alike_have_no_best(path, more, words):
    one, other = several(metric(1.0), metric(2.0))
    page = written(path, [one, other | more])
    assert words in said(page.find(".//p[@class='warning']"))
    assert metrics_of(page)["Distance"][:2] == ["1", "2"]
    text = report.table([one, other | more])
    assert words in " ".join(text.split()) and "*" not in text


def test_several_runs_side_by_side(path):
    one = evaluation("a")
    other = evaluation("b", settings={"data": "digits", "epochs": 30})
    other["pictures"] = other["pictures"][:1]
    other["skipped"] = {}
    page = written(path, [one, other])
    assert said(page.find(".//h1")) == "Comparison of 2 runs"
    assert cells(page, "settings") == {
        "data": ["digits"],  # said once
        "epochs differs": ["20", "30"],
        "options.kl_weight differs": ["1.0", "–"],
        "options.optimizer differs": ["adam:0.001", "–"],
    }
    same = page.find(".//section[@id='settings']//tbody/tr/td")
    assert same.get("colspan") == "2"
    assert cells(page, "not-computed") == {
        "Diversity (MS-SSIM)": ["the pictures are too small", "–"]
    }
    pictures = page.findall(".//section[@id='pictures']//section")
    assert [said(part) for part in pictures] == [
        "Samplesa None chosen.b None chosen.",
        "Reconstructionsa Originals above.b: no such picture",
    ]
    assert "How far the samples are" in said(page.find(".//dl"))


def test_floors_that_differ_are_all_said(path):
    given = [metric(1.0, floor=floor) for floor in (0.5, 0.25, 0.5)]
    page = written(path, several(*given))
    assert metrics_of(page)["Distance"][3] == "0.5000 / 0.2500"


# The terminal


def test_the_table_of_one_run():
    table = report.table([evaluation()])
    assert table.splitlines() == [
        "runs/vae-1 (vae)",
        "data: digits, split test, 360 examples; samples: 10,000 (seed 0); "
        "features: a classifier",
        "  of digits (test accuracy 0.978), 64 features; a Frechet distance by "
        "them is no FID",
        "",
        f"metric{'value':>49}   floor  better",
        "Frechet distance, squared units of       3.213 +- 0.096  0.8123   lower",
        "  the features",
        "Kernel distance                     -0.00012 +- 0.00034       -   lower",
        "Active units                                          8       -       -",
        "",
        "not computed: Diversity (MS-SSIM): the pictures are too small",
    ]


def test_the_table_of_one_run_is_narrow():
    given = evaluation("a/" * 60, skipped={"t " * 50: "r " * 50})
    given["metrics"]["long"] = metric(
        -1.23456789e-300, 1e-301, "near:1.234", title="word " * 40, floor=1e-99
    )
    lines = report.table([given]).splitlines()
    assert max(map(len, lines)) <= 88
    assert report.table([given]).isascii()


def test_the_table_of_several_runs():
    text = report.table(several(metric(2.0, 0.1), metric(1.0, 0.1), None))
    lines = text.splitlines()
    assert lines[:3] == [f"run {n}: run-{n - 1} (vae)" for n in (1, 2, 3)]
    head = next(n for n, line in enumerate(lines) if "metric" in line)
    assert lines[head : head + 2] == [
        "metric           run 1           run 2    run 3    better",
        "Distance  2.00 +- 0.10    1.00 +- 0.10 *      -     lower",
    ]
    assert "not computed of run 1, run 2, run 3: Diversity" in " ".join(lines)


# What is refused


@pytest.mark.parametrize(
    ("evaluations", "message"),
    [
        ([], "a list of one evaluation or more"),
        (None, "a list of one evaluation or more"),
        (evaluation(), "one that is not in a list"),
        ([{"run": "r", "metrics": {}}], "one without model"),
        (several({"value": 1.0}), "a title of the metric 'm'"),
        (several({"title": "T"}), "a value of the metric 'm'"),
        (several(metric("much")), "a number as the value of the metric 'm'"),
        (several(metric(None)), "a number as the value of the metric 'm'"),
        (several(metric(1.0, "a")), "as the standard_error of the metric"),
        (several(metric(1.0, floor="a")), "as the floor of the metric"),
        (several(metric(1.0, better="more")), "Received: evaluations='more'"),
        (several(metric(1.0, better="near:x")), "'near:NUMBER'"),
        (several(metric(1.0, better="near:--")), "'near:NUMBER'"),
    ],
)
@pytest.mark.parametrize("function", ["write", "table"])
def test_bad_evaluations(path, function, evaluations, message):
    with pytest.raises(InvalidArgument) as error:
        if function == "write":
            report.write(path, evaluations)
        else:
            report.table(evaluations)
    assert message in str(error.value)
    assert f"kgen.runs.report.{function}" in str(error.value)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["missing", "text", "bytes", "short"])
def test_bad_pictures(path, tmp_path, kind):
    file = tmp_path / "picture.png"
    if kind == "text":
        file.write_text("no picture")
    if kind == "bytes":
        file = b"GIF89a"
    if kind == "short":
        file = png()[:-1]
    given = evaluation(pictures=[{"title": "Samples", "file": file}])
    with pytest.raises(InvalidArgument, match="PNG files that can be read"):
        report.write(path, [given])
    assert not path.exists()
