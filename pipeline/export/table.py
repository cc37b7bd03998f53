"""Comma-separated values for spreadsheets: UTF-8, RFC 4180.

A cell that begins with `=`, `+`, `-` or `@` is a formula to a spreadsheet, and what videos say is
data: such a text gets an apostrophe before it, which spreadsheets take for "this is text".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from pipeline.answer.evidence import clock
from pipeline.answer.saved import Saved
from pipeline.types import Segment

CITATIONS = (
    "marker", "video_id", "title", "date", "start", "end", "time", "source", "speaker", "quote",
    "verdict", "claims", "link",
)  # fmt: skip
SEGMENTS = ("number", "source", "start", "end", "time", "speaker", "text", "flags")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


def citations_table(saved: Saved, links: Mapping[int, str]) -> str:
    """A row for each citation, with the sentences that cite it and `links` by marker."""
    rows = []
    for cited in saved.citations:
        claims = [s.text for s in saved.sentences if cited.marker in s.citations]
        rows.append(
            [
                cited.marker,
                cited.video_id,
                cited.title,
                cited.date,
                round(cited.start, 3),
                round(cited.end, 3),
                clock(cited.start),
                cited.source,
                cited.speaker,
                cited.quote,
                cited.verdict,
                "\n".join(claims),
                links.get(cited.marker, ""),
            ]
        )
    return _table(CITATIONS, rows)


def segments_table(segments: Iterable[tuple[int, Segment]]) -> str:
    """A row for each segment under its number in `footnote show`."""
    rows = [
        [
            number,
            s.source,
            round(s.start, 3),
            round(s.end, 3),
            clock(s.start),
            s.speaker,
            s.text,
            "; ".join(s.flags),
        ]
        for number, s in segments
    ]
    return _table(SEGMENTS, rows)


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """Numbers as they are; texts so that they stay texts, without NUL, which no reader takes."""
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "")
    return f"'{text}" if text.startswith(_FORMULA) else text
