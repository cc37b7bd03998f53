"""Results in a notebook: what is drawn, that it is escaped, and that a value stays what it was."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pipeline.integrations.notebook import CLIPS, library_html, shown
from pipeline.types import (
    Answer,
    ChatTurn,
    Citation,
    Listing,
    Moment,
    MomentPassage,
    SearchResult,
    Sentence,
    VideoSummary,
)

HOSTILE = "<script>alert(1)</script>' onload='x\x1b[31m"


class Drawn(HTMLParser):
    """The tags, the addresses and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


class Frames:
    """Pictures that remember what was asked of them."""

    def __init__(self, *, clips: bool = True) -> None:
        self.frames: list[tuple[str, float]] = []
        self.clips: list[tuple[str, float, float]] = []
        self._plays = clips

    def frame(self, video_id: str, at: float) -> bytes | None:
        self.frames.append((video_id, at))
        return b"\xff\xd8picture"

    def clip(self, video_id: str, start: float, end: float) -> bytes | None:
        self.clips.append((video_id, start, end))
        return b"film" if self._plays else None


def moment(start: float = 10.0, title: str = "Talk", text: str = "The owl hunts.") -> Moment:
    passage = MomentPassage("p1", "speech", start, start + 5, text)
    return Moment("talk", title, start, start + 5, 1.0, text, (passage,), {"words": 1.0})


def citation(title: str = "Talk", quote: str = "The owl hunts.") -> Citation:
    return Citation(1, "talk", title, 10.0, 12.0, quote, "speech", "supported", "")


def answer(**changes: object) -> Answer:
    sentences = (Sentence("The owl hunts at night.", (1,), "supported"),)
    plain = Answer(
        "When does the owl hunt?",
        "The owl hunts at night. [1]",
        False,
        0.9,
        sentences,
        (citation(),),
        (moment(),),
        {},
        {},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def html(value: object) -> str:
    return value._repr_html_()  # type: ignore[attr-defined, no-any-return]


def test_an_answer_shows_its_sentences_its_quotes_and_a_clip_to_play() -> None:
    pictures = Frames()
    drawn = Drawn(html(shown(answer(), pictures)))
    assert "The owl hunts at night. [1]" in drawn.text.replace("  ", " ")
    assert "supported" in drawn.text and "0:10-0:12" in drawn.text
    assert drawn.tags.count("video") == 1 and "controls" in dict(drawn.attributes)
    (clip,) = pictures.clips
    assert clip[:2] == ("talk", 10.0) and clip[2] - clip[1] >= 4, "long enough to hear"


def test_only_the_first_results_play_and_the_others_show_a_picture() -> None:
    pictures = Frames()
    found = SearchResult("owl", tuple(moment(20.0 * n) for n in range(CLIPS + 3)), {})
    drawn = Drawn(html(shown(found, pictures)))
    assert (drawn.tags.count("video"), drawn.tags.count("img")) == (CLIPS, 3)


def test_what_cannot_be_played_shows_a_picture() -> None:
    drawn = Drawn(html(shown(answer(), Frames(clips=False))))
    assert (drawn.tags.count("video"), drawn.tags.count("img")) == (0, 1)


def test_what_the_citations_do_not_carry_is_struck() -> None:
    wrong = (Sentence("The owl sings.", (1,), "contradicted"),)
    drawn = Drawn(html(shown(answer(sentences=wrong), Frames())))
    assert "s" in drawn.tags and "contradicted" in drawn.text


def test_an_abstention_says_what_is_missing() -> None:
    silent = answer(
        answer="The library does not answer this.",
        sentences=(),
        citations=(),
        missing=("2 videos have no transcript yet",),
    )
    drawn = Drawn(html(shown(silent, Frames())))
    assert "does not answer" in drawn.text and "no transcript yet" in drawn.text


@pytest.mark.parametrize(
    "value",
    [
        SearchResult(HOSTILE, (moment(title=HOSTILE, text=HOSTILE),), {}),
        SearchResult(HOSTILE, (), {}),
        answer(question=HOSTILE, citations=(citation(HOSTILE, HOSTILE),), missing=(HOSTILE,)),
        answer(sentences=(), answer=HOSTILE),
        ChatTurn(1, HOSTILE, HOSTILE, answer(question=HOSTILE), clarify=(HOSTILE,)),
        Listing(HOSTILE, (), (), None, {}),  # type: ignore[arg-type]
    ],
    ids=["moments", "nothing", "answer", "silence", "turn", "list"],
)
def test_hostile_text_is_only_text(value: object) -> None:
    drawn = Drawn(html(shown(value, Frames())))
    assert "script" not in drawn.tags
    assert "onload" not in [name for name, _ in drawn.attributes]
    assert "<script>alert(1)</script>' onload='x" in drawn.text
    assert "\x1b" not in drawn.text


def test_the_videos_of_a_library() -> None:
    video = VideoSummary("talk", HOSTILE, "/talk.mp4", 90.0, "", {"speech": 3}, ("captions",))
    drawn = Drawn(library_html([video], Frames()))
    assert "1 video," in drawn.text and "3 speech" in drawn.text
    assert "captions" in drawn.text and "script" not in drawn.tags


def test_a_value_stays_what_it_was() -> None:
    plain = answer()
    drawn = shown(plain, Frames())
    assert isinstance(drawn, Answer) and drawn == plain and plain == drawn
    assert repr(drawn) == repr(plain)
    assert drawn.citations[0] == plain.citations[0] and "_repr_html_" in dir(drawn.citations[0])
    assert drawn != replace(plain, confidence=0.1)
    assert type(pickle.loads(pickle.dumps(drawn))) is Answer
    assert copy.deepcopy(drawn) == plain
    assert "The owl hunts" in html(replace(drawn, confidence=0.1)), "drawn without pictures"
