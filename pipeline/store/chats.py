"""The catalog's chats: who asked what in which session, and what was answered.

A turn is written when it is complete, in one short transaction that also gives it its number, so
that two processes in one session, or a chat beside a long `add`, wait for each other only that
long. The moments of older turns are dropped: they are many times the answer, and nobody refers to
them any more. Where a video is removed, what was quoted from it goes from the chats too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from pydantic import TypeAdapter

from pipeline.errors import UsageError
from pipeline.store.spendings import Spendings
from pipeline.types import IN_LINES, Answer, ChatSummary, ChatTurn, Citation

# So many of a session's last turns keep the moments that their answers were made from.
TURNS_WITH_MOMENTS = 6
GONE = "What this answer cited is no longer in the library."


class Chats(Spendings):
    """Reads and writes of `chats` and `turns`."""

    def put_turn(self, session: str, turn: ChatTurn) -> ChatTurn:
        """Add a turn at the end of a session, which is made where there is none; the turn with
        the number it got."""
        now = _now()
        with self.transaction():
            self.write(
                "INSERT INTO chats (name, begun, last) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET last = excluded.last",
                (session, now, now),
            )
            chat = self.value("SELECT number FROM chats WHERE name = ?", (session,))
            latest = self.value("SELECT max(number) FROM turns WHERE chat = ?", (chat,))
            numbered = replace(turn, number=1 + int(latest or 0))
            self.write(
                "INSERT INTO turns VALUES (?, ?, ?, ?)",
                (chat, numbered.number, _turns().dump_json(numbered).decode(), now),
            )
            self.write(
                "UPDATE turns SET turn = json_set(turn, '$.answer.moments', json('[]'))"
                " WHERE chat = ? AND number = ?",
                (chat, numbered.number - TURNS_WITH_MOMENTS),
            )
        return numbered

    def turns(self, session: str, last: int | None = None) -> list[ChatTurn]:
        """The turns of a session by number, its `last` ones only; none where it is unknown."""
        rows = self.rows(
            "SELECT turn FROM turns WHERE chat = (SELECT number FROM chats WHERE name = ?)"
            " ORDER BY number DESC LIMIT ?",
            (session, -1 if last is None else last),
        )
        return [_turns().validate_json(text) for (text,) in reversed(rows)]

    def chats(self) -> list[ChatSummary]:
        """All sessions, the one that was used last first."""
        rows = self.rows(
            "SELECT c.name, count(t.number), c.begun, c.last, coalesce("
            "(SELECT json_extract(turn, '$.asked') FROM turns WHERE chat = c.number"
            " ORDER BY number LIMIT 1), '') FROM chats c LEFT JOIN turns t ON t.chat = c.number"
            " GROUP BY c.number ORDER BY c.last DESC, c.number DESC"
        )
        return [ChatSummary(*row) for row in rows]

    def forget_chat(self, session: str) -> None:
        """Delete a session with all its turns. Raises `UsageError` where there is none."""
        if not self.write("DELETE FROM chats WHERE name = ?", (session,)):  # cascades
            raise UsageError(f"there is no chat called {session!r}", "footnote chat --list")

    def unused_session(self) -> str:
        """A name that no session has: today's date and a number."""
        today = datetime.now(UTC).date().isoformat()
        taken = {name for (name,) in self.rows("SELECT name FROM chats")}
        number = 1
        while f"{today}-{number}" in taken:
            number += 1
        return f"{today}-{number}"

    def forget_in_chats(self, video_id: str) -> None:
        """Take what was cited from a video, or found in it, out of every turn."""
        holding = "SELECT chat, number, turn FROM turns WHERE instr(turn, ?)"
        for chat, number, text in self.rows(holding, (video_id,)):
            turn = _turns().validate_json(text)
            without = replace(turn, answer=_without_video(turn.answer, video_id))
            self.write(
                "UPDATE turns SET turn = ? WHERE chat = ? AND number = ?",
                (_turns().dump_json(without).decode(), chat, number),
            )


def with_citations(answer: Answer, keep: Callable[[Citation], bool]) -> Answer:
    """`answer` with those of its citations that are to be kept, under the markers they have, and
    with the sentences that still have one; `GONE` where that is none."""
    kept = tuple(citation for citation in answer.citations if keep(citation))
    if len(kept) == len(answer.citations):
        return answer
    markers = {citation.marker for citation in kept}
    sentences = tuple(
        replace(sentence, citations=own)
        for sentence in answer.sentences
        if (own := tuple(m for m in sentence.citations if m in markers))
    )
    written = ("\n" if answer.form in IN_LINES else " ").join(
        f"{sentence.text} {''.join(f'[{marker}]' for marker in sentence.citations)}"
        for sentence in sentences
    )
    return replace(
        answer,
        answer=written or GONE,
        abstained=not sentences,
        confidence=answer.confidence if sentences else 0.0,
        sentences=sentences,
        citations=kept,
        contradictions=tuple(p for p in answer.contradictions if set(p) <= markers),
    )


def _without_video(answer: Answer, video_id: str) -> Answer:
    return replace(
        with_citations(answer, lambda citation: citation.video_id != video_id),
        moments=tuple(m for m in answer.moments if m.video_id != video_id),
        nearby=tuple(near for near in answer.nearby if near.video_id != video_id),
    )


@cache
def _turns() -> TypeAdapter[ChatTurn]:
    """Turns to JSON and back; made once, it takes some milliseconds."""
    return TypeAdapter(ChatTurn)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
