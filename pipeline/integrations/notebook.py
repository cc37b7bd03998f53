"""How results show themselves in a notebook: thumbnails, playable clips, footnotes.

`shown` gives a value the method `_repr_html_`, by which Jupyter and its relatives draw it. It stays
a value of its type, equal to the plain one, pickled and copied as the plain one: only a result that
a library gave knows where the pictures are. Everything drawn is escaped: titles, transcripts and
captions are hostile. Pictures and clips are made when a result is drawn, not before.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipeline.errors import FootnoteError
from pipeline.prompts import shortened, visible
from pipeline.types import (
    Answer,
    ChatTurn,
    Citation,
    Entry,
    Listing,
    Look,
    Moment,
    SearchResult,
    VideoSummary,
    clock,
)

T = TypeVar("T")
CLIPS = 4  # of one result; the others show a picture
_LONGEST_TEXT = 320  # characters of a moment's text
_LEAST_CLIP = 4.0  # seconds
_LONGEST_CLIP = 20.0
_LARGEST_CLIP = 4 << 20  # bytes: it is kept in the notebook
_VERDICTS = {  # a colour that is legible on light and dark, and a word for those who see none
    "supported": "#2e8b57",
    "partly": "#b8860b",
    "unchecked": "#708090",
    "unsupported": "#c0392b",
    "contradicted": "#c0392b",
}
_ROW = "display:flex;gap:12px;margin:10px 0;align-items:flex-start"
_SMALL = "opacity:.7;font-size:.9em"


class Pictures(Protocol):
    """Where a library's pictures come from."""

    def frame(self, video_id: str, at: float) -> bytes | None:
        """A small JPEG of about that second, None where there is none to be had."""
        ...

    def clip(self, video_id: str, start: float, end: float) -> bytes | None:
        """An MP4 that a browser plays, None where there is none of a fair size to be had."""
        ...


class LibraryPictures:
    """Pictures and clips of a library, by its own `frame` and `clip`. What cannot be had, because
    the video was imported without a file or the file is gone, is left out of what is drawn."""

    def __init__(
        self,
        frame: Callable[[str, float], tuple[float, bytes]],
        clip: Callable[[str, float, float, Path], object],
    ) -> None:
        self._frame = frame
        self._clip = clip

    def frame(self, video_id: str, at: float) -> bytes | None:
        try:
            return self._frame(video_id, at)[1]
        except FootnoteError:
            return None

    def clip(self, video_id: str, start: float, end: float) -> bytes | None:
        with tempfile.TemporaryDirectory(prefix="footnote-") as folder:
            file = Path(folder) / "clip.mp4"
            try:
                self._clip(video_id, start, end, file)
            except FootnoteError:
                return None
            return file.read_bytes() if file.stat().st_size <= _LARGEST_CLIP else None


def shown(value: T, pictures: Pictures) -> T:
    """`value`, and the results in it, so that a notebook draws them with `pictures`."""
    if isinstance(value, tuple | list):
        return type(value)(shown(item, pictures) for item in value)
    if type(value) not in _DRAWN:
        return value
    nested = {
        name: shown(getattr(value, name), pictures)
        for name in ("moments", "citations", "answer")
        if isinstance(getattr(value, name, None), tuple | Answer)
    }
    plain: Any = replace(value, **nested) if nested else value  # type: ignore[type-var]
    kind: type = type(value)
    drawn: Any = object.__new__(_drawn_class(kind))
    for field in fields(plain):
        object.__setattr__(drawn, field.name, getattr(plain, field.name))
    object.__setattr__(drawn, "_pictures", pictures)
    return drawn  # type: ignore[no-any-return]


