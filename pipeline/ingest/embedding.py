"""Segments to embedded passages and windows: packed per source, and no text embedded twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.passages import pack
from pipeline.store.catalog import Catalog
from pipeline.types import SOURCES, Embedder, Passage, Segment, Source, Vectors

BATCH = 64  # texts between two reports of progress
_ALONE = 0.001  # seconds: no two segments fit into one passage

Report = Callable[[int, int], None]  # (texts embedded, of so many)


@dataclass(frozen=True, slots=True)
class EmbeddedPassages:
    """The passages of one source of a video, their vectors (n, dimension), and those of each
    passage's windows (w, dimension), none where it has none."""

    source: Source
    passages: tuple[Passage, ...]
    vectors: Vectors
    windows: tuple[Vectors, ...] = ()


def embed_segments(
    catalog: Catalog,
    embedder: Embedder,
    segments: Mapping[Source, Sequence[Segment]],
    *,
    seconds: float,
    boundaries: Sequence[float] = (),
    sources: Sequence[Source] = SOURCES,
    report: Report | None = None,
) -> list[EmbeddedPassages]:
    """Pack all segments of a video and embed the texts that the library has no vector of yet.

    `segments` are by source, in (start, end) order; `boundaries` are the times of shot cuts. Of
    chapters each is a passage of its own: several titles in one would hide where each begins. One
    entry for each of `sources`, an empty one where the video has no text of it, so that passages
    that were there before are replaced by none.
    """
    packed = {
        source: pack(
            segments.get(source, ()),
            embedder.count_tokens,
            max_tokens=embedder.max_tokens,
            seconds=_ALONE if source == "chapter" else seconds,
            boundaries=boundaries,
        )
        for source in sources
    }
    every = [passage for passages in packed.values() for passage in passages]
    vectors = _vectors(catalog, embedder, every, report)
    return [
        EmbeddedPassages(
            source,
            tuple(passages),
            _stacked([vectors[p.text] for p in passages], embedder),
            tuple(_stacked([vectors[t] for t in _window_texts(p)], embedder) for p in passages),
        )
        for source, passages in packed.items()
    ]


def write_passages(catalog: Catalog, video_id: str, embedded: Sequence[EmbeddedPassages]) -> None:
    """Store what `embed_segments` gave. Call it inside a transaction with the stage's record."""
    for made in embedded:
        catalog.replace_passages(video_id, made.source, made.passages, made.vectors, made.windows)


def embed_groups(embedder: Embedder, groups: Mapping[int, Sequence[str]]) -> dict[int, Vectors]:
    """(w, dimension) vectors of each group of texts, made in one go."""
    vectors = embedder.embed([text for texts in groups.values() for text in texts])
    ends = np.cumsum([len(texts) for texts in groups.values()], dtype=np.int64)
    return dict(zip(groups, np.split(vectors, ends[:-1]), strict=True)) if groups else {}


def _window_texts(passage: Passage) -> list[str]:
    return [passage.text[window.left : window.right] for window in passage.windows]


def _stacked(vectors: Sequence[NDArray[np.float32]], embedder: Embedder) -> Vectors:
    return np.stack(vectors) if vectors else np.zeros((0, embedder.dimension), np.float32)


def _vectors(
    catalog: Catalog, embedder: Embedder, passages: Sequence[Passage], report: Report | None
) -> dict[str, NDArray[np.float32]]:
    """A vector per text of the passages and of their windows.

    A window is short and a passage long: they are not embedded in one batch.
    """
    texts = list(dict.fromkeys(passage.text for passage in passages))
    known = catalog.window_embeddings_of(texts) | catalog.embeddings_of(texts)
    texts += dict.fromkeys(text for passage in passages for text in _window_texts(passage))
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    for first in range(0, len(missing), BATCH):
        batch = missing[first : first + BATCH]
        known.update(zip(batch, embedder.embed(batch), strict=True))
        if report:
            report(first + len(batch), len(missing))
    return known
