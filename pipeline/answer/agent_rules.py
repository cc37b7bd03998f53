"""Whether an answer is enough, and what to do about it, without a model.

An answer is not enough when it abstained, when little speaks for it, or when a part of the question
has nothing in its footnotes: of "who is it, and how long has she been there?" the second half, of
a comparison the other side, of "how many" the number. DrVideo (Ma et al. 2024, "Document Retrieval
Based Long Video Understanding") asks a model for what is missing; these rules read it off the
question, whose parts are few, and whose words are to be found in what is quoted or not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.answer.wording import (
    ASKING,
    STOPWORDS,
    asked_kind,
    content_stems,
    holds_kind,
    names,
    question_stems,
    words,
)
from pipeline.types import Answer, Moment, StepAction

# Share of a part's words that the footnotes must have for it to count as answered.
CARRIED = 0.5
_MOST_NAMES = 4  # that a query takes from the answer so far
# A look is at a moment, not at a video: the frames of so many seconds at most.
LOOK_SECONDS = 60.0

_ASKS = "who|whom|whose|what|when|where|why|how|which|in which|at what|for how|to whom"
_AND = re.compile(rf"[?;]\s+|,?\s+(?:and|or|but|und|et|y)\s+(?=(?:{_ASKS})\b)", re.IGNORECASE)
_POINTING = frozenset(
    ("he", "she", "it", "they", "him", "her", "them", "his", "its", "their", "this", "that")
)
_MEASURE = re.compile(r"\b(?:how|(?:what|which)(?= (?:time|year|day|date))) \w+", re.IGNORECASE)
_SIDES = (
    re.compile(r"\bbetween (?:the )?(.+?) and (?:the )?(.+?)[?.]*$", re.IGNORECASE),
    re.compile(r"\bcompar\w* (?:the )?(.+?) (?:and|with|to) (?:the )?(.+?)[?.]*$", re.IGNORECASE),
    re.compile(r"(\S+(?: \S+)?) (?:versus|vs\.?) (?:the )?(\S+(?: \S+)?)", re.IGNORECASE),
)


@dataclass(frozen=True, slots=True)
class Lack:
    """What an answer lacks, in a few words, and a query that could find it."""

    what: str
    query: str


@dataclass(frozen=True, slots=True)
class Next:
    """What is to be done next. "answer": the answer so far stays, because of `why`."""

    action: StepAction
    why: str
    query: str = ""
    video_id: str = ""
    start: float = 0.0
    end: float = 0.0
    by_model: bool = False  # a model found that the answer so far is not enough


def parts_of(question: str) -> list[str]:
    """The things that a question asks for, one question each; the whole where it asks one thing."""
    found = [part.strip(" ?,.;") for part in _AND.split(question)]
    return [part for part in found if part] or [question]


def sides_of(question: str) -> tuple[str, ...]:
    """The two things that a question compares, () where it names no two."""
    for pattern in _SIDES:
        if found := pattern.search(question):
            return found.group(1).strip(), found.group(2).strip()
    return ()


def lacks(question: str, answer: Answer) -> list[Lack]:
    """What of the question the answer has nothing for, in the order in which it is asked."""
    parts, sides = parts_of(question), sides_of(question)
    if answer.abstained:
        whole = [Lack("it is not answered", key_words(question))]
        return [*_unanswered(parts, ""), *_of_sides(question, sides)] or whole
    told = _told(answer)
    quoted = " ".join(citation.quote for citation in answer.citations)
    found = [
        lack
        for part, lack in zip(parts, _unanswered(parts, quoted), strict=len(parts) > 1)
        if not _carried(part, told) or not _of_kind(part, quoted)
    ]
    if len(parts) == 1 and not _of_kind(question, quoted):
        found.append(Lack(f"no {asked_kind(question)} in what is quoted", key_words(question)))
    missing_sides = [side for side in sides if not _carried(side, told)]
    return [*found, *_of_sides(question, missing_sides), *_unnamed(question, told)]


def covered(question: str, answer: Answer) -> float:
    """Share of what the question asks for, its parts and sides, that the answer has something for;
    0 when it abstained."""
    if answer.abstained:
        return 0.0
    asked = len(parts_of(question)) + len(sides_of(question)) + 1
    return max(0.0, 1 - len(lacks(question, answer)) / asked)


def next_by_rules(
    question: str,
    answer: Answer,
    moments: Sequence[Moment],
    tried: Sequence[Next],
    enough: float,
    *,
    can_look: bool,
) -> Next:
    """The next thing to do: search for what is missing, then zoom, then look."""
    missing = lacks(question, answer)
    if not missing and answer.confidence >= enough:
        return Next("answer", f"every part is answered, with confidence {answer.confidence:.2f}")
    why = missing[0].what if missing else f"confidence {answer.confidence:.2f} is low"
    searched = {said_alike(step.query) for step in tried if step.action == "search"}
    searched.add(said_alike(question))
    for lack in missing or [Lack(why, key_words(question))]:
        if lack.query and said_alike(lack.query) not in searched:
            return Next("search", lack.what, lack.query)
    if not any(step.action == "zoom" for step in tried):
        return Next("zoom", why, question)
    looked = [(step.video_id, step.start) for step in tried if step.action == "look"]
    for moment in moments[:1] if can_look and not looked else ():
        end = min(moment.end, moment.start + LOOK_SECONDS)
        return Next("look", why, question, moment.video_id, moment.start, end)
    return Next("answer", f"nothing is left to try: {why}")


def said_alike(query: str) -> tuple[str, ...]:
    """What two queries have in common that search for the same: their words in any order."""
    return tuple(sorted(set(content_stems(query)) or set(words(query))))


def key_words(question: str) -> str:
    """The words that say what a question is about, without those that ask; "" if all do."""
    kept = [w for w in re.findall(r"[\w'-]+", question) if _says_something(w)]
    return " ".join(kept)


# ---------------------------------------------------------------- inside


def _says_something(word: str) -> bool:
    folded = words(word)
    return bool(folded) and not all(w in STOPWORDS or w in ASKING for w in folded)


def _unanswered(parts: Sequence[str], answered: str) -> list[Lack]:
    """Each part with a query of its own: one that points ("how long has she ...") is told whom
    the answer so far names, else what the other parts are about. None for one part."""
    if len(parts) < 2:
        return []
    found = []
    for part in parts:
        query = [part]
        if _POINTING & set(words(part)) or len(question_stems(part)) < 2:
            query += _capitals(answered) or [key_words(p) for p in parts if p != part]
        found.append(Lack(f"nothing for: {part}", " ".join(query)))
    return found


def _capitals(text: str) -> list[str]:
    """The first words of `text` that could be names, at the beginning of a sentence too."""
    found = re.findall(r"\b[^\W\d_a-z][\w'-]+", text)
    return list(dict.fromkeys(w for w in found if _says_something(w)))[:_MOST_NAMES]


def _of_sides(question: str, sides: Sequence[str]) -> list[Lack]:
    """What is compared is named with each side: "harvest spring talk"."""
    both = {w for side in sides_of(question) for w in words(side)}
    about = [w for w in key_words(question).split() if not both & set(words(w))]
    return [Lack(f"nothing for the side: {side}", " ".join([side, *about])) for side in sides]


def _unnamed(question: str, told: frozenset[str]) -> list[Lack]:
    """Names and numbers of the question that no footnote has."""
    asked = sorted(names(question)) + [w for w in words(question) if w.isdigit()]
    gone = [w for w in asked if not frozenset(content_stems(w)) <= told]
    return [Lack(f"nothing names {', '.join(gone)}", key_words(question))] if gone else []


def _told(answer: Answer) -> frozenset[str]:
    """Stems of what the answer says and quotes, and of the titles it quotes from."""
    texts = [sentence.text for sentence in answer.sentences]
    texts += [f"{citation.quote} {citation.title}" for citation in answer.citations]
    return frozenset(content_stems(" ".join(texts)))


def _of_kind(part: str, quoted: str) -> bool:
    """Whether what is quoted has the number or time asked for. A name at the beginning of a
    sentence cannot be told from any word, so who it is may always be there."""
    kind = asked_kind(part)
    return kind == "person" or holds_kind(kind, quoted)


def _carried(part: str, told: frozenset[str]) -> bool:
    """Whether the footnotes have most of its words, without those that only say what kind of
    thing is asked for: no answer to "how long" says "long"."""
    wanted = content_stems(key_words(_MEASURE.sub(" ", part)))
    return sum(stem in told for stem in wanted) >= CARRIED * len(wanted)
