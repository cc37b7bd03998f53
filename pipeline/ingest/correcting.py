"""What a user corrects: the segment that is meant, its new text, and what follows from it.

Only the passages that hold the segment are made again; `store.patching` keeps a correction
through later readings of the source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.errors import UsageError
from pipeline.ingest.embedding import embed_segments
from pipeline.ingest.metadata import clean_line, clean_list
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.rows import iso_date
from pipeline.store.catalog import Catalog
from pipeline.store.corrections import json_values
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.patching import apply
from pipeline.types import CITABLE, Correction, Embedder, Segment, Source

# What a user may say of the video itself: lists, and single values.
LISTS = ("people", "tags")
FACTS = ("title", "date", "place", *LISTS)
_EXACT = 1e-3  # seconds; JSON is rounded


@dataclass(frozen=True, slots=True)
class Edited:
    """What one `footnote edit` did. `passages` is how many were written anew."""

    video_id: str
    corrections: tuple[Correction, ...]
    passages: int = 0


# ---------------------------------------------------------------- which segment


def pick(
    segments: Sequence[Segment],
    at: float | None,
    within: float,
    number: int | None,
    source: Source | None,
    spoken: bool,
) -> Segment:
    """The segment that is meant by a time or by a number; `spoken`: it has a speaker."""
    if (at is None) == (number is None):
        raise UsageError("which segment is not said", "give --at TIME, or --segment N")
    if number is not None:
        return segment_numbered(segments, number, source)[1]
    assert at is not None
    return segment_at(segments, at, source or ("speech" if spoken else None), within)[1]


def segment_at(
    segments: Sequence[Segment], at: float, source: Source | None, within: float = 0.0
) -> tuple[int, Segment]:
    """(its number from 1, the segment) that is meant by a time, among all of a video's by time.

    It begins at `at`; else it is the one that begins less than `within` after it (a time that was
    read from a display, which rounds down); else the one that contains it; chapters and summaries
    are meant where there is nothing else. Raises `UsageError`
    where there is none, naming the nearest, and where there are several, naming each.
    """
    numbered = [
        (number, segment)
        for number, segment in enumerate(segments, 1)
        if source in (None, segment.source)
    ]
    perceived = [one for one in numbered if one[1].source in CITABLE]
    found = _meant(perceived, at, within) or _meant(numbered, at, within)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"--segment {n} ({s.source} at {s.start:g} s)" for n, s in found[:5])
        raise UsageError(f"there are {len(found)} segments at {at:g} s", f"one of {listed}")
    what = f"{source} segment" if source else "segment"
    if not numbered:
        raise UsageError(f"the video has no {what}", "footnote show VIDEO")
    number, nearest = min(numbered, key=lambda one: _distance(one[1], at))
    raise UsageError(
        f"there is no {what} at {at:g} s; the nearest is {nearest.source} from"
        f" {nearest.start:g} to {nearest.end:g} s: {nearest.text[:60]!r}",
        f"--segment {number}",
    )


def _meant(
    numbered: Sequence[tuple[int, Segment]], at: float, within: float
) -> list[tuple[int, Segment]]:
    begins = [one for one in numbered if abs(one[1].start - at) < _EXACT]
    soon = [one for one in numbered if at <= one[1].start < at + within]
    return begins or soon or [one for one in numbered if one[1].start <= at < one[1].end]


def segment_numbered(
    segments: Sequence[Segment], number: int, source: Source | None
) -> tuple[int, Segment]:
    """The segment of this number, from 1, as `footnote show` counts. Raises `UsageError`."""
    if not 1 <= number <= len(segments):
        raise UsageError(f"there is no segment {number}, but {len(segments)}", "footnote show")
    segment = segments[number - 1]
    if source not in (None, segment.source):
        raise UsageError(f"segment {number} is {segment.source}, not {source}", "footnote show")
    return number, segment


def _distance(segment: Segment, at: float) -> float:
    return max(segment.start - at, at - segment.end)


# ---------------------------------------------------------------- correcting


def correct_segment(
    catalog: Catalog,
    embedder: Embedder,
    video_id: str,
    segment: Segment,
    *,
    text: str | None,
    speaker: str | None,
    seconds: float,
) -> Edited:
    """Give a segment another text, another speaker, or both; its passages follow.

    Raises `UsageError` for a text that is empty, and where nothing would change.
    """
    new = _segment_corrections(segment, text, speaker, catalog.next_edit(video_id))
    kept = [*catalog.corrections(video_id, segment.source), *new]
    passages = _rewrite(catalog, embedder, video_id, segment.source, kept, seconds, added=new)
    return Edited(video_id, tuple(new), passages)


def _segment_corrections(
    segment: Segment, text: str | None, speaker: str | None, edit: int
) -> list[Correction]:
    made = []
    place = Correction(edit, "", "", "", segment.source, segment.start, segment.end)
    said = segment.text
    if text is not None:
        value = clean_text(text)
        value = value if segment.source == "screen" else " ".join(value.split())
        if not value:
            raise UsageError("the new text is empty", 'footnote edit VIDEO --at TIME --text "..."')
        if value != said:
            made.append(replace(place, field="text", replaced=said, value=value, said=said))
            said = value
    if speaker is not None and (value := clean_line(speaker)) != segment.speaker:
        before = segment.speaker
        made.append(replace(place, field="speaker", replaced=before, value=value, said=said))
    if not made:
        raise UsageError("that is what the segment says already", "footnote show VIDEO")
    return made


def correct_facts(catalog: Catalog, video_id: str, facts: Mapping[str, Sequence[str]]) -> Edited:
    """Say what is true of the video itself: `FACTS` by name, an empty list for "none".

    Raises `UsageError` for a title that is empty and for a date that is none, `RowError`.
    """
    edit = catalog.next_edit(video_id)
    made = []
    for name, given in facts.items():
        values = _checked(name, given)
        before = json_values(catalog.fact(video_id, "edit", name))
        if before != json_values(values):
            made.append(Correction(edit, name, before, json_values(values)))
    if not made:
        raise UsageError("that is known already", "footnote show VIDEO")
    with catalog.transaction():
        for correction in made:
            catalog.add_correction(video_id, correction)
            catalog.put_fact(video_id, "edit", correction.field, json.loads(correction.value))
    return Edited(video_id, tuple(made))


def _checked(name: str, given: Sequence[str]) -> tuple[str, ...]:
    values = clean_list(given)
    if name == "title" and not values:
        raise UsageError("a title cannot be empty", 'footnote edit VIDEO --title "..."')
    return tuple(map(iso_date, values)) if name == "date" else values


def undo_last(
    catalog: Catalog, embedder: Callable[[], Embedder], video_id: str, *, seconds: float
) -> Edited:
    """Take back what the last edit of the video corrected. Raises `UsageError` without one.

    `embedder` is loaded only where a segment was corrected.
    """
    every = catalog.corrections(video_id)
    if not every:
        raise UsageError(f"nothing of {video_id} was corrected", "footnote edit VIDEO --list")
    undone = [correction for correction in every if correction.edit == every[-1].edit]
    sources: list[Source] = list(dict.fromkeys(c.source for c in undone if c.source))  # type: ignore[misc]
    edit, passages = undone[0].edit, 0
    for source in sources:
        kept = [c for c in every if c.source == source and c.edit != edit]
        passages += _rewrite(catalog, embedder(), video_id, source, kept, seconds, removed=edit)
    with catalog.transaction():
        catalog.forget_edit(video_id, edit)
        for correction in undone:
            if not correction.source:
                catalog.put_fact(
                    video_id, "edit", correction.field, json.loads(correction.replaced)
                )
    return Edited(video_id, tuple(undone), passages)


def _rewrite(
    catalog: Catalog,
    embedder: Embedder,
    video_id: str,
    source: Source,
    corrections: Sequence[Correction],
    seconds: float,
    *,
    added: Sequence[Correction] = (),
    removed: int = 0,
) -> int:
    """The source's segments under `corrections`, its passages, and the new list of corrections,
    all at once; how many passages were written. Passages of the same text keep their vectors."""
    read = catalog.segments_as_read(video_id, source)
    corrected = apply(corrections, read)
    boundaries = [shot.start for shot in catalog.shots(video_id)]
    made = embed_segments(
        catalog, embedder, {source: corrected.segments}, seconds=seconds, boundaries=boundaries
    )
    (own,) = (embedded for embedded in made if embedded.source == source)
    with catalog.transaction():
        catalog.claim_embedding_space(EmbeddingSpace(embedder.name, embedder.dimension))
        for correction in added:
            catalog.add_correction(video_id, correction)
        catalog.forget_edit(video_id, removed)
        catalog.replace_segments(video_id, source, read)
        return catalog.replace_passages(video_id, source, own.passages, own.vectors, own.windows)


# ---------------------------------------------------------------- telling


def unfitting(corrections: Sequence[Correction]) -> tuple[str, ...]:
    """A line for each correction of text that what was read since has no place for."""
    return tuple(
        f"a correction at {c.start:.1f} s no longer fits what was read: {c.value[:60]!r} is kept"
        for c in corrections
        if not c.fits
    )
