"""Whether a question has several clearly different readings, so that asking back beats a guess.

The readings are videos: "when does the meeting begin?" over the meetings of two months. It is
told from the question and the moments found for it, and seldom: what several videos say of one
matter is an answer with several citations, not a question. All of this must hold:

- the best moments of two or three videos score nearly alike, others clearly less;
- the question names none of them: no word or date of a title that tells them apart;
- it means a single thing of which each of them is one: "the talk", "the bug" where both titles
  say "bug" and the question says little else, or a date or a number where the titles differ in
  their numbers and months alone, and both moments have one;
- it neither compares nor counts nor lists.

Of 798 questions on 110 talks and of 25 on the sample library, none of which was meant to be asked
back, one was: "Is the bug already fixed?", over two talks about two bugs. `CLOSE` and the words
were chosen on the same questions.
"""

from __future__ import annotations

import re
from calendar import month_name
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.answer.antecedents import ORDINALS
from pipeline.answer.follow_up import VIDEO
from pipeline.answer.forms import SPREAD, form_of
from pipeline.answer.wording import (
    ASKING,
    STOPWORDS,
    asked_kind,
    content_stems,
    fold,
    holds_kind,
    question_stems,
    stem,
    words,
)
from pipeline.retrieve.framing import is_whole_library
from pipeline.types import Moment, Video

# The best moment of a reading scores at least so much of the best of all.
CLOSE = 0.8
MOST = 3
_VALUED = ("count", "duration", "year", "time")
_DEFINITE = re.compile(rf"\b(?:the|that|this) (?P<noun>{VIDEO})\b(?P<rest>.*)")
# "the talk about fees", "the talk by Anna": named
_NAMED = re.compile(r"^ (?:about|by|on|of|with|from|between|called|titled|where|in which|that)\b")
# In lower case: a name means one thing.
_THE = re.compile(r"\bthe ([a-z]{3,})\b(?! (?:about|by|on|of|with|from|between|called|where)\b)")
_MONTHS = tuple(name.casefold() for name in month_name[1:])
_COUNTED = frozenset(
    (*_MONTHS, *ORDINALS, "part", "episode", "version", "volume", "edition", "take", "day")
)
_PICK = re.compile(
    r"^(?:(?:i mean|i meant|take|use|in|from|please|the|option|number|no\.?|#|\[|\() *)*"
    r"(?P<pick>first|second|third|last|[123])(?:st|nd|rd)?\b(?: (?:one|of them|talk|video|"
    r"option|meeting|episode))?(?: please)?[\]).!? ]*$"
)
_ALL = re.compile(r"^(?:in )?(?:both|all|either|any)(?: (?:of them|of these|talks?|videos?))?\W*$")


@dataclass(frozen=True, slots=True)
class Reading:
    """One video that a question may be about. `label` is what is offered: its title and date."""

    video_id: str
    label: str


def readings(
    question: str, moments: Sequence[Moment], videos: Mapping[str, Video]
) -> tuple[Reading, ...]:
    """Two or three readings, the best first, none where the question has but one."""
    if form_of(question) in SPREAD or is_whole_library(question):
        return ()
    close = _close(moments)
    if not 2 <= len(close) <= MOST or any(m.video_id not in videos for m in close):
        return ()
    found = [videos[m.video_id] for m in close]
    if _names_one(question, found) or not _means_one(question, close, found):
        return ()
    return offered(found)


def may_split(question: str) -> bool:
    """Whether a question can have several readings at all: else no search need tell."""
    valued = asked_kind(question) in _VALUED
    definite = _DEFINITE.search(fold(question)) or _THE.search(question)
    return bool(valued or definite) and form_of(question) not in SPREAD


def offered(videos: Sequence[Video]) -> tuple[Reading, ...]:
    """The videos as readings, told apart by title and date, else by id."""
    labels = [f"{v.title} ({v.date[:10]})" if v.date else v.title for v in videos]
    return tuple(
        Reading(v.video_id, label if labels.count(label) == 1 else f"{label}, {v.video_id}")
        for v, label in zip(videos, labels, strict=True)
    )


def picked(text: str, labels: Sequence[str]) -> tuple[int, ...] | None:
    """Places in `labels` that a reply to what was asked back means; None where it picks none.

    A number, "the second", "both", or words that only one label has; a reply that says anything
    else is a new question.
    """
    folded = " ".join(fold(text).split())
    if _ALL.match(folded):
        return tuple(range(len(labels)))
    if match := _PICK.match(folded):
        word = match["pick"]
        order = {"first": 0, "second": 1, "third": 2, "last": len(labels) - 1}
        place = order[word] if word in order else int(word) - 1
        return (place,) if place < len(labels) else None
    said = {stem(w) for w in words(text) if w not in STOPWORDS and w not in ASKING}
    said |= {word for word in words(text) if word in _MONTHS}
    holding = [place for place, label in enumerate(labels) if said and said <= _stems(label)]
    return (holding[0],) if len(holding) == 1 else None


# ---------------------------------------------------------------- inside


def _close(moments: Sequence[Moment]) -> list[Moment]:
    """The best moment of each video that scores about as well as the best of all."""
    best: dict[str, Moment] = {}
    for moment in sorted(moments, key=lambda m: -m.score):
        best.setdefault(moment.video_id, moment)
    top = max((m.score for m in best.values()), default=0.0)
    return [m for m in best.values() if top > 0 and m.score >= CLOSE * top]


def _names_one(question: str, videos: Sequence[Video]) -> bool:
    """Whether a word of the question tells the videos apart by their titles, dates or ids."""
    known = [_stems(f"{v.title} {v.date[:10]} {v.video_id}") for v in videos]
    shared = set.intersection(*known)
    said = {stem(word) for word in words(question) if word not in STOPWORDS} | _months(question)
    return any(said & own - shared for own in known)


def _means_one(question: str, close: Sequence[Moment], videos: Sequence[Video]) -> bool:
    folded = " ".join(fold(question).split())
    definite = _DEFINITE.search(folded)
    if definite is not None:
        return not _NAMED.match(definite["rest"])
    titles = [_stems(f"{v.title} {v.video_id}") for v in videos]
    shared = set.intersection(*titles)
    about = question_stems(question)
    single = (word for word in _THE.findall(question) if not re.search("[^s]s$", word))
    named = {stem(word) for word in single} & shared
    if named and len(about) <= 3:
        return True
    kind = asked_kind(question)
    return kind in _VALUED and _series(videos) and all(holds_kind(kind, m.text) for m in close)


def _series(videos: Sequence[Video]) -> bool:
    """Whether the titles are one but for numbers and months: parts, versions, monthly meetings."""
    bare = {
        tuple(w for w in words(re.sub(r"[_-]", " ", v.title)) if not _counts(w)) for v in videos
    }
    return len(bare) == 1 and bool(next(iter(bare)))


def _counts(word: str) -> bool:
    return word in _COUNTED or any(c.isdigit() for c in word)


def _stems(text: str) -> set[str]:
    """Stems of a label, and the months that it names."""
    return set(content_stems(re.sub(r"[_-]", " ", text))) | _months(text)


def _months(text: str) -> set[str]:
    """The months of ISO dates and of names in capitals: "may" is mostly no month."""
    dated = {_MONTHS[int(m) - 1] for m in re.findall(r"\d{4}-(0[1-9]|1[0-2])\b", text)}
    return dated | {m for m in _MONTHS if re.search(rf"\b{m.capitalize()}\b", text)}
