"""What a question of a chat leaves to the conversation before it, filled in by rules.

"And in the other talk?", "tell me more about the second one", "who proposed it?", "why?": each
says by a few words what it takes from the last question or its answer. The rules look for those
words, and where they find none they change nothing, so that asking in a chat is never worse than
asking alone. They know English. A language model, where there is one, does the rewriting
(`rewriting`); the rules then tell which questions it need not be asked about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from pipeline.answer.antecedents import (
    NAME,
    ORDINALS,
    PERSON,
    THING,
    TOKEN,
    FollowUp,
    content,
    cut,
    is_led,
    is_month,
    is_name,
    pronouns,
    subject,
    tidy,
)
from pipeline.answer.wording import fold
from pipeline.types import IN_LINES, Answer, ChatTurn, Citation

T = TypeVar("T")

VIDEO = (
    "(?:talk|video|lecture|meeting|interview|episode|recording|podcast|presentation|session|film"
    "|clip|speech|tour|webinar|tutorial)"
)
_THINGS = "(?:ones?|citations?|footnotes?|moments?|points?|items?|steps?|entry|entries|results?"
_THINGS += "|quotes?|sources?|answers?|hits?|thing)"
# "the second one", "the last two" is none of them; "number 3", "[2]", "footnote 2", "3.2"
_ORDINAL = re.compile(
    rf"\b(?:the |your )?(?P<word>{'|'.join(ORDINALS)}|last|\d{{1,2}}(?:st|nd|rd|th))"
    rf"(?: (?:of (?:them|these|those)|{_THINGS})\b|(?=\s*[?.!]*$))"
    rf"|\[(?P<marker>\d{{1,4}}(?:\.\d{{1,3}})?)\]"
    rf"|\b(?:the )?(?:number|no\.?|citation|footnote|moment|item|step|point|result|source|quote)"
    rf" #?(?P<number>\d{{1,4}}(?:\.\d{{1,3}})?)\b",
    re.IGNORECASE,
)
_NOT_THE_LAST = re.compile(rf"\b(?:last|first) (?:question|time|answer)|\b(?:the )?last {VIDEO}")
# With what leads up to it: "in the other talk", "what does the other one say"
_OTHER = re.compile(
    rf"\b(?:(?:and )?(?:in|from|of|about|for|with|at) )?(?:the other|another) (?:one|{VIDEO})\b"
    r"|\b(?:in |from |of )?the other(?=\s*[?.!]*$)",
    re.IGNORECASE,
)
_SAME = re.compile(
    rf"\b(?:in |from |of |at |during )?(?:this|that|the same) (?:same )?(?P<noun>{VIDEO})\b",
    re.IGNORECASE,
)
_BOTH = re.compile(
    rf"\b(?:in |from |of )?(?:both(?: of (?:them|these|those))?|these|those|the two|both the)"
    rf" {VIDEO}s\b",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"^(?:and )?(?P<wh>when|where|who|in which \w+|which \w+)\b.{0,20}?\b(?:that|this|it)\b"
    r".{0,12}?\b(?:said|says|say|mentioned|shown|stated|claimed|claims?)\b[^,]{0,12}$",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"^(?:(?:and|but|so|then|ok(?:ay)?|also)[, ]+)*(?P<lead>(?:what|how) about|and|or|what of)\s+"
    r"(?P<new>.+?)[?.! ]*$",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"^(?:(?:and|but|so|then|ok(?:ay)?)[, ]+)*(?P<wh>why(?: (?:not|is that|so|was that))?"
    r"|how(?: (?:so|come|much|many|long|often|exactly))?|when(?: exactly)?|where|who|by whom"
    r"|since when|what for|for how long)[?.! ]*$",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"^(?:(?:and|ok(?:ay)?|please)[, ]+)*(?:(?:tell|show) (?:me )?more(?: (?:about|on) (?:it|that"
    r"|this|them))?|more(?: details?)?|go on|explain(?: (?:it|that|this))?(?: more)?"
    r"|(?:any ?thing|what) else|(?:some )?details?|elaborate|continue)[?.! ]*$",
    re.IGNORECASE,
)


def resolve(text: str, turns: Sequence[ChatTurn]) -> FollowUp:
    """`text` with what it leaves to `turns`, the latest last; unchanged where that is nothing."""
    text = " ".join(text.split())
    last = _answered(turns)
    if last is None:
        return FollowUp(text)
    for rule in (_pointed, _other_video, _both_videos, _when_said, _elliptic, _same_video):
        found = rule(text, turns, last)
        if found is not None:
            return found
    return pronouns(text, last)


def reference(turns: Sequence[ChatTurn], marker: str) -> Citation | None:
    """The citation that "2" or "3.2" names: of turn 3 its second, without a turn the latest
    answer's that has one. None where there is none."""
    number, _, own = marker.strip("[]# ").partition(".")
    if not number.isdigit() or (own and not own.isdigit()):
        return None
    wanted = int(own or number)
    for turn in reversed(turns):
        if own and turn.number != int(number):
            continue
        found = next((c for c in turn.answer.citations if c.marker == wanted), None)
        if found is not None or turn.answer.citations:
            return found
    return None


