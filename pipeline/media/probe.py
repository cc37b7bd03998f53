"""What a media file says about itself: streams, chapters, title, date, rotation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.media import language
from pipeline.media.container import (
    claimed_duration,
    is_encrypted,
    number,
    open_media,
    start_time,
)

if TYPE_CHECKING:
    import av.stream
    import av.video.stream
    from av.container import InputContainer

_DATE_KEYS = ("com.apple.quicktime.creationdate", "creation_time", "date", "date_recorded", "year")
_PEOPLE_KEYS = ("artist", "album_artist", "author", "com.apple.quicktime.author", "director")
_PLACE_KEYS = (
    "location",
    "location-eng",
    "com.apple.quicktime.location.iso6709",
    "recording_location",
)
_DESCRIPTION_KEYS = ("description", "synopsis", "comment", "com.apple.quicktime.description")
# Six digits of degrees are a tenth of a metre: "+52.5200+013.4050/" (ISO 6709).
_COORDINATES = re.compile(
    r"([+-]\d{1,3}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)(?:[+-][\d.]+)?(?:CRS\w+)?/?"
)
_FRAMES_TRIED = 8  # packets decoded to learn the rotation, which only a frame carries


@dataclass(frozen=True, slots=True)
class VideoStream:
    """`width` x `height` is what a viewer sees: square pixels, after rotation.

    `rotation` is in degrees clockwise, to be applied to decoded frames. `fps` is an average.
    `pixel_format` is libav's name, "" when unknown.
    """

    index: int
    codec: str
    width: int
    height: int
    rotation: int
    fps: float
    pixel_format: str = ""


@dataclass(frozen=True, slots=True)
class AudioStream:
    index: int
    codec: str
    rate: int
    channels: int
    language: str
    default: bool
    title: str = ""


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """`codec` is "" where libav has no decoder for it (WebVTT in Matroska)."""

    index: int
    codec: str
    language: str
    title: str = ""
    default: bool = False
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    start: float
    end: float
    title: str


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What the header claims; `duration` (0.0: unknown) may be more than can be decoded.

    `start_time` is where zero on the clock lies in the container's timestamps, in seconds.
    `date` is ISO 8601, "" when unknown. Chapters are on the clock.
    """

    format: str
    duration: float
    start_time: float
    video: VideoStream | None
    audio: tuple[AudioStream, ...] = ()
    subtitles: tuple[SubtitleStream, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    title: str = ""
    date: str = ""
    encrypted: bool = False
    people: tuple[str, ...] = ()
    place: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""


def probe(path: str | Path) -> MediaInfo:
    """Facts of the container, milliseconds of work. Raises `MediaError` (see `open_media`)."""
    with open_media(path) as container:
        stream = video_stream(container)
        metadata = _metadata(container)
        return MediaInfo(
            format=container.format.name,
            duration=claimed_duration(container),
            start_time=start_time(container),
            video=_video(container, stream) if stream else None,
            audio=tuple(_audio(stream) for stream in container.streams.audio),
            subtitles=tuple(_subtitles(stream) for stream in container.streams.subtitles),
            chapters=_chapters(container),
            title=_one_line(_tagged(metadata, "title")),
            date=_date(metadata),
            encrypted=is_encrypted(path),
            people=_people(metadata),
            place=_place(metadata),
            tags=_listed(_tagged(metadata, "keywords")),
            description=_tagged(metadata, *_DESCRIPTION_KEYS),
        )


def _metadata(container: InputContainer) -> Mapping[str, str]:
    """What the file says of itself; in Ogg its only track says it."""
    tracks = container.streams.audio
    if "ogg" in container.format.name and len(tracks) == 1:
        return {**tracks[0].metadata, **container.metadata}
    return container.metadata


def video_stream(container: InputContainer) -> av.video.stream.VideoStream | None:
    """The stream that moves: cover art and still images are not the video."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & still]
    if len(moving) <= 1:
        return moving[0] if moving else None
    best = container.streams.best("video")
    return next((stream for stream in moving if best and stream.index == best.index), moving[0])


def display_size(width: int, height: int, pixel: Any) -> tuple[int, int]:
    """Width and height in square pixels, before rotation; `pixel` is the sample aspect ratio."""
    ratio = number(pixel)
    # Nearly square is square: encoders round, and nobody sees 1 %. Absurd is damage.
    if not 0.2 < ratio < 5 or abs(ratio - 1) < 0.02:
        return width, height
    return max(1, round(width * ratio)), height


def _video(container: InputContainer, stream: av.video.stream.VideoStream) -> VideoStream:
    fps = number(stream.average_rate or stream.guessed_rate)
    context = stream.codec_context
    if context is None:
        return VideoStream(stream.index, "", 0, 0, 0, fps)
    rotation = _rotation(container, stream)
    width, height = display_size(context.width, context.height, context.sample_aspect_ratio)
    if rotation in (90, 270):
        width, height = height, width
    name, pixels = context.codec.canonical_name, context.pix_fmt or ""
    return VideoStream(stream.index, name, width, height, rotation, fps, pixels)


def _rotation(container: InputContainer, stream: av.video.stream.VideoStream) -> int:
    """Degrees clockwise, a multiple of 90, from the first frame that can be decoded."""
    import av

    for tried, packet in enumerate(container.demux(stream)):
        try:
            for frame in packet.decode():
                return clockwise(frame.rotation)
        except av.FFmpegError:
            continue  # a damaged packet tells no rotation; the scan counts it
        if tried >= _FRAMES_TRIED:
            break
    return 0


def clockwise(rotation: int) -> int:
    """libav's counterclockwise degrees in (-180, 180] as one of 0, 90, 180, 270 clockwise."""
    return round(-rotation / 90) % 4 * 90


def _audio(stream: av.stream.Stream) -> AudioStream:
    from av.stream import Disposition

    context = stream.codec_context
    return AudioStream(
        index=stream.index,
        codec=context.name if context else "",
        rate=(context.sample_rate or 0) if context else 0,
        channels=context.layout.nb_channels if context else 0,
        language=language.normal(stream.language),
        default=bool(stream.disposition & Disposition.default),
        title=_one_line(stream.metadata.get("title", "")),
    )


def _subtitles(stream: av.stream.Stream) -> SubtitleStream:
    from av.stream import Disposition

    context = stream.codec_context
    return SubtitleStream(
        index=stream.index,
        codec=context.name if context else "",
        language=language.normal(stream.language),
        title=_one_line(stream.metadata.get("title", "")),
        default=bool(stream.disposition & Disposition.default),
        forced=bool(stream.disposition & Disposition.forced),
    )


def _chapters(container: InputContainer) -> tuple[Chapter, ...]:
    """On the clock, in order; chapters without length or before zero are left out."""
    zero = start_time(container)
    found = []
    for chapter in container.chapters():
        unit = number(chapter["time_base"])
        start = max(0.0, chapter["start"] * unit - zero)
        end = chapter["end"] * unit - zero
        if start < end:
            title = _one_line(chapter["metadata"].get("title", ""))
            found.append(Chapter(start, end, title))
    return tuple(sorted(found, key=lambda chapter: (chapter.start, chapter.end)))


def _date(metadata: Mapping[str, str]) -> str:
    """ISO 8601 in UTC from the tags that hold one; dates that clocks show when unset are not."""
    for key in _DATE_KEYS:
        value = metadata.get(key) or metadata.get(key.upper()) or ""
        date = _iso(value.strip())
        if date and not date.startswith(("1904", "1970-01-01")):
            return date
    return ""


def _tagged(metadata: Mapping[str, str], *names: str) -> str:
    """The value of the first of these tags, in any case of letters; "" when there is none."""
    known = {name.lower(): value for name, value in metadata.items()}
    return next((value.strip() for name in names if (value := known.get(name, "")).strip()), "")


def _people(metadata: Mapping[str, str]) -> tuple[str, ...]:
    named = (_one_line(_tagged(metadata, key)) for key in _PEOPLE_KEYS)
    return tuple(dict.fromkeys(person for person in named if person))


def _place(metadata: Mapping[str, str]) -> str:
    """A name, or "latitude, longitude" in degrees."""
    place = _one_line(_tagged(metadata, *_PLACE_KEYS))
    match = _COORDINATES.fullmatch(place)
    return f"{float(match[1]):g}, {float(match[2]):g}" if match else place


def _listed(text: str) -> tuple[str, ...]:
    parts = (_one_line(part) for part in re.split(r"[,;]", text))
    return tuple(dict.fromkeys(part for part in parts if part))


def _iso(value: str) -> str:
    if re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])", value):
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    if re.fullmatch(r"(19|20)\d\d(-\d\d){0,2}", value):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return ""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except OverflowError:
        return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
