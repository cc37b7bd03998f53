"""Asking in the page: results while one types, an answer as it comes, footnotes, a chat, keys."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import COUNCIL, LIGHTHOUSE, STAGED, Shown, StagedLibrary
from tests.served import until

pytestmark = pytest.mark.browser


def asked(tab: Shown, library: StagedLibrary) -> Any:
    """The page with the whole staged answer."""
    library.gate.set()
    page = tab.open("/")
    page.fill("#question", STAGED)
    page.keyboard.press("Enter")
    page.wait_for_selector(".cited-video")
    return page


def test_what_is_typed_is_searched_for_at_once(tab: Shown) -> None:
    page = tab.open("/")
    page.wait_for_selector(".shelf")
    assert page.evaluate("document.activeElement.id") == "question"
    page.keyboard.type("eleven geese")
    first = page.locator(".result").first
    first.locator("mark", has_text="geese").wait_for()
    assert "A day at the lighthouse" in first.inner_text() and "Speech" in first.inner_text()
    assert "0:0" in first.locator(".badge").inner_text()
    until(lambda: tab.address().endswith("/?q=eleven+geese"))
    assert page.locator(".answer").count() == 0, "nothing was asked"


def test_filters_narrow_the_search_and_stand_in_the_address(tab: Shown) -> None:
    page = tab.open("/?q=planks+geese")
    page.locator(".snippet", has_text="geese").first.wait_for()
    page.click("button[aria-controls=filters]")
    page.locator(".pill", has_text="Screen text").click()
    until(lambda: "source=screen" in tab.address())
    page.locator(".snippet", has_text="geese").first.wait_for(state="detached")
    page.locator(".snippet mark", has_text="planks").first.wait_for()
    page.reload()
    page.locator(".snippet mark", has_text="planks").first.wait_for()
    assert page.locator(".snippet", has_text="geese").count() == 0


def test_an_answer_comes_sentence_by_sentence_with_footnotes_that_tell_their_verdict(
    tab: Shown, library: StagedLibrary
) -> None:
    library.gate.clear()
    page = tab.open("/")
    page.fill("#question", STAGED)
    page.keyboard.press("Enter")
    page.locator(".sentence").wait_for()
    assert page.get_attribute(".answer", "aria-busy") == "true", "the rest is still to come"
    assert page.locator("#announce").inner_text().count("2nd of November") == 1
    library.gate.set()
    page.wait_for_selector(".cited-video")
    assert page.get_attribute(".answer", "aria-busy") == "false"
    assert page.locator(".sentence").count() == 2
    labels = [note.get_attribute("aria-label") for note in page.locator(".prose .note").all()]
    assert labels[0].startswith("Footnote 1, supported: Harbour council, at 25 seconds")
    assert labels[1].startswith("Footnote 2, partly supported: A day at the lighthouse")
    assert "partly supported" in page.locator(".sentence").nth(1).inner_text()
    borders = [
        note.evaluate("(n) => getComputedStyle(n).borderTopStyle")
        for note in page.locator(".prose .note").all()
    ]
    assert borders == ["solid", "dashed"], "not by colour alone"
    differing = page.locator(".differing").inner_text()
    assert differing.index("3 Sept 2024") < differing.index("21 Oct 2024")
    assert "79%" in page.locator(".confidence").inner_text()


def test_a_clicked_footnote_plays_its_second_beside_the_answer(
    tab: Shown, library: StagedLibrary
) -> None:
    page = asked(tab, library)
    page.locator(".prose .note").first.click()
    until(tab.playing)
    until(lambda: tab.sought("harbour-council", COUNCIL[3][0]))
    assert page.locator(".player").is_visible() and page.locator(".prose").is_visible()
    assert page.locator(".prose .note").first.get_attribute("aria-current") == "true"
    pin = page.locator(".strip .pin").first
    assert pin.get_attribute("aria-label") == "Footnote 1, at 25 seconds"


def test_a_footnote_under_the_pointer_shows_its_quote_and_the_player_stands_at_it(
    tab: Shown, library: StagedLibrary
) -> None:
    page = asked(tab, library)
    page.locator(".prose .note").first.hover()
    assert COUNCIL[3][2] in page.locator(".note-card").inner_text()
    until(lambda: tab.sought("harbour-council", COUNCIL[3][0]))
    assert not tab.playing()


def test_a_video_that_is_made_playable_on_the_fly_is_at_the_second_too(
    tab: Shown, library: StagedLibrary
) -> None:
    page = asked(tab, library)
    page.locator(".prose .note").nth(1).click()
    until(tab.playing)
    until(lambda: page.locator(".clock").inner_text() != "0:00 / 0:20")
    shown = page.locator(".clock").inner_text()
    assert shown in ("0:08 / 0:20", "0:09 / 0:20"), shown
    assert "converted" in page.locator(".way").inner_text()


def test_an_answer_can_be_taken_along(tab: Shown, library: StagedLibrary) -> None:
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = asked(tab, library)
    page.get_by_role("button", name="Copy as Markdown").click()
    page.get_by_role("button", name="Copied").wait_for()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith(f"**{STAGED}**") and "November.[^1]" in text
    assert re.search(r"\[\^1\]: .*2nd of November.*/video/harbour-council\?t=25\.0\)", text)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as JSON").click()
    assert '"contradictions"' in saved.value.path().read_text("utf-8")


def test_an_answer_is_there_after_a_reload_and_on_the_way_back_and_is_not_asked_again(
    tab: Shown, library: StagedLibrary
) -> None:
    page = asked(tab, library)
    again: list[str] = []
    page.on("request", lambda sent: sent.method == "POST" and again.append(sent.url))
    page.reload()
    page.wait_for_selector(".cited-video")
    page.click("nav a[href='/status']")
    page.wait_for_selector(".checks")
    page.go_back()
    page.wait_for_selector(".cited-video")
    assert page.locator(".sentence").count() == 2 and again == []


def test_what_the_library_does_not_answer_shows_what_comes_near(tab: Shown) -> None:
    page = tab.open("/")
    page.fill("#question", "How many moons does Jupiter have?")
    page.keyboard.press("Enter")
    page.locator(".near .result").first.wait_for()
    assert page.locator(".abstained").inner_text() == "The library does not answer this."
    assert page.locator(".prose .note").count() == 0


def test_everything_can_be_done_with_keys(tab: Shown, library: StagedLibrary) -> None:
    library.gate.set()
    page = tab.open("/")
    page.wait_for_selector(".shelf")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    page.keyboard.press("/")
    page.keyboard.type(STAGED)
    page.keyboard.press("Enter")
    page.wait_for_selector(".cited-video")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    label = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(label).startswith("Footnote 1")
    assert COUNCIL[3][2] in page.locator(".note-card").inner_text()
    page.keyboard.press("Enter")
    until(tab.playing)
    page.keyboard.press("Space")
    until(lambda: not tab.playing())
    assert page.evaluate(label).startswith("Footnote 1"), "the focus stays where it was"


def test_a_chat_builds_on_the_turn_before_and_its_footnotes_last(tab: Shown) -> None:
    page = tab.open("/chat")
    page.fill(".composer textarea", "Who feeds the geese at the lighthouse?")
    page.keyboard.press("Enter")
    page.locator(".turn").nth(0).locator(".footnote").first.wait_for()
    page.fill(".composer textarea", "When does he wind the clockwork of the lamp?")
    page.keyboard.press("Enter")
    page.locator(".turn").nth(1).locator("[aria-busy=false]").wait_for()
    understood = page.locator(".turn").nth(1).locator(".understood").inner_text()
    assert "Idris Fenwick" in understood
    until(lambda: "/chat/" in tab.address())
    page.reload()
    page.locator(".turn").nth(1).wait_for()
    page.locator(".turn").nth(0).locator(".prose .note").first.click()
    until(tab.playing)
    assert "lighthouse" in page.locator(".player .now").inner_text()
    assert page.locator(".session-list li").count() == 1
    assert LIGHTHOUSE[0][2] in page.locator(".turn").nth(0).inner_text()
