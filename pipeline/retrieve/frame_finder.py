"""The way from a picture, or from words about one, to moments: what `finder` is for text.

Where the settings name a frame model and the library's frames were embedded with it, a search by
text takes the frames as one more signal, and pictures can be searched with. Frames of another
model are never compared with: a search by text goes on without them and says so, a search by
picture is an error that names what to do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import EmbeddingMismatch, FootnoteError, ModelUnavailable, UsageError
from pipeline.types import PassageTable, SearchResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.models.shelf import Shelf
    from pipeline.retrieve.visual import FrameQuery
    from pipeline.settings import Settings
    from pipeline.store.catalog import Catalog
    from pipeline.store.frame_index import FrameIndex
    from pipeline.store.synchronise import Indexes
    from pipeline.types import DualEncoder, Image, Moment, Source

    Allow = Callable[[PassageTable], "NDArray[np.bool_] | None"]

# Moments found by text that frames may raise into the first ones.
POOL = 50

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class FrameFinder:
    """Searches the key frames of one library. Safe to share between threads."""

    catalog: Catalog
    indexes: Indexes
    shelf: Shelf
    settings: Settings
    _index: FrameIndex | None = None

    def has_frames(self) -> bool:
        """Whether a search by text has frames to look at: a model is set, frames are embedded."""
        return bool(self.settings.frame_model and self.catalog.has_frame_vectors())

    def search_image(
        self,
        image: Image,
        text: str,
        k: int,
        allow: Allow,
        sources: Sequence[Source],
        text_weight: float,
    ) -> SearchResult:
        """The `k` moments whose frames are nearest to the picture, moved towards `text`.

        `allow` says which frames a filter lets through; with `sources`, moments without a
        passage of these are left out. Raises `UsageError` where no frame is embedded,
        `EmbeddingMismatch`, `ModelUnavailable`.
        """
        from pipeline.retrieve.visual import image_query

        began = time.perf_counter()
        index, encoder = self._opened()
        opened = time.perf_counter()
        query = image_query(encoder, image, text, text_weight)
        took = {"open": (opened - began) * 1000, "embed": _since(opened)}
        return self._found(text, index, query, k, allow, sources, took)

    def search_text(
        self, text: str, k: int, allow: Allow, sources: Sequence[Source]
    ) -> SearchResult:
        """As `search_image`, by words about what can be seen: for a library without any text."""
        from pipeline.retrieve.visual import text_query

        index, encoder = self._opened()
        began = time.perf_counter()
        query = text_query(encoder, text)
        return self._found(text, index, query, k, allow, sources, {"embed": _since(began)})

    def with_frames(
        self, text: str, found: Sequence[Moment], k: int, allow: Allow, *, alone: bool
    ) -> Sequence[Moment]:
        """`found` with what frames add, at most `k`; as it is, with a warning, where they cannot.

        `alone` lets moments in that frames alone have found.
        """
        from pipeline.retrieve.visual import nearest_frames, text_query, with_frames

        try:
            index, encoder = self._opened()
        except (ModelUnavailable, EmbeddingMismatch) as error:
            _log.warning("searching without frames: %s", _with_hint(error))
            return found
        query = text_query(encoder, text)
        ranked = nearest_frames(index, query, allow(index.table))
        return with_frames(found, index, query, ranked, self.catalog, k, alone=alone)

    # ------------------------------------------------------------ inside

    def _opened(self) -> tuple[FrameIndex, DualEncoder]:
        from pipeline.store.frame_index import open_frame_index
        from pipeline.store.nearest import PATIENCE

        self._check_space()
        encoder = self.shelf.dual_encoder()
        space = self.catalog.frame_space()
        if space and space.dimension != encoder.dimension:
            raise EmbeddingMismatch(
                f"{encoder.name} has {encoder.dimension} dimensions now, and had {space.dimension}"
                " when the frames were embedded",
                "footnote add the videos again",
            )
        if self._index is None:
            self._index = open_frame_index(self.catalog, self.indexes, patience=PATIENCE)
        index = self._index.refresh()
        self._index = index
        return index, encoder

    def _check_space(self) -> None:
        space, wanted = self.catalog.frame_space(), self.settings.frame_model
        if space is None or not self.catalog.has_frame_vectors():
            model = wanted or "clip:OWNER/MODEL"
            raise UsageError(
                "no frames of this library are embedded, so pictures cannot be searched",
                f"FOOTNOTE_FRAME_MODEL={model} footnote add PATH...",
            )
        if not wanted:
            raise UsageError(
                "no frame model is set, so pictures cannot be searched",
                f"FOOTNOTE_FRAME_MODEL={space.model}, with which the library's were embedded",
            )
        if space.model != wanted:
            raise EmbeddingMismatch(
                f"the library's frames were embedded with {space.model}, the settings name"
                f" {wanted}",
                f"footnote add the videos again, or FOOTNOTE_FRAME_MODEL={space.model}",
            )

    def _found(
        self,
        text: str,
        index: FrameIndex,
        query: FrameQuery,
        k: int,
        allow: Allow,
        sources: Sequence[Source],
        took: dict[str, float],
    ) -> SearchResult:
        from pipeline.retrieve.visual import nearest_frames, seen_moments, shown

        began = time.perf_counter()
        ranked = nearest_frames(index, query, allow(index.table))
        took["frames"] = _since(began)
        began = time.perf_counter()
        moments: list[Moment] = []
        for moment in shown(seen_moments(index, query, ranked, self.catalog), self.catalog):
            if len(moments) == k:
                break
            if not sources or any(passage.source in sources for passage in moment.passages):
                moments.append(moment)
        took["moments"] = _since(began)
        took["total"] = sum(took.values())
        return SearchResult(text, tuple(moments), took)


def _with_hint(error: FootnoteError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _since(began: float) -> float:
    """Milliseconds since `began`."""
    return (time.perf_counter() - began) * 1000
