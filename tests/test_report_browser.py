"""A report in a real browser: Chromium, as it is installed, without a head."""

import shutil

import pytest

from kgen.runs import report
from tests.report_examples import evaluation, metric, png

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Every element with a text of its own, and WCAG 2's contrast of that text with
# what lies behind it: (L1 + 0.05) / (L2 + 0.05).
CONTRASTS = """() => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = color => numbers(color).slice(0, 3)
    .map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    const color = getComputedStyle(e).backgroundColor;
    return numbers(color)[3] === 0 ? behind(e.parentElement) : color;
  };
  const own = e => [...e.childNodes].some(
    n => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
  return [...document.body.querySelectorAll('*')].filter(own).map(e => {
    const pair = [getComputedStyle(e).color, behind(e)].map(luminance);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    return [e.tagName, e.className, e.textContent, ratio];
  });
}"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS
        )
        yield browser
        browser.close()


def hard_to_show(run, number):
    """Long names and texts, hostile ones, wide pictures, many figures."""
    given = evaluation(
        run,
        settings={
            "data": "/a/" + "very_long_name" * 8,
            "options": {"long_option" * 4: number},
        },
    )
    given["metrics"] |= {
        f"m{n}": metric(
            1.5e-7 * number + n,
            1e-8,
            title=f"A metric of a name with {n} words",
            reading="A sentence on how to read it. " * 6,
            unit="nats per image",
            floor=-1.0,
        )
        for n in range(6)
    }
    image = "<img src='https://example.invalid/a.png' onerror='alert(1)'>"
    given["pictures"] += [
        {"title": image, "caption": image, "file": png(3000, 3000)},
        {"title": "Narrow", "caption": "x" * 200, "file": png(8, 8)},
    ]
    return given


RUNS = [
    "runs/vae-1",
    "runs/" + "unbroken" * 12,
    "<script>alert(1)</script>",
    "runs/<link rel=stylesheet href=https://example.invalid/a.css>",
]


@pytest.fixture(scope="module", params=[1, 4], ids=["one run", "four runs"])
def address(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    runs = [hard_to_show(run, n) for n, run in enumerate(RUNS)]
    report.write(path, runs[-request.param :])
    return path.as_uri()


class Watched:
    """A page, all that it asks for, and all that it complains of."""

    def __init__(self, browser, address, width, scheme):
        self.page = browser.new_page(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        self.fetched, self.errors = [], []
        self.page.on(
            "request", lambda request: self.fetched.append(request.url)
        )
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda box: self.errors.append(box.message))
        self.page.goto(address, wait_until="load")

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=[400, 1200])
def watched(browser, address, scheme, request):
    found = Watched(browser, address, request.param, scheme)
    yield found
    found.page.close()


def test_it_stands_alone_and_fits(watched, address):
    """One page load sees it all: pictures, requests, complaints, width."""
    page = watched.page
    widths = page.evaluate(
        """Promise.all([...document.images].map(
          i => i.decode().then(() => i.naturalWidth, () => 0)))"""
    )
    assert len(widths) in (4, 16) and min(widths) > 0
    others = [url for url in watched.fetched if not url.startswith("data:")]
    assert others == [address]
    assert watched.errors == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= page.viewport_size["width"]
    # What is cut off without a way to get at it is no better.
    cut = page.evaluate(
        """[...document.querySelectorAll('body *')].filter(e =>
          e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1 &&
          getComputedStyle(e).display !== 'inline' &&
          getComputedStyle(e).overflowX !== 'auto' && !e.closest('.scroll')
        ).map(e => e.outerHTML.slice(0, 200))"""
    )
    assert cut == []
    assert watched.fetched.count(address) == 1


def test_text_can_be_read(watched, scheme):
    found = watched.page.evaluate(CONTRASTS)
    assert len(found) > 50
    assert [text for text in found if text[-1] < 4.5] == []  # WCAG 2, level AA
    paper = watched.page.evaluate(
        "getComputedStyle(document.body).backgroundColor"
    )
    red = int(paper.removeprefix("rgb(").split(",")[0])
    assert red < 50 if scheme == "dark" else red > 200


def test_one_runs_metrics_need_no_scrolling_on_a_phone(browser, tmp_path):
    report.write(tmp_path / "report.html", [evaluation()])
    address = (tmp_path / "report.html").as_uri()
    page = Watched(browser, address, 400, "light").page
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')]"
        ".every(e => e.scrollWidth <= e.clientWidth)"
    )
    page.close()


def test_it_is_printed_black_on_white(browser, address):
    page = Watched(browser, address, 680, "dark").page  # A4 less its margins
    page.emulate_media(media="print")
    found = page.evaluate(
        """[...document.querySelectorAll('main *, header *')].map(
          e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor])"""
    )
    colors, grounds = map(set, zip(*found))
    assert colors == {"rgb(0, 0, 0)"}
    assert grounds <= {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    assert page.evaluate("document.documentElement.scrollWidth") <= 680
    breaks = "e => getComputedStyle(e).breakInside"
    figures = page.evaluate(
        f"[...document.querySelectorAll('figure')].map({breaks})"
    )
    assert set(figures) == {"avoid"}
    assert not page.locator("nav").is_visible()
    page.close()
