"""Chapters and a summary as a language model writes them, read leniently and held to the clock.

The transcript is given in parts that fit the model. A chapter counts only where the transcript has
a line at its time, a sentence of a summary only where the lines that it names do; a reply with
nothing usable in it is a failure that is said, never one that is passed over. Parts that were
summarised one by one are fused, and what the fusing lost of numbers and names is shown to the
model once, to put back what matters (facts that stand in one part alone are what fusing loses).

Every usable reply is kept under a key of the whole request and the model's name: the same text,
prompt and model cost no second call.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.errors import ModelUnavailable
from pipeline.ingest.cohesion import LEAST
from pipeline.ingest.function_words import telling_words
from pipeline.ingest.outputs import GetOutput, PutOutput, output_key
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.sentences import sentences
from pipeline.ingest.titles import LONGEST_TITLE, shortened
from pipeline.ingest.transcript import Line, Part, line_at, parts_of, times_in
from pipeline.prompts import Prompt, as_data
from pipeline.types import LanguageModel, Segment, clock

_REPLY_TOKENS = 1500  # kept free for the prompt's own words and the reply
_CHARACTERS_PER_TOKEN = 3.0
_MOST_SENTENCES = 14
_SHORT_MINUTES = 4.0
_LONGEST_SENTENCE = 600

_STAMP = r"(?:\d{1,2}:)?\d{1,3}:\d{2}(?:\.\d+)?"
_CHAPTER = re.compile(
    r"^[^\w\d]*(?:\d{1,2}[.)]\s+)?[^\w\d]*(?:\"?(?:time|start)\"?\s*[:=]\s*)?[\"\[(]*"
    rf"({_STAMP})[\"\])]*(?:\s*(?:-|\u2013|\u2014|to)\s*[\[(]?{_STAMP}[\])]?)?(.*)$",
    re.IGNORECASE,
)
_TITLE_KEY = re.compile(r"^[\s,\"]*(?:title|chapter)\"?\s*[:=]\s*", re.IGNORECASE)
_TITLE_EDGES = " \t\"'`*_|#-\u2013\u2014:;,.{}[]()\u201c\u201d"
_AND = r"\s*(?:[,;/&\u2013\u2014-]|and|to)\s*"
_TIMES = re.compile(rf"[\[(]\s*(?:at\s+)?{_STAMP}(?:{_AND}{_STAMP})*\s*[\])]")
_BULLET = re.compile(r"^\s*(?:[-*\u2022#>]+|\d{1,2}[.)])\s+")
_REFUSES = re.compile(r"\b(?:i'?m sorry|i cannot|i can't|as an ai|unable to)\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['\u2019]s?$")
_WORDS = re.compile(r"\d[\d.,:/]*|[^\W\d_][\w'\u2019-]*")


@dataclass(frozen=True, slots=True)
class Titled:
    """A chapter: it lasts until the next one begins."""

    start: float
    title: str


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence of a summary and the lines of the transcript that it is taken from."""

    text: str
    lines: tuple[Line, ...]


