"""Packets of a stretch copied to a new file as they are: nothing is decoded, nothing is lost.

A copy begins at the last key frame up to its start. Where the container has an edit list (MP4, MOV)
what lies before the start gets times below zero, which libav writes as such a list and players
leave out. In other containers the copy begins at the key frame.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import MediaError
from pipeline.media.audio import choose_track
from pipeline.media.container import keep_only, number, open_media, start_time
from pipeline.media.film import container_for, header_options
from pipeline.media.footage import seek
from pipeline.media.frames import Decoder
from pipeline.media.probe import video_stream

if TYPE_CHECKING:
    import av.packet
    from av.container import InputContainer
    from av.stream import Stream

_BACK = (0.0, 3.0, 30.0)  # seconds before the start to look for a key frame from, then from zero
_LATE = 0.001
_LONGEST_REORDER = 2.0  # seconds by which packets may stand apart from the order they are shown in
_SOUND_BACK = 2.0  # seconds that sound may lie apart from its pictures in a file


@dataclass(frozen=True, slots=True)
class Copied:
    """Seconds on the source's clock, and the codecs of pictures and sound, "" for none."""

    begins: float
    ends: float
    stored_from: float
    codecs: tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The packets of one stretch of pictures: from the key frame at `key` seconds, which is found
    from `sought` on, as many as `decoding` has times (in the stream's unit)."""

    key: float
    sought: float
    decoding: tuple[int, ...]


class CannotCopy(Exception):
    """Why a stretch cannot be copied: nobody's mistake, it is written anew instead."""


def copy(path: str | Path, start: float, end: float, target: Path, title: str) -> Copied:
    """Write the packets of `start` to `end` seconds to `target`, pictures and the track one hears.

    Raises `CannotCopy` where that gives no file that plays, `MediaError`.
    """
    import av

    form = container_for(target)
    if form.lossless:
        raise CannotCopy("")
    with open_media(path) as pictures, open_media(path) as sounds:
        zero = start_time(pictures)
        video = video_stream(pictures) if form.video else None
        track = choose_track(sounds)
        if video is None and track is None:
            raise CannotCopy(f"there is nothing in it that goes into {target.suffix}")
        shot = _find(pictures, video, start, end) if video is not None else None
        begin = shot.key if shot and not form.trims else start
        try:
            with av.open(str(target), "w", options=header_options(target)) as output:
                if title:
                    output.metadata["title"] = title
                written = _Written(output, begin + zero, zero)
                parts = []
                if video is not None and shot is not None:
                    parts.append(written.pictures(pictures, video, shot))
                if track is not None:
                    parts.append(written.sound(sounds, track, begin, end))
                for _, _, packet in heapq.merge(*parts, key=lambda part: part[:2]):
                    output.mux(packet)
        except av.error.MemoryError as error:
            raise MemoryError(str(error)) from error
        except (av.FFmpegError, ValueError) as error:
            raise CannotCopy(_why(error, target)) from error
        video_codec, sound_codec = (
            s.codec_context.name if s is not None else "" for s in (video, track)
        )
    if written.first is None or (shot and not shot.decoding):
        raise CannotCopy("nothing of it could be read there")
    first = max(0.0, written.first)
    begins = max(first, start) if form.trims else first
    return Copied(begins, written.last, first, (video_codec, sound_codec))


class _Written:
    """Packets of one stretch, their times from its beginning; `first` and `last` in seconds."""

    def __init__(self, output: Any, zero: float, clock_zero: float) -> None:
        self._output, self._zero, self._clock_zero = output, zero, clock_zero
        self.first: float | None = None
        self.last = 0.0

    def pictures(
        self, container: InputContainer, stream: Stream, stretch: _Stretch
    ) -> Iterator[tuple[float, int, av.packet.Packet]]:
        target = self._output.add_stream_from_template(stream, opaque=True)
        return self._ordered(0, self._pictures(container, stream, stretch), target)

    def sound(
        self, container: InputContainer, stream: Stream, start: float, end: float
    ) -> Iterator[tuple[float, int, av.packet.Packet]]:
        target = self._output.add_stream_from_template(stream, opaque=True)
        return self._ordered(1, self._sound(container, stream, start, end), target)

    def _ordered(
        self, place: int, packets: Iterator[av.packet.Packet], target: Stream
    ) -> Iterator[tuple[float, int, av.packet.Packet]]:
        """(decoding time, `place`, packet) on the clock of the new file."""
        for packet in packets:
            unit = number(packet.time_base)
            time = packet.pts * unit - self._clock_zero
            if place == 0 or self.first is None:
                self.first = time if self.first is None else min(self.first, time)
            self.last = max(self.last, time + (packet.duration or 0) * unit)
            shift = round(self._zero / unit)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = target
            yield packet.dts * unit, place, packet

    def _pictures(
        self, container: InputContainer, stream: Stream, stretch: _Stretch
    ) -> Iterator[av.packet.Packet]:
        keep_only(container, stream)
        packets = _from_key(container, stream, stretch.key, stretch.sought)
        for (packet, _), time in zip(packets, stretch.decoding, strict=False):
            packet.dts = time
            yield packet

    def _sound(
        self, container: InputContainer, stream: Stream, start: float, end: float
    ) -> Iterator[av.packet.Packet]:
        keep_only(container, stream)
        if start > _SOUND_BACK:
            seek(container, stream, start - _SOUND_BACK)
        for packet, time in _stamped(container, stream, self._clock_zero):
            if time >= end:
                return
            if time + (packet.duration or 0) * number(packet.time_base) > start:
                yield packet


def _stamped(
    container: InputContainer, stream: Stream, zero: float
) -> Iterator[tuple[av.packet.Packet, float]]:
    """Packets with their seconds on the clock. Raises `CannotCopy` where they have none."""
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.pts is None:
            raise CannotCopy("its packets carry no times")
        yield packet, packet.pts * number(packet.time_base) - zero


def _find(container: InputContainer, stream: Stream, start: float, end: float) -> _Stretch:
    """The packets from the last key frame at or before `start` up to `end`; decodes nothing.

    A picture after the end is among them where one before it leans on it.
    """
    keep_only(container, stream)
    key, sought = _key_frame(container, stream, start)
    shown: list[int] = []
    decoded: list[int | None] = []
    needed = 0
    for packet, time in _from_key(container, stream, key, sought):
        if time >= end - _LATE and (packet.is_keyframe or time > end + _LONGEST_REORDER):
            break
        shown.append(packet.pts)
        decoded.append(packet.dts)
        if time < end - _LATE:
            needed = len(shown)
    return _Stretch(key, sought, tuple(_decoding_times(shown[:needed], decoded[:needed])))


def _decoding_times(shown: Sequence[int], decoded: Sequence[int | None]) -> list[int]:
    """When each packet is decoded; Matroska leaves it to be told from when they are shown."""
    known = [time for time in decoded if time is not None]
    if len(known) == len(shown) and all(a < b for a, b in pairwise(known)):
        return known
    in_order = sorted(shown)
    early = max((a - b for a, b in zip(in_order, shown, strict=True)), default=0)
    return [time - early for time in in_order]


def _from_key(
    container: InputContainer, stream: Stream, key: float, sought: float
) -> Iterator[tuple[av.packet.Packet, float]]:
    """Packets from the key frame on, without leading pictures, which lean on what is not here."""
    seek(container, stream, sought)
    begun = False
    for packet, time in _stamped(container, stream, start_time(container)):
        begun = begun or (packet.is_keyframe and abs(time - key) < _LATE)
        if begun and time > key - _LATE:
            yield packet, time


def _key_frame(container: InputContainer, stream: Stream, start: float) -> tuple[float, float]:
    """(when the last key frame at or before `start` is shown, where to seek to find it)."""
    zero = start_time(container)
    for back in (*_BACK, start):
        seek(container, stream, start - back)
        found = None
        for packet, time in _stamped(container, stream, zero):
            if packet.is_keyframe and time <= start + _LATE:
                found = time
            elif time > start + _LONGEST_REORDER:
                break
        if found is not None:
            return found, start - back
    raise CannotCopy("there is no key frame before it")


def _why(error: Exception, target: Path) -> str:
    told = getattr(error, "strerror", None) or str(error)
    if isinstance(error, ValueError) and "does not support" in told:
        codec = told.split("support")[-1].replace("codec", "").strip(" '\"")
        return f"{codec} does not go into {target.suffix}"
    return f"{target.suffix} does not take it ({told[:1].lower()}{told[1:]})"


def problem_of(path: Path) -> str:
    """What is wrong with the first picture of a copy, "" where nothing is.

    Key-frame flags lie in real files; a copy that begins at such a frame shows garbage.
    """
    try:
        with open_media(path) as container:
            video = video_stream(container)
            if video is None or video.codec_context is None:
                return ""
            decoder = Decoder(container, video)
            for _, frame in decoder:
                good = not frame.is_corrupt and not decoder.damaged_packets
                return "" if good else "the key frame before it is none"
    except MediaError as error:
        return error.message
    return "no picture of a copy could be shown"
