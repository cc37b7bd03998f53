"""A timeline as editing programs have it: takes one after the other, with markers, in frames.

Every format (`otio`, `edl`, `fcpxml`) is written from this one value, so that all of them agree on
every frame. A take's own frames are counted at the rate of its file, and from the timecode that the
camera wrote, so that an editor finds the media; the timeline is counted at one rate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from pipeline.export.cited import Claim, Piece
from pipeline.export.timecode import (
    drops_numbers,
    end_frame,
    first_frame,
    frame_at,
    standard_rate,
)
from pipeline.media.footage import Footage
from pipeline.prompts import visible
from pipeline.types import TitledSpan, Verdict, Video

COLOURS: dict[Verdict, str] = {
    "supported": "GREEN", "partly": "YELLOW", "unsupported": "RED", "contradicted": "RED",
    "unchecked": "WHITE",
}  # fmt: skip
_CHAPTER_COLOUR = "BLUE"

FootageOf = Callable[[Video], Footage]


@dataclass(frozen=True, slots=True)
class Mark:
    """A marker on a take, `at` seconds of the video."""

    at: float
    text: str
    note: str = ""
    colour: str = "WHITE"
    chapter: bool = False
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a video that has none (`path` is ""). `rate` is that of its frames' count, which
    goes from `first` (its timecode) for `frames`; `drop` is how its timecode counts. Where
    `folders` is False it is named without the folder that it lies in."""

    video: Video
    footage: Footage
    rate: Fraction
    first: int
    frames: int
    drop: bool
    folders: bool = True

    @property
    def path(self) -> str:
        return self.video.path if self.folders else Path(self.video.path).name

    @property
    def name(self) -> str:
        """The file's name, which editors match clips by; the video's title where it has none."""
        return Path(self.path).name if self.path else one_line(self.video.title)

    @property
    def address(self) -> str:
        """`file:///...`; the web address of a video without a file, "" where it has neither."""
        if not self.path:
            return self.video.url
        return Path(self.path).absolute().as_uri() if self.folders else quote(self.path)


@dataclass(frozen=True, slots=True)
class Take:
    """A part of a source, `first` to `end` (exclusive) in its own count without its timecode, and
    where it lies on the timeline: `at` for `frames`."""

    source: Source
    first: int
    end: int
    at: int
    frames: int
    marks: tuple[Mark, ...]

    def frame_of(self, mark: Mark) -> int:
        """The source frame of a mark, within the take."""
        return min(max(first_frame(mark.at, self.source.rate), self.first), self.end - 1)


@dataclass(frozen=True, slots=True)
class Timeline:
    """`drop`: its timecode is drop frame. `notes` say what an editor should know."""

    name: str
    rate: Fraction
    takes: tuple[Take, ...]
    notes: tuple[str, ...] = ()

    @property
    def drop(self) -> bool:
        return drops_numbers(self.rate)

    @property
    def origin(self) -> int:
        """The frame number of timecode 01:00:00:00, at which timelines begin by custom."""
        return frame_at("01:00:00;00" if self.drop else "01:00:00:00", self.rate)

    @property
    def frames(self) -> int:
        return sum(take.frames for take in self.takes)


def one_line(text: str, most: int | None = None) -> str:
    """`text` without control characters and line breaks: a line of a file, an XML attribute.

    Of at most `most` characters, the last one a sign where something is left out.
    """
    flat = " ".join(visible(text).split())
    return flat if most is None or len(flat) <= most else flat[: most - 1].rstrip() + "…"


# ---------------------------------------------------------------- made from


def timeline_of(name: str, pieces: Sequence[Piece], footage_of: FootageOf) -> Timeline:
    """The pieces one after the other; markers carry what is claimed, and the verdict."""
    parts = [
        (piece.video, piece.start, piece.end, tuple(map(_claimed, piece.claims)))
        for piece in pieces
    ]
    return _timeline(name, parts, footage_of)


def timeline_of_video(
    video: Video, chapters: Sequence[TitledSpan], footage_of: FootageOf
) -> Timeline:
    """All of one video as one take, with a marker where each chapter begins."""
    marks = tuple(
        Mark(chapter.start, one_line(chapter.title), colour=_CHAPTER_COLOUR, chapter=True)
        for chapter in chapters
    )
    return _timeline(video.title, [(video, 0.0, video.duration, marks)], footage_of)


def without_folders(timeline: Timeline) -> Timeline:
    """For other machines: an editor there finds a file by its name."""
    return replace(
        timeline,
        takes=tuple(
            replace(take, source=replace(take.source, folders=False)) for take in timeline.takes
        ),
    )


def _claimed(claim: Claim) -> Mark:
    cited = claim.citation
    return Mark(
        cited.start,
        one_line(claim.label),
        one_line(cited.quote),
        COLOURS[claim.verdict],
        claim=claim,
    )


def _timeline(
    name: str,
    parts: Sequence[tuple[Video, float, float, tuple[Mark, ...]]],
    footage_of: FootageOf,
) -> Timeline:
    sources: dict[str, Source] = {}
    for video, *_ in parts:
        if video.video_id not in sources:
            sources[video.video_id] = source_of(video, footage_of(video))
    rate = _common_rate(list(sources.values()))
    takes: list[Take] = []
    at = 0
    for video, start, end, marks in parts:
        source = sources[video.video_id]
        first, last = first_frame(start, source.rate), end_frame(end, source.rate)
        if source.frames:
            last = min(last, source.frames)
            first = min(first, last - 1)
        last = max(last, first + 1)
        frames = max(1, round((last - first) * rate / source.rate))
        takes.append(Take(source, first, last, at, frames, marks))
        at += frames
    return Timeline(one_line(name), rate, tuple(takes), _notes(list(sources.values()), rate))


def source_of(video: Video, footage: Footage) -> Source:
    """A video as an editor counts it."""
    rate = standard_rate(footage.rate)
    drop = ";" in footage.timecode if footage.timecode else drops_numbers(rate)
    first = frame_at(footage.timecode, rate, drop=drop) if footage.timecode else 0
    seconds = video.duration or footage.duration
    return Source(video, footage, rate, first, first_frame(seconds, rate), drop)


def _common_rate(sources: Sequence[Source]) -> Fraction:
    """That of most sources that have a picture; the first one's where there are as many."""
    rates = [source.rate for source in sources if source.footage.rate] or [
        source.rate for source in sources
    ]
    return max(rates, key=lambda rate: (rates.count(rate), -rates.index(rate)))


def _notes(sources: Sequence[Source], rate: Fraction) -> tuple[str, ...]:
    """What cannot be said in frames without a remark, a line for each video."""
    notes = []
    for source in sources:
        own, title = source.footage.rate, one_line(source.video.title)
        if not source.path:
            notes.append(f"{title} has no file here: its takes are offline")
        elif own and not _is_multiple(own, source.rate):
            shown = f"{float(own):.5g}"
            notes.append(
                f"{title} runs at {shown} frames a second: counted at {_told(source.rate)}"
            )
        if source.rate != rate and source.footage.rate:
            notes.append(f"{title} is at {_told(source.rate)}, the timeline at {_told(rate)}")
    return tuple(notes)


def _is_multiple(own: Fraction, counted: Fraction) -> bool:
    ratio = max(own, counted) / min(own, counted)
    return abs(float(ratio) - round(ratio)) < 0.004


def _told(rate: Fraction) -> str:
    return f"{float(rate):.5g}"
