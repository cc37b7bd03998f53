"""Small libraries made of nothing, for the tests of the store: the same in every process."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.store.catalog import Catalog
from pipeline.store.passages import EmbeddingSpace
from pipeline.types import Passage, Segment, Source, Vectors, Video

DIMENSION = 16
SPACE = EmbeddingSpace("test:made", DIMENSION)
WORDS = [
    "node",
    "block",
    "fork",
    "lamp",
    "river",
    "stone",
    "violin",
    "garden",
    "letter",
    "signal",
    "harbour",
    "winter",
]


def made_catalog(folder: Path) -> Catalog:
    catalog = Catalog(folder, create=True)
    catalog.claim_embedding_space(SPACE)
    return catalog


def made_vectors(texts: Sequence[str]) -> Vectors:
    """A unit vector that depends on the text alone, (n, DIMENSION)."""
    rows = [np.random.default_rng(zlib.crc32(t.encode())).standard_normal(DIMENSION) for t in texts]
    vectors = np.array(rows, np.float32).reshape(len(texts), DIMENSION)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def made_texts(video_id: str, count: int) -> list[str]:
    draw = np.random.default_rng(zlib.crc32(video_id.encode()))
    return [f"{video_id} says {' '.join(draw.choice(WORDS, 6))} at {i}" for i in range(count)]


def add_video(
    catalog: Catalog,
    video_id: str,
    texts: Sequence[str] | int = 5,
    source: Source = "speech",
    language: str = "",
) -> list[str]:
    """A video whose every segment is a passage of 10 s, in one transaction; its texts."""
    said = made_texts(video_id, texts) if isinstance(texts, int) else list(texts)
    times = [(10.0 * i, 10.0 * i + 10) for i in range(len(said))]
    timed = list(zip(times, said, strict=True))
    with catalog.transaction():
        catalog.put_video(Video(video_id, video_id.title(), duration=10.0 * len(said)))
        catalog.replace_segments(
            video_id, source, [Segment(source, a, b, t, language=language) for (a, b), t in timed]
        )
        catalog.replace_passages(
            video_id,
            source,
            [Passage(source, a, b, t, i, i) for i, ((a, b), t) in enumerate(timed)],
            made_vectors(said),
        )
    return said
