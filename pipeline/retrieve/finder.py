"""The way from a question to moments: every step of a search in its order, in one place.

index -> filters -> expansion -> ranking -> moments. Each step is a module of this room; the finder
holds what they need of one library and knows what to do when a model cannot be had: a search goes
on with what there is and says so, an answer does not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.errors import EmbeddingMismatch, LibraryNotFound, ModelUnavailable, UsageError
from pipeline.prompts import load_prompt
from pipeline.store.work import LIBRARY_OWNER
from pipeline.types import Filters, SearchResult

if TYPE_CHECKING:
    from pipeline.models.shelf import Shelf
    from pipeline.retrieve.expand import Expansion
    from pipeline.retrieve.filters import Located
    from pipeline.settings import Settings
    from pipeline.store.catalog import Catalog
    from pipeline.store.index import LibraryIndex
    from pipeline.store.synchronise import Indexes
    from pipeline.types import LanguageModel

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Finder:
    """Searches one library. Safe to share between threads."""

    catalog: Catalog
    indexes: Indexes
    shelf: Shelf
    settings: Settings
    _index: LibraryIndex | None = None
    _placed: tuple[int, Mapping[str, Located]] = field(default=(0, {}))

    def search(
        self,
        query: str,
        k: int,
        filters: Filters,
        hypothetical: Sequence[str] | None,
        *,
        model: LanguageModel | None,
    ) -> SearchResult:
        """The `k` best moments of a question that `check_question` let pass.

        `hypothetical` None: `model` writes them, if there is one.
        """
        from pipeline.retrieve.filters import allowed_passages
        from pipeline.retrieve.localize import moments
        from pipeline.retrieve.search import Query
        from pipeline.retrieve.search import search as rank

        began = time.perf_counter()
        index = self.index()
        embedder = self.shelf.embedder()
        took: dict[str, float] = {"open": _since(began)}
        if hypothetical is None:
            wanted = model is not None and self.settings.expansion_passages
            hypothetical = self._hypothetical(query, took) if wanted else ()
        allowed = allowed_passages(index.table, self._resolved(filters), self._whereabouts(filters))
        ranked = rank(index, embedder, Query(query, tuple(hypothetical)), allowed=allowed)
        began_moments = time.perf_counter()
        table = index.table
        videos = {table.videos[number] for number in table.video[ranked.positions]}
        found = moments(ranked, index, self.catalog.titles(videos), k)
        took |= ranked.took_ms
        took |= {"moments": _since(began_moments), "total": _since(began)}
        return SearchResult(query, tuple(found), took)

    def expand(self, question: str) -> Expansion:
        """Passages that would answer `question`, written by the language model (HyDE).

        Cached by question, prompt and model. Raises `ModelUnavailable` without a model.
        """
        from pipeline.retrieve.expand import expand, register_of

        return expand(
            question,
            self.shelf.language_model(),
            load_prompt("hyde", self.settings.prompt_folders),
            self.settings.expansion_passages,
            register=register_of(self.index().table),
            get_output=self.catalog.get_output,
            put_output=lambda key, value: self.catalog.put_output(key, LIBRARY_OWNER, value),
        )

    def index(self) -> LibraryIndex:
        """The passages as they are now, for searching. Raises `LibraryNotFound` when empty."""
        from pipeline.store.index import PATIENCE, open_index

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

    # ------------------------------------------------------------ inside

    def _hypothetical(self, query: str, took: dict[str, float]) -> Sequence[str]:
        """Hypothetical passages where a language model is to write them, else none."""
        began = time.perf_counter()
        expansion = self.expand(query)
        took["expansion"] = _since(began)
        if expansion.reason:
            _log.warning("searching without hypothetical passages: %s", expansion.reason)
        return expansion.passages

    def _resolved(self, filters: Filters) -> Filters:
        videos = tuple(self.catalog.resolve(reference) for reference in filters.videos)
        return replace(filters, videos=videos)

    def _whereabouts(self, filters: Filters) -> Mapping[str, Located]:
        """Paths and dates as they are now, read again only after something was committed."""
        if not (filters.folder or filters.after or filters.before):
            return {}
        version = self.catalog.data_version()
        if self._placed[0] != version:
            self._placed = version, self.catalog.whereabouts()
        return self._placed[1]


def check_question(question: str) -> None:
    """Raise `UsageError` for a question that is empty or no text."""
    if not question.strip():
        raise UsageError("the question is empty", 'footnote search "what you look for"')
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise UsageError("the question is not valid text (UTF-8)", "type it again")


def _since(began: float) -> float:
    """Milliseconds since `began`."""
    return (time.perf_counter() - began) * 1000
