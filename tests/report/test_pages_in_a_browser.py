"""Pages in a real browser: no error, no request, no overflow, in light and dark, wide and narrow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Pages = Callable[[Path], Path]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RUNS = ("ranked_run", "run_without_laws", "vector_run", "lone_run", "hostile_run")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a screen."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pages are not tested in a browser")
    where = next(filter(None, map(shutil.which, BROWSERS)), None)
    if where is None:
        pytest.skip("no Chromium on this machine: pages are not tested in a browser (apt-get install chromium)")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=where, args=arguments)
        yield opened
        opened.close()


def opened(browser: Any, path: Path, width: int, scheme: str) -> tuple[Any, list[str]]:
    """The page, and everything that it should not have said or asked for. The network is cut."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else wrong.append(f"request: {r.url}"))
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page.goto(path.as_uri())
    return page, wrong


@pytest.mark.parametrize("run", RUNS)
def test_a_page_is_calm_and_fits_in_light_and_dark(
    run: str, request: pytest.FixtureRequest, page_of: Pages, browser: Any
) -> None:
    page, wrong = opened(browser, page_of(request.getfixturevalue(run)), 1280, "light")
    papers = set()
    for closed in (True, False):
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, closed
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2, "light and dark look alike"
    assert page.evaluate("document.scripts.length") == 0
    assert wrong == []
    page.close()


def test_laws_are_typeset_and_pictures_are_drawn(ranked_run: Path, page_of: Pages, browser: Any) -> None:
    page, wrong = opened(browser, page_of(ranked_run), 1280, "light")
    assert page.evaluate("document.querySelector('.formula math').getBoundingClientRect().height") > 20
    assert page.evaluate("document.querySelectorAll('.formula msup').length") == 1
    boxes = page.evaluate("[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().width)")
    assert len(boxes) == 6
    assert min(boxes) > 300
    lines = page.evaluate("[...document.querySelectorAll('svg path')].map(p => getComputedStyle(p).stroke)")
    assert "rgb(0, 114, 178)" in lines, "the page's colours reach the pictures"
    assert wrong == []
    page.close()


def test_words_can_be_read_on_their_paper(ranked_run: Path, page_of: Pages, browser: Any) -> None:
    """WCAG's contrast of 4.5 between every colour of words and the paper, in light and dark."""
    path = page_of(ranked_run)
    for scheme in ("light", "dark"):
        page, _ = opened(browser, path, 1280, scheme)
        colours = page.evaluate(
            "[...document.querySelectorAll('p, td, th, dd, dt, figcaption, h1, h2, b, span, a, summary, svg text')]"
            ".map(e => e.ownerSVGElement ? getComputedStyle(e).fill : getComputedStyle(e).color)"
        )
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        poor = {colour for colour in colours if contrast(colour, paper) < 4.5}
        assert poor == set(), (scheme, paper)
        page.close()


def contrast(one: str, other: str) -> float:
    """Of two colours rgb(r, g, b), as WCAG 2 defines it."""
    light = []
    for colour in (one, other):
        parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        light.append(0.2126 * r + 0.7152 * g + 0.0722 * b)
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_a_page_prints_on_a_few_sheets_of_white_paper(
    ranked_run: Path, page_of: Pages, browser: Any, tmp_path: Path
) -> None:
    page, _ = opened(browser, page_of(ranked_run), 1280, "dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.pdf(path=tmp_path / "a.pdf", format="A4")
    sheets = (tmp_path / "a.pdf").read_bytes().count(b"/Type /Page\n")
    assert 2 <= sheets <= 6
    page.close()