# ---------------------------------------------------------------- one thing of the last answer


def _pointed(text: str, turns: Sequence[ChatTurn], last: ChatTurn) -> FollowUp | None:
    """ "the second one", "[2]", "footnote 3.2": what is said there, in its video."""
    match = _ORDINAL.search(text)
    if match is None or _NOT_THE_LAST.search(fold(text)):
        return None
    target = _target(match, turns, last)
    if target is None:
        return None
    said, video = target
    rest = f"{text[: match.start()]}“{said}”{text[match.end() :]}".strip()
    bare = not content(text[: match.start()] + text[match.end() :])
    asked = f"What more is said of “{said}”?" if bare else rest
    return FollowUp(asked, (video,), refers=True, settled=bare)


def _target(
    match: re.Match[str], turns: Sequence[ChatTurn], last: ChatTurn
) -> tuple[str, str] | None:
    """(what is said, video id) of what an ordinal names: an entry of a list, else a citation, a
    moment where moments are asked for or nothing is cited."""
    marker = match["marker"] or match["number"]
    if marker:
        cited = reference(turns, marker)
        return (_carried(cited, turns), cited.video_id) if cited else None
    answer, place = last.answer, _place(match["word"].lower())
    if "moment" in match.group().lower() or answer.abstained:
        found = [(m.text, m.video_id) for m in (answer.nearby or answer.moments)]
        return _cut_pair(_at(found, place))
    if answer.form in IN_LINES:
        sentence = _at(answer.sentences, place)
        by_marker = {c.marker: c.video_id for c in answer.citations}
        return _cut_pair((sentence.text, by_marker[sentence.citations[0]])) if sentence else None
    cited = _at(answer.citations, place)
    return (_carried(cited, turns), cited.video_id) if cited else None


def _carried(cited: Citation, turns: Sequence[ChatTurn]) -> str:
    """The sentence that a citation alone carries, which reads better than its quote; else that."""
    for turn in reversed(turns):
        if cited in turn.answer.citations:
            own = [s.text for s in turn.answer.sentences if s.citations == (cited.marker,)]
            return cut(own[0] if len(own) == 1 else cited.quote)
    return cut(cited.quote)


def _place(word: str) -> int:
    if word == "last":
        return -1
    return ORDINALS.index(word) if word in ORDINALS else int(re.sub(r"\D", "", word)) - 1


def _at(some: Sequence[T], place: int) -> T | None:
    return some[place] if -len(some) <= place < len(some) else None


def _cut_pair(found: tuple[str, str] | None) -> tuple[str, str] | None:
    return (cut(found[0]), found[1]) if found else None


def _when_said(text: str, turns: Sequence[ChatTurn], last: ChatTurn) -> FollowUp | None:
    """ "When was that said?" is asked of the first thing that the last answer cites."""
    match = _SAID.search(text.rstrip(" ?.!"))
    if match is None or not last.answer.citations:
        return None
    cited = last.answer.citations[0]
    question = f"{match['wh'].capitalize()} was it said that “{cut(cited.quote)}”?"
    return FollowUp(question, (cited.video_id,), refers=True, settled=True, recalled=cited)


# ---------------------------------------------------------------- which video


def _other_video(text: str, turns: Sequence[ChatTurn], last: ChatTurn) -> FollowUp | None:
    match = _OTHER.search(text)
    if match is None:
        return None
    current = last.videos[0] if len(last.videos) == 1 else _first_video(last.answer)
    others = [video for video in _other_videos(turns, last) if video != current]
    if not others or not current:
        return None
    rest = _without(text, match, "the video")
    said = _rest(rest, turns, last) if content(rest) else last.understood
    here = [v for v in others if v in {c.video_id for c in last.answer.citations}]
    choices = tuple(here) if len(here) > 1 else ()
    alone = said is last.understood
    return FollowUp(said, tuple(others[:1]), refers=True, settled=alone, choices=choices)


def _other_videos(turns: Sequence[ChatTurn], last: ChatTurn) -> list[str]:
    """Videos that "the other one" may be, the likeliest first: what the last answer cites, what
    answers before it cite and its own search found too, what else it found, what else they cite."""
    here = [c.video_id for c in last.answer.citations]
    before = [c.video_id for turn in reversed(turns) for c in turn.answer.citations]
    found = [m.video_id for m in last.answer.moments]
    both = [video for video in before if video in found]
    return list(dict.fromkeys([*here, *both, *found, *before]))


