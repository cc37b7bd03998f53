"""From a timeline to a file: H.264 pictures, AAC narration, subtitles inside or beside it.

Everything is encoded on one thread with fixed settings, and the containers are written without
a creator's version or random ids, so the same packages make the same bytes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from making.story import FRAMES_PER_SECOND, Story, Timeline, Utterance
from making.voice import RATE

if TYPE_CHECKING:
    from av.container import OutputContainer

CUE_COLUMNS = 42  # characters in one line of a subtitle
_MILLISECONDS = Fraction(1, 1000)
_ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\n"
    b"Style: Default,Arial\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, "
    b"MarginR, MarginV, Effect, Text\n"
)


def write(timeline: Timeline, folder: Path) -> list[Path]:
    """Write the video and its sidecar, if it has one; returns the paths."""
    story = timeline.story
    path = folder / (story.slug + story.suffix)
    with av.open(str(path), "w", options=_container_options(story)) as container:
        container.metadata.update({"title": story.title, "creation_time": story.date})
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": round(start * 1000),
                    "end": round(end * 1000),
                    "time_base": _MILLISECONDS,
                    "metadata": {"title": title},
                }
                for number, (start, end, title) in enumerate(timeline.chapters, start=1)
            ]
        )
        _encode(container, timeline)
    return [path, *_sidecar(timeline, folder)]


def _container_options(story: Story) -> dict[str, str]:
    options = {"fflags": "+bitexact"}
    return options if story.suffix == ".mkv" else {**options, "movflags": "+faststart"}


def _encode(container: OutputContainer, timeline: Timeline) -> None:
    """Write packets of all streams in the order of their times."""
    story = timeline.story
    video = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
    video.width, video.height = story.size
    video.pix_fmt = "yuv420p"
    video.gop_size = 5 * FRAMES_PER_SECOND
    video.thread_count = 1
    video.flags |= av.codec.context.Flags.bitexact
    video.options = {"crf": "22", "preset": "slow", "tune": "animation"}
    streams = [_video_packets(video, timeline)]
    if story.carrier != "silent":
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 48_000
        audio.flags |= av.codec.context.Flags.bitexact
        streams.append(_audio_packets(audio, timeline))
    if story.carrier == "subrip":
        subtitles = container.add_stream("subrip")
        subtitles.codec_context.subtitle_header = _ASS_HEADER
        subtitles.metadata["language"] = "eng"
        streams.append(_subtitle_packets(subtitles, timeline))
    container.start_encoding()
    waiting = [(next(packets), packets) for packets in streams]
    while waiting:
        waiting.sort(key=lambda pair: float((pair[0].dts or 0) * pair[0].time_base))
        packet, packets = waiting.pop(0)
        container.mux(packet)
        following = next(packets, None)
        if following is not None:
            waiting.append((following, packets))


def _video_packets(stream: av.VideoStream, timeline: Timeline) -> Iterator[av.Packet]:
    for number, picture in enumerate(_pictures(timeline)):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_SECOND)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _pictures(timeline: Timeline) -> Iterator[NDArray[np.uint8]]:
    """(height, width, 3) RGB, one per frame."""
    for placed in timeline.shots:
        count = round((placed.end - placed.start) * FRAMES_PER_SECOND)
        for step in range(count):
            seconds = step / FRAMES_PER_SECOND
            speaker = _speaker(timeline.utterances, placed.start + seconds)
            yield np.asarray(placed.shot.picture(seconds, speaker))


def _speaker(utterances: tuple[Utterance, ...], at: float) -> str:
    return next((u.line.voice.speaker for u in utterances if u.start <= at < u.end), "")


def _audio_packets(stream: av.AudioStream, timeline: Timeline) -> Iterator[av.Packet]:
    samples, size = sound(timeline), 1024
    for begin in range(0, len(samples), size):
        frame = av.AudioFrame.from_ndarray(
            samples[None, begin : begin + size], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def sound(timeline: Timeline) -> NDArray[np.int16]:
    """The whole sound track: (samples,) mono at RATE, silent between utterances."""
    track = np.zeros(round(timeline.seconds * RATE), np.float64)
    if timeline.story.jingle:
        notes = _jingle()
        track[RATE // 5 : RATE // 5 + len(notes)] += notes
    for said in timeline.utterances:
        begin = round(said.start * RATE)
        loudest = float(np.abs(said.spoken.samples).max())
        track[begin : begin + len(said.spoken.samples)] += said.spoken.samples * (20_000 / loudest)
    return track.round().astype(np.int16)


def _jingle() -> NDArray[np.float64]:
    """Four bell notes, 2.4 seconds."""
    track = np.zeros(round(2.4 * RATE))
    for number, pitch in enumerate((392.0, 523.25, 659.25, 783.99)):
        begin = round(number * 0.4 * RATE)
        at = np.arange(len(track) - begin) / RATE
        tone = np.sin(2 * np.pi * pitch * at) + 0.4 * np.sin(4 * np.pi * pitch * at)
        track[begin:] += 5_000 * tone * np.exp(-4 * at)
    return track * np.minimum(1, np.linspace(20, 0, len(track)))


def _subtitle_packets(stream: av.SubtitleStream, timeline: Timeline) -> Iterator[av.Packet]:
    for said in timeline.utterances:
        packet = av.Packet("\n".join(cue_lines(said.line.text)).encode())
        packet.stream, packet.time_base = stream, _MILLISECONDS
        packet.pts = packet.dts = round(said.start * 1000)
        packet.duration = round((said.end - said.start) * 1000)
        yield packet


def cue_lines(text: str) -> list[str]:
    return textwrap.wrap(text, CUE_COLUMNS)


def _sidecar(timeline: Timeline, folder: Path) -> list[Path]:
    story = timeline.story
    writers = {"srt": _srt, "vtt-words": _vtt_words, "vtt-voices": _vtt_voices}
    if story.carrier not in writers:
        return []
    path = folder / f"{story.slug}.{story.carrier[:3]}"
    path.write_text(writers[story.carrier](timeline), encoding="utf-8")
    return [path]


def _clock(seconds: float, point: str) -> str:
    total = round(seconds * 1000)
    minutes, milliseconds = divmod(total, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{total % 1000:03}"


def _srt(timeline: Timeline) -> str:
    return "\n".join(
        f"{number}\n{_clock(said.start, ',')} --> {_clock(said.end, ',')}\n"
        + "\n".join(cue_lines(said.line.text))
        + "\n"
        for number, said in enumerate(timeline.utterances, start=1)
    )


def _vtt_words(timeline: Timeline) -> str:
    """Every word but a cue's first is led by the time at which it is spoken."""
    cues = ["WEBVTT\nKind: captions\nLanguage: en\n"]
    for said in timeline.utterances:
        times = iter(said.spoken.words)
        first, lines = True, []
        for line in cue_lines(said.line.text):
            marked = []
            for word in line.split():
                _, at = next(times)
                marked.append(word if first else f"<{_clock(said.start + at, '.')}><c>{word}</c>")
                first = False
            lines.append(" ".join(marked))
        cues.append(
            f"{_clock(said.start, '.')} --> {_clock(said.end, '.')}\n" + "\n".join(lines) + "\n"
        )
    return "\n".join(cues)


def _vtt_voices(timeline: Timeline) -> str:
    cues = ["WEBVTT\n"]
    for said in timeline.utterances:
        words = "\n".join(cue_lines(said.line.text))
        cues.append(
            f"{_clock(said.start, '.')} --> {_clock(said.end, '.')}\n"
            f"<v {said.line.voice.speaker}>{words}\n"
        )
    return "\n".join(cues)
