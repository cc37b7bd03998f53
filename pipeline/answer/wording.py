"""What a sentence says in words: content stems, numbers, names, negation, the kind of answer.

Embeddings are blind to exactly these: "it is safe" and "it is not safe" are near neighbours.
Stems are Snowball's, for every language it knows; negation is read for the larger ones of Europe.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from pipeline.answer.numerals import numbers_within
from pipeline.models.vocabulary import written_small

Kind = Literal["count", "duration", "year", "time", "person", "other"]

_LANGUAGES = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "fi": "finnish", "fr": "french", "hu": "hungarian", "it": "italian",
    "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sv": "swedish", "tr": "turkish",
}  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOPWORDS = _words(
    """a about above after again all also am an and any are as at be because been before being
    below between both but by can could did do does doing don down during each few for from
    further had has have having he her here hers herself him himself his how i if in into is it
    its itself just ll me more most my myself no nor not now of off on once only or other our
    ours ourselves out over own re s same shall she should so some such t than that the their
    theirs them themselves then there these they this those through to too under until up us ve
    very was we were what when where which while who whom whose why will with would you your
    yours yourself yourselves m d get got go going let lets may might must one ones thing things
    really actually"""
)
# Words that ask rather than say what is asked about: "What does the speaker say about ...?"
ASKING = _words(
    """according answer anyone anything describe described describes discuss discussed explain
    explained explains ever example give given happen happens know many mean means mention
    mentioned mentions much name named people person place please presenter question recommend
    said say saying says show showed shown shows somebody someone something speaker speakers
    talk talked talking talks tell tells time transcript video videos clip watch work
    kind sort type use used uses using q audiobook episode footage interview lecture lecturer
    narration narrator podcast recording"""
)
_NEGATIONS = _words(
    """no not never none nobody nothing neither nor nowhere cannot without isn aren wasn weren
    doesn didn wouldn can't couldn shouldn hasn haven hadn mustn needn
    nicht kein keine nie niemals ne pas jamais sans sin nunca jamás não nunca non senza mai
    niet geen nooit"""
)
_MONTHS = _words(
    """january february march april june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday"""
)
_DATE = re.compile(
    r"(?:\b\d{1,2}(?:st|nd|rd|th)?\.? (?:of )?)?\b(?:january|february|march|april|may|june|july"
    r"|august|september|october|november|december)\b\.?(?: \d{1,2}(?:st|nd|rd|th)?\b)?"
    r"(?:,? \d{4}\b)?"
)

_LABEL = re.compile(r"\b(?:part|chapter|episode|lesson|figure|slide|page|step|version) \d+\b")

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # noqa: RUF001
_CJK = re.compile(r"[぀-ヿ㐀-鿿豈-﫿가-힯]+")
_CLOCK = re.compile(
    r"\b\d{1,2}:\d{2}\b|\b(?:1\d|20)\d\d\b|\b(?:\d{1,2}|[a-z]+) ?(?:am|pm|o.clock)\b"
    r"|\b(?:noon|midnight|morning|afternoon|evening|tonight|tomorrow|yesterday)\b"
    r"|\b(?:spring|summer|autumn|winter|quarter past|half past|century)\b"
)
_YEAR = re.compile(r"\b(?:1\d|20)\d\d\b")
_DURATION = re.compile(r"\b(?:second|minute|hour|day|night|week|month|year|decade|centur)")
_EXPLAIN = re.compile(r"\bwhy\b|\bhow (?:do|does|did|can|could|should|to|come)\b|\bsteps?\b")
_NAME = re.compile(r"(?<![.!?。]\s)(?<!^)\b[^\W\d_a-z]\w+")
_MEASURES = (
    "age|altitude|amount|capacity|cost|count|depth|diameter|distance|fee|fraction|frequency"
    "|height|length|limit|number|percent|percentage|pressure|price|rate|share|size|speed"
    "|temperature|volume|weight|width"
)
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("duration", re.compile(r"\bhow (?:long|old)\b")),
    ("year", re.compile(r"\b(?:what|which) year\b")),
    ("time", re.compile(r"\bwhen\b|\bwhat (?:time|date|day|month)\b")),
    ("count", re.compile(
        r"\bhow (?:many|much|far|tall|high|deep|big|large|fast|heavy|wide|thick|hot|cold|often)\b"
        rf"|\b(?:what|which)(?: \w+)? (?:is the )?(?:{_MEASURES})\b")),
    ("person", re.compile(r"\b(?:who|whom|whose)\b")),
)  # fmt: skip


def fold(text: str) -> str:
    """Lower case, without accents: `Café` and `cafe` are one word to somebody who types."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    """Folded words in order; unspaced CJK text as overlapping pairs of characters."""
    return list(_folded_words(text))


@lru_cache(maxsize=4096)
def _folded_words(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for match in _WORD.finditer(fold(text)):
        word = match.group().replace("’", "'")  # noqa: RUF001
        if _CJK.search(word):
            found += _pairs(word)
        else:
            found.append(word.split("'")[0] if word.endswith("'s") else word)
    return tuple(found)


def _pairs(word: str) -> list[str]:
    return [word[i : i + 2] for i in range(len(word) - 1)] or [word]


@lru_cache(maxsize=65536)
def stem(word: str, language: str = "en") -> str:
    """Snowball's stem; an unknown language is stemmed as English, alike on both sides."""
    import Stemmer

    stemmer = Stemmer.Stemmer(_LANGUAGES.get(language, "english"))
    return str(stemmer.stemWord(word))


