"""A conversation that is kept elsewhere: by a chat front end that sends all of it every time.

`Chat` reads its turns from a store and writes the new one to it. This one is given the turns and
keeps none; everything else it knows from the library.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from pipeline.answer.chat import ChatStore
from pipeline.types import ChatTurn, Segment, Video

SESSION = "elsewhere"


class TurnsElsewhere:
    """A `ChatStore` over the turns that somebody else keeps, numbered from 1."""

    def __init__(self, library: ChatStore, turns: Sequence[ChatTurn]) -> None:
        self._library = library
        self._turns = [replace(turn, number=place) for place, turn in enumerate(turns, 1)]

    def video(self, video_id: str) -> Video:
        return self._library.video(video_id)

    def segments(self, video_id: str) -> Sequence[Segment]:
        return self._library.segments(video_id)

    def has_video(self, video_id: str) -> bool:
        return self._library.has_video(video_id)

    def videos(self) -> list[Video]:
        return self._library.videos()

    def resolve(self, reference: str) -> str:
        return self._library.resolve(reference)

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()

    def put_turn(self, session: str, turn: ChatTurn) -> ChatTurn:
        return replace(turn, number=len(self._turns) + 1)

    def turns(self, session: str, last: int | None = None) -> list[ChatTurn]:
        return self._turns if last is None else self._turns[-last:]

    def unused_session(self) -> str:
        return SESSION
