"""The pages: whole, in step with the code, and in plain English."""

import json
import pathlib
import re

import pytest
from kgen_docs import api, links, macros, repository, results, settings

from kgen import registry
from kgen.models import factory
from tests.docs.snippets import DOCUMENTS, ROOT
from tests.test_public_api import PUBLIC

NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
TEXTS = {name: (ROOT / name).read_text() for name in DOCUMENTS}
# Sentences that readers did not understand.
HARD = (
    "with the objective of its paper",
    "to the sign",
    "goes on as if nothing had been",
    "is judged by x",
    "one epoch: it counts",
    "it only counts",
    "Those by counting equal",
    "models that take labels are refused, and others have no probes",
    "the callback refuses it",
)
# Macros that build models, or list all names, have tests of their own below.
_LONG = re.compile(r"^\{\{ (api|signatures|settings|metrics)\(.*$", re.M)


@pytest.mark.parametrize("name", [n for n in DOCUMENTS if "{{" in TEXTS[n]])
def test_what_pages_quote_is_there(name):
    expanded = macros.expand(_LONG.sub("", TEXTS[name]))
    assert not re.search(r"^\{\{", expanded, re.M)


def test_a_quote_of_what_is_not_there_is_an_error():
    for wrong in (
        '{{ source("kgen/models/vae.py::VAE.no_such") }}',
        '{{ source("kgen/models/vae.py::VAE.compile", "no such line") }}',
        '{{ test("tests/no_such.py::test") }}',
        "{{ no_such() }}",
    ):
        with pytest.raises(ValueError, match="There is no"):
            macros.expand(wrong)


@pytest.mark.parametrize("model", registry.MODELS)
def test_the_reference_has_every_setting(model):
    rows = settings.rows_of(model)
    named = [row[0].strip("`") for table in rows.values() for row in table]
    known = set(factory.compile_options_of(model))
    for network in registry.MODELS[model].networks:
        known |= set(factory.options_of(model, network))
    assert set(named) == known
    assert all(row[-1] for table in rows.values() for row in table)


def test_the_reference_has_every_public_name():
    pages = "".join(
        path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md")
    )
    modules = re.findall(r'^\{\{ api\("kgen\.([\w.]+)"\) \}\}$', pages, re.M)
    found = {
        name.removeprefix("kgen.")
        for module in modules
        for name in api.public_names(f"kgen.{module}")
    }
    assert found >= set(PUBLIC)


def test_all_results_are_shown():
    page = TEXTS["docs/benchmarks/results.md"]
    shown = re.findall(r'^\{\{ results\("(\w+)"\) \}\}$', page, re.M)
    assert shown == results.names()


def sections():
    """The benchmarks' sections that have a table and one script."""
    page = TEXTS["docs/benchmarks/index.md"]
    for section in re.split(r"^## ", page, flags=re.M)[1:]:
        title, _, text = section.partition("\n")
        rows = re.findall(r"^\|(?!---).*\|$", text, re.M)[1:]
        scripts = re.findall(r"python benchmarks/(\w+)\.py", text)
        if rows:
            yield pytest.param(rows, scripts[0], id=title)


@pytest.mark.parametrize(("rows", "script"), list(sections()))
def test_tables_have_the_figures_of_the_results(rows, script):
    """Each number with a point is a number of the script's files, rounded."""
    number = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
    files = [
        path
        for path in (results.FOLDER / script).iterdir()
        if path.suffix != ".png"
    ]
    written = {
        float(text)
        for path in files
        for text in number.findall(path.read_text())
    }
    written |= {100 * value for value in written}
    cells = [cell for row in rows for cell in row.split("|")[2:]]
    for text in number.findall(" ".join(cells)):
        half = 0.5001 * 10.0 ** -len(text.partition(".")[2])
        assert any(abs(float(text) - value) <= half for value in written), text


def test_there_are_five_tutorials_without_outputs():
    assert len(NOTEBOOKS) == 5
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text())["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert not any(cell["outputs"] for cell in code)
        assert "%pip install" in "".join(code[0]["source"])


@pytest.mark.parametrize("name", [*DOCUMENTS, *NOTEBOOKS])
def test_pages_have_no_sentence_that_nobody_understands(name):
    text = " ".join((ROOT / name).read_text().split())
    assert not [phrase for phrase in HARD if phrase in text]


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = TEXTS["README.md"]
    assert len(text.splitlines()) <= 100
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    assert "docs/guides/vae.md" in targets
    for target in targets:
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize("path", repository.PAGES)
def test_links_of_the_repository_s_pages_lead_to_the_site(path):
    assert (ROOT / "docs" / repository.PAGES[path]).is_file()
    for target in re.findall(r"\]\(([^)#]+)", repository.file(path)):
        if ":" in target or target.startswith("files/"):
            continue
        page = (ROOT / "docs" / repository.PAGES[path]).parent / target
        is_picture = "files/" in target
        assert is_picture or pathlib.Path(page).resolve().is_file(), target


def test_a_site_s_wrong_links_are_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.html").write_text(
        '<h2 id="here"></h2><a href="#here"></a><a href="../two.html#there"></a>'
        '<a href="https://example.org/"></a>'
    )
    (tmp_path / "two.html").write_text('<p id="there"></p>')
    assert links.problems(tmp_path) == []
    (tmp_path / "two.html").write_text(
        '<a href="a/one.html#gone"></a><img src="gone.png">'
        '<script src="https://example.org/x.js"></script>'
    )
    assert links.problems(tmp_path) != []
    faults = " ".join(links.problems(tmp_path))
    for wrong in ("two.html#there", "#gone", "gone.png", "x.js"):
        assert wrong in faults
