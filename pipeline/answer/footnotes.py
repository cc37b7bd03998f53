"""The footnotes of an answer: sentences get markers as they come, and citations that resolve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.answer.cite import make_citation, resolves
from pipeline.answer.evidence import Evidence, Transcripts
from pipeline.answer.generate import Settled
from pipeline.answer.verify import WEIGHT
from pipeline.types import IN_LINES, Citation, Form, Sentence, SentenceReady, Verdict

# Of a statement, and of a clause of it: (evidence number, offset, text).
_Key = tuple[int, int, str]


class Footnotes:
    """Sentences with markers numbered from 1 in order of appearance, and their citations.

    A statement cited twice is one citation, with the weaker of its verdicts, and so is a clause of
    one that is cited already. A citation that does not resolve to stored segments is left out,
    and a sentence without citations with it.
    """

    def __init__(self, transcripts: Transcripts) -> None:
        self.sentences: list[Sentence] = []
        self._transcripts = transcripts
        self._cited: dict[_Key, Citation] = {}  # in order of markers

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(self._cited.values())

    def add(self, settled: Settled) -> SentenceReady | None:
        """The sentence with its new citations, None where none of them resolves."""
        markers: list[int] = []
        known = len(self._cited)
        for item, verdict in settled.cited:
            key = self._known(item)
            citation = self._cited.get(key) or self._resolved(item)
            if citation is not None:
                self._cited[key] = _weaker(citation, verdict)
                markers.append(citation.marker)
        if not markers:
            return None
        sentence = Sentence(settled.text, tuple(sorted(set(markers))), settled.verdict)
        self.sentences.append(sentence)
        return SentenceReady(sentence, self.citations[known:])

    def beside(self, item: Evidence) -> Citation | None:
        """A citation of what says otherwise than a sentence; no sentence has it. None where it does
        not resolve."""
        citation = self._resolved(item)
        if citation is not None:
            citation = replace(citation, verdict="contradicted")
            self._cited[self._known(item)] = citation
        return citation

    def _known(self, item: Evidence) -> _Key:
        """Of the citation of the same statement that has all its words, else its own."""
        text = item.statement.text
        same = (key for key in self._cited if key[0] == item.number and text in key[2])
        return next(same, (item.number, item.statement.offset, text))

    def _resolved(self, item: Evidence) -> Citation | None:
        segments = self._transcripts.segments(item.video.video_id)
        marker = len(self._cited) + 1
        citation = make_citation(marker, item.statement, item.video, "supported", segments)
        return citation if resolves(citation, segments) else None


def _weaker(citation: Citation, verdict: Verdict) -> Citation:
    weaker = min(citation.verdict, verdict, key=lambda v: WEIGHT[v])
    return replace(citation, verdict=weaker)


def written(sentences: Sequence[Sentence], form: Form) -> str:
    """The answer as one text, each sentence with its markers; on lines where the form wants it.

    One that its citations do not carry is struck, and says so.
    """
    return ("\n" if form in IN_LINES else " ").join(map(_line, sentences))


def _line(sentence: Sentence) -> str:
    markers = "".join(f"[{marker}]" for marker in sentence.citations)
    if WEIGHT[sentence.verdict] > 0:
        return f"{sentence.text} {markers}"
    return f"~~{sentence.text}~~ ({sentence.verdict}) {markers}"
