"""Which files beside a video belong to it, and what each is for, told by their names.

    talk.mp4           the video
    talk.en.vtt        subtitles; .srt .ass .ssa .sbv too (`subtitles`)
    talk.json, .tsv    what Whisper heard (`transcripts`)
    talk.info.json     what yt-dlp knows of it (`published`)
    talk.description   the description that yt-dlp saves
    talk.chapters.txt  chapters; .json .vtt, talk.ffmeta, talk.txt too (`chapters`)

A name promises little: a .json or .txt that turns out to be something else is passed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pipeline.media import language as languages

Kind = Literal["subtitles", "transcript", "info", "description", "chapters"]

SUBTITLES = (".vtt", ".srt", ".ass", ".ssa", ".sbv")
_TRANSCRIPTS = (".json", ".tsv")
_CHAPTERS = (".txt", ".ffmeta", ".ffmetadata")
_CHAPTER_MARK = "chapters"
# What may stand between the video's name and the extension besides a language.
# fmt: off
_MARKS = frozenset((
    "auto", "asr", "cc", "captions", "default", "forced", "full", "orig", "sdh", "subs",
    "subtitles", _CHAPTER_MARK,
))
# fmt: on


def find_sidecars(path: str | Path) -> tuple[Path, ...]:
    """Files that belong to a video: same folder, same name, any case, in name order.

    `talk.mp4` has `talk.srt`, `talk.en.vtt`, `talk.mp4.srt` and `talk.info.json`, not
    `talk.part2.srt`.
    """
    path = Path(path)
    try:
        names = sorted(path.parent.iterdir())
    except OSError:
        return ()
    found = (name for name in names if belongs(name, path.stem, path.suffix))
    return tuple(name for name in found if name.is_file())


def stamp(path: Path) -> tuple[str, int, int]:
    """(path, bytes, modification time in nanoseconds): what tells that a file was changed."""
    facts = path.stat()
    return str(path), facts.st_size, facts.st_mtime_ns


def kind_of(path: str | Path) -> Kind | None:
    """What a file of this name is for, None when it is no sidecar."""
    name = Path(path).name.casefold()
    extension = Path(name).suffix
    if name.endswith(".info.json"):
        return "info"
    if extension == ".description":
        return "description"
    marked = _CHAPTER_MARK in name.split(".")[1:-1]
    if extension in _CHAPTERS or (marked and extension in (".json", ".vtt")):
        return "chapters"
    if extension in _TRANSCRIPTS:
        return "transcript"
    return "subtitles" if extension in SUBTITLES and not marked else None


def may_hold_speech(path: str | Path) -> bool:
    """Whether the speech of the video may be read from it."""
    return kind_of(path) in ("subtitles", "transcript")


def belongs(sidecar: Path, stem: str, extension: str = "") -> bool:
    """Whether a file is a sidecar of the video `stem` + `extension`."""
    name, stem = sidecar.name.casefold(), stem.casefold()
    if not name.startswith(stem + ".") or name == stem + extension.casefold():
        return False
    kind = kind_of(name)
    if kind is None:
        return False
    between = name[len(stem) : -len(".info.json" if kind == "info" else sidecar.suffix)]
    own = extension.casefold().lstrip(".")
    return all(part == own or _is_mark(part) for part in between.split(".")[1:])


def stem_of(sidecar: Path) -> str:
    """The name of the video that a sidecar is of: `talk` of `talk.en.vtt` and `talk.info.json`."""
    kind, name = kind_of(sidecar), sidecar.name
    name = name[: -len(".info.json" if kind == "info" else sidecar.suffix)]
    while "." in name and _is_mark(name.rsplit(".", 1)[1].casefold()):
        name = name.rsplit(".", 1)[0]
    return name


def language_in(path: Path) -> str:
    """The language in `talk.en.vtt`, `talk.en-US.sdh.srt`; the last one where there are more."""
    parts = path.name.casefold().split(".")[1:-1]
    codes = [languages.normal(part) for part in parts]
    return next((code for code in reversed(codes) if code), "")


def _is_mark(part: str) -> bool:
    return bool(languages.normal(part)) or part in _MARKS
