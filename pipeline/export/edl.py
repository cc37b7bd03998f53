"""An edit decision list, CMX 3600: the oldest format, and the one that everything reads.

One line a take: number, reel, tracks, cut, then in and out of the source and of the timeline, outs
exclusive. Files have no reel: `AX`, and comments that name the file. The format has one frame rate;
a source of another rate is counted at the timeline's, which gives the same seconds.
"""

from __future__ import annotations

from pipeline.errors import UsageError
from pipeline.export.timecode import timecode
from pipeline.export.timeline import Mark, Source, Take, Timeline, one_line

MOST_EVENTS = 999
_TITLE = 70  # characters


def edl(timeline: Timeline) -> str:
    """The timeline as text. Raises `UsageError` for more takes than the format can number."""
    if len(timeline.takes) > MOST_EVENTS:
        raise UsageError(
            f"an EDL holds {MOST_EVENTS} takes, this is {len(timeline.takes)}", "--format otio"
        )
    lines = [
        f"TITLE: {timeline.name[:_TITLE]}",
        f"FCM: {'' if timeline.drop else 'NON-'}DROP FRAME",
        "",
    ]
    for number, take in enumerate(timeline.takes, 1):
        lines += [_event(number, take, timeline), *_comments(take, timeline)]
    return "\n".join(lines) + "\n"


def _event(number: int, take: Take, timeline: Timeline) -> str:
    first = _source_frame(take.first, take.source, timeline)
    codes = [
        *(timecode(frame, timeline.rate) for frame in (first, first + take.frames)),
        *(
            timecode(timeline.origin + frame, timeline.rate)
            for frame in (take.at, take.at + take.frames)
        ),
    ]
    return f"{number:03}  {'AX':<8} {_tracks(take.source):<5} {'C':<8} {' '.join(codes)}"


def _source_frame(frame: int, source: Source, timeline: Timeline) -> int:
    """A frame of the source, its timecode included, counted at the timeline's rate."""
    return round((source.first + frame) * timeline.rate / source.rate)


def _tracks(source: Source) -> str:
    """Pictures, one or two tracks of sound; where nothing is known of a video, both."""
    facts = source.footage
    if not facts.rate and not facts.sound_rate:
        return "B"
    sound = "" if not facts.sound_rate else "A" if facts.channels == 1 else "AA"
    if not facts.rate:
        return sound
    return {"": "V", "A": "B", "AA": "AA/V"}[sound]


def _comments(take: Take, timeline: Timeline) -> list[str]:
    lines = [f"* FROM CLIP NAME: {one_line(take.source.name)}"]
    if take.source.path:
        lines.append(f"* SOURCE FILE: {one_line(take.source.path)}")
    return [*lines, *(_locator(mark, take, timeline) for mark in take.marks)]


def _locator(mark: Mark, take: Take, timeline: Timeline) -> str:
    into = round((take.frame_of(mark) - take.first) * timeline.rate / take.source.rate)
    frame = timeline.origin + take.at + min(into, take.frames - 1)
    return f"* LOC: {timecode(frame, timeline.rate)} {mark.colour:<7} {one_line(mark.text)}"
