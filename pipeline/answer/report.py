"""A report on a topic: an article over many videos, every sentence cited and checked.

Moments are gathered widely and divided into sections (`report_plan`). With a language model each
section is written in one call from its own evidence, and its sentences go through the same rule as
an answer's (`generate.settle`): what its citations do not carry is not in the report. Without one a
section is made of quoted statements, by date and time. A fact is told once; what videos say
differently is pointed out with their dates. The report carries the stored text around its
citations, so that it can be checked elsewhere (`recheck`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pipeline.answer.evidence import (
    Evidence,
    Transcripts,
    as_quote,
    numbered,
    render,
)
from pipeline.answer.generate import Settled, read_reply, settle
from pipeline.answer.once import EmbedOnce, ReadOnce
from pipeline.answer.report_article import Article, bundle, differing
from pipeline.answer.report_plan import (
    Passage,
    Planned,
    grouped,
    on_topic,
    passages,
    quotable,
    read_outline,
    render_passages,
    section_bounds,
    spread,
    titles,
)
from pipeline.answer.report_sentences import checked_later, standing
from pipeline.answer.selection import select
from pipeline.answer.statements import one_line
from pipeline.answer.tight import cited_tightly
from pipeline.answer.verify import TextVerifier, Verifier
from pipeline.errors import ModelUnavailable, UsageError
from pipeline.prompts import as_data, load_prompt
from pipeline.settings import Settings
from pipeline.types import (
    Embedder,
    LanguageModel,
    Report,
    SearchResult,
)

MODEL_SENTENCES = 9  # a section at most, with a language model
QUOTES = 6  # a section at most, without one
EVIDENCE_TOKENS = 4000  # of a section, and no more than half of what the model can read
QUOTE_TOKENS = 900
COLUMNS_PER_TOKEN = 3.0  # of the passages that a planner sees: titles are denser than talk


@dataclass(slots=True)
class _Tally:
    """What making a report comes to while it goes on."""

    calls: int
    usage: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def ask(self, model: LanguageModel, prompt: str, system: str) -> str:
        """The model's reply. Raises what it raises; `calls` are those that are left."""
        self.calls -= 1
        self.usage["language_calls"] += 1
        reply = model.complete(prompt, system=system)
        self.usage["prompt_tokens"] += reply.prompt_tokens
        self.usage["completion_tokens"] += reply.completion_tokens
        return reply.text


