"""Filters as a boolean mask over the passage table: which passages a search may return.

A filter is decided once per video, then spread over its passages by one look-up, so that it
costs the same whether it keeps one video or all but one.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UsageError
from pipeline.types import SOURCES, Filters, PassageTable, derived_passages

_YEAR_OR_MONTH = re.compile(r"\d{4}(-\d\d)?", re.ASCII)
_WORD = re.compile(r"\w+")
_TO_SECONDS = len("2024-01-31T12:00:00")


class Located(Protocol):
    """What filters ask of a video; `store.metadata.Whereabouts` has it."""

    @property
    def path(self) -> str: ...

    @property
    def date(self) -> str: ...

    @property
    def people(self) -> Sequence[str]: ...

    @property
    def tags(self) -> Sequence[str]: ...

    @property
    def place(self) -> str: ...


def allowed_passages(
    table: PassageTable, filters: Filters, videos: Mapping[str, Located]
) -> NDArray[np.bool_] | None:
    """(n,) which passages `filters` let through; None when that is all of them.

    Chapters and summaries are let through where `filters.sources` names them, else only those of
    videos that have nothing else.

    `videos` holds the facts of the table's videos by id, and is asked only where `asks_of_videos`.
    `filters.videos` are full ids. A video without a date, or without a path, passes no
    filter of that kind. Raises `UsageError` for a source or a date that is none.
    """
    mask: NDArray[np.bool_] | None = None
    if filters.videos or asks_of_videos(filters):
        mask = allowed_videos(table, filters, videos)[table.video]
    if filters.sources:
        kept = _allowed_sources(filters)[table.source]
        mask = kept if mask is None else mask & kept
    elif (kept_all := without_levels(table)) is not None:
        mask = kept_all if mask is None else mask & kept_all
    return mask


def without_levels(table: PassageTable) -> NDArray[np.bool_] | None:
    """(n,) all passages but chapters and summaries of videos that have other text; None for all.

    They say again what lies underneath, and a hit on one tells less well where: ranked beside it
    they cost .05 to .07 of MRR@10 (talks, tutorials, everyday videos, all significant). Lending
    their cosine to what lies underneath gained nothing. Asked for by source they are searched.
    """
    derived = derived_passages(table)
    if not derived.any():
        return None
    told = np.zeros(len(table.videos), np.bool_)
    told[table.video[~derived]] = True
    mask: NDArray[np.bool_] = ~derived | ~told[table.video]
    return mask


def asks_of_videos(filters: Filters) -> bool:
    """Whether what is known of the videos decides, beside their ids."""
    facts = (filters.folder, filters.after, filters.before)
    return any((*facts, filters.people, filters.tags, filters.places))


def _allowed_sources(filters: Filters) -> NDArray[np.bool_]:
    for name in filters.sources:
        if name not in SOURCES:
            raise UsageError(f"unknown source {name!r}", f"one of {', '.join(SOURCES)}")
    return np.array([name in filters.sources for name in SOURCES])


def allowed_videos(
    table: PassageTable, filters: Filters, videos: Mapping[str, Located]
) -> NDArray[np.bool_]:
    """(v,) which videos of the table `filters` let through, whatever their sources."""
    return passing(table.videos, filters, videos)


def passing(
    video_ids: Sequence[str], filters: Filters, videos: Mapping[str, Located]
) -> NDArray[np.bool_]:
    """(v,) which of these videos `filters` let through; those without any text may be among them.

    Takes and raises what `allowed_passages` does.
    """
    kept = np.ones(len(video_ids), np.bool_)
    if filters.videos:
        wanted = frozenset(filters.videos)
        kept &= np.array([video_id in wanted for video_id in video_ids], np.bool_)
    if not asks_of_videos(filters):
        return kept
    facts = [videos.get(video_id) for video_id in video_ids]
    if filters.folder:
        folder = os.path.join(os.path.abspath(filters.folder), "")
        kept &= _each(facts, lambda video: _in_folder(video.path, folder))
    if filters.after or filters.before:
        after, before = _date(filters.after), _date(filters.before)
        kept &= _each(facts, lambda video: _in_period(video.date, after, before))
    if filters.people:
        people = _wanted(filters.people)
        kept &= _each(facts, lambda video: _is_one_of(people, video.people))
    if filters.tags:
        tags = _wanted(filters.tags)
        kept &= _each(facts, lambda video: _is_one_of(tags, video.tags))
    if filters.places:
        places = _wanted(filters.places)
        kept &= _each(facts, lambda video: _is_one_of(places, (video.place,)))
    return kept


def _each(facts: Sequence[Located | None], passes: Callable[[Located], bool]) -> NDArray[np.bool_]:
    """(v,) which videos are known and pass."""
    return np.array([video is not None and passes(video) for video in facts], np.bool_)


def _wanted(names: Sequence[str]) -> list[frozenset[str]]:
    """The words of each name. Raises `UsageError` for one without any."""
    wanted = [_words(name) for name in names]
    if not all(wanted):
        raise UsageError("a name to filter by is empty", "footnote list shows what there is")
    return wanted


def _is_one_of(wanted: Sequence[frozenset[str]], values: Sequence[str]) -> bool:
    """Whether one value has all words of one of those wanted."""
    return any(words <= _words(value) for value in values for words in wanted)


def _words(text: str) -> frozenset[str]:
    """Without case and accents: "lovelace" is in "Ada Lovelace"."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in bare if not unicodedata.combining(c))
    return frozenset(_WORD.findall(letters))


def _in_folder(path: str, folder: str) -> bool:
    return bool(path) and os.path.abspath(path).startswith(folder)


def _in_period(dated: str, after: str, before: str) -> bool:
    """ISO dates in UTC compare as text, a shorter one as the beginning of its period."""
    dated = dated.removesuffix("Z").removesuffix("+00:00")[:_TO_SECONDS]
    return bool(dated) and (not after or dated >= after) and (not before or dated < before)


def _date(text: str) -> str:
    """An ISO date in UTC without its offset: a year, a month, a day or a time."""
    if not text:
        return ""
    try:
        if _YEAR_OR_MONTH.fullmatch(text):
            date.fromisoformat(f"{text}-01-01"[:10])
            return text
        if len(text) <= len("2024-01-31"):
            return date.fromisoformat(text).isoformat()
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not an ISO date", "write it as 2024-01-31") from error
    return (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat()[:_TO_SECONDS]
