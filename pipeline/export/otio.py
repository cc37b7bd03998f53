"""An OpenTimelineIO timeline, which most editing programs read, by its own library.

Pictures and sound are tracks of their own: what a file does not have is a gap there. Markers lie on
the clips of the first track that shows them; all that is known of a claim is in their metadata.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pipeline.export.timeline import Mark, Source, Take, Timeline, one_line

# Names of opentimelineio.schema.MarkerColor are those of `timeline.COLOURS`.


def otio_json(timeline: Timeline) -> str:
    """The timeline as the text of an .otio file."""
    return str(_timeline(timeline).to_json_string(indent=2))


def _timeline(timeline: Timeline) -> Any:
    from opentimelineio import opentime, schema

    made = schema.Timeline(timeline.name)
    made.global_start_time = opentime.RationalTime(timeline.origin, float(timeline.rate))
    made.metadata["footnote"] = {"notes": list(timeline.notes)}
    kinds = [("V1", schema.TrackKind.Video), ("A1", schema.TrackKind.Audio)]
    marked: set[int] = set()
    for name, kind in kinds:
        video = kind == schema.TrackKind.Video
        if not any(_has(take.source, video=video) for take in timeline.takes):
            continue
        track = schema.Track(name, kind=kind)
        for number, take in enumerate(timeline.takes):
            if _has(take.source, video=video):
                track.append(_clip(take, marks=number not in marked))
                marked.add(number)
            else:
                length = opentime.RationalTime(take.frames, float(timeline.rate))
                track.append(schema.Gap(duration=length))
        made.tracks.append(track)
    return made


def _has(source: Source, *, video: bool) -> bool:
    """Whether a source has pictures, or sound; where nothing is known it counts as having both."""
    facts = source.footage
    unknown = not facts.rate and not facts.sound_rate
    return unknown or bool(facts.rate if video else facts.sound_rate)


def _clip(take: Take, *, marks: bool) -> Any:
    from opentimelineio import schema

    source, rate = take.source, float(take.source.rate)
    clip = schema.Clip(
        source.name, _media(source), _range(source.first + take.first, take.end - take.first, rate)
    )
    clip.metadata["footnote"] = {
        "video_id": source.video.video_id,
        "title": one_line(source.video.title),
        "date": source.video.date,
    }
    for mark in take.marks if marks else ():
        marker = schema.Marker(
            one_line(mark.text),
            _range(source.first + take.frame_of(mark), _length(mark, take), rate),
            mark.colour,
        )
        if mark.note:
            marker.comment = mark.note
        marker.metadata["footnote"] = _told(mark)
        clip.markers.append(marker)
    return clip


def _range(first: int, frames: int, rate: float) -> Any:
    from opentimelineio import opentime

    return opentime.TimeRange(
        opentime.RationalTime(first, rate), opentime.RationalTime(frames, rate)
    )


def _media(source: Source) -> Any:
    from opentimelineio import schema

    available = _range(source.first, source.frames, float(source.rate)) if source.frames else None
    if not source.path:
        return schema.MissingReference(
            source.name, available, metadata={"footnote": {"url": source.address}}
        )
    media = schema.ExternalReference(source.address, available)
    media.name = source.name
    return media


def _length(mark: Mark, take: Take) -> int:
    """Frames that a marker covers: what is cited; none for a chapter, which is a point."""
    if mark.claim is None:
        return 0
    end = Fraction(mark.claim.citation.end) * take.source.rate
    return max(1, min(round(end), take.end) - take.frame_of(mark))


def _told(mark: Mark) -> dict[str, Any]:
    if mark.claim is None:
        return {"chapter": one_line(mark.text)}
    cited = mark.claim.citation
    return {
        "marker": cited.marker,
        "claim": one_line(mark.claim.text),
        "verdict": mark.claim.verdict,
        "quote": one_line(cited.quote),
        "source": cited.source,
        "start": cited.start,
        "end": cited.end,
    }
