"""An answer in a language model's words: what its reply may become; `asking` has the prompt.

The reply is read into sentences with the evidence numbers it cites. Numbers that are not in the
evidence are removed. What happens to a sentence then is one rule (`settle`, DESIGN 6, invariant
10): it is shown when its citations carry it or could (supported, partly, unchecked); a citation
that is about something else is taken off it; and when none is left, or none was given, it is
cited to the statement that supports it, or dropped when there is none. What `walls` keeps out is
carried by no citation, whatever a verifier says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.evidence import Evidence, as_shown
from pipeline.answer.statements import one_line
from pipeline.answer.verify import WEIGHT, TextVerifier, Verifier, missing_numbers
from pipeline.answer.walls import echoes, kept_out, without_markup
from pipeline.answer.wording import date_numbers, names, words
from pipeline.ingest.sentences import sentences
from pipeline.models.replies import without_thoughts
from pipeline.types import Embedder, Verdict

# What the prompt asks for when the evidence does not answer.
NO_ANSWER = "NOT_IN_LIBRARY"
_SEVERAL = 3  # videos that name what all of them are about
_NEAREST = 5  # statements that a sentence without support is compared with
MAX_RANGE = 10  # "[1-30]" cites nothing: a longer range is no citation
MOST_CITED = 5  # lines that one sentence is checked with

_NUMBER = r"\^?\d{1,4}"
_JOIN = r"\s*(?:,|;|-|–|—|and|&)\s*"  # noqa: RUF001
MARKER = re.compile(rf"[ \t]*[\[【]\s*{_NUMBER}(?:{_JOIN}{_NUMBER})*\s*[\]】]")
_RANGE = re.compile(r"(\d+)\s*[-–—]\s*\^?(\d+)|(\d+)")  # noqa: RUF001
_ITEM = re.compile(r"^[ \t]*(?:[-*+•]|\d{1,2}[.)]|#{1,6}|>)[ \t]+", re.MULTILINE)
_EMPHASIS = re.compile(r"(\*\*|__|~~|`)(?=\S)(.+?)(?<=\S)\1")
_FENCE_LINE = re.compile(r"^\s*```.*$", re.MULTILINE)

_REMARK = re.compile(
    r"\b(?:evidence|excerpts?|context|library|transcripts?|passages?|videos?)"
    r"(?: \w+){0,3} (?:do|does|did)(?: not|n['’]t)(?: \w+)? "  # noqa: RUF001
    r"(?:mention|contain|say|state|answer|provide|specify|include|discuss|address|explain)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of a reply and the evidence numbers it cites, ascending."""

    text: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply read: `invented` counts markers that are not in the evidence."""

    claims: tuple[Claim, ...]
    abstained: bool
    invented: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A sentence as it may be shown, with the verdict of each of its citations."""

    text: str
    cited: tuple[tuple[Evidence, Verdict], ...]
    verdict: Verdict


# ---------------------------------------------------------------- reading the reply


def read_reply(reply: str, count: int) -> Draft:
    """The sentences of a reply over `count` numbered statements.

    Thinking is removed, Markdown flattened, a repeated sentence kept once. `[1]`, `[1, 2]`,
    `[1][2]`, `[1-3]` are citations, before or after the full stop.
    """
    text = _FENCE_LINE.sub("", without_markup(without_thoughts(reply))).replace("\r\n", "\n")
    claims: dict[str, Claim] = {}
    invented, refused = 0, False
    for block in _blocks(text):
        for sentence, cited in _cited_sentences(block):
            if _refuses(sentence):
                refused = True
                continue
            known = {n for n in cited if 1 <= n <= count}
            invented += len(cited - known)
            key = " ".join(words(sentence))
            if any(c.isalnum() for c in sentence):
                earlier = claims.get(key, Claim(sentence, ())).numbers
                merged = tuple(sorted(known.union(earlier)))
                claims[key] = Claim(claims[key].text if key in claims else sentence, merged)
    found = tuple(claims.values())
    return Draft(found, refused and not any(c.numbers for c in found), invented)


def _refuses(sentence: str) -> bool:
    """The agreed word, or a remark about the evidence as a whole, which no citation can carry."""
    agreed = NO_ANSWER.replace("_", "") in re.sub(r"[^A-Z]", "", sentence)
    return agreed or bool(_REMARK.search(sentence))


