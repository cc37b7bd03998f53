"""A fragmented MP4 made of a file while a browser plays it, from a key frame on.

What the browser can decode is copied packet by packet, the rest is made anew (`transcode`). The
timestamps begin at zero where the stream does, so whoever asked for a second learns which one he
got. A fragment ends at a key frame or after a second: no index is needed, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from pipeline.errors import MediaError
from pipeline.media.audio import choose_track
from pipeline.media.container import (
    MICROSECONDS,
    check_same,
    keep_only,
    number,
    open_media,
    start_time,
)
from pipeline.media.playable import STREAM_AUDIO, STREAM_VIDEO, copies_audio, copies_video
from pipeline.media.probe import probe, video_stream
from pipeline.media.seeking import clean_place, go_to, key_place, packet_time
from pipeline.media.transcode import Drawn, Heard

if TYPE_CHECKING:
    import av.audio.stream
    import av.bitstream
    import av.packet
    import av.stream
    import av.video.frame
    import av.video.stream
    from av.container import InputContainer, OutputContainer

_FRAGMENT = 1.0  # seconds
_OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+delay_moov",
    "frag_duration": str(round(_FRAGMENT * MICROSECONDS)),
}
_PEEKED = 500  # packets, to find the first key frame
_REORDERED = 3  # pictures that are decoded before one that shows earlier, where nothing tells


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What is known of a stream before its first byte: where on the clock it begins, its media
    type, and whether its pictures and its sound are the file's own.

    `start` is below zero where the file's first key frame is decoded but not meant to be shown.
    """

    start: float
    mime: str
    copies_video: bool = False
    copies_audio: bool = False


class _Writer(Protocol):
    """Takes the packets of one stream of the file, gives those of the stream that is made."""

    def take(self, packet: av.packet.Packet) -> Iterator[av.packet.Packet]: ...
    def flush(self) -> Iterator[av.packet.Packet]: ...


def write_stream(
    path: str | Path,
    seconds: float,
    output: BinaryIO,
    announce: Callable[[StreamFacts], None],
    *,
    anew: bool = False,
    like: Sequence[int] | None = None,
) -> None:
    """Write the file from `seconds` on as a fragmented MP4: from there where pictures are made
    anew, from the key frame before where they are copied.

    `anew`: nothing is copied; a browser gives up at the first packet that is damaged. `like`: the
    identity of the file that is meant (`container.identity`). `announce` is called once, before
    the first byte is written. Ends where the file does, or where it cannot be read any further.
    Raises `MediaError` where nothing of it can be decoded.
    """
    import av

    with open_media(path) as container:
        if like is not None:
            check_same(path, like)
        source = _Source(container, path, seconds, anew)
        told = _Announced(output, lambda: announce(source.facts))
        with av.open(told, "w", format="mp4", options=dict(_OPTIONS)) as made:
            writers = source.writers(made)
            for result in _results(source, writers):
                told.begun = True
                made.mux(result)
        if not told.begun:
            raise MediaError(f"{Path(path).name}: nothing can be played from {seconds:g} s on")


def _results(source: _Source, writers: dict[int, _Writer]) -> Iterator[av.packet.Packet]:
    for packet in source.packets:
        yield from writers[packet.stream_index].take(packet)
    for writer in writers.values():
        yield from writer.flush()


class _Announced:
    """A file whose first byte is preceded by a call, and that stays empty until something begins:
    a muxer that was given nothing writes a header all the same."""

    def __init__(self, output: BinaryIO, announce: Callable[[], None]) -> None:
        self._output, self._announce = output, announce
        self._announced = False
        self.begun = False

    def write(self, data: bytes) -> int:
        if self.begun:
            if not self._announced:
                self._announced = True
                self._announce()
            self._output.write(data)
        return len(data)


