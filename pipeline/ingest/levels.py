"""The levels above what was perceived: chapters with titles, and a summary, of one video.

Chapters are the file's own where it has any, else what a language model writes, else stretches of
the text that hold together, titled by their headings and phrases. A summary is written by the
model, else it is the video's key sentences. Both are derived: they are searched, but a citation
goes to the segments underneath.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.errors import ModelUnavailable
from pipeline.ingest.cohesion import boundaries, stretches
from pipeline.ingest.key_sentences import key_sentences
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.slots import Slots, Strand, slots_of
from pipeline.ingest.titles import shortened, titles
from pipeline.ingest.written_levels import LevelWriter, Titled, Told
from pipeline.store.catalog import Catalog
from pipeline.types import (
    CITABLE,
    FROM_FILE,
    SOURCES,
    Embedder,
    Segment,
    Source,
    Video,
)

LEVELS: tuple[Source, ...] = ("chapter", "summary")
_FEWEST = 2  # chapters: one alone says nothing that the title does not
_LEAST_DIVIDED = 30.0  # seconds: a shorter video is hardly longer than one moment of it
_LONGEST_OWN_TITLE = 200
_APART = 15.0  # seconds between two lines from which they are two places


@dataclass(frozen=True, slots=True)
class Levels:
    """The segments of each level by time. `reason` says why the model that was to write them did
    not; they are made of the text alone then."""

    segments: Mapping[Source, tuple[Segment, ...]]
    reason: str = ""
    model_calls: int = 0


@dataclass(frozen=True, slots=True)
class Material:
    """What the levels of a video are made of; segments are the citable ones, by time."""

    title: str
    duration: float
    segments: tuple[Segment, ...]
    strands: tuple[Strand, ...]
    shots: tuple[float, ...]
    own: tuple[Titled, ...]  # chapters that the file or its publisher gives

    def of(self, source: Source) -> list[Segment]:
        return [segment for segment in self.segments if segment.source == source]


def material_of(catalog: Catalog, video: Video) -> Material:
    """What the catalog has of a video. Its passages must be written."""
    video_id = video.video_id
    segments = tuple(s for s in catalog.segments(video_id) if s.source in CITABLE)
    duration = video.duration or max((segment.end for segment in segments), default=0.0)
    return Material(
        video.title,
        duration,
        tuple(segment for segment in segments if not segment.invented),
        tuple(_strand(catalog, video_id, source) for source in SOURCES if source in CITABLE),
        tuple(shot.start for shot in catalog.shots(video_id)),
        _own_chapters(video, duration),
    )


def make_levels(
    material: Material,
    embedder: Embedder,
    writer: LevelWriter | None,
    given: Mapping[Source, tuple[Segment, ...]] | None = None,
) -> Levels:
    """The chapters and the summary of a video, by `writer` where there is one.

    Without it: 0.1 s for an hour of video. Where the model cannot be had, or replies with nothing
    usable, they are made of the text alone, and `reason` says so. A level that is `given` stays
    as it is.
    """
    slots = slots_of(material.strands, material.duration)
    given = given or {}
    reasons: list[str] = []
    chapters = given.get("chapter") or _chapters(material, slots, embedder, writer, reasons)
    summary = given.get("summary") or _summary(material, slots, chapters, writer, reasons)
    calls = writer.calls if writer else 0
    return Levels({"chapter": chapters, "summary": summary}, "; ".join(reasons), calls)


# ---------------------------------------------------------------- chapters


def _chapters(
    material: Material,
    slots: Slots,
    embedder: Embedder,
    writer: LevelWriter | None,
    reasons: list[str],
) -> tuple[Segment, ...]:
    """By whoever knows best; why the writer does not is added to `reasons`."""
    if material.own:
        return _as_chapters(_named(material, slots, embedder), material, FROM_FILE)
    if material.duration < _LEAST_DIVIDED:
        return ()
    if writer is not None and material.segments:
        try:
            written = writer.chapters(material.title, material.segments, material.duration)
            return _as_chapters(written, material)
        except ModelUnavailable as error:
            reasons.append(_said(error))
    return _as_chapters(_cohesive(material, slots, embedder), material)


def _said(error: ModelUnavailable) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _own_chapters(video: Video, duration: float) -> tuple[Titled, ...]:
    """Those of the container or of the files beside it; a single one is no division."""
    listed = video.media.get("chapters")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    found: dict[float, Titled] = {}
    for row in rows:
        start, title = float(row["start"]), " ".join(clean_text(str(row["title"])).split())
        if 0 <= start < duration:
            found.setdefault(start, Titled(start, shortened(title, _LONGEST_OWN_TITLE)))
    ordered = tuple(found[start] for start in sorted(found))
    return ordered if len(ordered) >= _FEWEST else ()


def _named(material: Material, slots: Slots, embedder: Embedder) -> list[Titled]:
    """The file's own chapters, those without a title named by what is in them."""
    if all(chapter.title for chapter in material.own):
        return list(material.own)
    starts = [chapter.start for chapter in material.own]
    spans = list(pairwise([*starts, material.duration]))
    made = titles(spans, slots, material.strands, material.of("screen"), embedder)
    return [
        Titled(chapter.start, chapter.title or title or f"Chapter {number}")
        for number, (chapter, title) in enumerate(zip(material.own, made, strict=True), 1)
    ]