def _blocks(text: str) -> list[str]:
    """Paragraphs and list items, each flattened to one line without Markdown."""
    parts = re.split(r"\n\s*\n|\n(?=[ \t]*(?:[-*+•]|\d{1,2}[.)]|#{1,6}|>)[ \t])", text)
    return [one_line(_EMPHASIS.sub(r"\2", _ITEM.sub("", part))) for part in parts if part.strip()]


def _cited_sentences(block: str) -> list[tuple[str, set[int]]]:
    """(sentence, numbers): a marker belongs to the sentence that ends at or holds it."""
    plain, markers = _without_markers(block)
    spans = sentences(plain)
    cited: list[set[int]] = [set() for _ in spans]
    for place, found in markers:
        owner = max((i for i, (begin, _) in enumerate(spans) if begin < place), default=0)
        if spans:
            cited[owner] |= found
    return [(_tidy(plain[b:e]), numbers) for (b, e), numbers in zip(spans, cited, strict=True)]


def _without_markers(block: str) -> tuple[str, list[tuple[int, set[int]]]]:
    """The block without its markers, and (place in that text, numbers) of each."""
    pieces: list[str] = []
    markers: list[tuple[int, set[int]]] = []
    length = last = 0
    for match in MARKER.finditer(block):
        pieces.append(block[last : match.start()])
        length += len(pieces[-1])
        markers.append((length, _numbers(match.group())))
        if block[match.end() : match.end() + 1].isalnum():
            pieces.append(" ")
            length += 1
        last = match.end()
    return "".join([*pieces, block[last:]]), markers


def _numbers(marker: str) -> set[int]:
    found: set[int] = set()
    for first, last, single in _RANGE.findall(marker):
        low, high = (int(single), int(single)) if single else (int(first), int(last))
        found |= set(range(low, high + 1)) if high - low <= MAX_RANGE else {0}
    return found


def _tidy(sentence: str) -> str:
    """No brackets that would read as a marker, no hole where one was."""
    plain = re.sub(r"\(\s*\)|\[\s*\]", "", sentence)
    return re.sub(r"\s+([.,;:!?])", r"\1", as_shown(plain))


# ---------------------------------------------------------------- what may be shown


def settle(
    draft: Draft,
    evidence: Sequence[Evidence],
    embedder: Embedder,
    verifier: Verifier | None = None,
    *,
    strike: bool = False,
    asked: str = "",
    withheld: Sequence[str] = (),
) -> tuple[list[Settled], int]:
    """The sentences that may be shown, in order, and how many were dropped.

    `verifier` (the first level where None) judges each sentence with all it cites, all sentences
    in one call, and those cited anew in another. `strike` keeps a sentence that nothing carries,
    with its verdict and what it cites, to be shown as such, but for what `echoes` an order in the
    evidence or in lines `withheld` from the model. `asked` is the question.
    """
    if not draft.claims or not evidence:
        return [], len(draft.claims)
    text = TextVerifier(embedder, f"{asked} {_topic(evidence)}")
    texts = [claim.text for claim in draft.claims]
    vectors = embedder.embed([*texts, *(one_line(e.statement.text) for e in evidence)])
    cosine = vectors[: len(texts)] @ vectors[len(texts) :].T
    cited = [
        _dated(claim.text, _nearest(claim, evidence, row), evidence)
        for claim, row in zip(draft.claims, cosine, strict=True)
    ]
    settled = _settled(draft.claims, cited, text, verifier or text, evidence)
    mended = {
        at: _find_support(claim, evidence, cosine[at], text)
        for at, claim in enumerate(draft.claims)
        if settled[at] is None
    }
    anew = [at for at, found in mended.items() if found]
    again = [draft.claims[at] for at in anew]
    kept = _settled(again, [mended[at] for at in anew], text, verifier, evidence)
    for at, sentence in zip(anew, kept, strict=True):
        settled[at] = sentence
    dropped = sum(sentence is None for sentence in settled)
    if strike:
        lines = [*withheld, *(item.statement.text for item in evidence)]
        settled = [
            sentence or (None if echoes(claim.text, lines, asked) else _struck(claim, some))
            for sentence, claim, some in zip(settled, draft.claims, cited, strict=True)
        ]
    return [sentence for sentence in settled if sentence is not None], dropped


