"""Citations: the right words, at the right second, behind a link that opens there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from pipeline.answer.cite import HEARABLE, LEAD_IN, clip, link, make_citation, resolves
from pipeline.answer.evidence import gather
from pipeline.answer.statements import statements
from pipeline.types import Citation, Segment, Video, Word
from tests.answer_made import MadeTranscripts, moment, speech, timed, tracks

TALK = MadeTranscripts(
    {
        "talk": [
            *speech((0.0, 4.0, "We built the greenhouse beside the harbour.")),
            timed(5.0, "Pumps run all day. The harvest weighed nine kilos a week. Good night all."),
            Segment("screen", 3.0, 30.0, "Fuel burned: none, in all of the winter"),
        ]
    }
)


def test_a_citation_resolves_only_to_stored_text_of_its_source_and_time() -> None:
    item = gather([moment("talk", 0.0, 4.0)], TALK, 1000)[0]
    stored = TALK.segments("talk")
    citation = make_citation(1, item.statement, item.video, "supported", stored)
    assert resolves(citation, stored)
    assert not resolves(
        replace(citation, quote="We built the greenhouse beside a harbour."), stored
    )
    assert not resolves(replace(citation, source="caption"), stored)
    assert not resolves(replace(citation, start=20.0, end=25.0), stored)
    assert not resolves(replace(citation, quote=" "), stored)


def test_invented_text_is_nothing_to_resolve_to() -> None:
    stored = [
        Segment("speech", 0.0, 4.0, "Thanks for watching.", flags=("invented: a stock phrase",))
    ]
    made = Citation(1, "v", "", 0.0, 4.0, "Thanks for watching.", "speech", "supported", "")
    assert stored[0].invented and not resolves(made, stored)
    assert resolves(made, [replace(stored[0], flags=())])


# ---------------------------------------------------------------- what it opens


def clips(segments: list[Segment], duration: float = 0.0) -> dict[str, tuple[float, float]]:
    video = Video("v", "", duration=duration)
    return {s.text: clip(s, video, segments) for s in statements("v", segments)}


def test_timed_words_get_a_breath_of_silence() -> None:
    before = Segment("speech", 4.0, 9.9, "And now this.", words=(Word(9.0, 9.8, "this."),))
    said = timed(10.0, "The lamp went out in the storm of the year.")
    after = Segment("speech", 16.0, 20.0, "Goodbye to all of you.")
    assert clips([said], duration=60.0)[said.text] == (9.7, 15.3)
    assert clips([before, said, after])[said.text] == (9.8, 15.3)


def test_the_breath_does_not_begin_inside_another_word() -> None:
    made = clips([timed(10.0, "The pumps run all day. The harvest weighed nine kilos a week.")])
    (start, end) = next(t for s, t in made.items() if s.startswith("The harvest"))
    assert (start, end) == pytest.approx((12.5, 16.0))


def test_the_times_of_a_subtitle_stay() -> None:
    cues = speech((5.0, 8.0, "The lamp went out in the storm."))
    assert clips(cues, duration=60.0) == {cues[0].text: (5.0, 8.0)}


def test_a_clip_lasts_long_enough_to_be_heard_and_the_words_come_first() -> None:
    cues = speech((5.0, 5.4, "It was never repaired."), (5.4, 9.0, "The next one is taller."))
    assert clips(cues, duration=60.0)[cues[0].text] == (5.0, 7.0)


def test_at_the_end_of_the_video_it_begins_earlier() -> None:
    cues = speech((9.6, 10.0, "It was never repaired."))
    assert clips(cues, duration=10.0)[cues[0].text] == (8.0, 10.0)
    assert clips(cues)[cues[0].text] == (8.0, 10.0)  # nobody knows of more
    short = speech((0.2, 0.6, "It was never repaired."))
    assert clips(short, duration=0.7)[short[0].text] == (0.0, 0.7)


@given(tracks())
def test_a_clip_has_all_the_words_and_stays_in_the_video_and_its_quote_resolves(
    track: list[Segment],
) -> None:
    video = Video("v", "", duration=max(segment.end for segment in track))
    for statement in statements("v", track):
        start, end = clip(statement, video, track)
        assert 0 <= start <= statement.start < statement.end <= end <= video.duration
        assert end - start >= min(HEARABLE, video.duration) - 1e-6
        assert statement.start - start <= max(LEAD_IN, HEARABLE)
        citation = make_citation(1, statement, video, "supported", track)
        assert (citation.start, citation.end) == (start, end)
        assert resolves(citation, sorted(track, key=lambda s: (s.start, s.end)))


# ---------------------------------------------------------------- links


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
        (
            Video("v", "", url="https://x.org/app#/watch/7"),
            1.0,
            "https://x.org/app#/watch/7",
        ),
        (Video("v", "", url="javascript:alert(1)"), 1.0, ""),
        (Video("v", "", url="https://[bad"), 1.0, ""),
        (Video("v", "", url="https://x.org/\n\x1b[2J"), 1.0, ""),
        (Video("v", ""), 1.0, ""),
    ],
)
def test_a_link_opens_the_video_at_the_second(video: Video, start: float, expected: str) -> None:
    assert link(video, start) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?v=a-B_c&t=1m4s",
        "http://youtube.com/watch?feature=share&v=a-B_c#t=9",
        "https://m.youtube.com/watch?v=a-B_c&time_continue=3",
        "https://music.youtube.com/watch?v=a-B_c",
        "https://youtu.be/a-B_c?si=xyz&t=4",
        "https://www.youtube.com/embed/a-B_c?start=1&end=9",
        "https://www.youtube-nocookie.com/embed/a-B_c",
        "https://www.youtube.com/shorts/a-B_c",
        "https://www.youtube.com/live/a-B_c/?feature=share",
        "https://www.youtube.com/v/a-B_c",
    ],
)
def test_every_address_of_a_youtube_video_opens_its_page_at_the_second(url: str) -> None:
    assert link(Video("v", "", url=url), 61.9) == "https://www.youtube.com/watch?v=a-B_c&t=61"


def test_a_playlist_stays_around_its_video_and_alone_it_names_none() -> None:
    inside = "https://www.youtube.com/watch?v=abc&list=PL1&index=2"
    assert link(Video("v", "", url=inside), 5.0).endswith("/watch?v=abc&list=PL1&t=5")
    for alone in ("playlist?list=PL1", "embed/videoseries?list=PL1", "watch?v=%22%3E"):
        address = f"https://www.youtube.com/{alone}"
        assert link(Video("v", "", url=address), 5.0) == address


def test_another_page_that_only_looks_like_youtube_is_a_page() -> None:
    made = link(Video("v", "", url="https://notyoutube.com/watch?v=abc"), 5.0)
    assert made == "https://notyoutube.com/watch?v=abc#t=5"
