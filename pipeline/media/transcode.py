"""Pictures and sound made anew for a browser while it plays: H.264 and AAC, fast rather than small.

Times come in as seconds from where the stream begins. What shows before that is left out, what is
missing in the sound is silence, so that both stay together whatever the file leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pipeline.media.container import Clock, claimed_duration, number, start_time

if TYPE_CHECKING:
    import av
    import av.audio.frame
    import av.audio.stream
    import av.packet
    import av.video.frame
    import av.video.stream
    from av.container import InputContainer, OutputContainer

    from pipeline.media.probe import VideoStream

LONG_SIDE, SHORT_SIDE = 1280, 720  # pixels
_TICKS = Fraction(1, 90_000)
_FASTEST = 1 / 31  # seconds between two pictures at least: of 50 or 60 a second every other one
_KEY_SECONDS = 2.0
_RATE = 48_000
_BIT_RATE = 128_000
# How far sound may be off before samples are put in or left out, in seconds.
_TOLERANCE = 0.05


def picture_size(width: int, height: int) -> tuple[int, int]:
    """The size of what is made of pictures seen as `width` x `height`: at most 720p, also where
    they stand upright, and even, as H.264 wants it."""
    long, short = max(width, height, 1), max(min(width, height), 1)
    scale = min(1.0, LONG_SIDE / long, SHORT_SIDE / short)
    return _even(width * scale), _even(height * scale)


def _even(pixels: float) -> int:
    return max(16, round(pixels / 2) * 2)


_TURNS: dict[int, tuple[tuple[str, str], ...]] = {
    0: (),
    90: (("transpose", "clock"),),
    180: (("hflip", ""), ("vflip", "")),
    270: (("transpose", "cclock"),),
}


class Pictures:
    """Encodes frames of any size and format as H.264 of one size, upright.

    `seen` says how large they are to a viewer, which way up, and how many come in a second.
    """

    def __init__(self, output: OutputContainer, seen: VideoStream) -> None:
        self._size = picture_size(seen.width, seen.height)
        self._rotation = seen.rotation
        rate = Fraction(seen.fps if 1 <= seen.fps <= 1 / _FASTEST else 30)
        stream: av.video.stream.VideoStream = output.add_stream(
            "libx264", rate=rate.limit_denominator(1001)
        )
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TICKS
        stream.options = {"preset": "ultrafast", "crf": "24", "forced-idr": "1"}
        self._stream = stream
        self._form: tuple[object, ...] = ()
        self._graph: av.filter.Graph | None = None
        self._fields = False
        self._last = -1.0
        self._key_due: float | Fraction = 0.0

    def encode(self, time: float, frame: av.video.frame.VideoFrame) -> Iterator[av.packet.Packet]:
        """`time` in seconds from the start of the stream, ascending."""
        if self._last >= 0 and time - self._last < _FASTEST:
            return
        self._last = time
        frame.pts, frame.time_base = round(time / _TICKS), _TICKS
        self._fields = self._fields or frame.interlaced_frame
        form = (frame.width, frame.height, frame.format.name, self._fields)
        if self._graph is None or form != self._form:
            yield from self._drain()
            self._graph, self._form = self._new_graph(frame), form
        self._graph.vpush(frame)
        yield from self._pulled()

    def flush(self) -> Iterator[av.packet.Packet]:
        yield from self._drain()
        if self._last >= 0:
            yield from self._stream.encode(None)

    def _drain(self) -> Iterator[av.packet.Packet]:
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pulled()

    def _pulled(self) -> Iterator[av.packet.Packet]:
        from av.video.frame import PictureType

        assert self._graph is not None
        for made in _results(self._graph.vpull):
            time = made.pts * made.time_base
            made.pts, made.time_base = round(time / _TICKS), _TICKS
            is_key = time >= self._key_due
            made.pict_type = PictureType.I if is_key else PictureType.NONE
            if is_key:
                self._key_due = time + _KEY_SECONDS
            yield from self._stream.encode(made)

    def _new_graph(self, frame: av.video.frame.VideoFrame) -> av.filter.Graph:
        """The two fields of a broadcast made one picture, scaled, upright."""
        from av.filter import Graph

        width, height = self._size
        if self._rotation in (90, 270):
            width, height = height, width
        graph = Graph()
        graph.link_nodes(
            graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=_TICKS
            ),
            *((graph.add("yadif", "deint=interlaced"),) if self._fields else ()),
            graph.add("scale", f"{width}:{height}:flags=fast_bilinear"),
            graph.add("format", "yuv420p"),
            *(graph.add(*step) for step in _TURNS[self._rotation]),
            graph.add("buffersink"),
        ).configure()
        return graph


def _results(pull: Callable[[], Any]) -> Iterator[Any]:
    """What comes out of a filter until it waits for more, or has ended."""
    import av

    while True:
        try:
            yield pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


class Sound:
    """Encodes sound of any kind as stereo AAC."""

    def __init__(self, output: OutputContainer) -> None:
        self._stream: av.audio.stream.AudioStream = output.add_stream(
            "aac", rate=_RATE, layout="stereo"
        )
        self._stream.bit_rate = _BIT_RATE
        self._form: tuple[object, ...] = ()
        self._graph: av.filter.Graph | None = None
        self._end = 0.0  # of what went in, in seconds
        self._made = 0  # samples that came out

    def encode(self, time: float, frame: av.audio.frame.AudioFrame) -> Iterator[av.packet.Packet]:
        """`time` in seconds from the start of the stream; what lies before that is left out."""
        length = frame.samples / frame.sample_rate
        if time + length <= 0:
            return
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._graph is None or form != self._form:
            yield from self._drain()
            self._graph, self._form = self._new_graph(frame), form
        frame.pts = round(time * frame.sample_rate)
        frame.time_base = Fraction(1, frame.sample_rate)
        self._graph.push(frame)
        self._end = time + length
        yield from self._pulled()

    def flush(self) -> Iterator[av.packet.Packet]:
        yield from self._drain()
        if self._made:
            yield from self._stream.encode(None)

    def _drain(self) -> Iterator[av.packet.Packet]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pulled()

    def _pulled(self) -> Iterator[av.packet.Packet]:
        assert self._graph is not None
        for made in _results(self._graph.pull):
            self._made += made.samples
            yield from self._stream.encode(made)

    def _new_graph(self, frame: av.audio.frame.AudioFrame) -> av.filter.Graph:
        """Resampling that puts silence in where the times of the frames leave a hole."""
        from av.filter import Graph

        graph = Graph()
        rate = frame.sample_rate
        first = round(self._made * rate / _RATE)
        graph.link_nodes(
            graph.add_abuffer(
                sample_rate=rate,
                format=frame.format.name,
                layout=frame.layout.name,
                time_base=Fraction(1, rate),
            ),
            graph.add(
                "aresample",
                f"{_RATE}:async=1:min_hard_comp={_TOLERANCE}:first_pts={first}",
            ),
            graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
            graph.add("asetnsamples", "n=1024:p=0"),
            graph.add("abuffersink"),
        ).configure()
        return graph


class Drawn:
    """Pictures decoded and made anew."""

    def __init__(
        self,
        output: OutputContainer,
        container: InputContainer,
        video: av.video.stream.VideoStream,
        seen: VideoStream,
        start: float,
    ) -> None:
        self._video, self._start = video, start
        self._clock = Clock(video, start_time(container), claimed_duration(container))
        self._clock.end = start
        self._usual = 1 / seen.fps if 0 < seen.fps <= 1000 else 1 / 25
        self._pictures = Pictures(output, seen)
        self._before: av.video.frame.VideoFrame | None = None  # what shows when the stream begins

    def take(self, packet: av.packet.Packet | None) -> Iterator[av.packet.Packet]:
        unit = number(self._video.time_base)
        for frame in _decoded(self._video, packet):
            time = self._clock.place(frame.pts, (frame.duration or 0) * unit or self._usual)
            time -= self._start
            if time <= 0:
                self._before = frame
                continue
            yield from self._begin()
            yield from self._pictures.encode(time, frame)

    def flush(self) -> Iterator[av.packet.Packet]:
        yield from self.take(None)
        yield from self._begin()
        yield from self._pictures.flush()

    def _begin(self) -> Iterator[av.packet.Packet]:
        if self._before is not None:
            frame, self._before = self._before, None
            yield from self._pictures.encode(0.0, frame)


class Heard:
    """Sound decoded and made anew."""

    def __init__(
        self,
        output: OutputContainer,
        container: InputContainer,
        audio: av.audio.stream.AudioStream,
        start: float,
    ) -> None:
        self._audio, self._start = audio, start
        self._clock = Clock(audio, start_time(container), claimed_duration(container))
        self._clock.end = start
        self._sound = Sound(output)

    def take(self, packet: av.packet.Packet | None) -> Iterator[av.packet.Packet]:
        for frame in _decoded(self._audio, packet):
            time = self._clock.place(frame.pts, frame.samples / frame.sample_rate)
            yield from self._sound.encode(time - self._start, frame)

    def flush(self) -> Iterator[av.packet.Packet]:
        yield from self.take(None)
        yield from self._sound.flush()


def _decoded(stream: Any, packet: av.packet.Packet | None) -> list[Any]:
    """The frames of a packet; none of a damaged one."""
    import av

    try:
        return list(stream.decode(packet))
    except av.error.MemoryError as error:
        raise MemoryError(str(error)) from error
    except av.FFmpegError:
        return []
