"""From a question and the moments found for it to an answer whose every sentence is cited."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.answer.cite import make_citation, resolves
from pipeline.answer.evidence import Evidence, Transcripts, as_lines, as_shown, gather
from pipeline.answer.extract import extract
from pipeline.answer.generate import Settled, ask_model, read_reply, settle
from pipeline.answer.verify import WEIGHT
from pipeline.errors import UsageError
from pipeline.prompts import load_prompt
from pipeline.settings import Settings
from pipeline.types import (
    Answer,
    Citation,
    Embedder,
    LanguageModel,
    SearchResult,
    Segment,
    Sentence,
    Verdict,
    Video,
)

NOT_ANSWERED = "The library does not answer this."
EVIDENCE_TOKENS = 3000


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What either way of answering comes to; no sentences: it abstained."""

    sentences: tuple[Settled, ...]
    confidence: float
    usage: Mapping[str, float]


class _ReadOnce:
    """Transcripts that ask for each video once: an answer looks at the same few again."""

    def __init__(self, transcripts: Transcripts) -> None:
        self._transcripts = transcripts
        self._segments: dict[str, Sequence[Segment]] = {}

    def video(self, video_id: str) -> Video:
        return self._transcripts.video(video_id)

    def segments(self, video_id: str) -> Sequence[Segment]:
        if video_id not in self._segments:
            self._segments[video_id] = self._transcripts.segments(video_id)
        return self._segments[video_id]


def answer_question(
    question: str,
    result: SearchResult,
    transcripts: Transcripts,
    embedder: Embedder,
    language_model: LanguageModel | None = None,
    settings: Settings | None = None,
) -> Answer:
    """Answer `question` from the moments of `result`, or abstain.

    With a language model in its words, in one call; without one in quoted statements. Every
    citation resolves to stored segments of `transcripts`. `confidence` in [0, 1] is how likely
    the quotes answer, or how well the citations carry the model's sentences; 0 when a model
    abstained. `took_ms` adds the stages "evidence", "answer" and "cite" to those of the search.
    `settings` say where prompts are overridden and how much the language model can read.
    Raises `UsageError` for an empty question and what the language model raises.
    """
    if not question.strip():
        raise UsageError("the question is empty", 'footnote ask "What ...?"')
    settings = settings or Settings()
    started = time.perf_counter()
    read = _ReadOnce(transcripts)
    tokens = min(EVIDENCE_TOKENS, settings.context_window // 2)
    evidence = gather(result.moments, read, tokens)
    gathered = time.perf_counter()
    if language_model is None:
        outcome = _by_quoting(question, evidence, embedder)
    else:
        outcome = _by_model(question, evidence, embedder, language_model, settings)
    answered = time.perf_counter()
    sentences, citations = _cite(outcome.sentences, read)
    finished = time.perf_counter()
    took = {
        "evidence": 1000 * (gathered - started),
        "answer": 1000 * (answered - gathered),
        "cite": 1000 * (finished - answered),
        "total": result.took_ms.get("total", 0.0) + 1000 * (finished - started),
    }
    return Answer(
        question=question,
        answer=_written(sentences) or NOT_ANSWERED,
        abstained=not sentences,
        confidence=outcome.confidence,
        sentences=sentences,
        citations=citations,
        moments=result.moments,
        usage={**outcome.usage, "evidence": len(evidence)},
        took_ms={**result.took_ms, **took},
    )


def _by_quoting(question: str, evidence: Sequence[Evidence], embedder: Embedder) -> _Outcome:
    found = extract(question, evidence, embedder)
    quoted = tuple(
        Settled(f"“{as_shown(as_lines(item.statement.text))}”", ((item, "supported"),), "supported")
        for item in found.quoted
    )
    usage = {"language_calls": 0, "prompt_tokens": 0, "completion_tokens": 0}
    return _Outcome(quoted, found.confidence, usage)


def _by_model(
    question: str,
    evidence: Sequence[Evidence],
    embedder: Embedder,
    model: LanguageModel,
    settings: Settings,
) -> _Outcome:
    usage = {"language_calls": 0, "prompt_tokens": 0, "completion_tokens": 0}
    if not evidence:
        return _Outcome((), 0.0, usage)
    folders = settings.prompt_folders
    prompt, system = load_prompt("answer", folders), load_prompt("answer_system", folders)
    reply = ask_model(question, evidence, model, prompt, system)
    draft = read_reply(reply.text, len(evidence))
    kept, dropped = ([], 0) if draft.abstained else settle(draft, evidence, embedder)
    carried = sum(WEIGHT[sentence.verdict] for sentence in kept)
    return _Outcome(
        tuple(kept),
        carried / (len(kept) + dropped) if kept else 0.0,
        {
            "language_calls": 1,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "invented_markers": draft.invented,
            "dropped_sentences": dropped,
        },
    )


def _cite(
    settled: Sequence[Settled], transcripts: Transcripts
) -> tuple[tuple[Sentence, ...], tuple[Citation, ...]]:
    """Sentences with markers numbered from 1 in order of appearance, and their citations.

    A statement cited twice is one citation, with the weaker of its verdicts. A citation that
    does not resolve to stored segments is left out, and a sentence without citations with it.
    """
    cited: dict[int, Citation] = {}
    sentences: list[Sentence] = []
    for sentence in settled:
        markers: list[int] = []
        for item, verdict in sentence.cited:
            citation = cited.get(item.number) or _resolved(item, len(cited) + 1, transcripts)
            if citation is not None:
                cited[item.number] = _weaker(citation, verdict)
                markers.append(citation.marker)
        if markers:
            sentences.append(Sentence(sentence.text, tuple(sorted(markers)), sentence.verdict))
    return tuple(sentences), tuple(cited.values())


def _resolved(item: Evidence, marker: int, transcripts: Transcripts) -> Citation | None:
    citation = make_citation(marker, item.statement, item.video, "supported")
    return citation if resolves(citation, transcripts.segments(item.video.video_id)) else None


def _weaker(citation: Citation, verdict: Verdict) -> Citation:
    weaker = min(citation.verdict, verdict, key=lambda v: WEIGHT[v])
    return replace(citation, verdict=weaker)


def _written(sentences: Sequence[Sentence]) -> str:
    return " ".join(
        sentence.text + " " + "".join(f"[{marker}]" for marker in sentence.citations)
        for sentence in sentences
    )