@dataclass(slots=True)
class LevelWriter:
    """Asks a language model for the chapters and the summary of videos. `calls` counts replies
    that were not kept from before, the tokens are theirs."""

    model: LanguageModel
    prompts: dict[str, Prompt]
    context_window: int
    get_output: GetOutput
    put_output: PutOutput
    calls: int = field(default=0)
    prompt_tokens: int = field(default=0)
    completion_tokens: int = field(default=0)

    @property
    def room(self) -> int:
        """Characters of transcript that one request may hold."""
        return max(2000, int((self.context_window - _REPLY_TOKENS) * _CHARACTERS_PER_TOKEN))

    def chapters(self, title: str, segments: Sequence[Segment], duration: float) -> list[Titled]:
        """The chapters, the first at 0. Raises `ModelUnavailable`, for a reply without any too."""
        found: list[Titled] = []
        for part in parts_of(segments, self.room):
            request = self.prompts["chapters"].render(
                title=as_data(title) or "(none)",
                part=part.name,
                before=_before(part, found),
                guide=_guide(part),
                transcript=part.text,
            )
            reply = self._ask("chapters-1", request, lambda text, part=part: _chapters(text, part))
            found += _chapters(reply, part)
        chapters = _in_order(found, duration)
        if not chapters:
            raise ModelUnavailable(f"{self.model.name} replied with no chapter that fits the video")
        return chapters

    def summary(self, title: str, segments: Sequence[Segment]) -> list[Told]:
        """The sentences, by time. Raises `ModelUnavailable`, for a reply without any too."""
        parts = parts_of(segments, self.room)
        lines = [line for part in parts for line in part.lines]
        told: list[Told] = []
        for part in parts:
            request = self.prompts["summary"].render(
                title=as_data(title) or "(none)",
                part=part.name,
                count=_sentences_for(part.lines, len(parts)),
                transcript=part.text,
            )
            reply = self._ask("summary-1", request, lambda text, part=part: _told(text, part.lines))
            told += _told(reply, part.lines)
        if len(parts) > 1:
            told = self._fused(title, told, lines)
        return sorted(told, key=lambda sentence: sentence.lines[0].start)

    def _fused(self, title: str, told: Sequence[Told], lines: Sequence[Line]) -> list[Told]:
        """One summary of those of the parts, with what the fusing lost and matters."""
        count = _sentences_for(lines, 1)
        stated = [f"{as_data(told_.text)} {_stamped(told_.lines)}" for told_ in told]
        request = self.prompts["summary_fuse"].render(
            title=as_data(title) or "(none)", count=count, parts="\n".join(stated)
        )
        fused = _told(self._ask("fuse-1", request, lambda text: _told(text, lines)), lines)
        lost = lost_facts(told, fused)
        if not lost:
            return fused
        request = self.prompts["summary_restore"].render(
            title=as_data(title) or "(none)",
            count=min(_MOST_SENTENCES, count + 2),
            summary="\n".join(f"{as_data(s.text)} {_stamped(s.lines)}" for s in fused),
            missing="\n".join(
                f"{as_data(s.text)} {_stamped(s.lines)} missing: {', '.join(words)}"
                for s, words in lost
            ),
        )
        # "Nothing to add" is an answer too: the summary stays as it was fused.
        restored = _told(self._ask("restore-1", request, bool), lines)
        better = bool(restored) and _count(lost_facts(told, restored)) <= _count(lost)
        return restored if better else fused

    def _ask(self, kind: str, request: str, read: object) -> str:
        """The reply to a request; kept, and kept only, where `read` finds something in it."""
        key = output_key(kind, self.model.name, request)
        kept = self.get_output(key)
        if kept is not None:
            return kept.decode()
        told = self.model.complete(request)
        self.calls += 1
        self.prompt_tokens += told.prompt_tokens
        self.completion_tokens += told.completion_tokens
        reply = told.text
        if not read(reply):  # type: ignore[operator]
            raise ModelUnavailable(
                f"{self.model.name} replied with nothing usable: {shortened(_flat(reply), 80)!r}",
                "choose another FOOTNOTE_LANGUAGE_MODEL, or set FOOTNOTE_LEVELS=text",
            )
        self.put_output(key, reply.encode("utf-8", "replace"))
        return reply


# ---------------------------------------------------------------- chapters


def _before(part: Part, found: Sequence[Titled]) -> str:
    if not found:
        return "The video begins with the first line: the first chapter begins there, at 0:00."
    return (
        f'Before the first line, the chapter "{found[-1].title}" was going on since '
        f"{clock(found[-1].start)}. The first line may go on with it or begin another one: list "
        "only chapters that begin in this part."
    )


def _guide(part: Part) -> str:
    """How many chapters there may be, in words."""
    minutes = (part.lines[-1].end - part.lines[0].start) / 60
    if minutes < _SHORT_MINUTES and part.count == 1:  # of a long video the last part may be short
        most = max(3, round(minutes * 5))
        return f"It is short: at most {most} chapters, none shorter than {LEAST:.0f} seconds."
    most, least = min(12, max(3, round(minutes / 2.5))), max(1, round(minutes / 6))
    return (
        f"These {minutes:.0f} minutes want about {least} to {most} chapters: fewer where they stay "
        "with one subject, none shorter than half a minute."
    )


def _chapters(reply: str, part: Part) -> list[Titled]:
    """The chapters in a reply whose times are those of lines."""
    found: list[Titled] = []
    for row in _rows(reply):
        match = _CHAPTER.match(row)
        if not match:
            continue
        title = _title(match[2])
        time = times_in(match[1])
        line = line_at(time[0], part.lines) if time and title else None
        if line is not None:
            found.append(Titled(line.start, title))
    return found


def _rows(reply: str) -> list[str]:
    """The lines of a reply; JSON objects count as lines."""
    text = re.sub(r"^\s*```.*$", "", clean_text(reply), flags=re.MULTILINE)
    if "{" in text and '"' in text:
        text = re.sub(r"\s*\n\s*", " ", text)
        return [part for part in re.split(r"[{}]", text) if part.strip(" ,[]")]
    return text.split("\n")


