"""Chapters as YouTube reads them in a description: `0:00 Title`, a line each.

YouTube makes chapters of such a list only where the first is at 0:00, there are three or more in
ascending order, and each lasts ten seconds or longer (YouTube Help, "Video Chapters"). What is
shorter is joined to the chapter before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.answer.evidence import clock
from pipeline.errors import UsageError
from pipeline.export.timeline import one_line
from pipeline.types import TitledSpan

FEWEST = 3
SHORTEST = 10  # seconds
_TITLE = 100  # characters
_BEGINNING = "Beginning"
# A description may hold neither.
_SIGNS = str.maketrans({"<": "‹", ">": "›"})  # noqa: RUF001


def youtube_chapters(chapters: Sequence[TitledSpan], duration: float) -> str:
    """The list, in whole seconds. Raises `UsageError` where it would have fewer than three."""
    kept = _long_enough([(int(c.start), c.title) for c in chapters], int(duration))
    if len(kept) < FEWEST:
        raise UsageError(
            f"YouTube takes {FEWEST} chapters or more, each of {SHORTEST} s; here are {len(kept)}",
            "footnote chapters VIDEO shows all that there are",
        )
    return "".join(f"{_clock(start)} {_title(title)}\n" for start, title in kept)


def _long_enough(rows: Sequence[tuple[int, str]], duration: int) -> list[tuple[int, str]]:
    """(start, title) of chapters that last long enough, the first at 0."""
    kept: list[tuple[int, str]] = []
    for start, title in sorted(rows, key=lambda row: row[0]):
        if not kept:
            # A short stretch before the first chapter is a part of it.
            kept = [(0, title)] if start < SHORTEST else [(0, _BEGINNING), (start, title)]
        elif start - kept[-1][0] >= SHORTEST:
            kept.append((start, title))
    while len(kept) > 1 and duration - kept[-1][0] < SHORTEST:
        kept.pop()
    return kept


def _title(title: str) -> str:
    return one_line(title.translate(_SIGNS), _TITLE) or "-"


def _clock(seconds: int) -> str:
    """`0:00`: YouTube takes `00:00` too, but nobody writes it."""
    told = clock(seconds)
    return told[1:] if told.startswith("0") and ":" in told[2:3] else told