def _both_videos(text: str, turns: Sequence[ChatTurn], last: ChatTurn) -> FollowUp | None:
    match = _BOTH.search(text)
    videos = tuple(dict.fromkeys(c.video_id for c in last.answer.citations))
    if match is None or len(videos) < 2:
        return None
    rest = text[: match.start()] + text[match.end() :]
    question = text if content(rest) else last.understood
    return FollowUp(question, videos, refers=True)


def _same_video(text: str, turns: Sequence[ChatTurn], last: ChatTurn) -> FollowUp | None:
    match, video = _SAME.search(text), _first_video(last.answer)
    if match is None or not video:
        return None
    rest = _without(text, match, f"the {match['noun']}")
    said = _rest(rest, turns, last) if content(rest) else last.understood
    return FollowUp(said, (video,), refers=True)


def _without(text: str, match: re.Match[str], put: str) -> str:
    """`text` without "in the other talk", with `put` for "the other talk" that does something."""
    led = re.match(r"(?:and )?(?:in|from|of|about|for|with|at|during) ", match.group(), re.I)
    return tidy(text[: match.start()] + ("" if led else put) + text[match.end() :])


def _rest(text: str, turns: Sequence[ChatTurn], last: ChatTurn) -> str:
    """What else a question that names a video leaves to the conversation, filled in."""
    return (_elliptic(text, turns, last) or pronouns(text, last)).question


def _first_video(answer: Answer) -> str:
    return answer.citations[0].video_id if answer.citations else ""


# ---------------------------------------------------------------- half a question


def _elliptic(text: str, turns: Sequence[ChatTurn], last: ChatTurn) -> FollowUp | None:
    """ "Why?", "tell me more", "what about November?": the rest is the last question's."""
    bare = _BARE.match(text)
    if bare is not None:
        return FollowUp(f"{bare['wh'].capitalize()}: {_claim(last)}?", last.videos, refers=True)
    if _MORE.match(text):
        return FollowUp(f"Tell me more about {subject(last.understood)}.", last.videos, refers=True)
    about_new = _ABOUT.match(text)
    if about_new is None or _is_whole(about_new):
        return None
    new = about_new["new"]
    if THING.search(new) or PERSON.search(new):
        return None
    replaced = _replaced(last.understood, new)
    if replaced is not None:
        return FollowUp(replaced, last.videos, refers=True)
    return FollowUp(f"{tidy(last.understood).rstrip('?!. ')}, {new}?", last.videos, refers=True)


def _claim(last: ChatTurn) -> str:
    """What the last answer says first, where it speaks of what was asked; else the question."""
    said = last.answer.sentences[0].text if last.answer.sentences else ""
    asked = set(content(last.understood))
    about = said if asked & set(content(said)) else last.understood
    return cut(about).rstrip("?! ")


def _is_whole(match: re.Match[str]) -> bool:
    """Whether what follows "and" is a question of its own."""
    verb = r"(?:is|are|was|were|do|does|did|can|will|has|have|should)"
    asks = rf"(?:{verb}|(?:who|what|when|where|why|which|how)\b.*\b(?:{verb}|\w{{3,}})) "
    return match["lead"].lower() in ("and", "or") and bool(re.match(asks, fold(match["new"]) + " "))


def _replaced(question: str, new: str) -> str | None:
    """The question with `new` in the place of what is of its kind: a day or month, a number, a
    name, "the ferry" for "the breakwater"; None where there is nothing of it."""
    core = re.sub(r"^(?:in|on|at|for|from|of|by|with|during|about|the) ", "", new, flags=re.I)
    for kind in (is_month, str.isdigit, is_name):
        if not kind(core.split()[0].strip(".,") if core.split() else ""):
            continue
        spans = [m for m in NAME.finditer(question) if m.start()] if kind is is_name else [
            m for m in TOKEN.finditer(question) if kind(m.group())
        ]  # fmt: skip
        spans = [m for m in spans if kind is not is_name or not is_month(m.group())]
        if spans:
            place = spans[-1]
            return question[: place.start()] + core + question[place.end() :]
    old = subject(question)
    if is_led(old) and is_led(new) and question.count(old) == 1:
        return question.replace(old, new)
    return None


def _answered(turns: Sequence[ChatTurn]) -> ChatTurn | None:
    """The latest turn that answered, whatever was asked back since."""
    return next((turn for turn in reversed(turns) if not turn.clarify), None)
