"""What was looked at joins the captions of its video: segments and passages, at once.

A look is kept as soon as it is made, whoever works on the video meanwhile, and taken in by whoever
has the video's lease: the look itself, or the `add` that is at work.
"""

from __future__ import annotations

from pipeline.ingest.embedding import embed_segments, write_passages
from pipeline.store.catalog import Catalog
from pipeline.store.passages import EmbeddingSpace
from pipeline.types import Embedder


def take_in_looks(catalog: Catalog, embedder: Embedder, video_id: str, seconds: float) -> int:
    """Write the looks that wait among the video's captions, and their passages; how many waited.

    To be called under the video's lease. Only texts that are new are embedded.
    """
    waiting = catalog.waiting_looks(video_id)
    if not waiting:
        return 0
    read = catalog.segments_as_read(video_id, "caption")
    read += [look for look in dict.fromkeys(waiting.values()) if look not in set(read)]
    embedded = embed_segments(
        catalog,
        embedder,
        {"caption": catalog.corrected(video_id, "caption", read)},
        seconds=seconds,
        boundaries=[shot.start for shot in catalog.shots(video_id)],
        sources=("caption",),
    )
    with catalog.transaction():
        catalog.claim_embedding_space(EmbeddingSpace(embedder.name, embedder.dimension))
        catalog.replace_segments(video_id, "caption", read)
        write_passages(catalog, video_id, embedded)
        catalog.take_in_looks(waiting)
    return len(waiting)
