"""A question about the whole library to the complete list of what matches, and its coverage.

framing -> sought -> exhaustive -> mentions -> entries: each step is a module of this room. What
the list was made from is part of the answer: a count is worth what was counted.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.retrieve.entries import entries
from pipeline.retrieve.exhaustive import THRESHOLD, matches
from pipeline.retrieve.framing import asked
from pipeline.retrieve.mentions import mention_starts
from pipeline.retrieve.sought import sought
from pipeline.types import (
    SOURCES,
    TEXT_STAGES,
    Coverage,
    Embedder,
    Filters,
    Listing,
    PassageIndex,
    Source,
)

# Which source a stage makes text of; "passages" are made of all.
_MAKES: Mapping[str, Source] = {
    "speech": "speech",
    "screen": "screen",
    "captions": "caption",
    "sounds": "sound",
}


class Known(Protocol):
    """What a listing asks of the catalog."""

    def titles(self, video_ids: Iterable[str]) -> dict[str, str]: ...

    def lengths(self, video_ids: Iterable[str]) -> dict[str, float]: ...

    def unfinished(self) -> list[tuple[str, str]]: ...

    def segments_under(
        self, rows: NDArray[np.int64]
    ) -> dict[int, list[tuple[float, str, str]]]: ...


def find_all(
    index: PassageIndex,
    embedder: Embedder,
    catalog: Known,
    question: str,
    *,
    filters: Filters,
    videos: NDArray[np.bool_],
    allowed: NDArray[np.bool_] | None,
    hypothetical: Sequence[str] = (),
) -> Listing:
    """Every moment about what `question` looks for, without its frame ("how many times ...").

    `filters`, with full video ids, are what `videos` (v,) and `allowed` (n,) were made from: the
    videos of the index's table and the passages that they let through, None for all passages.
    """
    began = time.perf_counter()
    looked_for = asked(question).looked_for
    wanted = sought(looked_for)
    found = matches(index, embedder, wanted, hypothetical=hypothetical, allowed=allowed)
    scanned = time.perf_counter()
    at = np.unique(index.table.video[found.positions]).tolist()
    titles = catalog.titles([index.table.videos[number] for number in at])
    segments = catalog.segments_under(index.table.rows[found.positions])
    starts = mention_starts(wanted, index.table, found, segments)
    moments, counts = entries(found, starts, index, titles)
    listed = time.perf_counter()
    coverage = _coverage(index, catalog, looked_for, filters, videos, allowed, len(found.below))
    ended = time.perf_counter()
    took = {"scan": scanned - began, "entries": listed - scanned, "coverage": ended - listed}
    took_ms = {stage: seconds * 1000 for stage, seconds in took.items()}
    return Listing(question, moments, counts, coverage, took_ms)


def _coverage(
    index: PassageIndex,
    catalog: Known,
    looked_for: str,
    filters: Filters,
    videos: NDArray[np.bool_],
    allowed: NDArray[np.bool_] | None,
    below: int,
) -> Coverage:
    table = index.table
    scanned = slice(None) if allowed is None else np.flatnonzero(allowed)
    sources = np.bincount(table.source[scanned], minlength=len(SOURCES)).tolist()
    inside = {table.videos[number] for number in np.flatnonzero(videos).tolist()}
    with_text = len(np.intersect1d(table.video, np.flatnonzero(videos)))
    return Coverage(
        looked_for=looked_for,
        videos=len(inside),
        hours=sum(catalog.lengths(inside).values()) / 3600,
        passages=sum(sources),
        sources={name: count for name, count in zip(SOURCES, sources, strict=True) if count},
        no_text=len(inside) - with_text,
        pending=_pending(catalog.unfinished(), inside, filters.sources),
        filters=filters,
        threshold=THRESHOLD,
        below=below,
    )


def _pending(
    unfinished: Iterable[tuple[str, str]], inside: set[str], sources: Sequence[Source]
) -> dict[str, int]:
    """Of how many videos each stage is still to be done that makes text of these sources, of any
    source when there are none."""
    counts = Counter(stage for video_id, stage in unfinished if video_id in inside)
    matter = [s for s in TEXT_STAGES if not sources or _MAKES.get(s, sources[0]) in sources]
    return {stage: counts[stage] for stage in matter if counts[stage]}
