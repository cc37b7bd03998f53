"""Whether the cited words carry a claim: a first, cautious reading without a language model.

It looks at what an embedding does not see (numbers, names, negation) and at how much of the
claim's wording and meaning the citation has. Paraphrase beyond that is beyond it: where it is
not sure it says "unchecked". It reads the claim and the quoted words; it knows nothing of what
is true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.answer.evidence import Evidence, clock
from pipeline.answer.numerals import numbers, numbers_within
from pipeline.answer.wording import content_stems, foreign, names, negations, stem, words
from pipeline.types import Verdict

# Share of the claim's content words, and cosine, from which on a claim counts as carried.
SUPPORTED_SHARE, SUPPORTED_COSINE = 0.75, 0.5
PARTLY_SHARE, PARTLY_COSINE = 0.5, 0.65
# Below both the citation is about something else.
UNRELATED_SHARE, UNRELATED_COSINE = 0.2, 0.25
# A contradiction is only clear between two short statements that say the same otherwise.
SAME_SHARE = 0.75

# Share of the claim's words from which on a clause of the citation speaks of the same.
SAME_CLAUSE = 0.3

# How a verdict counts in an answer's confidence.
WEIGHT: dict[Verdict, float] = {
    "supported": 1.0, "partly": 0.6, "unchecked": 0.4, "unsupported": 0.0, "contradicted": 0.0,
}  # fmt: skip

_CLAUSE = re.compile(r"[,;:.!?–—]\s|\s(?:because|but|although|which|while|whereas)\s")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class _Cited:
    """Cited words, and what the reader sees beside them: title, date, speaker, time."""

    text: str
    beside: str
    language: str


def judge(claim: str, cited: Sequence[Evidence], cosine: float) -> Verdict:
    """Whether `cited`, taken together, carry `claim`; `cosine` is the best of claim and each."""
    if not cited:
        return "unsupported"
    seen = _seen(cited)
    share = _share(claim, f"{seen.text} {seen.beside}", seen.language)
    back = _share(seen.text, claim, seen.language)
    alike = min(share, back) >= SAME_SHARE
    if _missing_numbers(claim, seen):
        return "contradicted" if alike and numbers(seen.text) else "unsupported"
    denials, denied = negations(claim), _denials_of(claim, seen)
    if alike and denials % 2 != denied % 2:
        return "contradicted" if denials + denied == 1 else "unchecked"
    if share < UNRELATED_SHARE and cosine < UNRELATED_COSINE:
        # Across languages neither words nor a model of English can tell.
        return "unchecked" if foreign(claim) or foreign(seen.text) else "unsupported"
    if share >= SUPPORTED_SHARE and cosine >= SUPPORTED_COSINE:
        verdict: Verdict = "partly" if _other_names(claim, seen) else "supported"
        return verdict if denials % 2 == denied % 2 else "unchecked"
    if share >= PARTLY_SHARE or cosine >= PARTLY_COSINE:
        return "partly" if bool(denials) == bool(denied) else "unchecked"
    return "unchecked"


def missing_numbers(claim: str, cited: Sequence[Evidence]) -> frozenset[str]:
    """Values that `claim` states and neither `cited` nor what is shown beside it does."""
    return _missing_numbers(claim, _seen(cited)) if cited else numbers(claim)


def _seen(cited: Sequence[Evidence]) -> _Cited:
    return _Cited(
        " ".join(item.statement.text for item in cited),
        " ".join(_beside(item) for item in cited),
        cited[0].statement.language or "en",
    )


def _beside(item: Evidence) -> str:
    statement = item.statement
    return " ".join((item.video.title, item.video.date, statement.speaker, clock(statement.start)))


def _share(claim: str, text: str, language: str) -> float:
    """Share of the claim's distinct content words that `text` has; numbers are not counted."""
    wanted = _spoken(claim, language)
    return len(wanted & _spoken(text, language)) / max(1, len(wanted))


def _spoken(text: str, language: str) -> set[str]:
    return set(content_stems(" ".join(w for w in words(text) if not numbers(w)), language))


def _missing_numbers(claim: str, seen: _Cited) -> frozenset[str]:
    return numbers(claim) - numbers_within(f"{seen.text} {seen.beside}")


def _other_names(claim: str, seen: _Cited) -> bool:
    language = seen.language
    known = {stem(word, language) for word in words(f"{seen.text} {seen.beside}")}
    return any(stem(name, language) not in known for name in names(claim))


def _denials_of(claim: str, seen: _Cited) -> int:
    """Negations in those clauses of the cited words that speak of what the claim speaks of."""
    wanted = _spoken(claim, seen.language)
    return sum(
        negations(clause)
        for clause in _CLAUSE.split(seen.text)
        if len(wanted & _spoken(clause, seen.language)) >= SAME_CLAUSE * len(wanted)
    )
