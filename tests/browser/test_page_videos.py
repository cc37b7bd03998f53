"""A video's page, and how videos come into the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import COUNCIL, Shown, clip
from tests.served import until

pytestmark = pytest.mark.browser


def active(tab: Shown) -> str:
    return str(tab.page.locator(".line.active").first.inner_text())


def test_the_transcript_is_at_the_second_of_the_address_and_goes_to_one(tab: Shown) -> None:
    page = tab.open("/video/harbour-council?t=19")
    page.wait_for_selector(".line.active")
    until(lambda: COUNCIL[2][2] in active(tab))
    until(lambda: tab.sought("harbour-council", 19))
    page.locator(".line button", has_text="Maren Oduya").click()
    until(lambda: COUNCIL[1][2] in active(tab))
    until(lambda: tab.sought("harbour-council", COUNCIL[1][0]))
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    until(tab.playing)


def test_the_transcript_follows_the_player_until_the_reader_scrolls(tab: Shown) -> None:
    page = tab.open("/video/harbour-council")
    page.wait_for_selector(".line")
    page.locator(".player video").evaluate("(video) => { video.currentTime = 26; }")
    until(lambda: page.locator(".line.active").count() and COUNCIL[3][2] in active(tab))
    assert not page.locator(".follow").is_visible()
    page.locator(".lines").hover()
    page.mouse.wheel(0, -50)
    page.locator(".follow").wait_for()
    page.click(".follow")
    assert not page.locator(".follow").is_visible()


def test_lines_are_filtered_and_the_screen_has_its_own(tab: Shown) -> None:
    page = tab.open("/video/harbour-council")
    page.wait_for_selector(".line")
    assert page.locator(".line").count() == len(COUNCIL)
    page.keyboard.press("/")
    page.keyboard.type("gearbox")
    until(lambda: page.locator(".line").count() == 1)
    assert page.locator(".line mark").inner_text() == "gearbox"
    page.keyboard.press("Escape")
    until(lambda: page.locator(".line").count() == len(COUNCIL))
    page.get_by_role("tab", name="Screen text").click()
    page.locator(".line", has_text="Mind the planks").first.wait_for()
    assert page.get_by_role("tab", name="Screen text").get_attribute("aria-selected") == "true"


def test_a_file_is_sent_read_stage_by_stage_and_listed(tab: Shown, tmp_path: Path) -> None:
    file = clip(tmp_path / "night-owls.mp4", 4, "Night owls", 8)
    page = tab.open("/library")
    page.locator(".card").first.wait_for()
    page.set_input_files("#files", file)
    page.locator(".job[data-state=done]").wait_for()
    stages = page.locator(".stage-bar .name").all_inner_texts()
    assert stages[:2] == ["File", "Pictures"] and "Screen text" in stages and "Index" in stages
    assert page.locator(".stage-bar[data-status=done]").count() >= 3
    page.locator(".card", has_text="Night owls").wait_for()
    page.locator(".job-video a").click()
    page.locator("h1", has_text="Night owls").wait_for()
    assert tab.address().endswith("/video/night-owls")


def test_what_cannot_be_added_says_why_in_its_place(tab: Shown, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("these are notes, and no video")
    page = tab.open("/library")
    page.locator(".card").first.wait_for()
    page.set_input_files("#files", tmp_path / "notes.mp4")
    page.locator(".adding .failure").wait_for()
    assert "notes.mp4" in page.locator(".adding").inner_text()
    assert [text for text in tab.wrong if "415" in text], "the browser reports the refusal itself"
    tab.wrong.clear()


def test_the_library_is_told_and_examined(tab: Shown) -> None:
    page = tab.open("/status")
    page.locator(".checks li").first.wait_for()
    assert "Everything is whole" in page.locator("[aria-label=Doctor]").inner_text()
    assert page.locator(".numbers dd").first.inner_text().isdigit()


def test_a_video_that_is_not_there_leads_back(tab: Shown) -> None:
    page = tab.open("/video/nowhere")
    page.locator(".failure").wait_for()
    page.get_by_role("link", name="All videos").click()
    page.locator(".card").first.wait_for()
    tab.wrong[:] = [text for text in tab.wrong if "404" not in text]
