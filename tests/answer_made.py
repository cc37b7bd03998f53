"""A few videos in memory and searches that found them, for the tests of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from pipeline.types import (
    SOURCES,
    Moment,
    MomentPassage,
    SearchResult,
    Segment,
    Source,
    Video,
    Word,
)


class MadeTranscripts:
    """`answer.evidence.Transcripts` over segments given per video id."""

    def __init__(
        self, segments: Mapping[str, Sequence[Segment]], videos: Mapping[str, Video] | None = None
    ) -> None:
        self._segments = {
            video_id: sorted(found, key=lambda s: (s.start, s.end))
            for video_id, found in segments.items()
        }
        self._videos = videos or {}

    def video(self, video_id: str) -> Video:
        made = Video(video_id, video_id.replace("-", " ").title(), path=f"/videos/{video_id}.mp4")
        return self._videos.get(video_id, made)

    def segments(self, video_id: str) -> Sequence[Segment]:
        return self._segments[video_id]


def speech(*rows: tuple[float, float, str], speaker: str = "") -> list[Segment]:
    return [Segment("speech", start, end, text, speaker=speaker) for start, end, text in rows]


def timed(start: float, text: str, pace: float = 0.5) -> Segment:
    """An utterance whose words last `pace` seconds each."""
    words = tuple(
        Word(start + i * pace, start + (i + 1) * pace, word) for i, word in enumerate(text.split())
    )
    return Segment("speech", start, words[-1].end, text, words=words)


def moment(video_id: str, start: float, end: float, *sources: Source, score: float = 1.0) -> Moment:
    passages = tuple(
        MomentPassage(f"{video_id}-{source}", source, start, end, "text")
        for source in sources or ("speech",)
    )
    return Moment(video_id, video_id, start, end, score, "text", passages, {"score": score})


def found(*moments: Moment) -> SearchResult:
    return SearchResult("question", tuple(moments), {"search": 1.0})


texts = st.text(st.sampled_from("ab1 .,?!\n[]<>0日。\u202e\x07é"), min_size=1, max_size=80)


@st.composite
def tracks(draw: st.DrawFn) -> list[Segment]:
    """Segments of one video of every kind, out of order, with whatever word times."""
    segments, clock = [], draw(st.floats(0, 1000))
    for _ in range(draw(st.integers(1, 12))):
        start = clock + draw(st.sampled_from([0.0, 0.0, 0.1, 0.5, 5.0]))
        end = start + draw(st.sampled_from([0.01, 1.0, 3.0, 50.0]))
        text = draw(texts)
        words = tuple(
            Word(draw(st.floats(0, 2000)), draw(st.floats(0, 2000)), word)
            for word in (text.split() if draw(st.booleans()) else [])
        )
        source = draw(st.sampled_from(SOURCES))
        speaker = draw(st.sampled_from(["", "", "Ada"]))
        segments.append(Segment(source, start, end, text, speaker, words=words))
        clock = draw(st.sampled_from([start, end]))
    return segments
