"""What the pronouns of a follow-up question stand for: the person, place or thing of the last
question, else of its answer.

There is no parser: names are told by their capitals, what a question is about by the runs of its
words that say something. A pronoun that its own sentence explains is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.answer.wording import ASKING, STOPWORDS, fold, stem, words
from pipeline.prompts import shortened
from pipeline.types import ChatTurn, Citation


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LONGEST = 160  # characters of a quotation that goes into a question
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
PERSON = re.compile(r"\b(?:he|she|him|her|his|hers|himself|herself)\b", re.IGNORECASE)
THING = re.compile(
    r"\b(?:it|its|they|them|their|theirs)\b"
    r"|\b(?:this|that|these|those)(?=\s*[?.!,]*$|\s+(?:is|was|are|were|do|does|did|means?|works?"
    r"|happen(?:s|ed)?|cost|come|came|start|end|help|matter)\b)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"\bthere\b", re.IGNORECASE)
# "is it possible to", "how long does it take", "is there", "that" that begins a clause
_IDLE = re.compile(
    r"\b(?:is|was|would be|makes?) it (?:\w+ )?(?:possible|necessary|safe|true|legal|better|worth"
    r"|raining|time|ok|hard|easy|difficult|important|dangerous|normal)\b|\bdoes it (?:take|mean)"
    r" (?:to|that|when|if)\b|\bwhat time is it\b|\b(?:is|are|was|were|will|has|have|how many \w+"
    r"(?: \w+)? (?:are|were)) there\b|\bthere (?:is|are|was|were|will|a|any|be|been)\b"
    r"|\bit (?:is|was) (?:possible|true|said) that\b|\btake it (?:that|to)\b",
    re.IGNORECASE,
)
# Where another clause begins, and where something is named by an article.
_BREAK = re.compile(
    r"[,;:?.]|\b(?:and|or|but|when|if|because|before|after|until|while|that)\b", re.I
)
_LED = re.compile(r"\b(?:the|an?|this|every|each)\b", re.IGNORECASE)
NAME = re.compile(r"\b[^\W\d_a-z]\w*(?:[-'’][^\W\d_]\w*)*(?: [^\W\d_a-z][\w-]+)*")  # noqa: RUF001
_LINKED = re.compile(r"\b(in|at|to|from|on|near) (?:the )?([^\W\d_a-z]\w+(?: [^\W\d_a-z]\w+)*)")
_MONTHS = _split(
    "january february march april may june july august september october november december"
    " monday tuesday wednesday thursday friday saturday sunday"
)
TOKEN = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")  # noqa: RUF001
_DETERMINERS = _split("the a an this that my our your its his her their")
_VERBS = _split(
    "propose proposed fix fixed find found make made build built take took come came go went change"
    " changed start started begin began end ended work works worked happen happened cost costs need"
    " needs want wants think thinks thought believe help helps become became call called"
)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question in full. `refers`: the text left something to the conversation; `settled`: the
    rules filled all of it in, and no model would do better. `videos` are ids that it is narrowed
    to, `choices` those among which it does not say which one it means. `recalled` is the
    citation of which it asks when, where or by whom it was said."""

    question: str
    videos: tuple[str, ...] = ()
    refers: bool = False
    settled: bool = False
    choices: tuple[str, ...] = ()
    recalled: Citation | None = None


def is_month(word: str) -> bool:
    return word.lower() in _MONTHS


def is_name(word: str) -> bool:
    return word[:1].isupper() and word.lower() not in STOPWORDS


# ---------------------------------------------------------------- pronouns


def pronouns(text: str, last: ChatTurn) -> FollowUp:
    """`text` with names in the place of its pronouns that nothing before them explains."""
    plain = _IDLE.sub(lambda m: "_" * len(m.group()), text)
    if person := PERSON.search(plain):
        before = text[: person.start()]
        if _names_before(text, person.start()) or (_LED.search(before) and content(before)):
            return FollowUp(text)
        name = _person(last)
        return FollowUp(_put(text, person, name) if name else _beside(text, last), refers=True)
    if place := _PLACE.search(plain):
        linked = _place_name(last)
        put = linked if linked else f"at {subject(last.understood)}"
        return FollowUp(text[: place.start()] + put + text[place.end() :], refers=True)
    thing = THING.search(plain)
    if thing is None or _explained(text, thing):
        return FollowUp(text)
    about = subject(last.understood)
    return FollowUp(_put(text, thing, about) if about else text, refers=True)


