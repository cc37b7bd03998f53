"""What a report or a check asks for again and again is read, and embedded, once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.answer.evidence import Transcripts
from pipeline.types import Embedder, Segment, Vectors, Video


class ReadOnce:
    """Transcripts that ask for each video once."""

    def __init__(self, transcripts: Transcripts) -> None:
        self._transcripts = transcripts
        self._segments: dict[str, Sequence[Segment]] = {}
        self._videos: dict[str, Video] = {}

    def video(self, video_id: str) -> Video:
        if video_id not in self._videos:
            self._videos[video_id] = self._transcripts.video(video_id)
        return self._videos[video_id]

    def segments(self, video_id: str) -> Sequence[Segment]:
        if video_id not in self._segments:
            self._segments[video_id] = self._transcripts.segments(video_id)
        return self._segments[video_id]


class EmbedOnce:
    """An embedder that embeds each text once."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.dimension = embedder.dimension
        self.max_tokens = embedder.max_tokens
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}
        self._tokens: dict[str, Vectors] = {}
        if hasattr(embedder, "embed_tokens"):  # not every embedder gives a vector for each token
            self._embed_tokens = embedder.embed_tokens
            self.embed_tokens = self._tokens_once

    def embed(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= dict(zip(new, self._embedder.embed(new), strict=True))
        rows = [self._known[text] for text in texts]
        return np.array(rows, np.float32).reshape(len(rows), self.dimension)

    def _tokens_once(self, texts: Sequence[str]) -> list[Vectors]:
        new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
        if new:
            self._tokens |= dict(zip(new, self._embed_tokens(new), strict=True))
        return [self._tokens[text] for text in texts]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)
