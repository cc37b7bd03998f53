"""Questions by what they look for and by how they are put: which kind is found, and which is not.

By source: a question counts for every source that the library has text of in one of its gold
spans, chapters and summaries left out; for `none` where there is no text, so that no search of
texts can find it. By type: what the queries file says in `type`, else what its words tell. A
question may be of several groups, so their numbers add up to more than all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline.evaluate.metrics import Span
from pipeline.evaluate.questions import Question
from pipeline.types import CITABLE, SOURCES, PassageIndex, Segment

Groups = Mapping[str, tuple[str, ...]]  # qid -> names

NO_TEXT = "none"
SHORT_WORDS, LONG_WORDS = 4, 12
RARE_SHARE = 1000  # a word of at most one passage in so many is rare
_TOUCH_SECONDS = 1.0  # text that overlaps a gold span by less belongs to what lies beside it
_WORD = re.compile(r"\w[\w'\u2019-]*")
_ASKING = re.compile(
    r"(what|when|where|who|whom|whose|which|why|how|is|are|was|were|do|does|did|can|could|should"
    r"|would|will|has|have)(['\u2019]\w+)?"
)


def by_source(
    questions: Sequence[Question],
    segments: Callable[[str], Sequence[Segment]],
    known: frozenset[str],
) -> Groups:
    """`segments` gives the text of a video that is `known`; each is asked for once."""
    videos = {span.video_id for question in questions for span in question.gold} & known
    texts = {video_id: segments(video_id) for video_id in sorted(videos)}
    return {question.qid: _sources(question.gold, texts) for question in questions}


def _sources(gold: Sequence[Span], texts: Mapping[str, Sequence[Segment]]) -> tuple[str, ...]:
    found = {
        segment.source
        for span in gold
        for segment in texts.get(span.video_id, ())
        if segment.source in CITABLE and _lies_in(segment, span)
    }
    return tuple(source for source in SOURCES if source in found) or (NO_TEXT,)


def _lies_in(segment: Segment, span: Span) -> bool:
    both = min(segment.end, span.end) - max(segment.start, span.start)
    shorter = min(segment.end - segment.start, span.end - span.start)
    return both >= min(_TOUCH_SECONDS, shorter / 2)


def by_type(questions: Sequence[Question], index: PassageIndex) -> Groups:
    """The `type` of each question, or its features: length, form, and whether a word is rare."""
    return {
        question.qid: (question.type,) if question.type else tuple(_features(question.text, index))
        for question in questions
    }


def _features(text: str, index: PassageIndex) -> Iterator[str]:
    words = [word.casefold() for word in _WORD.findall(text)]
    if len(words) <= SHORT_WORDS:
        yield f"short (<= {SHORT_WORDS} words)"
    elif len(words) <= LONG_WORDS:
        yield f"medium ({SHORT_WORDS + 1}-{LONG_WORDS} words)"
    else:
        yield f"long (> {LONG_WORDS} words)"
    asks = text.rstrip().endswith("?") or bool(words and _ASKING.fullmatch(words[0]))
    yield "question" if asks else "statement"
    yield "rare word" if _has_rare_word(words, index) else "no rare word"


def _has_rare_word(words: Sequence[str], index: PassageIndex) -> bool:
    """Whether a word is in a passage at all, and in at most one of `RARE_SHARE`."""
    most = max(1, len(index.table) // RARE_SHARE)
    hits = index.words(list(dict.fromkeys(words)), most + 1)
    return any(0 < len(positions) <= most for positions, _ in hits)