def _explained(text: str, thing: re.Match[str]) -> bool:
    """Whether the sentence itself says what "it" is: in a clause before ("how does the valve work
    and why does it leak?"), as its owner ("does the ferry have its own dock?"), or because "that"
    begins a clause ("the price that was agreed on")."""
    before, word = text[: thing.start()], thing.group().lower()
    if not content(before):
        return False
    if word.startswith("th") and word not in ("they", "them", "their", "theirs"):
        nearest = words(before)[-1]
        return thing.end() < len(text.rstrip(" ?!.")) and bool(content(nearest))
    if word in ("its", "their", "theirs"):
        return bool(_LED.search(before)) or _names_before(text, thing.start())
    breaks = [match.start() for match in _BREAK.finditer(before)]
    return any(content(before[:at]) for at in breaks)


def _put(text: str, pronoun: re.Match[str], name: str) -> str:
    word = pronoun.group().lower()
    owner = word in ("its", "their", "his", "theirs", "hers") or (
        word == "her" and re.match(r" \w", text[pronoun.end() :]) is not None
    )
    before = text[: pronoun.start()]
    shown = name if before.strip() else name[:1].upper() + name[1:]
    return f"{before}{shown}{_possessive(name) if owner else ''}{text[pronoun.end() :]}"


def _possessive(name: str) -> str:
    return "'" if name.endswith("s") else "'s"


def _beside(text: str, last: ChatTurn) -> str:
    """The question with the last one beside it, where nobody is named to put in."""
    return f"{text.rstrip('?!. ')} ({last.understood.rstrip('?!. ')})?"


def _names_before(text: str, end: int) -> bool:
    return any(m.start() > 0 for m in NAME.finditer(text[:end]) if is_name(m.group()))


def _person(last: ChatTurn) -> str:
    """A name of the last question, else of its answer, else who said what that cites; of several
    names one of two words, and the first."""
    for text in (last.understood, *(s.text for s in last.answer.sentences)):
        flat = text.strip("“” ")
        found = [m for m in NAME.finditer(flat) if not is_month(m.group().split()[0])]
        full = [m.group() for m in found if " " in m.group() and is_name(m.group())]
        inner = [m.group() for m in found if m.start() > 0 and is_name(m.group())]
        if chosen := [_unled(name) for name in full] or inner:
            return chosen[0]
    return next((c.speaker for c in last.answer.citations if c.speaker), "")


def _unled(name: str) -> str:
    """ "Did Maren Oduya" is written like a name at the beginning of a question."""
    first, _, rest = name.partition(" ")
    return rest if first.lower() in STOPWORDS | ASKING else name


def _place_name(last: ChatTurn) -> str:
    for text in (last.understood, *(s.text for s in last.answer.sentences)):
        if match := _LINKED.search(text):
            lead = "at" if match[1] == "to" else match[1]
            return f"{lead} {match[2]}"
    return ""


def subject(question: str) -> str:
    """What a question is about: of its runs of words that say something the one that is
    named like a thing ("the ferry line"), the first of equals."""
    best, score = question.rstrip("?!. "), 0.0
    for led, chunk in _chunks(question):
        value = (
            2.0 * (led in _DETERMINERS) + (led in ("about", "of", "on")) + min(len(chunk), 3) / 2
        )
        if value > score:
            article = f"{led} " if led in _DETERMINERS else ""
            best, score = article + " ".join(chunk), value
    return best


def is_led(text: str) -> bool:
    """Whether it begins with an article or the like: "the ferry"."""
    return fold(text.partition(" ")[0]) in _DETERMINERS


def _chunks(question: str) -> Iterator[tuple[str, list[str]]]:
    """(the word before it, words) of every run of words that say something."""
    led, run = "", list[str]()
    quoted = re.search(r"“(.+?)”", question)
    if quoted is not None:
        yield "about", [cut(quoted[1], 80)]
    for token in TOKEN.findall(question):
        word = fold(token)
        if word in STOPWORDS or word in ASKING or word in _VERBS:
            if run:
                yield led, run
            led, run = word, []
        else:
            run.append(token)
    if run:
        yield led, run


# ---------------------------------------------------------------- words


def content(text: str) -> list[str]:
    """Stems of the words that say what is asked about."""
    reference_words = {*ORDINALS, "other", "another", "last", "number", "said"}
    found = (w for w in words(text) if w not in STOPWORDS and w not in ASKING)
    return [stem(word) for word in found if word not in reference_words]


def tidy(text: str) -> str:
    flat = " ".join(text.split())
    flat = re.sub(r"^(?:and|but|so|then)[, ]+", "", re.sub(r"\s+([?.!,])", r"\1", flat), flags=re.I)
    return flat[:1].upper() + flat[1:]


def cut(text: str, limit: int = _LONGEST) -> str:
    """`text` on one line, without quotation marks around it, cut between words."""
    flat = " ".join(text.split()).strip('“”" ').rstrip(".")
    return shortened(flat, limit)
