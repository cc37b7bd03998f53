"""Hostile text, a phone's width, contrast, names for a screen reader, a server that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import STAGED, Shown, StagedLibrary
from tests.command import write_rows
from tests.served import until

pytestmark = pytest.mark.browser

MARKUP = '"><img src=x onerror="pwned=true"><script>pwned=true</script><svg onload="pwned=true">'
HOSTILE: tuple[dict[str, Any], ...] = (
    {"video_id": "hostile", "start": 0.0, "end": 6.0, "title": f"Zebra {MARKUP}",
     "text": f"The zebra crossing {MARKUP} alert(1)", "speaker": f"Mallory {MARKUP}"},
    {"video_id": "hostile", "start": 6.0, "end": 9.0, "title": f"Zebra {MARKUP}",
     "text": "The zebra {{7*7}} ${pwned=true} \u202egnp.exe </textarea></title>"},
)  # fmt: skip
VIEWS = (
    "/",
    "/?q=ferry&source=speech",
    "/chat",
    "/library",
    "/status",
    "/video/harbour-council?t=9",
)
READY = ".shelf, .results, .greeting, .card, .checks, .line"


@pytest.fixture
def hostile(library: StagedLibrary, tmp_path: Path) -> Iterator[None]:
    library.import_rows(write_rows(tmp_path / "rows.jsonl", *HOSTILE))
    yield
    library.remove(["hostile"])


@pytest.mark.usefixtures("hostile")
def test_markup_in_titles_and_transcripts_stays_text(tab: Shown) -> None:
    page = tab.open("/?q=zebra+crossing")
    page.locator(".result", has_text="onerror").first.wait_for()
    page.fill("#question", "What is said of the zebra crossing?")
    page.keyboard.press("Enter")
    page.locator(".answer[aria-busy=false]").wait_for()
    page.goto(tab.url + "/library")
    page.locator(".card", has_text="<script>").wait_for()
    page.goto(tab.url + "/video/hostile")
    page.locator(".line", has_text="onerror").wait_for()
    assert "<img src=x" in page.locator("h1").inner_text()
    assert "\u202e" not in page.locator(".lines").inner_text()
    assert page.evaluate("window.pwned") is False
    assert page.locator("a[href^='javascript:'], main script, img[src='x']").count() == 0
    tab.wrong[:] = [text for text in tab.wrong if "404" not in text]  # it has no picture
    assert page.title().startswith('Zebra "><img')


def test_an_inline_script_would_not_run(tab: Shown) -> None:
    page = tab.open("/")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'pwned = 1'}))"
    )
    assert page.evaluate("window.pwned") is False
    until(lambda: tab.address() and tab.wrong)
    assert "Content Security Policy" in tab.wrong[0]
    tab.wrong.clear()


@pytest.mark.parametrize(
    "tab", [{"viewport": {"width": 390, "height": 844}, "has_touch": True}], indirect=True
)
def test_nothing_is_wider_than_a_phone(tab: Shown, library: StagedLibrary) -> None:
    library.gate.set()
    for view in VIEWS:
        page = tab.open(view)
        page.locator(READY).first.wait_for()
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, f"{view} scrolls sideways by {too_wide} px"
    page.goto(tab.url + "/")
    page.fill("#question", STAGED)
    page.keyboard.press("Enter")
    page.wait_for_selector(".cited-video")
    page.locator(".prose .note").first.click()
    until(tab.playing)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    player, screen = page.locator(".player").bounding_box(), page.viewport_size
    assert player["width"] == screen["width"] and player["y"] > screen["height"] / 3
    page.get_by_role("button", name="Larger or smaller").click()
    until(lambda: page.locator(".player").bounding_box()["height"] < 140)


# Text against the colour that is under it; what lies on pictures is left out.
_CONTRAST = """
() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const under = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      layers.push(rgba(getComputedStyle(at).backgroundColor));
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => {
      const c = v / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility({opacityProperty: true})) continue;
    if (node.closest('.unseen, .skip, .screen, noscript, option')) continue;
    const ground = under(node);
    const ink = over(rgba(getComputedStyle(node).color), ground);
    const [low, high] = [light(ink), light(ground)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) weak.push(`${text.data.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return weak;
}
"""
_NAMELESS = """
() => [...document.querySelectorAll('button, a[href], input, textarea, select, summary')]
  .filter((node) => !(node.getAttribute('aria-label') || node.textContent.trim()
    || node.labels?.length || node.title))
  .map((node) => node.outerHTML.slice(0, 80))
"""


@pytest.mark.parametrize(
    "tab",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}],
    indirect=True,
    ids=["light", "dark"],
)
def test_text_can_be_read_and_controls_have_names(tab: Shown, library: StagedLibrary) -> None:
    library.gate.set()
    for view in VIEWS:
        page = tab.open(view)
        page.locator(READY).first.wait_for()
        assert page.evaluate(_CONTRAST) == [], view
        assert page.evaluate(_NAMELESS) == [], view
        assert page.locator("h1").count() == 1 and page.locator("main").count() == 1, view
    page.goto(tab.url + "/")
    page.fill("#question", STAGED)
    page.keyboard.press("Enter")
    page.wait_for_selector(".cited-video")
    page.wait_for_timeout(400)  # the sentences have faded in
    assert page.evaluate(_CONTRAST) == []
    assert page.evaluate(_NAMELESS) == []


def test_the_theme_is_chosen_and_remembered(tab: Shown) -> None:
    page = tab.open("/status")
    page.get_by_role("button", name="Theme: as the system").click()
    page.get_by_role("button", name="Theme: light").click()
    dark = "getComputedStyle(document.body).backgroundColor"
    ground = page.evaluate(dark)
    page.reload()
    page.get_by_role("button", name="Theme: dark").wait_for()
    assert page.evaluate(dark) == ground == "rgb(22, 22, 26)"


def test_a_server_that_is_gone_is_told_until_it_is_back(tab: Shown) -> None:
    page = tab.open("/")
    page.wait_for_selector(".shelf")
    page.context.set_offline(True)
    page.fill("#question", "ferry")
    page.locator("#offline", has_text="footnote serve").wait_for()
    page.locator(".below .failure").wait_for()
    page.context.set_offline(False)
    page.locator("#offline").wait_for(state="hidden")
    tab.wrong[:] = [text for text in tab.wrong if "ERR_INTERNET_DISCONNECTED" not in text]


def test_an_empty_library_says_what_to_do(browser: Any, tmp_path: Path) -> None:
    from tests.served import library_of, served

    with library_of(tmp_path) as library, served(library) as server:
        page = browser.new_page()
        page.goto(server.url)
        page.get_by_role("link", name="Add videos").click()
        page.wait_for_selector(".adding")
        page.close()
