"""Where sentences end, in the scripts that mark it.

Passages are cut at sentence ends and answers quote whole sentences, so both ask this module. It
is a set of rules and no model: it loads nothing, takes linear time, and its mistakes can be
read. The rules follow Punkt (Kiss and Strunk 2006, "Unsupervised Multilingual Sentence Boundary
Detection") in what they look at, the word before the full stop and the word after it, with the
abbreviations given instead of learned.
"""

from __future__ import annotations

import re

Span = tuple[int, int]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Terminators of scripts that put no space after them end a sentence wherever they stand.
_WIDE = "。！？｡．⁇⁈⁉"  # noqa: RUF001
_NARROW = ".!?…؟۔।॥։።፧"  # noqa: RUF001
# What still belongs to the sentence after its terminator: quotes, brackets, emphasis, and the
# markers [1] that an answer sets after a full stop.
_CLOSER = r"[\"'”’»)\]）」』】〉》*_]|[ \t]?\[\d{1,3}\]"  # noqa: RUF001
_END = re.compile(f"(?P<mark>[{_WIDE}{_NARROW}]+)(?P<closers>(?:{_CLOSER})*)")
_BREAK = re.compile(r"\n[ \t]*\n\s*|\n(?=[ \t]*(?:[-*•–·]\s|\d{1,3}[.)]\s))")  # noqa: RUF001
_LINE = re.compile(r"\n")
_WORD_AFTER = re.compile(r"\s*[\"'“‘«(\[¿¡*_]*(\w+)?")  # noqa: RUF001
_CITED = re.compile(r"\[\d")

# Never the end of a sentence: a name, a number or an explanation follows.
_BEFORE_MORE = _words(
    "mr mrs ms mx dr prof rev hon gen col lt sgt capt gov sen rep st mt ft messrs mme mlle "
    "sr sra srta dra ud uds hr fr frl herr dipl ing dott sig avv "
    "vs cf fig figs eq eqs sec ch vol nos nr art pp ed eds ca approx resp incl e.g i.e eg ie "
    "viz z.b d.h u.a bzw vgl evtl ggf p.ex par.ex c-à-d pág núm"
)
# The end of a sentence when a capital follows; "no." is also a word, so it is here.
_MAYBE_LAST = _words(
    "etc inc ltd co corp bros jr dept univ est al a.m p.m usw ph.d m.d b.a m.a "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun ave blvd "
    "min max"
)
_MONTHS = _words(
    "januar februar märz april mai juni juli august september oktober november dezember"
)
_STARTERS = _words(
    "the a an in on at it he she we they you i this that these those but and so then there when "
    "what if as for to however"
)
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_LONGEST_ABBREVIATION = 12


def sentences(text: str, *, lines: bool = False) -> list[Span]:
    """(start, end) character spans of the sentences of `text`, ascending and disjoint.

    Every character outside the spans is white space, and no span begins or ends with it. A blank
    line or the start of a list item ends a sentence too; with `lines` (text read from a screen)
    every line break does. A span without a letter or digit joins its neighbour. Linear time.
    """
    cuts = {match.end() for match in _END.finditer(text) if _ends(text, match)}
    cuts.update(match.end() for match in (_LINE if lines else _BREAK).finditer(text))
    spans: list[Span] = []
    left = 0
    for cut in [*sorted(cuts), len(text)]:
        span = _strip(text, left, cut)
        left = cut
        if span[0] < span[1]:
            spans.append(span)
    return _join_wordless(text, spans)


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends where `text` ends, as far as `text` alone can tell."""
    text = text.rstrip()
    last = None
    for last in _END.finditer(text, max(0, len(text) - 200)):  # noqa: B007
        pass
    return last is not None and last.end() == len(text) and _ends(text, last)


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether the terminator at `match` ends a sentence."""
    mark, after = match["mark"], match.end()
    if mark[-1] in _WIDE:
        return True
    if after < len(text) and not text[after].isspace():
        return mark[-1] in "।॥" or _is_han(text[after])
    word = _WORD_AFTER.match(text, after)
    following = (word[1] or "") if word else ""
    if match["closers"] and not _CITED.search(match["closers"]) and following[:1].islower():
        return False  # "Really?" he asked.
    if mark in ("...", "…") and following[:1].islower():
        return False
    return mark != "." or _full_stop(_word_before(text, match.start()), following)


def _full_stop(before: str, following: str) -> bool:
    """Whether a single "." between these two words (with what is glued to them) ends a sentence."""
    word = before.lstrip("\"'“‘«([¿¡*_").casefold()  # noqa: RUF001
    if not following:
        return word not in _BEFORE_MORE
    if word in _BEFORE_MORE:
        return False
    if word in ("no", "p", "bd") and following[:1].isdigit():
        return False  # "No. 5" is a number, "He said no. Then" is not
    starts = following.casefold() in _STARTERS and following[:1].isupper()
    if word in _MAYBE_LAST:
        return following[:1].isupper() or _is_han(following[0])
    if _INITIALS.fullmatch(word):
        return starts
    if len(word) == 1 and before[-1].isupper():  # an initial; but "So did I. Then"
        return starts or (word == "i" and following[:1].isupper())
    return not (word.isdigit() and len(word) <= 2 and following.casefold() in _MONTHS)


def _word_before(text: str, end: int) -> str:
    """What stands between the last white space and `end`; long words are cut, being no
    abbreviations."""
    start = end
    while start > max(0, end - _LONGEST_ABBREVIATION) and not text[start - 1].isspace():
        start -= 1
    return text[start:end]


def _is_han(character: str) -> bool:
    return "\u3040" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3"


def _strip(text: str, left: int, right: int) -> Span:
    while left < right and text[left].isspace():
        left += 1
    while right > left and text[right - 1].isspace():
        right -= 1
    return left, right


def _join_wordless(text: str, spans: list[Span]) -> list[Span]:
    """Let "1." or "..." go with what follows it, or with what stands before it at the end."""
    joined: list[Span] = []
    pending: int | None = None
    for left, right in spans:
        start = left if pending is None else pending
        if _says_something(text, left, right):
            joined.append((start, right))
            pending = None
        else:
            pending = start
    if pending is not None:
        start = joined.pop()[0] if joined else pending
        joined.append((start, spans[-1][1]))
    return joined


def _says_something(text: str, left: int, right: int) -> bool:
    """More than punctuation, and more than the number of a list item ("1.", "12)")."""
    words = text[left:right].strip(" \t\n.)(:-*•")
    if len(words) <= 3 and words.isdigit() and text[right - 1] == ".":
        return False
    return any(character.isalnum() for character in words)


def within_room(text: str, room: int) -> str:
    """Whole sentences of `text` in `room` characters, or whole words where the first is longer."""
    if len(text) <= room:
        return text
    ends = [end for _, end in sentences(text) if end <= room]
    return text[: ends[-1]] if ends else text[:room].rsplit(" ", 1)[0]
