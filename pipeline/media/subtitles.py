"""The speech that comes with a video: subtitles and transcripts beside it, streams inside it.

pysubs2 reads SubRip and SubStation. WebVTT and SBV are read here: pysubs2 takes cue names and
notes of a WebVTT file for speech and drops its word times, and does not know SBV.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipeline.errors import MediaError
from pipeline.media import language as languages
from pipeline.media.cues import Cue, SubtitleTrack, make_cue, parse_time, to_segments
from pipeline.media.probe import MediaInfo
from pipeline.media.sidecars import kind_of, language_in
from pipeline.media.subtitle_streams import read_streams
from pipeline.media.text_file import read_text
from pipeline.media.transcripts import read_transcript

_STAMP = r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_VTT_TIMING = re.compile(rf"^\s*(-?{_STAMP})\s*-->\s*(-?{_STAMP})")
_SBV_TIMING = re.compile(rf"^\s*({_STAMP}),({_STAMP})\s*$")
_NEGATIVE = re.compile(rf"-{_STAMP}")
_NO_LENGTH = "00:00:00,000 --> 00:00:00,000"


def read_subtitles(
    path: str | Path, sidecars: Sequence[str | Path] = (), info: MediaInfo | None = None
) -> tuple[tuple[SubtitleTrack, ...], tuple[str, ...]]:
    """(tracks of the sidecars and of the streams inside the video, a line for each problem).

    See `read_sidecars`. Forced streams (only the foreign lines) and streams of pictures are no
    tracks. The video is not opened when `info` says that it has no subtitle streams.
    """
    tracks, problems = read_sidecars(sidecars)
    if info is None or info.subtitles:
        for track in read_streams(path):
            tracks.append(track)
            problems += track_problems(track)
    return tuple(tracks), tuple(problems)


def read_sidecars(sidecars: Sequence[str | Path]) -> tuple[list[SubtitleTrack], list[str]]:
    """(the tracks in files beside a video, a line for each problem).

    Files that hold no speech are passed over (see `sidecars.kind_of`); one that cannot be read is
    a problem, not an error.
    """
    tracks: list[SubtitleTrack] = []
    problems: list[str] = []
    for sidecar in sidecars:
        try:
            if kind_of(sidecar) == "subtitles" and not is_chapters(sidecar):
                tracks.append(read_sidecar(sidecar))
            elif kind_of(sidecar) == "transcript" and (track := read_transcript(sidecar)):
                tracks.append(track)
        except MediaError as error:
            problems.append(error.message)
    for track in tracks:
        problems += track_problems(track)
    return tracks, problems


def track_problems(track: SubtitleTrack) -> list[str]:
    """What is wrong in a track, a line each that names it."""
    return [f"{track.origin}: {problem}" for problem in track.problems]


def read_sidecar(path: str | Path) -> SubtitleTrack:
    """One subtitle file; its times are on the clock as they are.

    Raises `MediaError` where it is empty, is no text, or holds no cue.
    """
    path = Path(path)
    text = read_text(path)
    try:
        cues = _reader(path, text)(text)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise MediaError(f"{path.name} cannot be read as subtitles: {error}") from error
    if not cues:
        raise MediaError(f"{path.name} holds no subtitles")
    language = language_in(path) or _vtt_language(text)
    segments, problems = to_segments(cues, language)
    return SubtitleTrack(language, path.name, tuple(segments), tuple(problems))


# ---------------------------------------------------------------- formats


def is_chapters(path: str | Path) -> bool:
    """Whether a WebVTT file says that its cues are chapters. False for what cannot be read."""
    if Path(path).suffix.lower() != ".vtt":
        return False
    try:
        text = read_text(Path(path))
    except MediaError:
        return False
    return says_chapters(text)


def says_chapters(text: str) -> bool:
    """Whether the header of a WebVTT file has `Kind: chapters`."""
    return bool(re.search(r"^Kind:\s*chapters\b", _vtt_header(text), re.MULTILINE | re.IGNORECASE))


def read_vtt(text: str) -> list[Cue]:
    return [
        make_cue(_signed(match[1]), _signed(match[2]), payload)
        for match, payload in _timed_blocks(text, _VTT_TIMING)
    ]


def _read_sbv(text: str) -> list[Cue]:
    return [
        make_cue(parse_time(match[1]), parse_time(match[2]), payload.replace("[br]", "\n"))
        for match, payload in _timed_blocks(text, _SBV_TIMING)
    ]


def _timed_blocks(text: str, timing: re.Pattern[str]) -> Iterator[tuple[re.Match[str], str]]:
    """(timing line, what follows up to an empty line or the next timing line).

    Names of cues, notes and styles stand between the blocks and are passed over. A line of
    blanks belongs to its cue: YouTube writes them.
    """
    match: re.Match[str] | None = None
    payload: list[str] = []
    for line in [*text.split("\n"), ""]:
        begins = timing.match(line)
        if match and (begins or not line):
            yield match, "\n".join(_without_name(payload) if begins else payload)
            match = None
        if begins:
            match, payload = begins, []
        elif match:
            payload.append(line)


def _without_name(payload: list[str]) -> list[str]:
    """A cue that ran into the next one ends with that one's name, after a line of blanks."""
    return payload[:-2] if len(payload) >= 2 and not payload[-2].strip() else payload


def _read_pysubs2(text: str) -> list[Cue]:
    import pysubs2

    # pysubs2 reads -00:00:01 as 00:00:01; a cue without length is dropped, and told.
    lines = (_NO_LENGTH if "-->" in x and _NEGATIVE.search(x) else x for x in text.split("\n"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles that do not concern the text
            events = pysubs2.SSAFile.from_string("\n".join(lines), keep_html_tags=True)
    except pysubs2.exceptions.Pysubs2Error as error:
        raise ValueError(str(error) or "unknown format") from error
    return [
        make_cue(event.start / 1000, event.end / 1000, event.text, event.name.strip())
        for event in events
        if event.is_text
    ]


def _signed(stamp: str) -> float:
    return -parse_time(stamp[1:]) if stamp.startswith("-") else parse_time(stamp)


def _vtt_language(text: str) -> str:
    """`Language: en` in the header of a WebVTT file, as YouTube writes it."""
    match = re.search(r"^Language:\s*([\w-]+)", _vtt_header(text), re.MULTILINE)
    return languages.normal(match[1]) if match else ""


def _vtt_header(text: str) -> str:
    return text[:1000].split("\n\n", 1)[0] if text.startswith("WEBVTT") else ""


def _reader(path: Path, text: str) -> Callable[[str], list[Cue]]:
    """By extension; a WebVTT file says so whatever it is called."""
    if text.startswith("WEBVTT") or path.suffix.lower() == ".vtt":
        return read_vtt
    return _read_sbv if path.suffix.lower() == ".sbv" else _read_pysubs2
