"""How good answers are: where they point, what they say, whether they know what they do not know.

The scoring convention. Every figure is of one question first and a mean over questions then, so
a long answer counts no more than a short one; a figure that a question does not have (the start
error of an answer that cites nothing right) is left out of that mean, and `n` says over how many
it goes.

Where it points, for questions with gold spans. Right is what `metrics.is_hit` calls a hit, so a
citation that lies within a gold span is right, and one that is far longer is not.

first_right         the first citation is right; 0 where the library was said not to answer
citation_precision  share of the citations that are right; of answers that cite
citation_recall     share of the gold spans that some citation touches, by a second or half of the
                    shorter; 0 without citations. Gold spans are often alternatives: one of two
                    that say the same is no fault of an answer
citation_iou        the best IoU of a citation with each gold span it touches, mean over these
start_error         seconds between the start of the first right citation and that of the nearest
                    gold span it hits: what a viewer waits or has missed; a median

What it says, for questions with a right answer; an abstention scores 0.

token_f1            F1 of the words of answer and gold (Rajpurkar et al. 2016, SQuAD, section 6.1):
                    lower case, without punctuation and articles; numbers by value, each once
token_recall        share of the gold's words that the answer has: quoted sentences say more than
                    was asked, which is no error
numbers, names      share of the gold's numbers, of its names, that the answer has
judged_right, judged_partly, judged_wrong
                    what a language model said of it (`answer_judge`), where it was asked

Its own account: shares of the sentences of an answer by verdict (`supported` ... `unchecked`). It
is what Footnote's verifier says, not what is true.

Knowing: an abstention is right where the question is not answerable. `abstention_precision`,
`_recall` and `_f1` are of all questions together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.numerals import numbers, numbers_within
from pipeline.answer.wording import fold, names, words
from pipeline.evaluate.metrics import (
    Estimate,
    Span,
    estimates,
    iou,
    is_hit,
    median_estimate,
    ratio_estimate,
)
from pipeline.evaluate.questions import Question
from pipeline.evaluate.results import Answered
from pipeline.types import Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
# A sentence of these is shown as one that does not hold: it is no part of what is asserted.
DENIED: frozenset[str] = frozenset({"unsupported", "contradicted"})
RULINGS = ("right", "partly", "wrong")
MEDIANS = frozenset({"start_error", "ask_ms"})
USAGE = ("language_calls", "prompt_tokens", "completion_tokens")
ABSTENTION = ("abstention_precision", "abstention_recall", "abstention_f1")

_TOUCH_SECONDS = 1.0
_ARTICLES = frozenset({"a", "an", "the"})
_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*(?:(?:st|nd|rd|th)\b)?")
_CAPITAL_START = re.compile(r"\s*([^\W\d_a-z]\w+)(?:\s+(\w)|\W*\Z)")


def score_answer(
    question: Question, answered: Answered, ruling: str | None = None
) -> dict[str, float]:
    """What one question has of the figures above, of `abstained`, of usage and `ask_ms`.

    `ruling` is the judge's, "" where it gave none, None where there is no judge. What nobody
    answered is wrong without asking it.
    """
    values = {"abstained": float(answered.abstained), "ask_ms": answered.ask_ms}
    values |= {name: float(answered.usage[name]) for name in USAGE if name in answered.usage}
    values |= _verdicts(answered)
    if question.gold:
        values |= _pointing(question.gold, answered.cited)
    if question.answer:
        values |= _saying(question.answer, asserted(answered), ruling)
    return values


def asserted(answered: Answered) -> str:
    """The answer without its markers and without the sentences that are shown as not holding."""
    return " ".join(text for text, verdict in answered.sentences if verdict not in DENIED)


def _verdicts(answered: Answered) -> dict[str, float]:
    count = len(answered.sentences)
    found = Counter(verdict for _, verdict in answered.sentences)
    return {verdict: found[verdict] / count for verdict in VERDICTS} if count else {}


# ---------------------------------------------------------------- where it points


def _pointing(gold: Sequence[Span], cited: Sequence[Span]) -> dict[str, float]:
    right = [any(is_hit(one, true) for true in gold) for one in cited]
    touched = [true for true in gold if any(touches(one, true) for one in cited)]
    values = {
        "first_right": float(bool(right) and right[0]),
        "citation_recall": len(touched) / len(gold),
    }
    if cited:
        values["citation_precision"] = sum(right) / len(right)
    if touched:
        best = [max(iou(one, true) for one in cited) for true in touched]
        values["citation_iou"] = sum(best) / len(best)
    if any(right):
        first = cited[right.index(True)]
        values["start_error"] = min(abs(first.start - t.start) for t in gold if is_hit(first, t))
    return values


def touches(one: Span, other: Span) -> bool:
    """Whether two spans share a second, or half of the shorter one where that is less."""
    both = min(one.end, other.end) - max(one.start, other.start)
    shorter = min(one.end - one.start, other.end - other.start)
    return one.video_id == other.video_id and both >= min(_TOUCH_SECONDS, shorter / 2)


# ---------------------------------------------------------------- what it says


def _saying(gold: str, said: str, ruling: str | None) -> dict[str, float]:
    values = dict(zip(("token_f1", "token_recall"), _overlap(gold, said), strict=True))
    if wanted := numbers(gold):
        values["numbers"] = len(wanted & numbers_within(said)) / len(wanted)
    if named := _names(gold):
        values["names"] = len(named & set(words(said))) / len(named)
    if ruling is not None and not said:
        ruling = "wrong"
    if ruling:
        values |= {f"judged_{one}": float(ruling == one) for one in RULINGS}
    return values


def _overlap(gold: str, said: str) -> tuple[float, float]:
    """F1 and recall of the tokens of `gold` in `said`."""
    wanted, found = tokens(gold), tokens(said)
    common = (wanted & found).total()
    if not common:
        return 0.0, 0.0
    precision, recall = common / found.total(), common / wanted.total()
    return 2 * precision * recall / (precision + recall), recall


def tokens(text: str) -> Counter[str]:
    """The normalised words of a text and the values of its numbers: `64 kilograms`, `sixty-four
    kilograms` are the same. Digits part from letters, words at hyphens."""
    plain = [word for word in words(_DIGITS.sub(" ", fold(text))) if not numbers_within(word)]
    kept = Counter(word for word in plain if word not in _ARTICLES)
    return kept + Counter(f"={value}" for value in numbers_within(text))


def _names(gold: str) -> frozenset[str]:
    """Folded names of a right answer. Its first word is one where the next is, or there is none:
    `Edwin Ashgrove.`, `Marigold.`, but not `Ferry repair.`"""
    found = names(gold)
    first = _CAPITAL_START.match(gold)
    if first and (first[2] is None or first[2].isupper()):
        found |= frozenset(words(first[1]))
    return found


# ---------------------------------------------------------------- all questions together


def estimate_all(
    questions: Sequence[Question], scores: Sequence[Mapping[str, float]]
) -> dict[str, tuple[Estimate, int]]:
    """Each figure with its interval and over how many questions it goes; those that none has are
    left out. `scores` are `score_answer`'s, in the order of `questions`."""
    by_name: dict[str, list[float]] = {}
    for row in scores:
        for name, value in row.items():
            by_name.setdefault(name, []).append(value)
    found = {name: (_estimate(name, np.array(v)), len(v)) for name, v in by_name.items()}
    return found | _abstentions(questions, np.array([row["abstained"] for row in scores]))


def _estimate(name: str, values: NDArray[np.float64]) -> Estimate:
    return median_estimate(values) if name in MEDIANS else estimates(values[:, None])[0]


def _abstentions(
    questions: Sequence[Question], abstained: NDArray[np.float64]
) -> dict[str, tuple[Estimate, int]]:
    unanswerable = np.array([not question.answerable for question in questions], np.float64)
    right = abstained * unanswerable
    ratios = (
        ratio_estimate(right, abstained),
        ratio_estimate(right, unanswerable),
        ratio_estimate(2 * right, abstained + unanswerable),
    )
    over = (int(abstained.sum()), int(unanswerable.sum()), len(questions))
    return {
        name: (ratio, count)
        for name, ratio, count in zip(ABSTENTION, ratios, over, strict=True)
        if ratio is not None
    }
