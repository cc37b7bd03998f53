"""Subtitles that come with a video: files beside it, and streams inside it.

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
from pipeline.media.subtitle_streams import read_streams

EXTENSIONS = (".vtt", ".srt", ".ass", ".ssa", ".sbv")
# What may stand between the video's name and the extension besides a language.
_MARKS = frozenset(
    (
        "auto",
        "asr",
        "cc",
        "captions",
        "default",
        "forced",
        "full",
        "orig",
        "sdh",
        "subs",
        "subtitles",
    )
)
_LARGEST = 64 << 20  # bytes; a subtitle file is text of a few hundred kilobytes

_STAMP = r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_VTT_TIMING = re.compile(rf"^\s*(-?{_STAMP})\s*-->\s*(-?{_STAMP})")
_SBV_TIMING = re.compile(rf"^\s*({_STAMP}),({_STAMP})\s*$")
_NEGATIVE = re.compile(rf"-{_STAMP}")
_NO_LENGTH = "00:00:00,000 --> 00:00:00,000"


def find_sidecars(path: str | Path) -> tuple[Path, ...]:
    """Subtitle files that belong to a video: same folder, same name, any case, in name order.

    `talk.mp4` has `talk.srt`, `talk.en.vtt` and `talk.mp4.srt`, not `talk.part2.srt`.
    """
    path = Path(path)
    try:
        names = sorted(path.parent.iterdir())
    except OSError:
        return ()
    return tuple(name for name in names if _belongs(name, path) and name.is_file())


def read_subtitles(
    path: str | Path, sidecars: Sequence[str | Path] = (), info: MediaInfo | None = None
) -> tuple[tuple[SubtitleTrack, ...], tuple[str, ...]]:
    """(tracks of the sidecars and of the streams inside the video, a line for each problem).

    A file that cannot be read is a problem, not an error. Forced streams (only the foreign
    lines) and streams of pictures are no tracks. The video is not opened when `info` says that
    it has no subtitle streams.
    """
    tracks: list[SubtitleTrack] = []
    problems: list[str] = []
    for sidecar in sidecars:
        try:
            tracks.append(read_sidecar(sidecar))
        except MediaError as error:
            problems.append(error.message)
    if info is None or info.subtitles:
        tracks += read_streams(path)
    for track in tracks:
        problems += [f"{track.origin}: {problem}" for problem in track.problems]
    return tuple(tracks), tuple(problems)


def read_sidecar(path: str | Path) -> SubtitleTrack:
    """One subtitle file; its times are on the clock as they are.

    Raises `MediaError` where it is empty, is no text, or holds no cue.
    """
    path = Path(path)
    text = _read_text(path)
    try:
        cues = _reader(path, text)(text)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise MediaError(f"{path.name} cannot be read as subtitles: {error}") from error
    if not cues:
        raise MediaError(f"{path.name} holds no subtitles")
    language = _language_in(path) or _vtt_language(text)
    segments, problems = to_segments(cues, language)
    return SubtitleTrack(language, path.name, tuple(segments), tuple(problems))


# ---------------------------------------------------------------- names and text of files


def _belongs(sidecar: Path, video: Path) -> bool:
    name, stem = sidecar.name.casefold(), video.stem.casefold()
    if not name.startswith(stem + ".") or not name.endswith(EXTENSIONS):
        return False
    between = sidecar.name[len(video.stem) : -len(sidecar.suffix)].casefold()
    extension = video.suffix.casefold().lstrip(".")
    return all(part == extension or _is_mark(part) for part in between.split(".")[1:])


def _is_mark(part: str) -> bool:
    return bool(languages.normal(part)) or part in _MARKS


def _language_in(path: Path) -> str:
    """The language in `talk.en.vtt`, `talk.en-US.sdh.srt`; the last one where there are more."""
    parts = path.name.casefold().split(".")[1:-1]
    codes = [languages.normal(part) for part in parts]
    return next((code for code in reversed(codes) if code), "")


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise MediaError(f"{path.name} is too large for a subtitle file")
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path.name} cannot be read: {error.strerror}") from error
    if not data.strip():
        raise MediaError(f"{path.name} is empty", f"delete or replace {path.name}")
    text = decode_text(data)
    if "\0" in text:
        raise MediaError(f"{path.name} is not a text file")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decode_text(data: bytes) -> str:
    """Text in UTF-8 or UTF-16, else in Windows-1252, which subtitles were written in for long."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    # Without a byte order mark, half of the bytes of Latin text in UTF-16 are zero.
    zeros = data[:1000].count(0)
    if zeros > len(data[:1000]) / 4:
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


# ---------------------------------------------------------------- formats


def _read_vtt(text: str) -> list[Cue]:
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
    header = text[:1000].split("\n\n", 1)[0]
    match = re.search(r"^Language:\s*([\w-]+)", header, re.MULTILINE)
    return languages.normal(match[1]) if match and header.startswith("WEBVTT") else ""


def _reader(path: Path, text: str) -> Callable[[str], list[Cue]]:
    """By extension; a WebVTT file says so whatever it is called."""
    if text.startswith("WEBVTT") or path.suffix.lower() == ".vtt":
        return _read_vtt
    return _read_sbv if path.suffix.lower() == ".sbv" else _read_pysubs2
