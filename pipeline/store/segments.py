"""The catalog's segments: timed text as it was perceived, checked against the video's clock.

A segment that a user corrected also keeps what was read, so that a correction can be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.errors import ClockError
from pipeline.store.looks import Looks
from pipeline.store.patching import Corrected, apply
from pipeline.types import Passage, Segment, Source, Word, check_interval

CLOCK_TOLERANCE = 1e-3  # seconds: containers round their duration

_COLUMNS = 'source, start, "end", text, speaker, language, flags, words'


class Segments(Looks):
    """Reads and writes of the `segments` table."""

    def replace_segments(self, video_id: str, source: Source, segments: Sequence[Segment]) -> None:
        """Make `segments`, in (start, end) order, all that the video has of `source`.

        They are as they were read: what users corrected of this source is applied to them, and
        corrections that no longer fit are marked. One that was corrected before stays so. Captions
        keep what was `looked` at, of the content that the file has now.
        Raises `ClockError`, and changes nothing, when one lies outside the video.
        """
        with self.transaction():
            self.check_clock(video_id, segments)
            if source == "caption":
                self.forget_older_looks(video_id)
            ordered, corrected = self._as_read_and_corrected(video_id, source, segments)
            self.set_fits(video_id, source, corrected.fits)
            self.write("DELETE FROM segments WHERE video_id = ? AND source = ?", (video_id, source))
            self.write_many(
                f"INSERT INTO segments (video_id, ordinal, {_COLUMNS}, read)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (video_id, ordinal, source, *_columns(after), _read_json(before, after))
                    for ordinal, (before, after) in enumerate(
                        zip(ordered, corrected.segments, strict=True)
                    )
                ),
            )

    def segments_as_read(self, video_id: str, source: Source) -> list[Segment]:
        """The segments of a source by time, without what users corrected."""
        rows = self.rows(
            f"SELECT {_COLUMNS}, read FROM segments WHERE video_id = ? AND source = ?"
            ' ORDER BY start, "end", source, ordinal',
            (video_id, source),
        )
        return [_as_read(_segment(*row[:-1]), row[-1]) for row in rows]

    def corrected(
        self, video_id: str, source: Source, segments: Sequence[Segment]
    ) -> tuple[Segment, ...]:
        """The segments by time as `replace_segments` would store them."""
        return self._as_read_and_corrected(video_id, source, segments)[1].segments

    def _as_read_and_corrected(
        self, video_id: str, source: Source, segments: Sequence[Segment]
    ) -> tuple[list[Segment], Corrected]:
        """(the segments by time as they were read, the same corrected)."""
        corrections = self.corrections(video_id, source)
        as_read = self._restored(video_id, source, segments) if corrections else list(segments)
        if source == "caption":
            there = set(as_read)
            as_read += [look for look in self.looked(video_id) if look not in there]
        ordered = sorted(as_read, key=lambda segment: (segment.start, segment.end))
        if not corrections:
            return ordered, Corrected(tuple(ordered), ())
        return ordered, apply(corrections, ordered)

    def _restored(
        self, video_id: str, source: Source, segments: Sequence[Segment]
    ) -> list[Segment]:
        """The segments, those that are stored as corrected ones as they were read."""
        known = zip(
            self.segments(video_id, source), self.segments_as_read(video_id, source), strict=True
        )
        read = {after: before for after, before in known if after != before}
        return [read.get(segment, segment) for segment in segments]

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


def _read_json(before: Segment, after: Segment) -> str | None:
    """What a corrected segment was read as, None where nothing was corrected."""
    if before == after:
        return None
    words = [(word.start, word.end, word.text, word.probability) for word in before.words]
    return json.dumps([before.text, before.speaker, before.flags, words], ensure_ascii=False)


def _as_read(segment: Segment, read: str | None) -> Segment:
    if read is None:
        return segment
    text, speaker, flags, words = json.loads(read)
    said = tuple(Word(*word) for word in words)
    return replace(segment, text=text, speaker=speaker, flags=tuple(flags), words=said)