def _title(text: str) -> str:
    title = _TITLE_KEY.sub("", text.lstrip(_TITLE_EDGES.replace("(", "")))
    title = " ".join(as_data(title).strip(_TITLE_EDGES.replace(")", "").replace("(", "")).split())
    if not any(map(str.isalpha, title)) or _REFUSES.search(title):
        return ""
    return shortened(title, LONGEST_TITLE)


def _in_order(found: Sequence[Titled], duration: float) -> list[Titled]:
    """By time, the first at 0, none shorter than a few seconds; of two at one place the first."""
    kept: list[Titled] = []
    for chapter in sorted(found, key=lambda chapter: chapter.start):
        if not kept:
            kept.append(Titled(0.0, chapter.title))
        elif min(chapter.start - kept[-1].start, duration - chapter.start) >= LEAST / 2:
            kept.append(chapter)
    return kept


# ---------------------------------------------------------------- summaries


def _sentences_for(lines: Sequence[Line], parts: int) -> int:
    """By how much is said, not by how long it takes: a dense minute wants as many as a slow ten."""
    characters = sum(len(line.text) for line in lines)
    most = _MOST_SENTENCES - 4 if parts == 1 else _MOST_SENTENCES // 2
    return max(3, min(most, round(2 + math.sqrt(characters) / 12)))


def _told(reply: str, lines: Sequence[Line]) -> list[Told]:
    """The sentences of a reply with the lines that they name.

    One that names none is given the line that shares most of its telling words, and left out
    where none shares two.
    """
    found: list[Told] = []
    for row in clean_text(reply).split("\n"):
        bare = _BULLET.sub("", row)
        meant = [line_at(time, lines) for match in _TIMES.findall(bare) for time in times_in(match)]
        named = tuple(dict.fromkeys(line for line in meant if line is not None))
        text = _sentence(_TIMES.sub(" ", bare))
        if not text or text.endswith(":") or _REFUSES.search(text):
            continue
        named = named or _nearest(text, lines)
        if named:
            found.append(Told(text, tuple(sorted(named, key=lambda line: line.start))))
    return found[: 2 * _MOST_SENTENCES]


def _sentence(text: str) -> str:
    flat = re.sub(r"\s+([.,;!?])(?!\w)", r"\1", _flat(text)).strip(" *_")
    if len(flat) > 1 and flat[0] == flat[-1] == '"':
        flat = flat[1:-1]
    flat = re.sub(r"([.!?])[.]+$", r"\1", flat)
    if sum(map(str.isalpha, flat)) < 8:
        return ""
    if len(flat) > _LONGEST_SENTENCE:
        ends = [end for _, end in sentences(flat) if end <= _LONGEST_SENTENCE]
        flat = flat[: ends[-1]] if ends else shortened(flat, _LONGEST_SENTENCE)
    return flat


def _nearest(text: str, lines: Sequence[Line]) -> tuple[Line, ...]:
    telling = set(telling_words(text))
    shared = [len(telling & set(telling_words(line.text))) for line in lines]
    most = max(shared, default=0)
    return (lines[shared.index(most)],) if most >= 2 else ()


def _stamped(lines: Sequence[Line]) -> str:
    return f"[{', '.join(dict.fromkeys(clock(line.start) for line in lines))}]"


def lost_facts(told: Sequence[Told], fused: Sequence[Told]) -> list[tuple[Told, tuple[str, ...]]]:
    """The sentences of `told` with numbers and names that no sentence of `fused` has, and those."""
    kept = {_folded(m[0]) for sentence in fused for m in _WORDS.finditer(sentence.text)}
    lost = [(s, tuple(f for f in _facts(s.text) if _folded(f) not in kept)) for s in told]
    return [(sentence, facts) for sentence, facts in lost if facts]


def _facts(text: str) -> list[str]:
    """Numbers, and words with a capital that do not begin a sentence."""
    begins = {begin for begin, _ in sentences(text)}
    words = (m for m in _WORDS.finditer(text) if m.start() not in begins or m[0][0].isdigit())
    named = (m[0].strip(".,:") for m in words if m[0][0].isdigit() or m[0][0].isupper())
    return list(dict.fromkeys(_POSSESSIVE.sub("", word) for word in named))


def _folded(word: str) -> str:
    """As it is compared: "15,000" is 15000, and "Bitcoin's" Bitcoin."""
    bare = _POSSESSIVE.sub("", word.casefold().strip(".,:"))
    return bare.replace(",", "") if bare[:1].isdigit() else bare


def _count(lost: Sequence[tuple[Told, tuple[str, ...]]]) -> int:
    return sum(len(facts) for _, facts in lost)


def _flat(text: str) -> str:
    return " ".join(text.split())
