"""The page in headless Chromium, over a small library that is served on loopback.

`page` fails a test that leaves an error in the browser's console or asks another host for anything.
The page's content policy stays on: what is looked up in it goes through `evaluate`, and `until`
waits for it.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.library import Library
from pipeline.settings import Settings
from pipeline.types import (
    Answer,
    AnswerEvent,
    Citation,
    EvidenceFound,
    Moment,
    MomentPassage,
    Sentence,
    SentenceReady,
)
from tests import clips
from tests.served import Server, served

STAGED = "When does the Little Auk sail again?"
COUNCIL = (
    (1, 5, "Good morning, this is the harbour council of Sorrel Holm."),
    (8, 13, "Maren Oduya proposed the ferry line to Port Ambry last spring."),
    (18, 23, "The new gearbox of the ferry costs nine thousand crowns."),
    (25, 29, "The Little Auk will be running again on the 2nd of November."),
)
LIGHTHOUSE = (
    (2, 6, "Idris Fenwick keeps the lighthouse and feeds eleven geese every morning."),
    (8, 10, "The Little Auk is now expected back on the 9th of November."),
    (11, 16, "He winds the clockwork of the lamp at sunset."),
)


class StagedLibrary(Library):
    """A library whose answer to `STAGED` is made up, and waits for `gate` after each sentence."""

    gate: threading.Event

    def ask_stream(self, question: str, **options: Any) -> Iterator[AnswerEvent]:
        if question != STAGED:
            yield from super().ask_stream(question, **options)
            return
        answer = staged_answer()
        yield EvidenceFound(question, "short", 2, answer.moments)
        for sentence, citation in zip(answer.sentences, answer.citations, strict=True):
            yield SentenceReady(sentence, (citation,))
            assert self.gate.wait(60)
        yield answer


def staged_answer() -> Answer:
    """Two sentences that do not agree, from two videos; the second is supported in part only."""
    cited = (
        (1, "harbour-council", "Harbour council", COUNCIL[3], "2024-09-03T19:00:00Z"),
        (2, "lighthouse", "A day at the lighthouse", LIGHTHOUSE[1], "2024-10-21T07:00:00Z"),
    )
    verdicts = ("supported", "partly")
    citations = tuple(
        Citation(number, video, title, float(start), float(end), text, "speech", verdict,
                 f"file:///{video}.mp4#t={start}", date)
        for (number, video, title, (start, end, text), date), verdict
        in zip(cited, verdicts, strict=True)
    )  # fmt: skip
    sentences = (
        Sentence("It will be running again on the 2nd of November.", (1,), "supported"),
        Sentence("It is expected back a week later, it was said since.", (2,), "partly"),
    )
    moments = tuple(
        Moment(c.video_id, c.title, c.start, c.end, 1.0, c.quote,
               (MomentPassage(f"{c.video_id}:speech:0", "speech", c.start, c.end, c.quote),), {})
        for c in citations
    )  # fmt: skip
    text = f"{sentences[0].text} [1] {sentences[1].text} [2]"
    return Answer(
        STAGED, text, False, 0.79, sentences, citations, moments, {}, {"total": 12.0},
        contradictions=((2, 1),),
    )  # fmt: skip


def clip(path: Path, seconds: float, title: str, seed: int) -> Path:
    """A small video with sound, a cut in its middle and a title."""
    pictures = clips.scenes(
        (seconds / 2, clips.texture(seed)), (seconds / 2, clips.texture(seed + 1)), fps=5
    )
    track = clips.Track((clips.Tone(1, seconds - 1),), end=seconds)
    return clips.write(path, pictures, fps=5, tracks=[track], metadata={"title": title})


def subtitles(path: Path, cues: tuple[tuple[int, int, str], ...]) -> None:
    lines = [
        f"{number}\n00:00:{start:02},000 --> 00:00:{end:02},000\n{text}\n"
        for number, (start, end, text) in enumerate(cues, 1)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StagedLibrary]:
    folder = tmp_path_factory.mktemp("browser")
    videos = folder / "videos"
    videos.mkdir()
    clip(videos / "harbour-council.mp4", 30, "Harbour council", 1)
    subtitles(videos / "harbour-council.srt", COUNCIL)
    clip(videos / "lighthouse.mkv", 20, "A day at the lighthouse", 4)
    subtitles(videos / "lighthouse.srt", LIGHTHOUSE)
    settings = Settings(
        embedding_model="fake:64", profile="embedded", screen_reader="fake:PIER 4|Mind the planks"
    )
    with StagedLibrary(folder / "library", settings) as made:
        made.gate = threading.Event()
        made.add([videos])
        yield made


@pytest.fixture(scope="session")
def server(library: StagedLibrary) -> Iterator[Server]:
    with served(library) as running:
        yield running


# ---------------------------------------------------------------- the browser


def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (found := shutil.which(name)) is not None:
            return found
    return ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not (path := chromium()):
        pytest.skip("there is no Chromium to show the page in: apt install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@dataclass
class Shown:
    """A tab with the page, and what went wrong in it."""

    page: Any
    url: str
    wrong: list[str]

    def open(self, path: str) -> Any:
        self.page.goto(self.url + path)
        return self.page

    def address(self) -> str:
        """As the page has it now; asking for it lets what happened in the page be told."""
        return str(self.page.evaluate("location.href"))

    def seeks(self) -> list[tuple[str, float]]:
        """(video, seconds) of every seek of a player that has arrived, in order."""
        told = self.page.evaluate("window.seeks")
        return [(source.split("/videos/")[1].split("/")[0], at) for source, at in told]

    def sought(self, video: str, seconds: float) -> bool:
        """Whether the last seek came to that second of that video, within half a second."""
        seeks = self.seeks()
        return bool(seeks) and seeks[-1][0] == video and abs(seeks[-1][1] - seconds) <= 0.5

    def playing(self) -> bool:
        players = "[...document.querySelectorAll('.player video')]"
        return bool(self.page.evaluate(f"{players}.some((v) => !v.paused && v.currentTime > 0)"))


_WATCH = """
window.seeks = [];
window.pwned = false;
document.addEventListener('seeked', (event) => {
  window.seeks.push([event.target.currentSrc, event.target.currentTime]);
}, true);
"""


@pytest.fixture
def tab(browser: Any, server: Server, request: pytest.FixtureRequest) -> Iterator[Shown]:
    """`@pytest.mark.parametrize("tab", [{"viewport": ...}], indirect=True)` gives it options."""
    options = {"viewport": {"width": 1280, "height": 800}, **getattr(request, "param", {})}
    context = browser.new_context(**options)
    context.add_init_script(_WATCH)
    page = context.new_page()
    page.set_default_timeout(30_000)
    shown = Shown(page, server.url, [])
    page.on("console", lambda m: m.type == "error" and shown.wrong.append(f"console: {m.text}"))
    page.on("pageerror", lambda error: shown.wrong.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (shown.wrong.append("a dialog"), dialog.dismiss()))
    page.on("request", lambda asked: _own(asked.url, server.url, shown.wrong))
    yield shown
    context.close()
    assert shown.wrong == []


def _own(url: str, own: str, wrong: list[str]) -> None:
    if not url.startswith((own, "blob:", "data:")):
        wrong.append(f"asked {url}")
