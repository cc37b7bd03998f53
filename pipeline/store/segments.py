"""The catalog's segments: timed text as it was perceived, checked against the video's clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from pipeline.errors import ClockError
from pipeline.store.videos import Videos
from pipeline.types import Passage, Segment, Source, Word, check_interval

CLOCK_TOLERANCE = 1e-3  # seconds: containers round their duration

_COLUMNS = 'source, start, "end", text, speaker, language, flags, words'


class Segments(Videos):
    """Reads and writes of the `segments` table."""

    def replace_segments(self, video_id: str, source: Source, segments: Sequence[Segment]) -> None:
        """Make `segments`, in (start, end) order, all that the video has of `source`.

        Raises `ClockError`, and changes nothing, when one lies outside the video.
        """
        with self.transaction():
            self.check_clock(video_id, segments)
            ordered = sorted(segments, key=lambda segment: (segment.start, segment.end))
            self.write("DELETE FROM segments WHERE video_id = ? AND source = ?", (video_id, source))
            self.write_many(
                f"INSERT INTO segments (video_id, ordinal, {_COLUMNS})"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (video_id, ordinal, source, *_columns(segment))
                    for ordinal, segment in enumerate(ordered)
                ),
            )

    def segments(
        self, video_id: str, source: Source | None = None, first: int = 0, last: int = 2**62
    ) -> list[Segment]:
        """The video's segments by time; of one source, those from ordinal `first` to `last`."""
        if source is None:
            condition, values = "", (video_id,)
        else:
            condition = "AND source = ? AND ordinal BETWEEN ? AND ?"
            values = (video_id, source, first, last)  # type: ignore[assignment]
        rows = self.rows(
            f"SELECT {_COLUMNS} FROM segments WHERE video_id = ? {condition}"
            ' ORDER BY start, "end", source, ordinal',
            values,
        )
        return [_segment(*row) for row in rows]

    def segment_counts(self) -> dict[str, dict[str, int]]:
        """Per video id, the number of segments of each source it has."""
        counts: dict[str, dict[str, int]] = {}
        for video_id, source, count in self.rows(
            "SELECT video_id, source, count(*) FROM segments GROUP BY 1, 2 ORDER BY 1, 2"
        ):
            counts.setdefault(video_id, {})[source] = count
        return counts

    def languages(self, video_id: str, source: Source) -> list[str]:
        """Language of each segment in ordinal order: its own, else the video's, else ""."""
        rows = self.rows(
            "SELECT iif(s.language <> '', s.language, v.language)"
            " FROM segments s JOIN videos v USING (video_id)"
            " WHERE video_id = ? AND source = ? ORDER BY ordinal",
            (video_id, source),
        )
        return [language for (language,) in rows]

    def check_clock(self, video_id: str, timed: Iterable[Segment | Passage]) -> None:
        """Raise `ClockError` unless 0 <= start < end <= duration (where that is known)."""
        duration = self.video(video_id).duration
        for item in timed:
            what = f"{item.source} of {video_id} {item.text[:40]!r}"
            check_interval(item.start, item.end, what)
            if 0 < duration < item.end - CLOCK_TOLERANCE:
                raise ClockError(
                    f"{what}: ends at {item.end:.3f} s, after the video's end at {duration:.3f} s"
                )


def _columns(segment: Segment) -> tuple[object, ...]:
    words = [(word.start, word.end, word.text, word.probability) for word in segment.words]
    return (
        segment.start,
        segment.end,
        segment.text,
        segment.speaker,
        segment.language,
        json.dumps(segment.flags),
        json.dumps(words, ensure_ascii=False) if words else None,
    )


def _segment(
    source: Source,
    start: float,
    end: float,
    text: str,
    speaker: str,
    language: str,
    flags: str,
    words: str | None,
) -> Segment:
    said = tuple(Word(*word) for word in json.loads(words)) if words else ()
    return Segment(source, start, end, text, speaker, language, tuple(json.loads(flags)), said)