def content_stems(text: str, language: str = "en") -> list[str]:
    """Stems of the words that carry meaning, in order, with repeats."""
    return [
        stem(word, language)
        for word in words(text)
        if word not in STOPWORDS and (len(word) > 1 or word.isdigit() or not word.isascii())
    ]


def question_stems(question: str, language: str = "en") -> list[str]:
    """Distinct stems of what a question is about, in order; all its words when none are left."""
    about = [w for w in words(question) if w not in STOPWORDS and w not in ASKING]
    kept = about or [w for w in words(question) if w not in STOPWORDS] or words(question)
    return list(dict.fromkeys(stem(word, language) for word in kept))


# ---------------------------------------------------------------- negation, names, kinds


def negations(text: str) -> int:
    return sum(
        word in _NEGATIONS or word.endswith("n't") for word in (w.lower() for w in words(text))
    )


def names(text: str) -> frozenset[str]:
    """Folded words that are written like names: capitals inside a sentence, or inside a word."""
    found = {match.group() for match in _NAME.finditer(text)}
    found |= {word for word in _WORD.findall(text) if word[1:] != word[1:].lower()}
    return frozenset(word for name in found for word in words(name) if word not in STOPWORDS)


def date_numbers(text: str) -> frozenset[str]:
    """The values in `text` that are days and years of dates."""
    folded = fold(text)
    dates = [match.group() for match in _DATE.finditer(folded)] + _YEAR.findall(folded)
    return frozenset(value for date in dates for value in numbers_within(date))


def foreign(text: str) -> bool:
    """Whether `text` is long enough to tell that it is not English: few words are common there."""
    found = words(text)
    small = sum(word in STOPWORDS for word in found) >= 0.15 * len(found)
    common = 2 * sum(word in written_small() for word in found) >= len(found)
    return len(found) >= 5 and not small and not common


def asked_kind(question: str) -> Kind:
    """What kind of answer a question wants: the first that its wording tells, else "other"."""
    folded = fold(question)
    found = [(m.start(), kind) for kind, pattern in _KINDS if (m := pattern.search(folded))]
    return min(found)[1] if found else "other"


def asks_to_explain(question: str) -> bool:
    """Whether the answer is likely to go on after the sentence that names what is asked."""
    return bool(_EXPLAIN.search(fold(question)))


def holds_kind(kind: Kind, text: str) -> bool:
    """Whether `text` has anything in it that could be an answer of that kind."""
    if kind == "count":  # a number that is no part of a date or a title
        return bool(numbers_within(_LABEL.sub(" ", _DATE.sub(" ", fold(text)))))
    if kind == "year":
        return bool(_YEAR.search(text))
    if kind == "duration":
        return bool(_DURATION.search(fold(text))) and bool(numbers_within(text))
    if kind == "time":
        folded = fold(text)
        dated = bool(_CLOCK.search(folded)) or any(word in _MONTHS for word in words(text))
        return dated or (bool(_DURATION.search(folded)) and bool(numbers_within(text)))
    if kind == "person":
        return bool(names(text)) or text.islower()
    return True
