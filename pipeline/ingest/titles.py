"""What a chapter is called where nobody named it: the slide's heading, a question, or its phrases.

A heading is what the speaker called it. A question asked as the chapter begins is what it is
about. Otherwise the phrases that tell it from the rest of the video, and where there is none, how
its first sentence begins: a title is always text of the video itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import compress

import numpy as np

from pipeline.ingest.function_words import telling_words
from pipeline.ingest.key_phrases import Stretch, key_phrases
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.sentences import sentences
from pipeline.ingest.slots import Slots, Strand
from pipeline.types import Embedder, Segment

LONGEST_TITLE = 80  # characters
_LEAST_TEXT = 40  # characters of a source from which it tells what a chapter is about
_LONGEST_HEADING, _MOST_HEADING_WORDS = 60, 9
_MOST_LINES = 14  # on a screen whose first line is a heading
_HEADING_REACH = 0.5  # share of a chapter within which its heading comes
_STANDS = 3.0  # seconds
_COMMON_HEADING = 0.34  # share of the chapters from which a line is a logo or a window's title
_QUESTION_REACH = 300  # characters from the beginning of a chapter
_QUESTION_WORDS = range(4, 14)

_CODE = re.compile(r"[\\{}<>=$#@_~^|]|://|\.\w{2,4}\b(?!\s)|\w/\w|\w\(|\s{2,}")
_LEAD_IN = re.compile(
    r"^(?:(?:and|but|so|or|like|well|yeah|yes|yep|no|ok|okay|right|cool|great|um|uh|i mean"
    r"|you know|i guess|alright|all right|now|then|maybe|just|also)\b[\s,]*)+",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:who|whose|what|when|where|why|which|how|is|are|was|were|do|does|did|can|could|should|would|"
    r"will|has|have)\b",
    re.IGNORECASE,
)
_TAG = re.compile(r",\s*(?:right|huh|yeah|no|okay|you know|isn't it|or)\?$", re.IGNORECASE)
_ABOUT_NOBODY = re.compile(r"\b(?:you|i|that|this|it|he|she|they)\b", re.IGNORECASE)


def titles(
    spans: Sequence[tuple[float, float]],
    slots: Slots,
    strands: Sequence[Strand],
    screens: Sequence[Segment],
    embedder: Embedder,
) -> list[str]:
    """A title for each (start, end), never empty where the video has text in it.

    Spans are ascending; `screens` are the segments of source `screen`, by time.
    """
    stretches = [_stretch(strands, slots, start, end) for start, end in spans]
    texts = ["\n".join(stretch.lines) for stretch in stretches]
    phrases = key_phrases(stretches, embedder)
    chosen = [
        heading or _question(text) or ", ".join(said) or _beginning(text)
        for heading, text, said in zip(_headings(spans, screens), texts, phrases, strict=True)
    ]
    return [_capitalised(title) for title in chosen]


def _stretch(strands: Sequence[Strand], slots: Slots, start: float, end: float) -> Stretch:
    """The windows that begin between the two: of speech, else of captions, else of the screen;
    where none of them says much, all that are there then."""
    for strand in strands:
        begins = (strand.start >= start - 0.5) & (strand.start < end - 0.5)
        if sum(len(text) for text in compress(strand.texts, begins)) >= _LEAST_TEXT:
            break
    else:
        there = [(strand, (strand.start < end) & (strand.end > start)) for strand in strands]
        lines = tuple(text for strand, some in there for text in compress(strand.texts, some))
        rows = [strand.vectors[some] for strand, some in there if some.any()]
        return Stretch(
            lines, np.concatenate(rows) if rows else slots.vectors[:0], slots.mean(start, end)
        )
    lines = tuple(compress(strand.texts, begins))
    return Stretch(lines, strand.vectors[begins], slots.mean(start, end))


# ---------------------------------------------------------------- headings


def _headings(spans: Sequence[tuple[float, float]], screens: Sequence[Segment]) -> list[str]:
    """The heading of the slide that each span begins with, "" where there is none."""
    found = [_heading(start, end, screens) for start, end in spans]
    counts = Counter(heading.casefold() for heading in found if heading)
    most = max(1.0, _COMMON_HEADING * len(spans))
    return [heading if counts[heading.casefold()] <= most else "" for heading in found]


def _heading(start: float, end: float, screens: Sequence[Segment]) -> str:
    for segment in screens:
        stands = min(segment.end, end) - max(segment.start, start)
        early = segment.start <= start + _HEADING_REACH * (end - start)
        if stands >= min(_STANDS, (end - start) / 2) and early:
            heading = heading_of(segment.text)
            if heading:
                return heading
    return ""


def heading_of(screen: str) -> str:
    """The first line of a screen of text where it reads like a heading, else ""."""
    lines = [line.strip() for line in clean_text(screen).split("\n") if line.strip()]
    if not lines or len(lines) > _MOST_LINES:
        return ""
    line = lines[0].rstrip(" .:-")
    letters = sum(character.isalpha() for character in line)
    if len(line) > _LONGEST_HEADING or letters < 4 or letters < 0.7 * len(line.replace(" ", "")):
        return ""
    if _CODE.search(line) or len(line.split()) > _MOST_HEADING_WORDS or line[0].isdigit():
        return ""
    return line.capitalize() if line.isupper() and len(line.split()) > 1 else line


# ---------------------------------------------------------------- questions and beginnings


def _question(text: str) -> str:
    """The first question among the first words that can be understood by itself."""
    flat = " ".join(text.split())
    for begin, end in sentences(flat[: 2 * _QUESTION_REACH]):
        sentence = flat[begin:end]
        if begin > _QUESTION_REACH:
            break
        if not sentence.endswith("?") or _TAG.search(sentence):
            continue
        asked = _LEAD_IN.sub("", sentence)
        telling = len(telling_words(asked))
        unclear = len(_ABOUT_NOBODY.findall(asked))
        if _ASKS.match(asked) and len(asked.split()) in _QUESTION_WORDS and telling > 1 + unclear:
            return asked
    return ""


def _beginning(text: str) -> str:
    """How the first sentence begins, cut at a word."""
    flat = " ".join(text.split())
    first = next((flat[a:b] for a, b in sentences(flat)), flat)
    return shortened(_LEAD_IN.sub("", first) or first, _LONGEST_HEADING).rstrip(".")


def shortened(text: str, room: int = LONGEST_TITLE) -> str:
    if len(text) <= room:
        return text
    return text[: room - 3].rsplit(" ", 1)[0].rstrip(" ,;:.-") + "..."


def _capitalised(title: str) -> str:
    return title[:1].upper() + title[1:]
