"""Subtitles inside a container: text streams, on the clock.

MP4's mov_text and Matroska's SubRip and SubStation are decoded by libav, which gives all of them
as SubStation events. For WebVTT in Matroska it has no decoder: the packets hold the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.media import language as languages
from pipeline.media.container import keep_only, number, open_media, start_time
from pipeline.media.cues import Cue, SubtitleTrack, make_cue, to_segments

if TYPE_CHECKING:
    import av.packet
    from av.container import InputContainer
    from av.stream import Stream

_NO_END = 5.0  # seconds given to the last cue of a stream that tells no durations


def read_streams(path: str | Path) -> list[SubtitleTrack]:
    """The text streams inside a video, on the clock. Raises `MediaError` for the video."""
    from av.stream import Disposition

    with open_media(path) as container:
        streams = [
            stream
            for stream in container.streams.subtitles
            if not stream.disposition & Disposition.forced and _is_text(stream)
        ]
        if not streams:
            return []
        keep_only(container, *streams)
        cues = _stream_cues(container, streams)
        return [
            track
            for stream in streams
            if (track := _stream_track(stream, _ended(cues[stream.index]))).segments
        ]


def _is_text(stream: Stream) -> bool:
    """Text codecs, and those without a decoder, whose packets hold text (WebVTT)."""
    context = stream.codec_context
    return context is None or bool(context.codec.text_sub)


def _stream_track(stream: Stream, cues: Sequence[Cue]) -> SubtitleTrack:
    code = languages.normal(stream.language)
    segments, problems = to_segments(cues, code)
    name = stream.codec_context.codec.canonical_name if stream.codec_context else "webvtt"
    return SubtitleTrack(code, f"stream {stream.index} ({name})", tuple(segments), tuple(problems))


def _stream_cues(container: InputContainer, streams: Sequence[Stream]) -> dict[int, list[Cue]]:
    """Cues by stream index. What follows a place that cannot be read is lost."""
    import av

    zero = start_time(container)
    cues: dict[int, list[Cue]] = {stream.index: [] for stream in streams}
    try:
        for packet in container.demux(list(streams)):
            if packet.size and packet.pts is not None:
                cues[packet.stream.index] += _packet_cues(packet, zero)
    except av.FFmpegError as error:
        if isinstance(error, av.error.MemoryError):
            raise MemoryError(str(error)) from error
    return cues


def _packet_cues(packet: av.packet.Packet, zero: float) -> Iterator[Cue]:
    import av

    unit = number(packet.time_base)
    start = packet.pts * unit - zero
    end = start + (packet.duration or 0) * unit
    if packet.stream.codec_context is None:
        yield make_cue(max(0.0, start), end, _bare_text(bytes(packet)))
        return
    try:
        subtitles = packet.decode()
    except av.FFmpegError:
        return  # one cue less; the file's damage is the scan's to tell
    for subtitle in subtitles:
        if subtitle.type == b"ass":
            yield make_cue(max(0.0, start), end, *_dialogue(subtitle.ass))


def _dialogue(event: bytes) -> tuple[str, str]:
    """(text, speaker) of libav's event: ReadOrder,Layer,Style,Name,L,R,V,Effect,Text."""
    fields = event.decode("utf-8", errors="replace").split(",", 8)
    return (fields[8], fields[3].strip()) if len(fields) == 9 else (fields[-1], "")


def _bare_text(data: bytes) -> str:
    """The text of a packet that has no decoder: itself, or the `payl` boxes of an MP4 sample."""
    if data[4:8] in (b"vttc", b"vtte", b"vttx"):
        parts = []
        for match in re.finditer(rb"payl", data):
            size = int.from_bytes(data[match.start() - 4 : match.start()], "big")
            parts.append(data[match.end() : match.start() - 4 + size])
        data = b"\n".join(parts)
    return data.decode("utf-8", errors="replace")


def _ended(cues: Sequence[Cue]) -> list[Cue]:
    """Cues without a duration last until the next one."""
    ends = [after.start for _, after in pairwise(cues)]
    ends += [cue.start + _NO_END for cue in cues[-1:]]
    return [
        cue if cue.end > cue.start else Cue(cue.start, end, cue.lines)
        for cue, end in zip(cues, ends, strict=True)
    ]
