"""Videos and an answer over them, for the tests of exports."""

from __future__ import annotations

from fractions import Fraction

from pipeline.answer.saved import Saved
from pipeline.media.footage import Footage
from pipeline.types import Citation, Segment, Sentence, Source, Verdict, Video

NTSC = Fraction(30000, 1001)
FERRY = Video("ferry", "The ferry", path="/videos/ferry & co/ferry.mp4", duration=120.0)
COUNCIL = Video("council", "Council", path="/videos/council.mov", duration=90.0, date="2024-09-03")
RADIO = Video("radio", "Harbour radio", path="/videos/radio.mp3", duration=60.0)
IMPORTED = Video("talk", "A talk", url="https://x.example/talk", duration=300.0)
FOOTAGE = {
    "ferry": Footage(120.0, NTSC, 1920, 1080, 48_000, 2),
    "council": Footage(90.0, Fraction(25), 1280, 720, 48_000, 1, timecode="10:00:00:00"),
    "radio": Footage(60.0, sound_rate=44_100, channels=2),
    "talk": Footage(300.0),
}
EVIL = '=HYPERLINK("http://evil.example") <script>alert(1)</script> & \x1b[31m --> {\\an8}'


class MadeArchive:
    """`cited.Archive` over videos and segments given here."""

    def __init__(self, *videos: Video, segments: dict[str, list[Segment]] | None = None) -> None:
        self._videos = {video.video_id: video for video in videos}
        self._segments = segments or {}

    def has_video(self, video_id: str) -> bool:
        return video_id in self._videos

    def video(self, video_id: str) -> Video:
        return self._videos[video_id]

    def segments(self, video_id: str) -> list[Segment]:
        return self._segments.get(video_id, [])


def footage_of(video: Video) -> Footage:
    return FOOTAGE[video.video_id]


def cited(
    marker: int,
    video: Video,
    start: float,
    end: float,
    quote: str = "It is late.",
    source: Source = "speech",
    verdict: Verdict = "supported",
) -> Citation:
    return Citation(
        marker, video.video_id, video.title, start, end, quote, source, verdict, "", video.date
    )


def answered(citations: list[Citation], *sentences: tuple[str, tuple[int, ...], Verdict]) -> Saved:
    told = tuple(Sentence(text, markers, verdict) for text, markers, verdict in sentences)
    written = " ".join(s.text for s in told)
    return Saved("When is the ferry back?", told, tuple(citations), written)