@dataclass(frozen=True, slots=True)
class _Task:
    """One topic with all that a report on it is made with."""

    topic: str
    transcripts: ReadOnce
    embedder: EmbedOnce
    model: LanguageModel | None
    settings: Settings
    found: Sequence[Passage]
    verifier: Verifier | None

    @property
    def tokens(self) -> int:
        return min(EVIDENCE_TOKENS, self.settings.context_window // 2)


def make_report(
    topic: str,
    result: SearchResult,
    transcripts: Transcripts,
    embedder: Embedder,
    language_model: LanguageModel | None = None,
    settings: Settings | None = None,
    verifier: Verifier | None = None,
) -> Report:
    """A report on `topic` from the moments of `result`; without sections where there is nothing.

    No more than `settings.report_moments` of them, of many videos where they are of many.
    With a language model it takes one call for the plan (two where the first cannot be used) and
    one for each section, `settings.report_calls` at most. Where it fails after a section was
    written, the report says so in `notes`; before that it raises `ModelUnavailable`. `took_ms`
    adds "plan", "write" and "bundle" to the stages of the search. Raises `UsageError` for an empty
    topic.
    """
    if not topic.strip():
        raise UsageError("the topic is empty", 'footnote report "what it should be about"')
    began = time.perf_counter()
    settings = settings or Settings()
    read, once, tally = ReadOnce(transcripts), EmbedOnce(embedder), _Tally(settings.report_calls)
    moments = spread(result.moments, settings.report_moments)
    found = passages(topic, moments, read, once, for_model=language_model is not None)
    found = found if language_model else on_topic(topic, found)
    task = _Task(topic, read, once, language_model, settings, found, verifier)
    plan = _plan(task, tally)
    planned = time.perf_counter()
    article = Article(read, once)
    for title, sentences in _sections(task, plan, tally):
        article.add(title, sentences)
    written = time.perf_counter()
    report = _report(task, tally, article)
    took = {"plan": planned - began, "write": written - planned}
    took["bundle"] = time.perf_counter() - written
    milliseconds = {name: 1000 * seconds for name, seconds in took.items()}
    total = result.took_ms.get("total", 0.0) + sum(milliseconds.values())
    return replace(report, took_ms={**result.took_ms, **milliseconds, "total": total})


def _report(task: _Task, tally: _Tally, article: Article) -> Report:
    citations = article.citations
    sentences = [s for section in article.sections for s in section.sentences]
    videos, texts = bundle(citations, task.transcripts)
    usage = {**tally.usage, "sentences": len(sentences), "passages": len(task.found)}
    return Report(
        topic=task.topic,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        sections=tuple(article.sections),
        citations=citations,
        contradictions=differing(task.topic, sentences, citations, task.embedder),
        videos=videos,
        evidence=texts,
        embedding=task.embedder.name,
        verifier=task.verifier.name if task.verifier else TextVerifier.name,
        usage={**usage, "repeated_sentences": article.repeated, "unresolved": article.unresolved},
        took_ms={},
        notes=tuple(tally.notes),
    )


# ---------------------------------------------------------------- the plan


def _plan(task: _Task, tally: _Tally) -> list[Planned]:
    model, most = task.model, task.settings.report_sections
    if not task.found:
        return []
    if model is None:
        return grouped(task.found, most, task.embedder)
    plan = _outline(task, model, tally)
    untitled = [place for place, planned in enumerate(plan) if not planned.title]
    groups = [[task.found[i] for i in planned.passages] for planned in plan]
    names = titles(groups, task.embedder) if untitled else []
    for place in untitled:
        plan[place] = replace(plan[place], title=names[place])
    if len(plan) > tally.calls:
        left = len(plan) - tally.calls
        tally.notes.append(f"{left} sections are left out: report_calls allows no more calls")
    return plan[: tally.calls]


def _outline(task: _Task, model: LanguageModel, tally: _Tally) -> list[Planned]:
    """The model's plan; by the text itself where it gave none that can be used, and said so."""
    allowed = min(task.settings.report_sections, max(1, tally.calls - 1))
    least, most = section_bounds(len(task.found), allowed)
    shown = render_passages(task.found, round(COLUMNS_PER_TOKEN * task.settings.context_window / 2))
    problem, plan = "", list[Planned]()
    for _ in range(2):
        prompt = load_prompt("report_outline", task.settings.prompt_folders).render(
            topic=as_data(task.topic), passages=shown, least=least, most=most, problem=problem
        )
        reply = tally.ask(model, prompt, _system(task))
        plan, fault = read_outline(reply, task.topic, task.found, least, most)
        if not fault:
            return plan
        problem = f"\nYour last reply could not be used: {fault}. Reply with the JSON alone."
        if tally.calls <= most:  # a second plan would cost a section
            break
    if plan:
        tally.notes.append(f"the plan is not as it was asked for: {fault}")
        return plan
    tally.notes.append(f"the language model's plan could not be used ({fault}): sections by text")
    return grouped(on_topic(task.topic, task.found), most, task.embedder)


def _system(task: _Task) -> str:
    return load_prompt("answer_system", task.settings.prompt_folders).render()


# ---------------------------------------------------------------- the sections


def _sections(
    task: _Task, plan: Sequence[Planned], tally: _Tally
) -> Iterator[tuple[str, Sequence[Settled]]]:
    """(title, sentences that may be shown) of each section, in order."""
    done = 0
    for planned in plan:
        if task.model is None:
            yield planned.title, _quoted(task, planned)
            continue
        try:
            sentences = _written(task, task.model, planned, plan, tally)
        except ModelUnavailable as error:
            if not done:
                raise
            tally.notes.append(f"the report breaks off after {done} sections: {error.message}")
            return
        done += 1
        if not sentences:
            tally.notes.append(f"nothing that holds was written on {planned.title!r}")
        yield planned.title, sentences


def _evidence(task: _Task, planned: Planned, tokens: int) -> list[Evidence]:
    """What a section is written from: the statements of its passages that add most."""
    own = [task.found[place] for place in planned.passages]
    order = {id(passage): place for place, passage in enumerate(own)}
    listed = [
        replace(candidate, rank=order[id(passage)])
        for passage in own
        for candidate in passage.statements
    ]
    moments = [passage.moment for passage in own]
    wanted = f"{task.topic}: {planned.title}"
    chosen = select(wanted, listed, moments, task.embedder, tokens, spread=True)
    return numbered(chosen, task.transcripts)


def _written(
    task: _Task, model: LanguageModel, planned: Planned, plan: Sequence[Planned], tally: _Tally
) -> list[Settled]:
    evidence = _evidence(task, planned, task.tokens)
    others = [f'"{as_data(other.title)}"' for other in plan if other is not planned]
    prompt = load_prompt("report_section", task.settings.prompt_folders).render(
        topic=as_data(task.topic),
        title=as_data(planned.title),
        others=", ".join(others) or "none",
        evidence=render(evidence),
        count=MODEL_SENTENCES,
    )
    draft = read_reply(tally.ask(model, prompt, _system(task)), len(evidence))
    tally.usage["written_sentences"] += len(draft.claims)
    tally.usage["invented_markers"] += draft.invented
    if draft.abstained:
        tally.usage["dropped_sentences"] += len(draft.claims)
        return []
    shown, _ = settle(draft, evidence, task.embedder, task.verifier)
    # A model that judges is not asked a second time about the same.
    text = None if task.verifier else TextVerifier(task.embedder)
    checked = checked_later(shown, draft, evidence, text) if text else shown
    kept = standing(checked, draft)
    tally.usage["dropped_sentences"] += len(draft.claims) - len(kept)
    tally.usage["leaning_sentences"] += len(checked) - len(kept)
    return cited_tightly(kept, evidence, task.embedder, task.verifier)


def _quoted(task: _Task, planned: Planned) -> list[Settled]:
    """Statements that make sense alone, nearest to topic and title, by date and time."""
    evidence = [e for e in _evidence(task, planned, QUOTE_TOKENS) if not e.statement.doubtful]
    good = [e for e in evidence if quotable(e.statement)] or evidence[:1]
    if not good:
        return []
    asked = f"{task.topic}: {planned.title}"
    vectors = task.embedder.embed([asked, *(one_line(e.statement.text) for e in good)])
    near = vectors[1:] @ vectors[0]
    best = sorted(range(len(good)), key=lambda i: (-float(near[i]), i))[:QUOTES]
    chosen = sorted((good[i] for i in best), key=_when)
    quotes = [Settled(as_quote(item), ((item, "supported"),), "supported") for item in chosen]
    return cited_tightly(quotes, evidence, task.embedder)


def _when(item: Evidence) -> tuple[str, str, float]:
    return item.video.date[:10] or "9999", item.video.video_id, item.statement.start
