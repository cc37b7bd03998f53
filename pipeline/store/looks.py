"""The catalog's looks: what a vision model saw in frames when it was asked a question.

A look belongs to the content that was looked at: when the file changes it is forgotten, and
captions that are made anew keep it. It waits until the caption segments and their passages take
it in together (`ingest.looks`), since passages count the segments they are made of.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from pipeline.store.corrections import Corrections
from pipeline.types import LOOKED, Segment

# A question that is longer is no mark to tell looks apart by.
_LONGEST_MARK = 200

# Of the content that the video has now, and not beyond what could be decoded of it.
_FITTING = (
    "FROM looks l JOIN videos v USING (video_id) WHERE l.video_id = ? AND l.sha256 = v.sha256"
    ' AND (v.duration = 0 OR l."end" <= v.duration + 0.001) AND l.waiting = ?'
)


class Looks(Corrections):
    """Reads and writes of the `looks` table."""

    def put_look(
        self, video_id: str, sha256: str, key: str, question: str, segments: Sequence[Segment]
    ) -> None:
        """Keep what was seen in the content `sha256`; a look of this key is kept once."""
        made = datetime.now(UTC).isoformat(timespec="seconds")
        with self.transaction():
            known = "SELECT 1 FROM looks WHERE video_id = ? AND sha256 = ? AND key = ?"
            if self.value(known, (video_id, sha256, key)):
                return
            self.write_many(
                'INSERT INTO looks (video_id, sha256, key, question, start, "end", text, waiting,'
                " made) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)",
                ((video_id, sha256, key, question, s.start, s.end, s.text, made) for s in segments),
            )

    def looked(self, video_id: str) -> list[Segment]:
        """The looks that are among the video's captions, by time."""
        return list(dict.fromkeys(segment for _, segment in self._looks(video_id, waiting=False)))

    def waiting_looks(self, video_id: str) -> dict[int, Segment]:
        """By number, the looks that the video's captions are still to take in, by time."""
        return dict(self._looks(video_id, waiting=True))

    def take_in_looks(self, numbers: Collection[int]) -> None:
        """From now on they are `looked`. Call it in the transaction that writes the captions."""
        listed = json.dumps(list(numbers))
        taken = "UPDATE looks SET waiting = 0 WHERE number IN (SELECT value FROM json_each(?))"
        self.write(taken, (listed,))

    def forget_older_looks(self, video_id: str) -> None:
        """Delete those of a content that the video's file no longer has."""
        self.write(
            "DELETE FROM looks WHERE video_id = ?"
            " AND sha256 <> (SELECT sha256 FROM videos v WHERE v.video_id = looks.video_id)",
            (video_id,),
        )

    def _looks(self, video_id: str, *, waiting: bool) -> list[tuple[int, Segment]]:
        rows = self.rows(
            f'SELECT l.number, l.question, l.start, l."end", l.text {_FITTING}'
            ' ORDER BY l.start, l."end", l.number',
            (video_id, waiting),
        )
        return [
            (number, looked_segment(question, start, end, text))
            for number, question, start, end, text in rows
        ]


def looked_segment(question: str, start: float, end: float, text: str) -> Segment:
    """What was seen, as a caption that says for which question."""
    return Segment("caption", start, end, text, flags=(LOOKED + question[:_LONGEST_MARK],))
