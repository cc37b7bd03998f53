"""Citations: the right words, at the right second, behind a link that opens there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.answer.cite import link, make_citation, resolves, tighten
from pipeline.answer.evidence import gather
from pipeline.models.embedding import load_embedder
from pipeline.types import Segment, Video
from tests.answer_made import MadeTranscripts, moment, speech, timed

TALK = MadeTranscripts(
    {
        "talk": [
            *speech((0.0, 4.0, "We built the greenhouse beside the harbour.")),
            timed(5.0, "Pumps run all day. The harvest weighed nine kilos a week. Good night all."),
            Segment("screen", 3.0, 30.0, "Fuel burned: none, in all of the winter"),
        ]
    }
)


def test_a_moment_is_tightened_to_the_words_that_carry_the_claim() -> None:
    claim = "Each week nine kilos were the harvest."
    made = tighten(claim, moment("talk", 0.0, 40.0), TALK, load_embedder("fake:256"))
    assert made is not None
    assert made.text.startswith("The harvest weighed nine kilos a week.")
    assert (made.start, made.source) == (7.0, "speech")


def test_nothing_citable_tightens_to_nothing() -> None:
    silent = MadeTranscripts({"v": [Segment("chapter", 0.0, 9.0, "Harvest")]})
    embedder = load_embedder("fake:256")
    assert tighten("harvest", moment("v", 0.0, 9.0, "chapter"), silent, embedder) is None


def test_a_citation_resolves_only_to_stored_text_of_its_source_and_time() -> None:
    item = gather([moment("talk", 0.0, 4.0)], TALK, 1000)[0]
    citation = make_citation(1, item.statement, item.video, "supported")
    stored = TALK.segments("talk")
    assert resolves(citation, stored)
    assert not resolves(
        replace(citation, quote="We built the greenhouse beside a harbour."), stored
    )
    assert not resolves(replace(citation, source="caption"), stored)
    assert not resolves(replace(citation, start=20.0, end=25.0), stored)
    assert not resolves(replace(citation, quote=" "), stored)


@pytest.mark.parametrize(
    ("video", "start", "expected"),
    [
        (
            Video("v", "", path="/films/a b#1 ü.mp4"),
            83.0,
            "file:///films/a%20b%231%20%C3%BC.mp4#t=83",
        ),
        (Video("v", "", path="/a.mp4", url="https://x.org/a"), 0.0, "file:///a.mp4#t=0"),
        (
            Video("v", "", url="https://x.org/a.mp4?x=1#top"),
            12.37,
            "https://x.org/a.mp4?x=1#t=12.3",
        ),
        (
            Video("v", "", url="https://www.youtube.com/watch?v=abc&t=4"),
            83.9,
            "https://www.youtube.com/watch?v=abc&t=83",
        ),
        (Video("v", "", url="https://youtu.be/abc"), 61.0, "https://youtu.be/abc?t=61"),
        (
            Video("v", "", url="https://www.youtube.com/embed/abc?start=1"),
            61.0,
            "https://www.youtube.com/embed/abc?start=61",
        ),
        (Video("v", "", url="javascript:alert(1)"), 1.0, ""),
        (Video("v", "", url="https://[bad"), 1.0, ""),
        (Video("v", "", url="https://x.org/\n\x1b[2J"), 1.0, ""),
        (Video("v", ""), 1.0, ""),
    ],
)
def test_a_link_opens_the_video_at_the_second(video: Video, start: float, expected: str) -> None:
    assert link(video, start) == expected
