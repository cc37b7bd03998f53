"""Videos that are not here, imported from what is: subtitles, transcripts, .info.json, chapters.

A bundle is the files of one video by their names, as yt-dlp leaves them (`--skip-download`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import MediaError, UsageError
from pipeline.ingest.discover import MEDIA_EXTENSIONS
from pipeline.ingest.metadata import clean_metadata
from pipeline.ingest.names import slug_of
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.rows import ImportedVideo
from pipeline.ingest.speech import finish
from pipeline.ingest.speech_checks import check_speech
from pipeline.ingest.tracks import BY_MACHINE, choose_tracks
from pipeline.media.bundles import BundleText
from pipeline.media.child import MediaReader
from pipeline.media.sidecars import belongs, kind_of, stamp, stem_of
from pipeline.store.catalog import Catalog
from pipeline.types import Segment, Video, VideoReport

_TOLERANCE = 0.5  # seconds that a last line may end after a duration in whole seconds


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files of one video in one folder; `video` is the video itself where it is there too."""

    stem: str
    files: tuple[Path, ...]
    video: Path | None = None


def find_bundles(path: Path, outside: Path) -> list[Bundle]:
    """The bundles in a folder and those below it, in order of their names; that of a file with the
    files beside it. Hidden entries and the folder `outside` (the library) are left out.

    Raises `UsageError` for a path that is not there, and for a folder without any.
    """
    if path.is_dir():
        found = [
            bundle
            for folder, names in _folders(path, outside.resolve())
            for bundle in _bundles(folder, names)
        ]
        if not found:
            raise UsageError(
                f"{path} holds no subtitles, transcripts or .info.json",
                "footnote add takes videos, footnote import what was made of them",
            )
        return found
    if not path.is_file():
        raise UsageError(f"{path} does not exist", "footnote import FILE")
    if kind_of(path) is None:
        return [Bundle(path.stem, (path,))]
    names = [name for name in sorted(os.listdir(path.parent)) if (path.parent / name).is_file()]
    own = [bundle for bundle in _bundles(path.parent, names) if path.name in _names(bundle)]
    return own or [Bundle(stem_of(path), (path,))]


def _folders(path: Path, outside: Path) -> list[tuple[Path, list[str]]]:
    found = []
    for parent, folders, names in os.walk(path):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (Path(parent) / name).resolve() != outside
        )
        found.append((Path(parent), sorted(name for name in names if not name.startswith("."))))
    return found


def _bundles(folder: Path, names: Sequence[str]) -> list[Bundle]:
    """By the stems of the media files that are there, and else of the sidecars themselves."""
    media = [Path(name) for name in names if Path(name).suffix.lower() in MEDIA_EXTENSIONS]
    sidecars = [folder / name for name in names if kind_of(name)]
    bundles: dict[str, Bundle] = {}
    for sidecar in sidecars:
        video = next((v for v in media if belongs(sidecar, v.stem, v.suffix)), None)
        stem = video.stem if video else stem_of(sidecar)
        known = bundles.get(stem, Bundle(stem, (), folder / video if video else None))
        bundles[stem] = replace(known, files=(*known.files, sidecar))
    speaking = ("subtitles", "transcript", "info")
    return [b for b in bundles.values() if any(kind_of(file) in speaking for file in b.files)]


def _names(bundle: Bundle) -> set[str]:
    return {file.name for file in bundle.files}


# ---------------------------------------------------------------- reading them in turn