def _topic(evidence: Sequence[Evidence]) -> str:
    """Names that several videos speak of: nobody says each time that it is about Bitcoin."""
    videos: dict[str, set[str]] = {}
    for item in evidence:
        for name in names(item.statement.text):
            videos.setdefault(name, set()).add(item.video.video_id)
    return " ".join(sorted(name for name, where in videos.items() if len(where) >= _SEVERAL))


def _settled(
    claims: Sequence[Claim],
    cited: Sequence[Sequence[Evidence]],
    text: TextVerifier,
    verifier: Verifier | None,
    evidence: Sequence[Evidence],
) -> list[Settled | None]:
    """Each claim with its citations where these carry it or could, None where they do not."""
    pairs = [(claim.text, some) for claim, some in zip(claims, cited, strict=True)]
    judged = (verifier or text).judge(pairs) if pairs else []
    return [
        Settled(claim, _citations(claim, some, whole.verdict, text), whole.verdict)
        if some and WEIGHT[whole.verdict] > 0 and not kept_out(claim, some, evidence)
        else None
        for (claim, some), whole in zip(pairs, judged, strict=True)
    ]


def _citations(
    claim: str, cited: Sequence[Evidence], whole: Verdict, text: TextVerifier
) -> tuple[tuple[Evidence, Verdict], ...]:
    """The citations that are about the claim, with what each carries of it by itself.

    One that has only a part of it carries it partly: together with the others it is carried.
    """
    if len(cited) == 1:
        return ((cited[0], whole),)
    useful: list[tuple[Evidence, Verdict]] = []
    for item, judged in zip(cited, text.judge([(claim, [item]) for item in cited]), strict=True):
        if WEIGHT[judged.verdict] > 0:
            useful.append((item, judged.verdict))
        elif text.about(claim, [item]) or _needed(claim, item, cited):
            useful.append((item, min(whole, "partly", key=lambda v: WEIGHT[v])))
    return tuple(useful) or tuple((item, whole) for item in cited)


def _needed(claim: str, item: Evidence, cited: Sequence[Evidence]) -> bool:
    """Whether it alone states one of the claim's values, such as the date."""
    others = [other for other in cited if other is not item]
    return missing_numbers(claim, others) > missing_numbers(claim, cited)


def _nearest(
    claim: Claim, evidence: Sequence[Evidence], cosine: NDArray[np.float32]
) -> list[Evidence]:
    """What the claim cites; of many lines those that are most like it. Who cites everything has
    every word cited, and a reader looks at none of it."""
    alike = sorted(claim.numbers, key=lambda number: -float(cosine[number - 1]))
    return [evidence[number - 1] for number in sorted(alike[:MOST_CITED])]


def _struck(claim: Claim, cited: Sequence[Evidence]) -> Settled | None:
    """Without a citation there is nothing that a reader could look at."""
    shown: tuple[tuple[Evidence, Verdict], ...] = tuple((item, "unsupported") for item in cited)
    return Settled(claim.text, shown, "unsupported") if shown else None


def _dated(claim: str, cited: list[Evidence], evidence: Sequence[Evidence]) -> list[Evidence]:
    """`cited`, and the line that dates its video where only the claim's date is not cited.

    Models date what videos say, as they are asked to, and forget to cite the title card.
    """
    missing = missing_numbers(claim, cited)
    if not cited or not missing or not missing <= date_numbers(claim):
        return cited
    videos = {item.video.video_id for item in cited}
    for item in evidence:
        if item.video.video_id in videos and missing <= date_numbers(item.statement.text):
            return [*cited, item]
    return cited


def _find_support(
    claim: Claim, evidence: Sequence[Evidence], cosine: NDArray[np.float32], text: TextVerifier
) -> list[Evidence]:
    """The one statement that supports the claim, nearest first; none without one."""
    near = [evidence[int(at)] for at in np.argsort(-cosine, kind="stable")[:_NEAREST]]
    judged = text.judge([(claim.text, [item]) for item in near])
    found = [item for item, said in zip(near, judged, strict=True) if said.verdict == "supported"]
    return found[:1]
