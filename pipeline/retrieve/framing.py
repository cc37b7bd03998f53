"""The frame of a question: does it ask about the whole library, and what does it look for?

"How many times does anybody mention the ferry?" asks for a complete list; "How many passengers
does the ferry take?" asks for a number that somebody said, and the best few moments will have it.
The difference lies in the frame: what is counted or listed is a mention, a moment or a video, and
the verb is one of saying or showing. The rest of the sentence is what is looked for.

English only. A question whose frame is not known for certain is an ordinary one: a search that
finds a little too little is mended by asking for all, a list of everything is in the way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["count", "list", "videos"]


@dataclass(frozen=True, slots=True)
class Asked:
    """`kind` is None for an ordinary question, and then `looked_for` is all of it."""

    kind: Kind | None
    looked_for: str


# ---------------------------------------------------------------- the words of frames

_UNITS = (
    "(?:videos|talks|recordings|films|movies|clips|lectures|meetings|interviews|episodes|sessions"
    "|podcasts|presentations|tutorials|webinars|lessons|speeches|streams|programmes|programs"
    "|broadcasts|screencasts|documents|files)"
)
_MENTIONS = (
    "(?:mentions?|references?|occurrences?|appearances?|instances?|discussions?|places?|moments?"
    "|passages?|points?|scenes?|segments?|parts?|spots?|shots?|sightings?)"
)
# "is mentioned", "are talked about"
_MENTIONED = (
    "(?:mentioned|discussed|named|said|uttered|spoken (?:of|about)|talked about|referred to"
    "|referenced|brought up|raised|shown|seen|heard|displayed|described|cited|quoted|visible"
    "|on (?:the )?screen|touched (?:up)?on)"
)
# what a speaker or a video does: "mentions", "talks about"
_SAY = (
    "(?:mention|discuss|say|talk about|talk of|speak about|speak of|refer to|bring up|cite|quote"
    "|mentioned|discussed|said|talked about|talked of|spoke about|spoke of|spoken of|spoken about"
    "|referred to|brought up|cited|quoted)"
)
_SAYS = (
    "(?:mentions?|discuss(?:es)?|says?|talks? (?:about|of)|speaks? (?:about|of)|refers? to"
    "|brings? up|cites?|quotes?|names?|mentioned|discussed|said|talked (?:about|of)"
    "|spoke (?:about|of)|referred to|brought up|cited|quoted|named)"
)
_SHOWS = (
    "(?:shows?|contains?|includes?|features?|ha(?:s|ve)|gives?|describes?|explains?|covers?"
    "|teach(?:es)?|touch(?:es)? (?:up)?on|deals? with|addresse?s?|tells? (?:of|about)|reference"
    "|(?:is|are) about|warns? (?:of|about)|presents?|use the (?:word|term|phrase)|address)"
)
_TOGETHER = "(?:mentioning|discussing|showing|featuring|containing|about|on|with|of|concerning)"
_UP = "(?:comes?|came|crops?|pops?|turns?|shows?) up"
# Where and by whom, behind what is looked for; the whole library is meant anyway.
_WHERE = (
    "(?:(?:(?:any|some)where )?(?:in|across|throughout|within|over|from|through|among|on)"
    "(?: all| any| each| every)?(?: of)?(?: the| these| this| my| our| those)?"
    f"(?: whole| entire| different)? (?:{_UNITS}|video|library|archive|collection|corpus"
    "|transcripts?|footage|screen|index)|by (?:any|some)(?:one|body)|by (?:the )?speakers?"
    "|by people|by name|in total|in all|altogether|overall|at all|anywhere|somewhere|ever"
    "|so far|aloud|out loud|here|exactly|in it)"
)
_END = f"(?:,? {_WHERE}| by [^,]+)*"
_ANYONE = "(?:(?:any|some)(?:one|body)|people|they|we|you|he|she|it|the \\w+|\\w+(?: \\w+){0,2})"

# A clause in the order of a statement: "the ferry is mentioned", "somebody mentions the ferry".
_CLAUSE = (
    "(?:(?P<x>.+?) (?:is|are|was|were|gets?|has been|have been) (?:ever |being |also )?"
    f"{_MENTIONED}{_END}"
    f"|(?P<x>.+?) (?:{_UP}|appears?|appeared|(?:can|may) be (?:seen|heard|read)){_END}"
    f"|(?:we|you|i|one) (?:can )?(?:see|hear|read|find) (?P<x>.+)"
    f"|{_ANYONE} (?:ever |also )?(?:{_SAYS}|{_SHOWS}) (?P<x>.+))"
)
# The same behind "how many times" or "in which videos", where the verb comes first.
_INVERTED = (
    f"(?:(?:is|are|was|were) (?P<x>.+?) (?:ever |being |also )?{_MENTIONED}{_END}"
    f"|(?:has|have) (?P<x>.+?) (?:ever )?been {_MENTIONED}{_END}"
    f"|(?:do|does|did|has|have) (?P<x>.+?) (?:ever )?(?:come|came|crop|pop|turn) up{_END}"
    f"|(?:do|does|did|has|have) [^,]{{1,40}}? (?:ever )?{_SAY} (?P<x>.+))"
)
_VERB_FIRST = "(?:is|are|was|were|do|does|did|has|have|can|could|should|must|may|will)\\b"
_APPEARING = "(?:do|does|did|has|have) (?P<x>.+?) appear(?:ed)?"
# What may follow "videos": "that mention the ferry", "about the ferry", "in which it is shown".
_RELATIVE = (
    f"(?:(?:(?:that|which|who)(?: all| also| ever)? )?(?:{_SAYS}|{_SHOWS}) (?P<x>.+)"
    f"|{_TOGETHER} (?P<x>.+)|(?:where|in which|when|that) {_CLAUSE})"
)
_MENTION_OF = (
    f"(?:times? (?:when |that |in which |where )?{_CLAUSE}"
    f"|{_MENTIONS} (?:(?:where|when|in which|at which|that) {_CLAUSE}|(?:of|to|about|on|with"
    "|mentioning|showing|featuring) (?P<x>.+)))"
)
_ALL = "(?:all|every|each)(?: of)?(?: the)?(?: single)?"
_FETCH = "(?:show|give|get|tell|bring)(?: me| us)?"
_LIST = (
    "(?:(?:list|find|enumerate|collect|compile|gather|search for|look for|look up)(?: me| us)?"
    "|(?:make|give me|write|compile) an? (?:full |complete )?list of)"
)
_ASIDE = (
    "(?:(?:so|and|now|ok|okay|hi|hello|hey|well)[, ]+|please,? "
    "|(?:can|could|would|will) you(?: please)? "
    "|tell me,? |do you know,? |i(?:'d| would) like to know,? |i (?:want|need|wish) (?:you )?to "
    "|i (?:want|need) (?=(?:all|every|each)\\b)|let me know )*"
)
# Lists that somebody made, not mentions: their items stand together in one place.
_PROCEDURE = (
    "(?:the )?(?:steps?|stages?|ingredients?|requirements?|instructions? (?:for|to|on)|ways? to)\\b"
)

# ---------------------------------------------------------------- the frames, first match wins

_FRAMES: tuple[tuple[Kind, str], ...] = (
    ("count", f"how (?:many times|often|frequently) {_INVERTED}"),
    ("count", f"how many times {_APPEARING}{_END}"),
    ("count", f"how (?:many times|often) (?!{_VERB_FIRST}){_CLAUSE}"),
    ("count", f"how (?:often|frequently) {_APPEARING}(?:,? {_WHERE})+"),
    (
        "count",
        "(?:(?:what is|what's|count|give me) )?(?:the )?(?:total |exact )?(?:number|count) of"
        f" {_MENTION_OF}",
    ),
    (
        "count",
        "how many (?:different |separate )?(?:mentions|references|occurrences|instances"
        "|appearances|discussions|sightings) (?:of|to) (?P<x>.+?)"
        f"(?: (?:are|were) there| do (?:we|you|i) (?:have|see)| can (?:you|i) find| exist)?{_END}",
    ),
    ("count", f"count (?:up )?(?:how many times|how often) {_CLAUSE}"),
    ("count", f"count (?:up )?(?:{_ALL} |the )?{_MENTION_OF}"),
    (
        "videos",
        f"(?:(?:what is|what's|count) )?(?:the )?(?:total )?number of {_UNITS} {_RELATIVE}",
    ),
    ("videos", f"count (?:up )?(?:{_ALL} |the |how many )?{_UNITS} {_RELATIVE}"),
    (
        "videos",
        f"(?:which|what|how many)(?: of (?:the|my|our|these|all(?: the)?))?(?: different| other)?"
        f" {_UNITS} {_RELATIVE}",
    ),
    (
        "videos",
        "(?:in|on) (?:which|what|how many)(?: of (?:the|my|our|these|all(?: the)?))?"
        f"(?: different| other)? {_UNITS} (?:{_INVERTED}|{_APPEARING}"
        "|(?:can|could) (?:i|we|you|one) (?:see|hear|find|watch) (?P<x>.+)"
        "|(?:is|are) there (?P<x>.+))",
    ),
    (
        "videos",
        f"(?:{_LIST}|{_FETCH}) (?:{_ALL} |the |any |which |what )?{_UNITS} {_RELATIVE}",
    ),
    ("videos", f"{_ALL} {_UNITS} {_RELATIVE}"),
    ("list", f"(?:{_LIST} |{_FETCH} )?{_ALL} {_MENTION_OF}"),
    ("list", f"{_LIST} {_MENTIONS} (?:of|to|where|when|in which) (?P<x>.+)"),
    (
        "list",
        f"(?:{_LIST} |{_FETCH} )?everything (?:that |which |anyone |they |people )?"
        "(?:(?:is|was|were|has been|have|ever) )?(?:said|says?|mentioned|shown|told|written)?"
        " ?(?:about|on|regarding|concerning) (?P<x>.+)",
    ),
    ("list", f"(?:{_LIST} |{_FETCH} )?everywhere (?:that |where )?{_CLAUSE}"),
    (
        "list",
        f"{_LIST} {_ALL} (?!{_PROCEDURE})(?P<x>.+?)(?: (?:that|which|who)"
        " (?:is|are|was|were|has been|have been|gets?) (?:ever )?"
        f"(?:{_MENTIONED}|made|taken|given)| {_MENTIONED})?{_END}",
    ),
)


def _distinct(pattern: str) -> str:
    """`(?P<x>` may stand in a pattern only once: they become x0, x1 and so on."""
    parts = pattern.split("(?P<x>")
    return parts[0] + "".join(f"(?P<x{i}>{part}" for i, part in enumerate(parts[1:]))


_COMPILED = tuple(
    (kind, re.compile(f"{_ASIDE}(?:{_distinct(pattern)})", re.IGNORECASE))
    for kind, pattern in _FRAMES
)
_TRAILING = re.compile(
    f"(?:,? {_WHERE}|,? (?:or|and) (?:mention|discuss|show|talk about|speak of) (?:it|them))+$",
    re.IGNORECASE,
)
_LONGEST = 300  # characters: a longer question is a story, and no frame holds it
_LEADING = re.compile(
    "(?:(?:the )?(?:exact )?(?:words?|terms?|phrases?|names?|topics?|subjects?|keywords?|concepts?"
    "|expressions?)(?: of)? |(?:any|some)thing (?:about|on) |about |that |any |all )+",
    re.IGNORECASE,
)
# "every joke about the ferry": about what it is can be found, that it is a joke cannot.
_TOPIC = re.compile(r".*\b(?:about|regarding|concerning) ", re.IGNORECASE)


def asked(question: str) -> Asked:
    """Whether `question` asks about the whole library, and what it looks for without its frame."""
    text = " ".join(question.split()).rstrip(" ?!.").rstrip()
    for kind, frame in _COMPILED if len(text) <= _LONGEST else ():
        if found := frame.fullmatch(text):
            wanted = next((x for x in found.groupdict().values() if x), "")
            if looked_for := _bare(wanted):
                return Asked(kind, looked_for)
    return Asked(None, question.strip())


def is_whole_library(question: str) -> Kind | None:
    """ "count", "list" or "videos" for a question about the whole library, else None."""
    return asked(question).kind


def _bare(wanted: str) -> str:
    """What is looked for, without where, by whom, and "the word"."""
    topic = _TRAILING.sub("", wanted.strip(" ,"))
    topic = _TOPIC.sub("", topic)
    return _LEADING.sub("", topic, count=1) if _LEADING.match(topic) else topic
