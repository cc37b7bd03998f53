"""The text of a video that is not here: subtitles, transcripts and an .info.json without it.

Read in a child process, as everything is that comes from elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import MediaError
from pipeline.media.cues import SubtitleTrack
from pipeline.media.published import Published, from_info, is_info, read_published
from pipeline.media.sidecars import Kind, kind_of
from pipeline.media.subtitles import read_sidecar, read_sidecars, says_chapters, track_problems
from pipeline.media.text_file import read_json, read_text
from pipeline.media.transcripts import is_transcript, is_tsv, read_transcript

_TIMED = re.compile(
    r"-->|^\[Script Info\]|^\d+:\d\d:\d\d\.\d+,\d+:\d\d:\d\d\.\d+\s*$", re.MULTILINE
)
_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class BundleText:
    """All that the files of one video say."""

    tracks: tuple[SubtitleTrack, ...]
    published: Published
    problems: tuple[str, ...]


def read_bundle(files: Sequence[Path]) -> BundleText:
    """The speech and the facts in files of one video; what cannot be read is a line each.

    A single file may have any name: its content tells what it is.
    """
    if len(files) == 1:
        kind = content_of(files[0])
        if kind is None or kind != kind_of(files[0]):
            return _read_as(kind, files[0])
    tracks, problems = read_sidecars(files)
    published = read_published(files)
    return BundleText(tuple(tracks), published, (*problems, *published.problems))


def content_of(path: Path) -> Kind | None:
    """What a file holds, whatever it is called; None for nothing that is read here.

    Raises `MediaError` for one that is no text, is empty or too large.
    """
    text = read_text(path)
    start = text[:_HEAD].lstrip()
    if start.startswith(("{", "[")) and not start.startswith("[Script Info]"):
        try:
            value = read_json(path)
        except MediaError:
            return kind_of(path)  # it says what is wrong when it is read
        if is_transcript(value):
            return "transcript"
        return "info" if is_info(value) else None
    if is_tsv(text):
        return "transcript"
    if says_chapters(text) or "chapters" in path.name.casefold().split("."):
        return "chapters"
    if _TIMED.search(text[:_HEAD]):
        return "subtitles"
    return kind_of(path) if kind_of(path) in ("chapters", "description") else None


def is_rows(path: Path) -> bool:
    """Whether a file holds rows for `footnote import`, one JSON object a line, by its name or by
    its first line. False for what cannot be read."""
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return True
    try:
        with path.open("rb") as file:
            lines = file.read(_HEAD).decode("utf-8-sig", "replace").splitlines()
        row = json.loads(next((line for line in lines if line.strip()), ""))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(row, dict) and {"video_id", "text"} <= row.keys()


def _read_as(kind: Kind | None, path: Path) -> BundleText:
    """A file whose name does not say what it is."""
    if kind == "info":
        published = from_info(read_json(path), path.name)
        return BundleText((), published, published.problems)
    track = read_transcript(path) if kind == "transcript" else None
    track = read_sidecar(path) if kind == "subtitles" else track
    if track is None:
        raise MediaError(
            f"{path.name} holds no subtitles, no transcript of Whisper and no info of yt-dlp",
            'rows are JSON, one a line: {"video_id", "start", "end", "text", "source"}',
        )
    return BundleText((track,), Published(), tuple(track_problems(track)))
