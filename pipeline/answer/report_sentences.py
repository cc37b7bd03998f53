"""Which of a model's sentences stand in a section of a report, and with what citations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pipeline.answer.evidence import Evidence
from pipeline.answer.generate import Draft, Settled
from pipeline.answer.recheck import judged
from pipeline.answer.verify import WEIGHT, Verifier
from pipeline.types import Verdict

_LEANS = re.compile(
    r"(?:(?:but|and|so|also|however|then|therefore|similarly)\b[ ,]*)*"
    r"(?:he|she|they|it|this|that|these|those|his|her|their|its|another|the other|the latter)\b",
    re.IGNORECASE,
)


def checked_later(
    shown: Sequence[Settled], draft: Draft, evidence: Sequence[Evidence], verifier: Verifier
) -> list[Settled]:
    """The sentences with the verdict that a check of the report finds, by their shown citations.

    Where those that `settle` kept carry less than all that the model cited, all are shown.
    """
    numbers = {claim.text: claim.numbers for claim in draft.claims}
    verdicts = judged([(s.text, [item for item, _ in s.cited]) for s in shown], verifier)
    less = [WEIGHT[now] < WEIGHT[s.verdict] for s, now in zip(shown, verdicts, strict=True)]
    whole = [
        _with_all(s, [evidence[n - 1] for n in numbers.get(s.text, ())]) if weaker else s
        for s, weaker in zip(shown, less, strict=True)
    ]
    anew = [s for s, weaker in zip(whole, less, strict=True) if weaker]
    again = iter(judged([(s.text, [item for item, _ in s.cited]) for s in anew], verifier))
    now = [next(again) if weaker else v for v, weaker in zip(verdicts, less, strict=True)]
    return [_judged(s, v) for s, v in zip(whole, now, strict=True) if WEIGHT[v] > 0]


def _judged(settled: Settled, verdict: Verdict) -> Settled:
    """With a verdict, which its only citation has too, and no part of it carries more."""
    alone = len(settled.cited) == 1

    def of(own: Verdict) -> Verdict:
        return min(own, verdict, key=lambda v: WEIGHT[v]) if alone or own == "partly" else own

    cited = tuple((item, of(own)) for item, own in settled.cited)
    return replace(settled, cited=cited, verdict=verdict)


def _with_all(settled: Settled, cited: Sequence[Evidence]) -> Settled:
    known = {item.number for item, _ in settled.cited}
    more: list[tuple[Evidence, Verdict]] = [(e, "partly") for e in cited if e.number not in known]
    return replace(settled, cited=(*settled.cited, *more))


def standing(kept: Sequence[Settled], draft: Draft) -> list[Settled]:
    """The sentences without those that lean on one that was left out: nobody knows who "he" is."""
    by_text = {sentence.text: sentence for sentence in kept}
    standing: list[Settled] = []
    before = False  # whether the sentence before is there
    for claim in draft.claims:
        sentence = by_text.get(claim.text)
        before = sentence is not None and (before or not _LEANS.match(claim.text))
        if before and sentence is not None:
            standing.append(sentence)
    return standing
