"""Answers as Markdown for chat front ends, and such Markdown read back as turns of a chat.

A front end sends the whole conversation with every question. What an earlier answer cited is told
by its links: the text that is stored at their second is the quote again, so that a follow-up ("who
said that?") is understood as in any other chat, though nothing is kept here.

Text from videos is data: what Markdown or HTML would make of it is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote

from pipeline.answer.chat import ASKED_BACK
from pipeline.answer.cite import link, seconds
from pipeline.answer.verify import WEIGHT
from pipeline.apps.serving.problems import without_folders
from pipeline.errors import VideoNotFound
from pipeline.types import (
    CITABLE,
    IN_LINES,
    Answer,
    ChatTurn,
    Citation,
    Form,
    Segment,
    Sentence,
    Video,
    clock,
)

_SPECIAL = re.compile(r"[\\`<>\[\]]")
_SOURCES = "\n\nSources:\n"
_NEAR = "\n\nNear to it:\n"
_BROKEN_OFF = "\n\n*Incomplete: "
_MARKER = re.compile(r"\[\[(\d{1,4})\]\]\([^()\s]*/video/([^()\s?/]+)\?t=(\d+(?:\.\d+)?)\)")
_OFFER = re.compile(r"^\d+\. \[(.*)\]\([^()\s]*/video/([^()\s?/]+)\)$", re.MULTILINE)
_ESCAPED = re.compile(r"\\([\\`<>\[\]])")
_PROBE = 0.1  # links are rounded down to a tenth


class Knowing(Protocol):
    """What the library knows of a cited video."""

    def video(self, reference: str) -> Video: ...

    def segments(self, reference: str) -> Sequence[Segment]: ...


@dataclass(frozen=True, slots=True)
class Annotation:
    """Where a citation stands in the text, and where it leads: OpenAI's `url_citation`."""

    start: int
    end: int
    citation: Citation
    url: str

    def value(self) -> dict[str, Any]:
        told = {
            "start_index": self.start,
            "end_index": self.end,
            "url": self.url,
            "title": f"{self.citation.title}, {clock(self.citation.start)}",
        }
        cited = {"quote": self.citation.quote, "link": _on_the_web(self.citation.link)}
        return {"type": "url_citation", "url_citation": {**told, **cited}}


class Writing:
    """An answer as it is written, piece by piece; `base` is the server's own address.

    `text` is all that was written so far, `annotations` the citations in it.
    """

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        self._cited: dict[int, Citation] = {}
        self.text = ""
        self.annotations: list[Annotation] = []

    def sentence(self, sentence: Sentence, new: Iterable[Citation], form: Form) -> str:
        """A sentence with its markers, each a link to the page at the second."""
        self._cited |= {citation.marker: citation for citation in new}
        between = "" if not self.text else "\n" if form in IN_LINES else " "
        shown = escaped(sentence.text)
        if WEIGHT[sentence.verdict] <= 0:
            shown = f"~~{shown}~~ ({sentence.verdict})"
        begun = len(self.text)
        self.text += f"{between}{shown} "
        for marker in sentence.citations:
            cited = self._cited[marker]
            url, start = page(self._base, cited.video_id, cited.start), len(self.text)
            self.text += f"[[{marker}]]({url})"
            self.annotations.append(Annotation(start, len(self.text), cited, url))
        return self.text[begun:]

    def rest(self, answer: Answer) -> str:
        """What follows the sentences: the sources by title, or what is near instead of them."""
        begun = len(self.text)
        if not answer.sentences:
            self.text += escaped(answer.answer)
        self.text += self._near(answer) if answer.abstained else self._sources()
        if answer.incomplete:
            self.text += f"{_BROKEN_OFF}{escaped(without_folders(answer.incomplete))}*"
        return self.text[begun:]

    def asked_back(self, turn: ChatTurn) -> str:
        """The readings that a question has, each with the page of its video."""
        offers = zip(turn.clarify, turn.offered, strict=True)
        lines = [
            f"{place}. [{escaped(label)}]({page(self._base, video_id)})"
            for place, (label, video_id) in enumerate(offers, 1)
        ]
        self.text = "\n".join([ASKED_BACK, *lines])
        return self.text

    def _sources(self) -> str:
        lines = []
        for marker, cited in sorted(self._cited.items()):
            url = page(self._base, cited.video_id, cited.start)
            line = f"{marker}. [{escaped(cited.title)}, {clock(cited.start)}]({url})"
            elsewhere = _on_the_web(cited.link)
            lines.append(f"{line} ([original]({elsewhere}))" if elsewhere else line)
        return _SOURCES + "\n".join(lines) if lines else ""

    def _near(self, answer: Answer) -> str:
        lines = [
            f"- [{escaped(near.title)}, {clock(near.start)}]"
            f"({page(self._base, near.video_id, near.start)})"
            for near in answer.nearby
        ]
        missing = "".join(f"\n\n{escaped(without_folders(told))}" for told in answer.missing)
        return (_NEAR + "\n".join(lines) if lines else "") + missing