class _Source:
    """The streams of a file that are played, what becomes of each, and its packets from the place
    where that begins."""

    def __init__(
        self, container: InputContainer, path: str | Path, seconds: float, anew: bool
    ) -> None:
        form = "" if anew else container.format.name
        video = video_stream(container)
        self.video = video if video is not None and video.codec_context is not None else None
        self.audio = choose_track(container)
        if self.video is None and self.audio is None:
            raise MediaError(f"{Path(path).name} has nothing that can be decoded")
        self._container, self._path = container, path
        copies = False
        if self.video is not None:
            context = self.video.codec_context
            copies = copies_video(form, context.codec.canonical_name, context.pix_fmt or "")
            if not copies:
                self.video.thread_type = "AUTO"
        hears = self.audio is not None and copies_audio(form, self.audio.codec_context.name)
        mime = STREAM_VIDEO if self.video is not None else STREAM_AUDIO
        self._leads = copies or (self.video is None and hears)  # begins at a packet of the file
        self.packets: Iterator[av.packet.Packet] = self._packets()
        start = self._go_to(seconds) if seconds > 0 else self._first_key()
        self.facts = StreamFacts(start, mime, copies, hears)

    @property
    def _main(self) -> Any:
        """The stream whose key frames decide where a stream can begin."""
        return self.video if self.video is not None else self.audio

    def _go_to(self, seconds: float) -> float:
        """Send the demuxer there; where the stream begins."""
        decodes = self.video is not None and not self._leads
        find = clean_place if decodes else key_place
        place = find(self._container, self._main, seconds)
        go_to(self._container, place)
        return place.time if self._leads else seconds

    def _first_key(self) -> float:
        """Zero, or where a key frame lies before it that others need to be decoded."""
        start, zero, seen = 0.0, start_time(self._container), []
        for packet in islice(self.packets, _PEEKED) if self._leads else ():
            seen.append(packet)
            if packet.stream_index == self._main.index and packet.is_keyframe:
                start = min(start, packet_time(packet, zero) or 0.0)
                break
        self.packets = chain(seen, self.packets)
        return start

    def _packets(self) -> Iterator[av.packet.Packet]:
        """Up to the end, or to where the file cannot be read any further."""
        import av

        streams = [stream for stream in (self.video, self.audio) if stream is not None]
        keep_only(self._container, *streams)
        try:
            for packet in self._container.demux(streams):
                if packet.size:
                    yield packet
        except av.FFmpegError as error:
            if isinstance(error, av.error.MemoryError):
                raise MemoryError(str(error)) from error
            # A broken tail: what was read is played.

    def writers(self, output: OutputContainer) -> dict[int, _Writer]:
        """By the index of the stream whose packets each takes."""
        container, facts = self._container, self.facts
        writers: dict[int, _Writer] = {}
        if self.video is not None:
            seen = None if facts.copies_video else probe(self._path).video
            writers[self.video.index] = (
                Drawn(output, container, self.video, seen, facts.start)
                if seen
                else _Copied(output, container, self.video, facts.start)
            )
        if self.audio is not None:
            writers[self.audio.index] = (
                _Copied(output, container, self.audio, facts.start)
                if facts.copies_audio
                else Heard(output, container, self.audio, facts.start)
            )
        return writers


class _Copied:
    """Packets as they are, their timestamps moved to where the stream begins."""

    def __init__(
        self,
        output: OutputContainer,
        container: InputContainer,
        stream: av.stream.Stream,
        start: float,
    ) -> None:
        self._made = output.add_stream_from_template(stream, opaque=True)
        unit = number(stream.time_base)
        self._origin = round((start_time(container) + start) / unit) if unit else 0
        self._is_video = stream.type == "video"
        self._begun = False
        self._last: int | None = None
        self._unframed = _unframed(stream)

    def take(self, packet: av.packet.Packet) -> Iterator[av.packet.Packet]:
        """Nothing that shows before the beginning: pictures that lean on ones that are not there,
        and sound that is over."""
        if packet.pts is None or packet.pts < self._origin:
            return
        if self._is_video and not self._begun and not packet.is_keyframe:
            return
        self._begun = True
        packet.pts -= self._origin
        self._last = packet.dts = self._decoded_at(packet)
        packet.pts = max(packet.pts, packet.dts)
        for result in self._unframed.filter(packet) if self._unframed else (packet,):
            result.stream = self._made
            yield result

    def _decoded_at(self, packet: av.packet.Packet) -> int:
        """Ascending, whatever the file says; Matroska does not say it of the first few packets."""
        shows, usual = int(packet.pts or 0), int(packet.duration or 0)
        known = None if packet.dts is None else int(packet.dts) - self._origin
        if self._last is None:
            return shows - _REORDERED * usual if known is None else known
        return self._last + 1 if known is None else max(known, self._last + 1)

    def flush(self) -> Iterator[av.packet.Packet]:
        yield from ()


def _unframed(stream: av.stream.Stream) -> av.bitstream.BitStreamFilterContext | None:
    """In transport streams each packet of AAC says how it is to be decoded, in MP4 the header."""
    from av.bitstream import BitStreamFilterContext

    context = stream.codec_context
    if context is None or context.name != "aac" or context.extradata:
        return None
    return BitStreamFilterContext("aac_adtstoasc", stream)
