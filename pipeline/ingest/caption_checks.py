"""Whether a description can be trusted, from its words and what is known around it.

Vision models decline, loop, echo what they were told, give people names that they cannot know,
and say one thing of a picture and another of the same picture a moment later. A description with
such a fault is asked for once more, with the fault named; one that keeps it is left out where it
tells nothing, and flagged where it may. (Cai et al. 2025, "LoVR": captions of low quality are
found by score and made anew; here the faults are named, so that the model can mend them.)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.ingest.function_words import FUNCTION_WORDS
from pipeline.ingest.sentences import sentences
from pipeline.models.vocabulary import written_small

_REFUSAL = re.compile(
    r"(i'?m sorry|i am sorry|sorry,|i can(no|')t |i am unable|i'?m unable|i'?m not able|as an ai\b"
    r"|unfortunately,? i |i do(n't| not) see (any|an) image|no image)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_LEAST_LOOP = 3  # times that something is said before it is a loop
_ECHO = 9  # words in a row that the prompt has too
_ENGLISH = 0.15  # share of function words from which a text is in English
_LEAST_WITHIN = 5  # letters of a name that is looked for inside longer words
_DECLINED = 300  # characters: a longer text that begins with "sorry" describes something

_CAPITAL = re.compile(r"[^\W\d_a-z][^\W\d_A-Z]{2,}(-\w+)*")
_KIND = re.compile(r"(ian|ean|ish|ese|ic|ist|day|mas)$")
# Other words with a capital that are no names.
_CAPITALISED = (
    "January February March April May June July August September October November December French"
    " German Latin Greek American African Easter Internet Bluetooth Excel Windows Linux Google"
    " Chrome Python Lego Labrador Retriever"
)
_NO_NAMES = frozenset(_CAPITALISED.split())

_NUMBERS = {
    word: number
    for number, words in enumerate(("no", "one a an", "two", "three", "four", "five", "six"))
    for word in words.split()
}
_PERSON = {
    **dict.fromkeys(("man", "men"), "man"),
    **dict.fromkeys(("woman", "women"), "woman"),
    **dict.fromkeys(("person", "people", "persons"), "person"),
    **dict.fromkeys(("child", "children"), "child"),
}
_ARTICLE_WORDS = "a an the this that these those his her its their another"
_ARTICLES = frozenset(_ARTICLE_WORDS.split())
_OTHERS = "boy girl lady guy speaker teacher singer actor actress player host presenter named"
_SOMEBODY = frozenset((*_PERSON, *_OTHERS.split()))
_COLOUR_WORDS = "black white grey gray red green blue yellow orange purple pink brown golden"
_COLOURS = frozenset(_COLOUR_WORDS.split())
_SAME_COLOUR = {"gray": "grey"}
_OPPOSITES = (
    ({"indoors", "indoor"}, {"outdoors", "outdoor"}),
    ({"night", "nighttime"}, {"daylight", "daytime", "sunlight", "sunny"}),
    ({"empty", "deserted"}, {"crowded", "packed"}),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a description. `useless`: nothing is left that could be searched.

    `mendable`: the model may do better when it is told. One that gave a name knows no other way
    to know who it is.
    """

    reason: str
    useless: bool = False
    mendable: bool = True


def fault_of(
    texts: Sequence[str], instructions: str, known: Collection[str], written: str = ""
) -> Fault | None:
    """What is wrong with a description by itself, None when nothing is.

    `texts` are those of its pictures: a picture may well show what the one before it has shown.
    `instructions` are what the model is told, without what is known of the video: that it may
    well repeat. `known` are the words, casefolded, of all that is said, shown and known of the
    video; `written` are the words and the things that stand in the picture, as the model says.
    """
    text = " ".join(texts)
    if not any(character.isalnum() for character in text):
        return Fault("the reply is empty", useless=True)
    if len(text) < _DECLINED and _REFUSAL.match(text.replace("\u2019", "'")):
        return Fault(f"the model declined: {text[:80]}", useless=True)
    if _echoes(text, instructions):
        return Fault("it repeats what the model was told", useless=True)
    if any(map(_loops, texts)):
        return Fault("it says the same again and again")
    if names := unknown_names(text, known, written):
        return Fault(f"names that appear nowhere: {', '.join(names)}", mendable=False)
    return None


def _echoes(text: str, instructions: str) -> bool:
    """Whether a long run of its words is what the model was told."""
    said, told = _words(text), " ".join(_words(instructions))
    runs = (" ".join(said[at : at + _ECHO]) for at in range(len(said) - _ECHO + 1))
    return any(run in told for run in runs)


