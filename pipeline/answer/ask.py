"""From a question and the moments found for it to an answer whose every sentence is cited."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.answer.asking import drawn, finished_parts, request, usage_of
from pipeline.answer.contradictions import contradictions, later_first, otherwise
from pipeline.answer.evidence import (
    Evidence,
    Transcripts,
    as_quote,
    candidates,
    numbered,
    shared,
)
from pipeline.answer.extract import extract
from pipeline.answer.footnotes import Footnotes, written
from pipeline.answer.forms import SPREAD, chosen_form
from pipeline.answer.generate import Settled, read_reply, settle
from pipeline.answer.nearby import nearby
from pipeline.answer.once import EmbedOnce, ReadOnce
from pipeline.answer.planted import unplanted
from pipeline.answer.selection import select
from pipeline.answer.sight import Sight
from pipeline.answer.tight import cited_tightly
from pipeline.answer.verify import WEIGHT, Verifier
from pipeline.answer.verify_model import Cascade
from pipeline.answer.wording import words
from pipeline.errors import ModelUnavailable, UsageError
from pipeline.settings import Settings
from pipeline.types import (
    Answer,
    AnswerEvent,
    Embedder,
    EvidenceFound,
    Form,
    LanguageModel,
    Reply,
    SearchResult,
)

NOT_ANSWERED = "The library does not answer this."
EVIDENCE_TOKENS = 3000


def answer_question(
    question: str,
    result: SearchResult,
    transcripts: Transcripts,
    embedder: Embedder,
    language_model: LanguageModel | None = None,
    settings: Settings | None = None,
    *,
    form: str = "",
    sight: Sight | None = None,
    verifier: Verifier | None = None,
    also: Sequence[str] = (),
) -> Answer:
    """Answer `question` from the moments of `result`, or abstain.

    With a language model in its words, in one call; without one in quoted statements. Every
    citation resolves to stored segments of `transcripts`. `confidence` in [0, 1] is how likely
    the quotes answer, or how well the citations carry the model's sentences; 0 when a model
    abstained. `took_ms` adds the stages "evidence", "answer" and "cite" to those of the search.
    `settings` say where prompts are overridden and how much the language model can read. `form`
    "" leaves the form to the question's wording. With a `sight`, a vision model writes the answer
    where there are pictures of what was seen. `verifier` judges what the model wrote, the first
    level of checking where None. Raises `UsageError` for an empty question and a form
    that is none, and what the language model raises. `also` are queries that lines are wanted
    for beside the question: what an earlier answer lacked.
    """
    given = (transcripts, embedder, language_model, settings, form, sight, verifier)
    task = _task(question, result, *given, also)
    *_, answer = _events(task, stream=False)
    assert isinstance(answer, Answer)
    return answer


def stream_answer(
    question: str,
    result: SearchResult,
    transcripts: Transcripts,
    embedder: Embedder,
    language_model: LanguageModel | None = None,
    settings: Settings | None = None,
    *,
    form: str = "",
    sight: Sight | None = None,
    verifier: Verifier | None = None,
) -> Iterator[AnswerEvent]:
    """As `answer_question`: the evidence found, each sentence once it was checked, the answer.

    A model that fails midway leaves what was settled, and the answer says why it is `incomplete`;
    one that fails before any sentence raises. Where a `verifier` judges, the reply is drawn whole,
    so that it is asked once.
    """
    given = (transcripts, embedder, language_model, settings, form, sight, verifier)
    return _events(_task(question, result, *given), stream=verifier is None)


# ---------------------------------------------------------------- what is to be done


@dataclass(frozen=True, slots=True)
class _Task:
    """One question with all that answers it; times in seconds of `time.perf_counter`."""

    question: str
    result: SearchResult
    transcripts: ReadOnce
    embedder: Embedder
    model: LanguageModel | None
    verifier: Verifier | None
    settings: Settings
    form: Form
    withheld: tuple[str, ...]  # what speaks to a model: none is shown it
    evidence: Sequence[Evidence]
    pictures: Sequence[Evidence]
    began: float
    gathered: float


def _task(
    question: str,
    result: SearchResult,
    transcripts: Transcripts,
    embedder: Embedder,
    model: LanguageModel | None,
    settings: Settings | None,
    form: str,
    sight: Sight | None,
    verifier: Verifier | None,
    also: Sequence[str] = (),
) -> _Task:
    if not question.strip():
        raise UsageError("the question is empty", 'footnote ask "What ...?"')
    began = time.perf_counter()
    settings, wanted = settings or Settings(), chosen_form(question, form)
    read, once = ReadOnce(transcripts), EmbedOnce(embedder)
    tokens = min(EVIDENCE_TOKENS, settings.context_window // 2)
    every = candidates(result.moments, read)
    found = unplanted(every, question) if model or sight else every
    spread = wanted in SPREAD
    listed = [
        select(one, found, result.moments, once, tokens, spread=spread)
        for one in dict.fromkeys((question, *also))
    ]
    evidence = numbered(shared(listed, tokens), read)
    pictures: Sequence[Evidence] = ()
    if sight is not None and (seen := sight.choose(evidence)):
        pictures, model = [item for item, _ in seen], sight.model([path for _, path in seen])
    gathered = time.perf_counter()
    return _Task(
        question,
        result,
        read,
        once,
        model,
        verifier,
        settings,
        wanted,
        tuple(c.statement.text for c in every if c not in found),
        evidence,
        pictures,
        began,
        gathered,
    )


# ---------------------------------------------------------------- answering


@dataclass(slots=True)
class _Tally:
    """What answering comes to while it goes on."""

    usage: dict[str, float] = field(
        default_factory=lambda: {
            "language_calls": 0, "prompt_tokens": 0, "completion_tokens": 0
        }
    )  # fmt: skip
    confidence: float = 0.0
    incomplete: str = ""

    def took(self, reply: Reply) -> None:
        self.usage |= usage_of(reply)


def _events(task: _Task, *, stream: bool) -> Iterator[AnswerEvent]:
    yield EvidenceFound(task.question, task.form, len(task.evidence), task.result.moments)
    tally, notes = _Tally(), Footnotes(task.transcripts)
    citing = 0.0
    for settled in _settled(task, tally, stream=stream):
        began = time.perf_counter()
        event = notes.add(settled)
        citing += time.perf_counter() - began
        if event is not None:
            yield event
    finished = time.perf_counter()
    took = {
        "evidence": 1000 * (task.gathered - task.began),
        "answer": 1000 * (finished - task.gathered - citing),
        "cite": 1000 * citing,
    }
    yield _answer(task, tally, notes, took)


def _answer(task: _Task, tally: _Tally, notes: Footnotes, took: Mapping[str, float]) -> Answer:
    sentences, result = tuple(notes.sentences), task.result
    differing = _contradictions(task, notes)  # which may add citations
    carried = any(WEIGHT[sentence.verdict] > 0 for sentence in sentences)
    total = {"total": result.took_ms.get("total", 0.0) + sum(took.values())}
    return Answer(
        question=task.question,
        answer=written(sentences, task.form) if carried else NOT_ANSWERED,
        abstained=not carried,
        confidence=tally.confidence,
        sentences=sentences,
        citations=notes.citations,
        moments=result.moments,
        usage={**tally.usage, **_made_from(task)},
        took_ms={**result.took_ms, **took, **total},
        form=task.form,
        nearby=() if carried else nearby(result.moments),
        contradictions=differing,
        incomplete=tally.incomplete,
    )


def _made_from(task: _Task) -> dict[str, float]:
    shown: dict[str, float] = {"evidence": len(task.evidence)}
    return {**shown, "withheld_lines": len(task.withheld)} if task.withheld else shown


def _contradictions(task: _Task, notes: Footnotes) -> tuple[tuple[int, int], ...]:
    """None in a timeline: it tells how things came to be different. What says otherwise and is
    not cited gets a citation that no sentence has."""
    if task.form == "timeline":
        return ()
    pairs = contradictions(notes.sentences, notes.citations, task.embedder)
    given = notes.sentences, notes.citations, task.evidence, task.embedder
    for cited, item in otherwise(*given, pairs):
        added = notes.beside(item)
        if added is not None:
            pairs += (later_first(cited, added),)
    return tuple(sorted(pairs))


def _settled(task: _Task, tally: _Tally, *, stream: bool) -> Iterator[Settled]:
    """The sentences that may be shown, in order; `tally` is complete when they are drawn."""
    if task.model is None:
        found = extract(task.question, task.evidence, task.embedder, task.result.moments)
        tally.confidence = found.confidence
        quotes = [Settled(as_quote(i), ((i, "supported"),), "supported") for i in found.quoted]
        yield from cited_tightly(quotes, task.evidence, task.embedder)
    elif task.evidence:
        yield from _written_by_model(task, task.model, tally, stream=stream)


def _written_by_model(
    task: _Task, model: LanguageModel, tally: _Tally, *, stream: bool
) -> Iterator[Settled]:
    usage = tally.usage
    usage |= {"invented_markers": 0, "dropped_sentences": 0}
    kept: dict[str, Settled] = {}
    carried = 0.0
    try:
        for part in _reply(task, model, tally, stream=stream):
            draft = read_reply(part, len(task.evidence))
            usage["invented_markers"] += draft.invented
            if draft.abstained and not kept:
                continue
            strike = task.settings.unsupported == "strike"
            shown, dropped = settle(
                draft,
                task.evidence,
                task.embedder,
                task.verifier,
                strike=strike,
                asked=task.question,
                withheld=task.withheld,
            )
            usage["dropped_sentences"] += dropped
            shown = cited_tightly(shown, task.evidence, task.embedder, task.verifier)
            if isinstance(task.verifier, Cascade):
                usage |= task.verifier.effort.usage()
            for sentence in shown:
                # What another part of a streamed reply says again was shown.
                if kept.setdefault(" ".join(words(sentence.text)), sentence) is sentence:
                    carried += WEIGHT[sentence.verdict]
                    tally.confidence = carried / _told(kept, usage)
                    yield sentence
    except ModelUnavailable as error:
        if not kept:
            raise
        tally.incomplete = error.message
    if kept:
        tally.confidence = carried / _told(kept, usage)


def _told(kept: Mapping[str, Settled], usage: Mapping[str, float]) -> float:
    """How many sentences the model wrote: a struck one is dropped and kept."""
    return sum(WEIGHT[s.verdict] > 0 for s in kept.values()) + usage["dropped_sentences"]


def _reply(task: _Task, model: LanguageModel, tally: _Tally, *, stream: bool) -> Iterator[str]:
    """The model's reply whole, or in parts of whole sentences."""
    prompt, system = request(
        task.question, task.evidence, task.form, task.settings.prompt_folders, task.pictures
    )
    if stream:
        pieces = model.stream(prompt, system=system)
        yield from finished_parts(drawn(pieces, f"{system} {prompt}", tally.took))
        return
    reply = model.complete(prompt, system=system)
    tally.took(reply)
    yield reply.text