def page(base: str, video_id: str, start: float | None = None) -> str:
    """The page of a video, at a second."""
    at = "" if start is None else f"?t={seconds(start)}"
    return f"{base}/video/{quote(video_id, safe='')}{at}"


def escaped(text: str) -> str:
    """`text` as Markdown that shows it as it is: no link, no picture, no HTML."""
    return _SPECIAL.sub(lambda match: f"\\{match.group()}", text)


def _on_the_web(address: str) -> str:
    """Links to files of this machine open nothing elsewhere."""
    safe = address.startswith(("http://", "https://")) and not re.search(r"[\s()<>]", address)
    return address if safe else ""


# ---------------------------------------------------------------- read back


def turns_of(messages: Sequence[tuple[str, str]], library: Knowing, most: int) -> list[ChatTurn]:
    """The turns that (role, text) of a conversation tell of, the last `most` of them.

    A question that got no answer is no turn.
    """
    pairs: list[tuple[str, str]] = []
    asked = ""
    for role, text in messages:
        if role == "user":
            asked = text
        elif role == "assistant" and asked.strip() and text.strip():
            pairs.append((asked, text))
            asked = ""
    return [_turn(question, text, library) for question, text in pairs[-most:]]


def _turn(asked: str, text: str, library: Knowing) -> ChatTurn:
    if text.startswith(ASKED_BACK) and (offers := _OFFER.findall(text)):
        labels = tuple(_unescaped(label) for label, _ in offers)
        offered = tuple(unquote(video_id) for _, video_id in offers)
        answer = Answer(asked, text, True, 0.0, (), (), (), {}, {})
        return ChatTurn(0, asked, asked, answer, clarify=labels, offered=offered)
    return ChatTurn(0, asked, asked, _answer(asked, text, library))


def _answer(asked: str, text: str, library: Knowing) -> Answer:
    for end in (_SOURCES, _NEAR, _BROKEN_OFF):
        text = text.split(end)[0]
    citations = {c.marker: c for c in _citations(text, library)}
    sentences = tuple(_sentences(text, citations))
    plain = _unescaped(_MARKER.sub(lambda match: f"[{match[1]}]", text)).strip()
    form: Form = "list" if len(sentences) > 1 and "\n" in plain else "short"
    cited = tuple(citations[marker] for marker in sorted(citations))
    return Answer(asked, plain, not cited, 0.0, sentences, cited, (), {}, {}, form)


def _sentences(text: str, citations: Mapping[int, Citation]) -> Iterator[Sentence]:
    """The text up to each run of markers."""
    begun, markers = 0, list(_MARKER.finditer(text))
    for place, match in enumerate(markers):
        following = markers[place + 1] if place + 1 < len(markers) else None
        if following is not None and not text[match.end() : following.start()].strip():
            continue
        part = text[begun : match.end()]
        numbers = tuple(int(m[1]) for m in _MARKER.finditer(part) if int(m[1]) in citations)
        said = _unescaped(_MARKER.sub("", part)).strip()
        if said and numbers:
            yield Sentence(said, numbers, "supported")
        begun = match.end()


def _citations(text: str, library: Knowing) -> Iterator[Citation]:
    """What is cited in an answer, as far as the library still has it."""
    for marker, video_id, at in dict.fromkeys(_MARKER.findall(text)):
        try:
            video = library.video(unquote(video_id))
        except VideoNotFound:
            continue
        probe = float(at) + _PROBE
        for said in library.segments(video.video_id):
            if said.source in CITABLE and not said.invented and said.start <= probe < said.end:
                yield Citation(
                    int(marker), video.video_id, video.title, said.start, said.end, said.text,
                    said.source, "supported", link(video, said.start), video.date, said.speaker,
                )  # fmt: skip
                break


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
