"""The article of a report while it is written, and the stored text it can be checked against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.answer.cite import make_citation, resolves
from pipeline.answer.contradictions import contradictions
from pipeline.answer.evidence import Evidence
from pipeline.answer.generate import Settled
from pipeline.answer.numerals import numbers_within
from pipeline.answer.once import EmbedOnce, ReadOnce
from pipeline.answer.verify import WEIGHT
from pipeline.answer.wording import content_stems, negations
from pipeline.types import (
    Citation,
    Embedder,
    ReportSection,
    Segment,
    Sentence,
    SourceText,
    SourceVideo,
    Verdict,
)

AROUND = 20.0  # seconds of stored text before and after a citation that the report carries
# Two sentences tell the same where they share so many words, or come so close.
SAME_WORDS, SAME_COSINE = 0.8, 0.92
SAME_SUBJECT = 2  # words beside the topic's that two sources share that contradict each other

_Key = tuple[str, str, str, float, int, str]


class Article:
    """Sections as they are written, with markers from 1 in order of appearance.

    A statement is one citation however often it is cited, with the weakest of its verdicts. What
    an earlier sentence told is left out, and so is a citation that does not resolve and a
    sentence that has no other.
    """

    def __init__(self, transcripts: ReadOnce, embedder: EmbedOnce) -> None:
        self.sections: list[ReportSection] = []
        self.repeated = self.unresolved = 0
        self._transcripts = transcripts
        self._embedder = embedder
        self._cited: dict[_Key, Citation] = {}
        self._told: list[str] = []

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(self._cited.values())

    def add(self, title: str, settled: Sequence[Settled]) -> None:
        """The section, unless nothing is left of it."""
        sentences = [s for item in settled if (s := self._sentence(item)) is not None]
        if sentences:
            self.sections.append(ReportSection(title, tuple(sentences)))

    def _sentence(self, settled: Settled) -> Sentence | None:
        if self._is_told(settled.text):
            self.repeated += 1
            return None
        resolved = [(key, *found) for found in settled.cited if (key := self._resolved(found[0]))]
        if len(resolved) < len(settled.cited):
            self.unresolved += 1
            return None
        markers = [self._mark(key, item, verdict) for key, item, verdict in resolved]
        self._told.append(settled.text)
        return Sentence(settled.text, tuple(sorted(markers)), settled.verdict)

    def _is_told(self, text: str) -> bool:
        """Whether an earlier sentence says it; other numbers or a "not" make it another fact."""
        if not self._told:
            return False
        vectors = self._embedder.embed([text, *self._told])
        near = vectors[1:] @ vectors[0]
        return any(
            _same(text, other, float(cosine))
            for other, cosine in zip(self._told, near, strict=True)
        )

    def _resolved(self, item: Evidence) -> _Key | None:
        statement, video = item.statement, item.video
        segments = self._transcripts.segments(video.video_id)
        if not resolves(make_citation(1, statement, video, "supported", segments), segments):
            return None
        begin = statement.segments[0].start
        where = (video.video_id, statement.source, statement.language)
        return (*where, begin, statement.offset, statement.text)

    def _mark(self, key: _Key, item: Evidence, verdict: Verdict) -> int:
        known = self._cited.get(key)
        if known is None:
            marker = len(self._cited) + 1
            segments = self._transcripts.segments(item.video.video_id)
            known = make_citation(marker, item.statement, item.video, verdict, segments)
        weaker = min(known.verdict, verdict, key=lambda v: WEIGHT[v])
        self._cited[key] = replace(known, verdict=weaker)
        return known.marker


def _same(one: str, other: str, cosine: float) -> bool:
    if numbers_within(one) != numbers_within(other) or negations(one) % 2 != negations(other) % 2:
        return False
    left, right = set(content_stems(one)), set(content_stems(other))
    shared = len(left & right) / max(1, min(len(left), len(right)))
    return shared >= SAME_WORDS or cosine >= SAME_COSINE


def differing(
    topic: str, sentences: Sequence[Sentence], citations: Sequence[Citation], embedder: Embedder
) -> tuple[tuple[int, int], ...]:
    """Citations that say different things of the same: of more than the topic, which all share."""
    stems = {c.marker: set(content_stems(c.quote)) - set(content_stems(topic)) for c in citations}
    return tuple(
        (one, other)
        for one, other in contradictions(sentences, citations, embedder)
        if len(stems[one] & stems[other]) >= SAME_SUBJECT
    )


# ---------------------------------------------------------------- what it can be checked against


def bundle(
    citations: Sequence[Citation], transcripts: ReadOnce
) -> tuple[tuple[SourceVideo, ...], tuple[SourceText, ...]]:
    """The cited videos, and the stored text of each citation's source around it, by time.

    Words keep their times only in segments that are cited: with them a citation's times follow.
    """
    videos, texts = [], []
    for video_id in dict.fromkeys(citation.video_id for citation in citations):
        video = transcripts.video(video_id)
        videos.append(
            SourceVideo(
                video_id,
                video.title,
                video.date,
                video.duration,
                video.sha256,
                video.url,
                video.language,
            )
        )
        own = [citation for citation in citations if citation.video_id == video_id]
        for segment in transcripts.segments(video_id):
            near = [c for c in own if c.source == segment.source and _apart(c, segment) <= AROUND]
            if near:
                held = min(_apart(citation, segment) for citation in near) <= 0
                kept = segment if held else replace(segment, words=())
                texts.append(SourceText(video_id, kept))
    return tuple(videos), tuple(texts)


def _apart(citation: Citation, segment: Segment) -> float:
    """Seconds between a citation and a segment, negative or 0 where they touch."""
    return max(segment.start - citation.end, citation.start - segment.end)