class BundleImporter:
    """Reads one bundle after the other, and remembers what is wrong and which ids are taken.

    `alone`: the bundle is what the user named, and is read though its video is there.
    """

    def __init__(self, catalog: Catalog, media: MediaReader, *, alone: bool) -> None:
        self._catalog = catalog
        self._media = media
        self._alone = alone
        self._taken: set[str] = set()
        self.problems: list[str] = []
        self.rows = 0

    def read(self, bundle: Bundle) -> ImportedVideo | VideoReport | None:
        """The video to import; a report where nothing need be done; None for nothing usable."""
        if bundle.video and not self._alone:
            reason = "the video is there: footnote add reads it with these files"
            return VideoReport("", str(bundle.video), "unchanged", {}, reason)
        same_name = self._video(slug_of(bundle.stem))
        if same_name and same_name.sidecars == stamps(bundle):
            return self._unchanged(same_name)
        try:
            read = self._media.bundle(bundle.files)
        except MediaError as error:
            self.problems.append(error.message)
            return None
        self.problems += read.problems
        url = clean_metadata(read.published.metadata).url
        video_id = video_id_of(bundle, url, same_name, self._taken)
        known = self._video(video_id)
        if known and known.sidecars == stamps(bundle):
            return self._unchanged(known)
        video = imported_video(bundle, read, video_id)
        if not video.segments:
            if not read.problems:
                self.problems.append(f"{bundle.files[0].name}: no subtitles of it are there")
            return None
        self._taken.add(video_id)
        self.rows += len(video.segments)
        return video

    def _unchanged(self, video: Video) -> VideoReport:
        self._taken.add(video.video_id)
        stages = self._catalog.stages(video.video_id)
        return VideoReport(video.video_id, video.path, "unchanged", stages)

    def _video(self, video_id: str) -> Video | None:
        return self._catalog.video(video_id) if self._catalog.has_video(video_id) else None


# ---------------------------------------------------------------- bundles to videos


def imported_video(bundle: Bundle, read: BundleText, video_id: str) -> ImportedVideo:
    """What the files say, as rows of an import would: speech. Chapters go with the video's facts.

    The video is as long as its info says, or as its last line lasts, if that is longer.
    """
    speech = [s for segment in _speech(read) if (s := _cleaned(segment)) is not None]
    metadata = clean_metadata(read.published.metadata)
    spoken = max((segment.end for segment in speech), default=0.0)
    claimed = read.published.duration
    duration = spoken if spoken > claimed + _TOLERANCE else max(claimed, spoken)
    languages = {segment.language for segment in speech} - {""}
    return ImportedVideo(
        video_id,
        metadata.title or bundle.stem,
        tuple(sorted(speech, key=lambda segment: (segment.start, segment.end))),
        os.path.abspath(bundle.video) if bundle.video else "",
        duration,
        metadata.url,
        metadata.date,
        metadata.language or (languages.pop() if len(languages) == 1 else ""),
        metadata.people,
        metadata.place,
        metadata.tags,
        metadata.description,
        stamps(bundle),
        read.published.chapters,
    )


def stamps(bundle: Bundle) -> tuple[tuple[str, int, int], ...]:
    """By which a later import tells that nothing was changed."""
    return tuple(stamp(Path(os.path.abspath(file))) for file in bundle.files)


def _speech(read: BundleText) -> list[Segment]:
    """The best track of each language; what a machine heard is judged by its text."""
    segments: list[Segment] = []
    for track in choose_tracks(read.tracks):
        said = track.segments
        if track.origin.lower().endswith(BY_MACHINE):
            everywhere = [(0.0, max(segment.end for segment in said))]
            said = tuple(finish(check_speech(said, everywhere), None, ()))
        segments += said
    return segments


def _cleaned(segment: Segment) -> Segment | None:
    text = clean_text(segment.text)
    return replace(segment, text=text, speaker=clean_text(segment.speaker)) if text else None


# ---------------------------------------------------------------- which video it is


def video_id_of(bundle: Bundle, url: str, known: Video | None, taken: Container[str]) -> str:
    """The slug of the stem, with 8 hex digits of its address (or place) where that is another's.

    `known` is the library's video of that slug, `taken` are the ids given out in this run. The
    same video has the same address, or else the same files.
    """
    slug = slug_of(bundle.stem)
    if slug not in taken and _may_be(bundle, url, known):
        return slug
    place = url or os.path.abspath(bundle.files[0].parent / bundle.stem)
    return f"{slug}-{hashlib.sha256(place.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _may_be(bundle: Bundle, url: str, video: Video | None) -> bool:
    if video is None:
        return True
    if url and video.url:
        return url == video.url
    files = {os.path.abspath(file) for file in bundle.files}
    own = bundle.video is not None and os.path.abspath(bundle.video) == video.path
    return own or any(path in files for path, *_ in video.sidecars)
