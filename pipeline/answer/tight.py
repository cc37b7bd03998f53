"""The citations of a sentence that may be shown: as few words as carry it, in as many videos.

A model cites a statement, which may be long, for one clause of it: `narrowed` cuts the citation to
that clause. And what one video says, another may say as well: `seconded` adds such a statement as
a further footnote. Both keep what was checked: a clause must be supported by itself, nothing that
is cut off may turn what is kept, and a further statement must be found to support the sentence by
whoever judges the answer, not merely be like it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.evidence import Evidence, as_lines, as_quote
from pipeline.answer.generate import Settled
from pipeline.answer.numerals import numbers_within
from pipeline.answer.statements import Statement, cut, one_line, width
from pipeline.answer.verify import WEIGHT, Claim, TextVerifier, Verifier
from pipeline.answer.wording import content_stems, negations, words
from pipeline.types import Embedder, Verdict

MOST_CITATIONS = 3  # of a sentence, with those that are added
APART = 30.0  # seconds from which on a video says something another time
# Of the statements of the evidence, those that a sentence is compared with: so many of the nearest.
NEAREST = 4
LEAST_COSINE = 0.5
# What says the same, where no model judges that: the first level was calibrated on what was cited
# for a claim, and of 55 statements that are merely near to a quotation and "supported" it, 8 said
# the same. So it must also have so many of the claim's words, and there must be that many of them.
SAME_SHARE, LEAST_STEMS = 0.65, 4

LONG = 90  # columns from which a statement is cut
LEAST_CUT, LEAST_LEFT = 30, 30  # columns that a cut must save, and leave
# What a clause that is cut off may not have: words that turn, bound or doubt what others say.
_TURNING = re.compile(
    r"\b(?:if|unless|until|except|only|but|however|although|though|not|no|never|nor|neither|none"
    r"|nobody|nothing|would|could|may|might|must|should|can|will|maybe|perhaps|probably|possibly|"
    r"almost|supposed|claims?|claimed|says?|said|thinks?|thought|believes?|wrong|false|myth|used to"
    r"|instead|rather|than|when|where|while|wait|sorry|actually|mean|question|asks?|asked)\b"
    r"|n['’]t\b|\?",  # noqa: RUF001
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[.!?…,;:–—](?=\s)\s+|[。！？、；]|\s+(?=(?:and|because|so|or)\s)",  # noqa: RUF001
    re.IGNORECASE,
)
# Nor may a clause lean on what is cut off before it, or lead over to what is cut off after it.
_LEANS = re.compile(
    r"(?:(?:and|because|so|or|then|well|also)\b[ ,]*)*"
    r"(?:it|it's|this|that|that's|these|those|they|he|she|him|her|them|there|its|their|his|which"
    r"|who|whose)\b",
    re.IGNORECASE,
)
_LEADS_OVER = re.compile(r"\b(?:and|but|because|so|or|that|as|like)\W*$", re.IGNORECASE)


def cited_tightly(
    sentences: Sequence[Settled],
    evidence: Sequence[Evidence],
    embedder: Embedder,
    verifier: Verifier | None = None,
) -> list[Settled]:
    """The sentences, each with its citations narrowed and seconded.

    `verifier` (the first level where None) is asked once about all that second a sentence, and not
    where the first level finds none. Cost: embeddings of sentences, clauses and their tokens.
    """
    text = TextVerifier(embedder)
    more = _seconding(sentences, evidence, embedder, text, verifier)
    return [
        narrowed(replace(sentence, cited=(*sentence.cited, *further)), text, lift=verifier is None)
        for sentence, further in zip(sentences, more, strict=True)
    ]


# ---------------------------------------------------------------- the words that carry it


def narrowed(sentence: Settled, text: TextVerifier, *, lift: bool) -> Settled:
    """Each citation cut to the clauses that carry the sentence, where they do so by themselves.

    A quotation stays as it is, and so does whatever together with the others carried more. What
    is clearer without the words around it has the better verdict then, with `lift`.
    """
    items = [item for item, _ in sentence.cited]
    if not WEIGHT[sentence.verdict] or sentence.text in map(as_quote, items):
        return sentence
    cut_down = [_carrying(sentence.text, item, text) for item in items]
    if cut_down == items:
        return sentence
    before, after = text.judge([(sentence.text, items), (sentence.text, cut_down)])
    if WEIGHT[after.verdict] < WEIGHT[before.verdict]:
        return sentence
    verdicts = [verdict for _, verdict in sentence.cited]
    whole = sentence.verdict
    if lift and WEIGHT[after.verdict] > WEIGHT[whole]:
        whole = after.verdict
        changed = (one is not other for one, other in zip(items, cut_down, strict=True))
        verdicts = ["supported" if c else v for c, v in zip(changed, verdicts, strict=True)]
    return replace(sentence, cited=tuple(zip(cut_down, verdicts, strict=True)), verdict=whole)


def _carrying(claim: str, item: Evidence, text: TextVerifier) -> Evidence:
    """The item with the shortest run of its clauses that carries the claim, else as it is."""
    statement = item.statement
    if statement.source == "screen" or width(statement.text) < LONG:
        return item  # a line of a slide needs the lines around it
    wanted = _shared(claim, statement.text, statement.language)
    for begin, stop in _runs(statement.text):
        kept = statement.text[begin:stop]
        rest = statement.text[:begin], statement.text[stop:]
        if _TURNING.search(" ".join(rest)) or _shared(claim, kept) < wanted:
            continue
        if (rest[0] and _LEANS.match(kept)) or (rest[1] and _LEADS_OVER.search(kept)):
            continue
        clause = _cut(statement, begin, stop)
        if clause is None:
            continue
        shorter = replace(item, statement=clause)
        if text.judge([(claim, [shorter])])[0].verdict == "supported":
            return shorter
    return item


def _shared(claim: str, text: str, language: str = "") -> frozenset[str]:
    """What of the claim's words and numbers `text` has, and whether it denies."""
    stems = frozenset(content_stems(claim, language or "en"))
    found = stems & frozenset(content_stems(text, language or "en"))
    found |= {f"={value}" for value in numbers_within(claim) & numbers_within(text)}
    return found | {"not"} if negations(text) else found