class _Drawn:
    """What a drawn value has beside its type's own; `__slots__` keep the layout of the type."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        kind = type(self).__mro__[2]
        return _DRAWN[kind](self, getattr(self, "_pictures", None))

    def __eq__(self, other: object) -> bool:
        kind = type(self).__mro__[2]
        if not isinstance(other, kind) or not is_dataclass(other):
            return NotImplemented
        return all(getattr(self, f.name) == getattr(other, f.name) for f in fields(other))

    def __reduce__(self) -> tuple[Any, ...]:
        kind = type(self).__mro__[2]
        return kind, tuple(getattr(self, f.name) for f in fields(kind))


@cache
def _drawn_class(kind: type) -> type:
    hashed = {"__hash__": kind.__hash__, "__slots__": ("_pictures",)}
    named = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (_Drawn, kind), {**hashed, **named})


# ---------------------------------------------------------------- each kind of result


def library_html(videos: Sequence[VideoSummary], pictures: Pictures | None) -> str:
    """A library: its videos, with what is known of each."""
    hours = sum(video.duration for video in videos) / 3600
    count = "1 video" if len(videos) == 1 else f"{len(videos)} videos"
    head = f"<p><b>{count}</b>, {hours:.1f} hours</p>"
    return _box(head + "".join(_video(video, pictures) for video in videos[:50]))


def _video(video: VideoSummary, pictures: Pictures | None) -> str:
    found = ", ".join(f"{count} {_text(source)}" for source, count in video.sources.items())
    pending = f"; pending: {_text(', '.join(video.pending))}" if video.pending else ""
    facts = f"{clock(video.duration)} &middot; {_text(video.video_id)} &middot; {found}{pending}"
    words = f"<b>{_text(video.title)}</b><br><span style='{_SMALL}'>{facts}</span>"
    return _row(_picture(pictures, video.video_id, video.duration / 3, 120), words)


def _search(result: SearchResult, pictures: Pictures | None) -> str:
    if not result.moments:
        return _box(f"<p>Nothing was found for <b>{_text(result.query)}</b>.</p>")
    rows = [
        _moment(moment, pictures, clip=place < CLIPS) for place, moment in enumerate(result.moments)
    ]
    return _box(f"<p><b>{_text(result.query)}</b></p>" + "".join(rows))


def _listing(listing: Listing, pictures: Pictures | None) -> str:
    head = f"{len(listing.moments)} moments in {len(listing.videos)} videos"
    rows = "".join(_moment(moment, pictures, clip=False) for moment in listing.moments)
    return _box(f"<p><b>{_text(listing.query)}</b>: {head}</p>" + rows)


def _moment(moment: Moment, pictures: Pictures | None, *, clip: bool = True) -> str:
    sources = ", ".join(dict.fromkeys(passage.source for passage in moment.passages))
    where = f"{clock(moment.start)}-{clock(moment.end)} &middot; {_text(sources)}"
    words = (
        f"<b>{_text(moment.title)}</b> <span style='{_SMALL}'>{where}</span>"
        f"<br>{_text(shortened(' '.join(moment.text.split()), _LONGEST_TEXT))}"
    )
    return _row(_player(pictures, moment.video_id, moment.start, moment.end, clip=clip), words)


def _answer(answer: Answer, pictures: Pictures | None) -> str:
    sentences = [_sentence(s.text, s.citations, s.verdict) for s in answer.sentences]
    told = "".join(sentences) or f"<p>{_text(answer.answer)}</p>"
    missing = "".join(f"<p style='{_SMALL}'>{_text(line)}</p>" for line in answer.missing)
    notes = [
        _citation(citation, pictures, clip=place < CLIPS)
        for place, citation in enumerate(answer.citations)
    ]
    return _box(f"<p><b>{_text(answer.question)}</b></p>{told}{missing}{''.join(notes)}")


def _sentence(text: str, markers: Iterable[int], verdict: str) -> str:
    notes = "".join(f"<sup>[{marker}]</sup>" for marker in markers)
    struck = verdict in ("unsupported", "contradicted")
    shown_text = f"<s>{_text(text)}</s>" if struck else _text(text)
    edge = f"border-left:3px solid {_VERDICTS[verdict]};padding-left:8px;margin:6px 0"
    return (
        f"<p style='{edge}'>{shown_text} {notes} <span style='{_SMALL}'>{_text(verdict)}</span></p>"
    )


def _citation(citation: Citation, pictures: Pictures | None, *, clip: bool = True) -> str:
    where = f"{clock(citation.start)}-{clock(citation.end)} &middot; {_text(citation.source)}"
    if citation.speaker:
        where += f" &middot; {_text(citation.speaker)}"
    words = (
        f"[{citation.marker}] <b>{_text(citation.title)}</b> <span style='{_SMALL}'>{where}"
        f" &middot; {_text(citation.verdict)}</span><br>&ldquo;{_text(citation.quote)}&rdquo;"
    )
    media = _player(pictures, citation.video_id, citation.start, citation.end, clip=clip)
    return _row(media, words)


def _turn(turn: ChatTurn, pictures: Pictures | None) -> str:
    asked = f"<p><b>{turn.number}. {_text(turn.asked)}</b></p>"
    choices = "".join(f"<li>{_text(label)}</li>" for label in turn.clarify)
    offered = f"<ol>{choices}</ol>" if choices else ""
    return asked + _answer(turn.answer, pictures) + offered


def _look(look: Look, pictures: Pictures | None) -> str:
    where = f"{_text(look.title)}, {clock(look.start)}-{clock(look.end)}"
    seen = "".join(_picture(pictures, look.video_id, at, 140) for at in look.times)
    frames = f"<div style='display:flex;gap:6px;flex-wrap:wrap'>{seen}</div>"
    asked = f"<b>{_text(look.question)}</b> <span style='{_SMALL}'>{where}</span>"
    return _box(f"<p>{asked}</p>{frames}<p>{_text(look.text)}</p>")


# ---------------------------------------------------------------- pieces of HTML


def _text(value: str) -> str:
    return escape(visible(value))


def _box(inner: str) -> str:
    return f"<div style='max-width:900px;line-height:1.45'>{inner}</div>"


def _row(media: str, words: str) -> str:
    return f"<div style='{_ROW}'>{media}<div style='flex:1;min-width:0'>{words}</div></div>"


def _picture(pictures: Pictures | None, video_id: str, at: float, width: int) -> str:
    found = pictures.frame(video_id, at) if pictures else None
    if found is None:
        return f"<div style='width:{width}px;flex:none'></div>"
    alt = _text(f"{video_id} at {clock(at)}")
    style = "flex:none;border-radius:4px;align-self:flex-start"
    return f"<img src='{_data(found, 'image/jpeg')}' alt='{alt}' width='{width}' style='{style}'>"


def _player(
    pictures: Pictures | None, video_id: str, start: float, end: float, *, clip: bool
) -> str:
    """A clip to play, else a picture, else as much empty room."""
    until = min(max(end, start + _LEAST_CLIP), start + _LONGEST_CLIP)
    film = pictures.clip(video_id, start, until) if clip and pictures else None
    if film is None or pictures is None:
        return _picture(pictures, video_id, (start + end) / 2, 200)
    poster = pictures.frame(video_id, (start + end) / 2)
    still = f" poster='{_data(poster, 'image/jpeg')}'" if poster else ""
    return (
        f"<video controls preload='none' width='200'{still}"
        f" src='{_data(film, 'video/mp4')}' style='flex:none;border-radius:4px'></video>"
    )


def _data(content: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


_DRAWN: dict[type, Callable[[Any, Pictures | None], str]] = {
    SearchResult: _search,
    Listing: _listing,
    Moment: _moment,
    Entry: _moment,
    Answer: _answer,
    Citation: _citation,
    ChatTurn: _turn,
    Look: _look,
    VideoSummary: _video,
}
