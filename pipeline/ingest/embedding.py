"""Segments to embedded passages: packed per source, and no text embedded twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.passages import pack
from pipeline.store.catalog import Catalog
from pipeline.types import SOURCES, Embedder, Passage, Segment, Source, Vectors

BATCH = 64  # texts between two reports of progress

Report = Callable[[int, int], None]  # (passages embedded, of so many)


@dataclass(frozen=True, slots=True)
class EmbeddedPassages:
    """The passages of one source of a video, and their vectors (n, dimension)."""

    source: Source
    passages: tuple[Passage, ...]
    vectors: Vectors


def embed_segments(
    catalog: Catalog,
    embedder: Embedder,
    segments: Mapping[Source, Sequence[Segment]],
    *,
    seconds: float,
    boundaries: Sequence[float] = (),
    report: Report | None = None,
) -> list[EmbeddedPassages]:
    """Pack all segments of a video and embed the texts that the library has no vector of yet.

    `segments` are by source, in (start, end) order; `boundaries` are the times of shot cuts. One
    entry per source, an empty one where the video has no text of it, so that passages that were
    there before are replaced by none.
    """
    packed = {
        source: pack(
            segments.get(source, ()),
            embedder.count_tokens,
            max_tokens=embedder.max_tokens,
            seconds=seconds,
            boundaries=boundaries,
        )
        for source in SOURCES
    }
    texts = list(dict.fromkeys(p.text for passages in packed.values() for p in passages))
    vectors = _vectors(catalog, embedder, texts, report)
    return [
        EmbeddedPassages(
            source,
            tuple(passages),
            np.stack([vectors[p.text] for p in passages])
            if passages
            else np.zeros((0, embedder.dimension), np.float32),
        )
        for source, passages in packed.items()
    ]


def write_passages(catalog: Catalog, video_id: str, embedded: Sequence[EmbeddedPassages]) -> None:
    """Store what `embed_segments` gave. Call it inside a transaction with the stage's record."""
    for made in embedded:
        catalog.replace_passages(video_id, made.source, made.passages, made.vectors)


def _vectors(
    catalog: Catalog, embedder: Embedder, texts: Sequence[str], report: Report | None
) -> dict[str, NDArray[np.float32]]:
    known = dict(catalog.embeddings_of(texts))
    missing = [text for text in texts if text not in known]
    for first in range(0, len(missing), BATCH):
        batch = missing[first : first + BATCH]
        known.update(zip(batch, embedder.embed(batch), strict=True))
        if report:
            report(first + len(batch), len(missing))
    return known