def _runs(text: str) -> list[tuple[int, int]]:
    """Runs of clauses that are worth a cut, the shortest first; without the blanks around them."""
    places = [0, *(match.end() for match in _CLAUSE.finditer(text)), len(text)]
    spans = [(a, b) for a, b in pairwise(dict.fromkeys(places)) if text[a:b].strip()]
    runs = [
        (first[0], first[0] + len(text[first[0] : last[1]].rstrip()))
        for at, first in enumerate(spans)
        for last in spans[at:]
    ]
    most = width(text) - LEAST_CUT
    worth = [(a, b) for a, b in runs if LEAST_LEFT <= width(text[a:b]) <= most]
    return sorted(worth, key=lambda run: (run[1] - run[0], run[0]))


def _cut(statement: Statement, begin: int, stop: int) -> Statement | None:
    """Characters [begin, stop) of a statement's text as a statement of its own."""
    at = statement.offset
    return cut(statement.video_id, statement.segments, at + begin, at + stop)


# ---------------------------------------------------------------- who else says it


def _seconding(
    sentences: Sequence[Settled],
    evidence: Sequence[Evidence],
    embedder: Embedder,
    text: TextVerifier,
    verifier: Verifier | None,
) -> list[list[tuple[Evidence, Verdict]]]:
    """For each sentence the statements to be added to its citations, the nearest first."""
    if not sentences or not evidence:
        return [[] for _ in sentences]
    claims = [_claim(sentence) for sentence in sentences]
    vectors = embedder.embed([*claims, *(one_line(item.statement.text) for item in evidence)])
    cosines = vectors[: len(claims)] @ vectors[len(claims) :].T
    found = [list[Evidence]() for _ in sentences]
    for at, sentence in enumerate(sentences):
        room = MOST_CITATIONS - len(sentence.cited)
        if sentence.verdict == "supported" and room > 0:
            near = _elsewhere(sentence, evidence, cosines[at])
            says = _may_say if verifier is not None else _says
            found[at] = [item for item in near if says(claims[at], item, text)][:room]
    if verifier is not None:
        pairs: list[Claim] = [
            (claim, [item]) for claim, items in zip(claims, found, strict=True) for item in items
        ]
        judged = iter(verifier.judge(pairs) if pairs else [])
        found = [[i for i in items if next(judged).verdict == "supported"] for items in found]
    return [
        [(item, "supported") for item in items]
        if items and _still_carried(sentence, claim, items, text)
        else []
        for sentence, claim, items in zip(sentences, claims, found, strict=True)
    ]


def _claim(sentence: Settled) -> str:
    """What it says; of a quotation the words themselves, which nobody else says to the letter."""
    quotes = (i.statement.text for i, _ in sentence.cited if as_quote(i) == sentence.text)
    return next((as_lines(quote) for quote in quotes), sentence.text)


def _elsewhere(
    sentence: Settled, evidence: Sequence[Evidence], cosine: NDArray[np.float32]
) -> list[Evidence]:
    """The nearest statements of other videos and other times; neither copies nor questions."""
    there = [item for item, _ in sentence.cited]
    found: list[Evidence] = []
    for at in np.argsort(-cosine, kind="stable"):
        if cosine[at] < LEAST_COSINE or len(found) == NEAREST:
            break
        item = evidence[int(at)]
        if item.statement.doubtful or item.statement.text.rstrip().endswith("?"):
            continue
        if not any(_is_there(item, other) or _is_copy(item, other) for other in there):
            found.append(item)
            there.append(item)
    return found


def _is_there(item: Evidence, other: Evidence) -> bool:
    """Whether both are the same moment of a video: a slide often says what is said beside it."""
    one, two = item.statement, other.statement
    apart = max(one.start - two.end, two.start - one.end)
    return one.video_id == two.video_id and apart < APART


def _is_copy(item: Evidence, other: Evidence) -> bool:
    """Word for word the same is the same recording again, or a refrain: it seconds nothing."""
    return words(item.statement.text) == words(other.statement.text)


def _may_say(claim: str, item: Evidence, text: TextVerifier) -> bool:
    return WEIGHT[text.judge([(claim, [item])])[0].verdict] > 0


def _says(claim: str, item: Evidence, text: TextVerifier) -> bool:
    """Whether it says the same, as far as words show: the same numbers, as often "not"."""
    said = item.statement.text
    wanted = set(content_stems(claim, item.statement.language or "en"))
    share = len(_shared(claim, said, item.statement.language) & wanted) / max(1, len(wanted))
    if len(wanted) < LEAST_STEMS or share < SAME_SHARE or claim.rstrip(" ”").endswith("?"):
        return False
    values = numbers_within(claim)
    if (values and numbers_within(said) != values) or negations(claim) != negations(said):
        return False
    return text.judge([(claim, [item])])[0].verdict == "supported"


def _still_carried(
    sentence: Settled, claim: str, more: Sequence[Evidence], text: TextVerifier
) -> bool:
    """Whether all its citations together carry it as those that it has do."""
    cited = [item for item, _ in sentence.cited]
    before, after = text.judge([(claim, cited), (claim, [*cited, *more])])
    return WEIGHT[after.verdict] >= WEIGHT[before.verdict]
