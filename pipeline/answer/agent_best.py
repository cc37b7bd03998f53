"""Which of an agent's answers stays, and the events that it is told with."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.answer.agent_rules import covered
from pipeline.answer.verify import WEIGHT
from pipeline.types import Answer, AnswerEvent, EvidenceFound, SentenceReady

# By how much an answer must be worth more than another, of 1. Over 110 questions about talks,
# without a model, what was worth less than that more was once a worse answer and never a better.
MARGIN = 0.05


def as_events(answer: Answer) -> Iterator[AnswerEvent]:
    """An answer that is there as the events of one that comes: see `types.AnswerEvent`."""
    statements = int(answer.usage.get("evidence", 0))
    yield EvidenceFound(answer.question, answer.form, statements, answer.moments)
    shown: set[int] = set()
    for sentence in answer.sentences:
        fresh = [c for c in answer.citations if c.marker in set(sentence.citations) - shown]
        shown |= set(sentence.citations)
        yield SentenceReady(sentence, tuple(fresh))
    yield answer


def better(
    question: str, made: Answer, before: Answer | None, *, lacking: bool = False, enough: float = 1
) -> bool:
    """Whether clearly more speaks for an answer: what it covers of the question, times its
    confidence. Where little separates them the earlier one stays: it has the evidence that the
    question itself found.

    Of an answer that a model found `lacking`, words and confidence tell less: who adds what was
    missing in words that cannot be checked is less sure of the whole. So a sound one is better too
    that covers more of the question, where its sentences are together carried no less, or that has
    more supported ones and a confidence of `enough`.
    """
    if before is None:
        return True
    if _is_sound(made) != _is_sound(before):
        # One of many tries is sure enough by chance, where the others nearly were.
        surer = made.confidence >= before.confidence + MARGIN
        return _is_sound(made) and (surer or not before.abstained)
    clearly = _worth(question, made) >= _worth(question, before) + MARGIN
    if not lacking or not _is_sound(made) or clearly:
        return clearly
    wider = covered(question, made) > covered(question, before)
    fuller = _supported(made) > _supported(before)
    return (wider and _carried(made) >= _carried(before)) or (fuller and made.confidence >= enough)


def _is_sound(answer: Answer) -> bool:
    """An answer at all, whole, and none that its footnotes contradict."""
    contradicted = any(sentence.verdict == "contradicted" for sentence in answer.sentences)
    return not (answer.abstained or answer.incomplete or contradicted)


def _supported(answer: Answer) -> int:
    return sum(sentence.verdict == "supported" for sentence in answer.sentences)


def _carried(answer: Answer) -> float:
    return sum(WEIGHT[sentence.verdict] for sentence in answer.sentences)


def _worth(question: str, answer: Answer) -> float:
    return answer.confidence * (1 + covered(question, answer)) / 2