def _loops(text: str) -> bool:
    parts = [" ".join(_words(text[a:b])) for a, b in sentences(text)]
    if any(count >= _LEAST_LOOP for part, count in Counter(parts).items() if part):
        return True
    words = _words(text)
    triples = list(zip(words, words[1:], words[2:], strict=False))
    return len(triples) >= 24 and len(set(triples)) < 0.6 * len(triples)


def without_loops(text: str) -> str:
    """The text with each sentence said once."""
    kept: dict[str, str] = {}
    for start, end in sentences(text):
        kept.setdefault(" ".join(_words(text[start:end])), text[start:end].strip())
    return " ".join(kept.values())


def unknown_names(text: str, known: Collection[str], written: str = "") -> list[str]:
    """Capitalised words inside sentences that nothing about the video tells, in order.

    A word that begins a sentence may be any word; names made of common words ("the Union") are
    not told from them. Makes and places can be seen: what stands behind an article or "in" is no
    person's name. English only: German writes any noun with a capital.
    """
    said = _words(text)
    if sum(word in FUNCTION_WORDS for word in said) < _ENGLISH * len(said):
        return []
    readable = {word.casefold() for word in _WORD.findall(written)}
    names: list[str] = []
    for start, end in sentences(text):
        words = list(_WORD.finditer(text, start, end))
        for at, (before, found) in enumerate(pairwise(words), 1):
            plain = re.sub(r"['\u2019]s$", "", found.group())
            gap = text[before.end() : found.start()]
            if not _is_name(plain) or any(mark in gap for mark in ':."\u201c('):
                continue
            if _is_a_thing([word.group() for word in words[:at]]):
                continue
            if not _known(plain.casefold(), known) and plain.casefold() not in readable:
                names.append(plain)
    return list(dict.fromkeys(names))


def _known(name: str, known: Collection[str]) -> bool:
    """Screen readers lose spaces: "MarxFriedrich Engels" tells of Friedrich."""
    return name in known or (len(name) >= _LEAST_WITHIN and any(name in word for word in known))


def _is_name(word: str) -> bool:
    """Not "Victorian" or "Japanese", which can be seen, nor a word that is mostly written small."""
    if not (word[0].isupper() and _CAPITAL.fullmatch(word)):  # neither "T-shirt" nor "USB"
        return False
    if _KIND.search(word) or word in _NO_NAMES:
        return False
    return word.casefold() not in written_small()


def _is_a_thing(before: Sequence[str]) -> bool:
    """Whether an article is right before a name, or one word before that: "a red Toyota", "the
    New York skyline"; but not "a man Bob"."""
    at = len(before)
    while at and before[at - 1][0].isupper() and before[at - 1].casefold() not in _ARTICLES:
        at -= 1
    near = [word.casefold() for word in before[max(0, at - 2) : at]]
    if not near or near[-1] in _ARTICLES or near[-1] == "in":
        return bool(near)
    return near[0] in _ARTICLES and near[-1] not in _SOMEBODY


# ---------------------------------------------------------------- neighbours


def contradiction(before: str, text: str) -> str:
    """What two descriptions of nearly the same picture say against each other, "" when nothing."""
    first, second = _words(before), _words(text)
    for one, other in _OPPOSITES:
        told, tells = (one | other) & set(first), (one | other) & set(second)
        opposed = (told <= one and tells <= other) or (told <= other and tells <= one)
        if opposed and told and tells:
            return f"{min(told)} before, {min(tells)} now"
    for noun, count in _counted(second).items():
        earlier = _counted(first).get(noun)
        if earlier is not None and abs(earlier - count) >= 2:
            return f"{earlier} {noun} before, {count} now"
    for noun, colours in _coloured(second).items():
        earlier_colours = _coloured(first).get(noun, set())
        if colours and earlier_colours and not colours & earlier_colours:
            return f"{min(earlier_colours)} {noun} before, {min(colours)} now"
    return ""


def _counted(words: Sequence[str]) -> dict[str, int]:
    """Kind of person -> how many, of those counted once only."""
    found: dict[str, list[int]] = {}
    for number, word in pairwise(words):
        if word in _PERSON and number in _NUMBERS:
            found.setdefault(_PERSON[word], []).append(_NUMBERS[number])
    return {noun: numbers[0] for noun, numbers in found.items() if len(numbers) == 1}


def _coloured(words: Sequence[str]) -> dict[str, set[str]]:
    """Noun -> the colours that stand right before it."""
    found: dict[str, set[str]] = {}
    for colour, noun in pairwise(words):
        if colour in _COLOURS and noun not in _COLOURS and len(noun) > 2 and noun != "and":
            found.setdefault(noun, set()).add(_SAME_COLOUR.get(colour, colour))
    return found


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
