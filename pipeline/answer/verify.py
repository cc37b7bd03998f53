"""Whether the cited words carry a claim: verdicts, by a cascade that says when it cannot tell.

First, without a model beyond the embedder, what a claim states exactly (`checks`) and how it
aligns with the cited words (`support`). What is missing there is an alarm; what is there in nearly
the same words is supported; between the two lies paraphrase that only a reader can judge, and it is
called partly supported or, where a word of it might turn it round, unchecked. A second verifier
(`verify_model`) may judge it: a cross-encoder for natural language inference or the language model.

A verifier reads the claim and the cited words; it knows nothing of what is true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.answer.checks import Finding, findings
from pipeline.answer.evidence import Evidence, clock
from pipeline.answer.numerals import numbers, numbers_within
from pipeline.answer.support import Aligner, Support
from pipeline.answer.wording import foreign, words
from pipeline.types import Embedder, Verdict

# From which on the cited words are about the claim: 4.5 % of true paraphrases lie below, in videos
# that the coefficients were not fitted on.
ABOUT = 0.28
# Share of a claim's content words from which on it is supported, where nothing speaks against it.
# In the half to tune all 46 sentences with such a share are true, and 60 of 64 from 0.65 on.
SUPPORTED = 0.7

_ENOUGH = 8  # words from which it can be told whether they are English

# Who says it and where: that stands beside the cited words, not in them.
_ATTRIBUTION = re.compile(
    r"^(?:(?i:according to [^,]{1,60}, )"
    r"|(?:In|At|On) (?:the|an?|her|his|their) [^,]{0,40}"
    r"(?:talk|video|lecture|interview|episode|news|meeting|tour|film|podcast)[^,]{0,40}, "
    r"|(?:[A-Z][\w.'-]+ ){1,3}(?:says|said|explains|explained|notes|noted|adds|added|argues|argued"
    r"|reports|reported|mentions|mentioned|states|stated|points out)(?: that)? )"
)

# How a verdict counts in an answer's confidence.
WEIGHT: dict[Verdict, float] = {
    "supported": 1.0, "partly": 0.6, "unchecked": 0.4, "unsupported": 0.0, "contradicted": 0.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on one claim, how sure in [0, 1] that it is carried, and why where it is not.

    The first level can only say how sure it is that claim and cited words are about the same.
    """

    verdict: Verdict
    score: float
    reason: str = ""


Claim = tuple[str, Sequence[Evidence]]  # a sentence, and what it cites taken together


class Verifier(Protocol):
    """Claims and what they cite to verdicts."""

    name: str

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        """One judgement per claim, in order. Raises `ModelUnavailable`."""
        ...


class TextVerifier:
    """The first level: exact facts and alignment. A few milliseconds a claim.

    What `asked` names may be named again by who answers, though the cited words say "it".
    """

    name = "text"

    def __init__(self, embedder: Embedder, asked: str = "") -> None:
        self._aligner = Aligner(embedder)
        self._asked = asked

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        read = [self._read(claim, cited) for claim, cited in claims if cited]
        self._aligner.read([told for told, _ in read], [text for _, some in read for text in some])
        return [self._one(claim, cited) for claim, cited in claims]

    def about(self, claim: str, cited: Sequence[Evidence]) -> bool:
        """Whether the cited words speak of what the claim speaks of."""
        return self._support(claim, cited).about >= ABOUT

    def _support(self, claim: str, cited: Sequence[Evidence]) -> Support:
        told, texts = self._read(claim, cited)
        return self._aligner.support(told, texts, cited[0].statement.language or "en")

    @staticmethod
    def _read(claim: str, cited: Sequence[Evidence]) -> tuple[str, list[str]]:
        """What the claim says without who says it, and what it is compared with."""
        told = _ATTRIBUTION.sub("", claim) or claim
        texts = list(dict.fromkeys(item.statement.text for item in cited))
        speakers = dict.fromkeys(item.statement.speaker for item in cited)
        return told, texts + [who for who in speakers if set(words(who)) & set(words(told))]

    def _one(self, claim: str, cited: Sequence[Evidence]) -> Judgement:
        if not cited:
            return Judgement("unsupported", 0.0, "it cites nothing")
        support = self._support(claim, cited)
        texts = list(dict.fromkeys(item.statement.text for item in cited))
        found = findings(claim, "\n".join(texts), f"{beside(cited)} {self._asked}")
        elsewhere = _another_language(claim, cited)
        alarms = [finding for finding in found if finding.verdict != "unchecked"]
        if elsewhere:  # its nouns may have capitals, its months other names
            alarms = [finding for finding in alarms if finding.kind in ("number", "quote", "order")]
        if alarms:
            return _alarm(alarms, support)
        if support.about < ABOUT:
            if elsewhere:  # neither words nor a model of English can tell
                return Judgement("unchecked", support.about, "it is in another language")
            return Judgement("unsupported", support.about, "they are about something else")
        if support.opposed:
            return Judgement("contradicted", support.about, "they say the opposite")
        return _graded(support, found)


def _another_language(claim: str, cited: Sequence[Evidence]) -> bool:
    """Whether one of them is not English: lists on a screen have few small words in any case."""
    spoken = " ".join(i.statement.text for i in cited if i.statement.source != "screen")
    return any(len(text.split()) >= _ENOUGH and foreign(text) for text in (claim, spoken))


def _alarm(alarms: Sequence[Finding], support: Support) -> Judgement:
    reason = ", ".join(f"{finding.kind} {finding.said}" for finding in alarms)
    against = support.about >= ABOUT and any(a.verdict == "contradicted" for a in alarms)
    return Judgement(
        "contradicted" if against else "unsupported", 0.0, f"not in the cited words: {reason}"
    )


def _graded(support: Support, found: Sequence[Finding]) -> Judgement:
    if found:
        return Judgement("unchecked", support.about, f"{found[0].said} may have been worked out")
    if support.marked:
        return Judgement("unchecked", support.about, "in other words")
    if support.share >= SUPPORTED:
        return Judgement("supported", support.about)
    return Judgement("partly", support.about, "in other words")


def missing_numbers(claim: str, cited: Sequence[Evidence]) -> frozenset[str]:
    """Values that `claim` states and neither `cited` nor what is shown beside it does."""
    if not cited:
        return numbers(claim)
    known = " ".join(item.statement.text for item in cited)
    return numbers(claim) - numbers_within(f"{known} {beside(cited)}")


def beside(cited: Sequence[Evidence]) -> str:
    """What a reader sees beside the cited words: title, date, speaker, time."""
    return " ".join(
        " ".join(
            (item.video.title, item.video.date, item.statement.speaker, clock(item.statement.start))
        )
        for item in cited
    )
