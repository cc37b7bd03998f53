"""The way from a question to moments: every step of a search in its order, in one place.

index -> filters -> expansion -> ranking -> moments -> reranking. Each step is a module of this
room; the finder holds what they need of one library and knows what to do when a model cannot be
had: a search goes on with what there is and says so, an answer does not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.errors import EmbeddingMismatch, LibraryNotFound, ModelUnavailable, UsageError
from pipeline.prompts import load_prompt
from pipeline.retrieve.frame_finder import POOL, FrameFinder
from pipeline.store.work import LIBRARY_OWNER
from pipeline.types import SOURCES, Filters, SearchResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.models.shelf import Shelf
    from pipeline.retrieve.expand import Expansion
    from pipeline.retrieve.filters import Located
    from pipeline.retrieve.fuse import Recipe
    from pipeline.retrieve.search import Query
    from pipeline.retrieve.titles import VideoTerms
    from pipeline.settings import Settings
    from pipeline.store.catalog import Catalog
    from pipeline.store.index import LibraryIndex
    from pipeline.store.synchronise import Indexes
    from pipeline.types import Image, LanguageModel, Listing, Moment, PassageTable, Source

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Finder:
    """Searches one library. Safe to share between threads."""

    catalog: Catalog
    indexes: Indexes
    shelf: Shelf
    settings: Settings
    _index: LibraryIndex | None = None
    _placed: tuple[tuple[int, bool], Mapping[str, Located]] = field(default=((0, False), {}))
    _shares: tuple[int, Mapping[str, float]] = field(default=(-1, {}))
    _named: tuple[int, VideoTerms | None] = (-1, None)
    frames: FrameFinder = field(init=False)

    def __post_init__(self) -> None:
        self.frames = FrameFinder(self.catalog, self.indexes, self.shelf, self.settings)

    def search(
        self,
        query: str,
        k: int,
        filters: Filters,
        hypothetical: Sequence[str] | None,
        *,
        model: LanguageModel | None,
        recipe: Recipe | None = None,
    ) -> SearchResult:
        """The `k` best moments of a question that `check_question` let pass.

        `hypothetical` None: `model` writes them, if there is one. `recipe` None: the shipped one.
        """
        from pipeline.retrieve.filters import allowed_passages
        from pipeline.retrieve.localize import moments
        from pipeline.retrieve.search import RECIPE, Query
        from pipeline.retrieve.search import search as rank

        began = time.perf_counter()
        by_frames = self.frames.has_frames()
        try:
            index = self.index()
        except LibraryNotFound:
            if not by_frames:
                raise
            return self.frames.search_text(query, k, self._allow(filters), filters.sources)
        embedder = self.shelf.embedder()
        took: dict[str, float] = {"open": _since(began)}
        asked = Query(query, tuple(hypothetical or ()))
        if hypothetical is None and model is not None:
            asked = self._expanded(query, took)
        allowed = allowed_passages(index.table, self._resolved(filters), self._whereabouts(filters))
        ranked = rank(
            index,
            embedder,
            asked,
            allowed=allowed,
            recipe=recipe or RECIPE,
            known=self._known(),
        )
        began_moments = time.perf_counter()
        table = index.table
        videos = {table.videos[number] for number in table.video[ranked.positions]}
        looked_at = self.settings.rerank_moments if self.settings.rerank_model else 0
        titles, lengths = self.catalog.titles(videos), self.catalog.lengths(videos)
        pool = max(k, looked_at, POOL if by_frames else 0)
        found = moments(ranked, index, titles, pool, lengths, self.catalog.cuts)
        took |= ranked.took_ms
        took["moments"] = _since(began_moments)
        if by_frames:
            found = list(self._with_frames(query, found, max(k, looked_at), filters, took))
        if looked_at:
            found = list(self._reranked(query, found, took))
        took["total"] = _since(began)
        return SearchResult(query, tuple(found[:k]), took)

    def find_all(self, question: str, filters: Filters, hypothetical: Sequence[str]) -> Listing:
        """Every moment about what a question that `check_question` let pass looks for."""
        from pipeline.retrieve.filters import allowed_passages, allowed_videos
        from pipeline.retrieve.listing import find_all

        began = time.perf_counter()
        index = self.index()
        embedder = self.shelf.embedder()
        opened = _since(began)
        filters, places = self._resolved(filters), self._whereabouts(filters)
        found = find_all(
            index,
            embedder,
            self.catalog,
            question,
            filters=filters,
            videos=allowed_videos(index.table, filters, places),
            allowed=allowed_passages(index.table, filters, places),
            hypothetical=hypothetical,
        )
        took = {"open": opened, **found.took_ms, "total": _since(began)}
        return replace(found, took_ms=took)

    def search_image(
        self, image: Image, text: str, k: int, filters: Filters, text_weight: float
    ) -> SearchResult:
        """The `k` moments nearest to a picture that is moved towards `text`, if there is any."""
        return self.frames.search_image(
            image, text, k, self._allow(filters), filters.sources, text_weight
        )

    def expand(self, question: str) -> Expansion:
        """What the language model writes to search with, as the setting `expansion` says.

        Cached by question, prompt and model. Raises `ModelUnavailable` without a model.
        """
        from pipeline.retrieve.expand import Material, expand
        from pipeline.retrieve.registers import kinds_of

        material = Material(
            kinds_of(self.index().table), self._language_shares(), self._found_alone
        )
        return expand(
            question,
            self.settings.expansion,
            self.settings.expansion_passages,
            self.shelf.language_model(),
            lambda name: load_prompt(name, self.settings.prompt_folders),
            material,
            get_output=self.catalog.get_output,
            put_output=lambda key, value: self.catalog.put_output(key, LIBRARY_OWNER, value),
        )

    def index(self) -> LibraryIndex:
        """The passages as they are now, for searching. Raises `LibraryNotFound` when empty."""
        from pipeline.store.index import open_index
        from pipeline.store.nearest import PATIENCE

        self.check_embedding()
        if self._index is None:
            self._index = open_index(self.catalog, self.indexes, patience=PATIENCE)
        index = self._index.refresh()
        self._index = index
        if not len(index.table):
            raise LibraryNotFound(
                f"the library {self.catalog.folder} is empty", "footnote add PATH"
            )
        return index

    def language_model(self, *, look_around: bool) -> LanguageModel | None:
        """The model to write with. Without `look_around` (a search) it may be missing."""
        if not self.shelf.has_language_model(look_around=look_around):
            return None
        try:
            return self.shelf.language_model()
        except ModelUnavailable as error:
            if look_around:
                raise
            _log.warning("searching without hypothetical passages: %s", error.message)
            return None

    def check_embedding(self) -> None:
        """Raise `EmbeddingMismatch` when the settings name another model than the library's."""
        space = self.catalog.embedding_space()
        wanted = self.settings.embedding_model
        if "embedding_model" not in self.settings.model_fields_set:
            wanted = self.shelf.embedding
        if space and wanted != space.model:
            raise EmbeddingMismatch(
                f"the library was made with {space.model}, the settings name {wanted}",
                f"footnote reindex --embedding {wanted}",
            )

    def let_through(self, video_ids: Sequence[str], filters: Filters) -> list[str]:
        """Those of the videos that `filters` let through, whether they have text or not."""
        from pipeline.retrieve.filters import passing

        kept = passing(video_ids, self._resolved(filters), self._whereabouts(filters))
        return [video_id for video_id, passes in zip(video_ids, kept, strict=True) if passes]

    # ------------------------------------------------------------ inside

    def _language_shares(self) -> Mapping[str, float]:
        """Share of the passages in each language, counted once for each generation."""
        generation = self.index().generation
        if self._shares[0] != generation:
            self._shares = generation, self.catalog.language_shares()
        return self._shares[1]

    def _found_alone(self, question: str) -> list[tuple[Source, str]]:
        """Source and text of the best passages for the question alone, for `grounded`."""
        from pipeline.retrieve.filters import allowed_passages
        from pipeline.retrieve.grounded import SHOWN
        from pipeline.retrieve.search import Query, search

        index = self.index()
        allowed = allowed_passages(index.table, Filters(), {})
        ranked = search(
            index,
            self.shelf.embedder(),
            Query(question),
            allowed=allowed,
            depth=SHOWN,
            known=self._known(),
        )
        sources = index.table.source[ranked.positions].tolist()
        texts = index.texts(ranked.positions)
        return [(SOURCES[code], text) for code, text in zip(sources, texts, strict=True)]

    def _expanded(self, question: str, took: dict[str, float]) -> Query:
        """The question with what the language model writes for it, where that is wanted."""
        from pipeline.retrieve.search import Query

        if self.settings.expansion == "none" or self.settings.expansion_passages < 1:
            return Query(question)
        began = time.perf_counter()
        expansion = self.expand(question)
        took["expansion"] = _since(began)
        if expansion.reason:
            _log.warning("searching without hypothetical passages: %s", expansion.reason)
        return Query(question, expansion.passages, expansion.translations)

    def _reranked(
        self, query: str, found: list[Moment], took: dict[str, float]
    ) -> Sequence[Moment]:
        """The moments as the settings' reranker orders them; as they are where it cannot be had."""
        from pipeline.retrieve.rerankers import budget_of, load_reranker

        began = time.perf_counter()
        try:
            reranker = load_reranker(self.settings, self.shelf, self.catalog)
            if reranker is None:
                return found
            reranked = reranker.rerank(query, found, budget_of(self.settings))
        except ModelUnavailable as error:
            _log.warning("searching without reranking: %s", error.message)
            return found
        finally:
            took["rerank"] = _since(began)
        if reranked.reason:
            _log.warning("reranking in part: %s", reranked.reason)
        return reranked.moments

    def _with_frames(
        self,
        query: str,
        found: list[Moment],
        k: int,
        filters: Filters,
        took: dict[str, float],
    ) -> Sequence[Moment]:
        """A source filter asks for text of that source: no moment of frames alone then."""
        began = time.perf_counter()
        allow, alone = self._allow(filters), not filters.sources
        found = list(self.frames.with_frames(query, found, k, allow, alone=alone))
        took["frames"] = _since(began)
        return found

    def _allow(self, filters: Filters) -> Callable[[PassageTable], NDArray[np.bool_] | None]:
        """Which frames of a table the filters let through, whatever sources they name."""
        from pipeline.retrieve.filters import allowed_passages

        asked = replace(self._resolved(filters), sources=())
        return lambda table: allowed_passages(table, asked, self._whereabouts(filters))

    def _resolved(self, filters: Filters) -> Filters:
        videos = tuple(self.catalog.resolve(reference) for reference in filters.videos)
        return replace(filters, videos=videos)

    def _whereabouts(self, filters: Filters) -> Mapping[str, Located]:
        """What filters ask of videos, read again only after something was committed."""
        from pipeline.retrieve.filters import asks_of_videos

        if not asks_of_videos(filters):
            return {}
        named = bool(filters.people or filters.tags or filters.places)
        wanted = self.catalog.data_version(), named
        if self._placed[0] != wanted:
            self._placed = wanted, self.catalog.whereabouts(named=named)
        return self._placed[1]

    def _known(self) -> VideoTerms:
        """Titles and other metadata as terms, read again only after something was committed."""
        from pipeline.retrieve.titles import video_terms

        version = self.catalog.data_version()
        named_at, named = self._named
        if named is None or named_at != version:
            named = video_terms(self.catalog.metadata(described=False))
            self._named = version, named
        return named


def check_question(question: str) -> None:
    """Raise `UsageError` for a question that is empty or no text."""
    if not question.strip():
        raise UsageError("the question is empty", 'footnote search "what you look for"')
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise UsageError("the question is not valid text (UTF-8)", "type it again")


def _since(began: float) -> float:
    """Milliseconds since `began`."""
    return (time.perf_counter() - began) * 1000