def _cohesive(material: Material, slots: Slots, embedder: Embedder) -> list[Titled]:
    """Stretches of the text that hold together, with titles from the text."""
    screens = material.of("screen")
    times = boundaries(
        slots, material.of("speech"), [screen.start for screen in screens], material.shots
    )
    spans = stretches(times, material.duration) if times else []
    made = titles(spans, slots, material.strands, screens, embedder) if spans else []
    kept: list[Titled] = []
    for (start, _), title in zip(spans, made, strict=True):
        same = kept and kept[-1].title.casefold() == title.casefold()
        if title and not same:
            kept.append(Titled(start, title))
    return [Titled(0.0, kept[0].title), *kept[1:]] if kept else []


def _as_chapters(
    titled: Sequence[Titled], material: Material, flag: str = ""
) -> tuple[Segment, ...]:
    """Each lasts until the next one begins, the last one to the end; none for a single one."""
    if len(titled) < _FEWEST:
        return ()
    starts = [chapter.start for chapter in titled]
    return tuple(
        Segment(
            "chapter",
            start,
            end,
            chapter.title,
            language=_language(material, start, end),
            flags=(flag,) if flag else (),
        )
        for chapter, (start, end) in zip(
            titled, pairwise([*starts, material.duration]), strict=True
        )
        if start < end
    )


# ---------------------------------------------------------------- summaries


def _summary(
    material: Material,
    slots: Slots,
    chapters: Sequence[Segment],
    writer: LevelWriter | None,
    reasons: list[str],
) -> tuple[Segment, ...]:
    """By the writer, unless it has just failed; else the key sentences."""
    if writer is not None and material.segments and not reasons:
        try:
            return _as_summary(writer.summary(material.title, material.segments), material)
        except ModelUnavailable as error:
            reasons.append(_said(error))
    spans = [(chapter.start, chapter.end) for chapter in chapters]
    return _quoted(material, spans or [(0.0, material.duration)], slots)


def _quoted(
    material: Material, spans: Sequence[tuple[float, float]], slots: Slots
) -> tuple[Segment, ...]:
    """The key sentences, each at its own time."""
    if not len(slots):
        return ()
    found = key_sentences(material.segments, spans, slots)
    return tuple(
        Segment("summary", s.start, min(s.end, material.duration), s.text, language=s.language)
        for s in found
        if s.start < material.duration
    )


def _as_summary(told: Sequence[Told], material: Material) -> tuple[Segment, ...]:
    """Each sentence once for every place that it is taken from, so that each place is found."""
    made: dict[tuple[float, float, str], Segment] = {}
    for sentence in told:
        places: list[tuple[float, float]] = []
        for line in sentence.lines:
            if places and line.start - places[-1][1] <= _APART:
                places[-1] = places[-1][0], max(places[-1][1], line.end)
            else:
                places.append((line.start, line.end))
        for start, end in places:
            end = min(end, material.duration)
            if start < end:
                language = _language(material, start, end)
                made[start, end, sentence.text] = Segment(
                    "summary", start, end, sentence.text, language=language
                )
    return tuple(sorted(made.values(), key=lambda segment: (segment.start, segment.end)))


# ---------------------------------------------------------------- what the catalog has


def _strand(catalog: Catalog, video_id: str, source: Source) -> Strand:
    """The windows of all passages of a source, by time."""
    rows = [stored.row for stored in catalog.passages_of(video_id, source)]
    found = catalog.windows_of(rows)
    some = [found[row] for row in rows if row in found]
    if not some:
        none = np.zeros(0)
        return Strand(source, none, none, (), np.zeros((0, 0), np.float32))
    start = np.concatenate([windows.start for windows in some])
    order = np.argsort(start, kind="stable")
    texts = [text for windows in some for text in windows.texts]
    return Strand(
        source,
        start[order],
        np.concatenate([windows.end for windows in some])[order],
        tuple(texts[place] for place in order.tolist()),
        np.concatenate([windows.vectors for windows in some])[order],
    )


def _language(material: Material, start: float, end: float) -> str:
    """Of the first segment there that has one."""
    inside = (s.language for s in material.segments if s.start < end and s.end > start)
    return next(filter(None, inside), "")
