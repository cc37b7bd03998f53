"""Which of a question's words a text answers to, by the words themselves or by their meaning.

Every token of the question looks for the token of the text that is nearest to it in its context
(late interaction: Khattab and Zaharia 2020, "ColBERT", section 3.2). Only the words that tell what
is asked about count, each as one, so that "the", "what" and long names weigh nothing extra.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.wording import ASKING, STOPWORDS, content_stems, stem, words
from pipeline.types import Embedder, Vectors

_SPECIAL = 2  # tokens that `count_tokens` adds: [CLS] and [SEP]
_PIECE = re.compile(r"\w+|[^\w\s]")  # as a WordPiece tokenizer splits before it looks for words


@dataclass(frozen=True, slots=True)
class _Word:
    """One word of a question, folded (a run of CJK as its pairs), and its tokens' vectors."""

    parts: tuple[str, ...]
    vectors: Vectors


class AskedWords:
    """The distinct words of a question that tell what it is about; all of it where none do."""

    def __init__(self, question: str, embedder: Embedder) -> None:
        self._embedder = embedder
        self._words = self._split(question)

    def __len__(self) -> int:
        return len(self._words)

    def within(self, stems: frozenset[str], language: str = "") -> NDArray[np.float64]:
        """(words,) 1 for each word that is among the stems of a text, else 0."""
        return np.array(
            [
                bool(word.parts) and all(stem(p, language or "en") in stems for p in word.parts)
                for word in self._words
            ],
            np.float64,
        )

    def near(self, text: str, language: str = "") -> NDArray[np.float64]:
        """(words,) what each word finds in `text`: 1 for itself, else the nearest cosine.

        Cost: the token vectors of `text`, about 4 ms for a sentence.
        """
        there = self._tokens(text)
        cosines = [float((word.vectors @ there.T).max(axis=1).mean()) for word in self._words]
        exact = self.within(frozenset(content_stems(text, language or "en")), language)
        return np.maximum(np.array(cosines, np.float64), exact)

    def _split(self, question: str) -> list[_Word]:
        pieces = _PIECE.findall(question)
        found: dict[tuple[str, ...], Vectors] = {}
        for piece, vectors in zip(pieces, self._by_piece(question, pieces), strict=True):
            parts = tuple(word for word in words(piece) if _tells(word))
            if parts and len(vectors):
                found.setdefault(parts, vectors)
        about = {parts: rows for parts, rows in found.items() if not set(parts) <= ASKING}
        kept = [_Word(parts, rows) for parts, rows in (about or found).items()]
        return kept or [_Word((), self._tokens(question))]

    def _by_piece(self, question: str, pieces: Sequence[str]) -> list[Vectors]:
        """The vectors of each piece's tokens in the question; alone, where they cannot be told."""
        counts = [count - _SPECIAL for count in self._embedder.count_tokens(pieces)]
        rows = self._tokens(question)
        if sum(counts) != len(rows):
            return [self._tokens(piece) for piece in pieces]
        ends = np.cumsum(counts)
        return [rows[end - count : end] for end, count in zip(ends, counts, strict=True)]

    def _tokens(self, text: str) -> Vectors:
        """(its tokens, dimension), unit rows; one row where the embedder gives no tokens."""
        embed = getattr(self._embedder, "embed_tokens", None)
        rows: Vectors = embed([text])[0] if embed else self._embedder.embed([text])
        return rows if len(rows) else self._embedder.embed([text])


def _tells(word: str) -> bool:
    return word not in STOPWORDS and (len(word) > 1 or word.isdigit() or not word.isascii())
