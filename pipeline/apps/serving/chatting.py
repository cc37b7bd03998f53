"""Routes of chats: conversations that are kept in the library, as those of `footnote chat` are."""

from __future__ import annotations

import contextlib
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from pipeline.answer.chat import check_session
from pipeline.apps import render
from pipeline.apps.chatting import turn_json
from pipeline.apps.serving import shapes
from pipeline.apps.serving.context import Context
from pipeline.apps.serving.looking_up import answer
from pipeline.apps.serving.problems import Refused
from pipeline.apps.serving.questions import STREAM, answer_event, begun, told
from pipeline.errors import UsageError
from pipeline.types import ChatEvent, ChatTurn, QuestionUnderstood

_MOST_BEGUN = 1000


class _Begun:
    """Chats that have a name and no turn yet: they are in no library until they have one."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, None] = OrderedDict()

    def begin(self) -> str:
        name = f"{datetime.now(UTC).date().isoformat()}-{secrets.token_hex(4)}"
        self._names[name] = None
        while len(self._names) > _MOST_BEGUN:
            self._names.popitem(last=False)
        return name

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def forget(self, name: str) -> bool:
        return self._names.pop(name, self) is None


def router(context: Context) -> APIRouter:
    routes = APIRouter(prefix="/api/chats", tags=["chats"])
    library, reads, new = context.library, context.reads, _Begun()

    @routes.get("", response_model=shapes.Chats)
    async def chats(request: Request) -> JSONResponse:
        """The chats, the one that was used last first."""
        found = await reads.run(library.chats)
        return answer(request, {"chats": [_listed(render.plain(chat)) for chat in found]})

    @routes.post("", response_model=shapes.ChatBegun)
    async def begin(_: shapes.NewChat | None = None) -> JSONResponse:
        """A name for a new chat, which is kept from its first question on."""
        return JSONResponse({"chat_id": new.begin()})

    @routes.get("/{chat_id:path}", response_model=shapes.ChatShown)
    async def turns(chat_id: str, request: Request) -> JSONResponse:
        """The turns of a chat, in order."""
        found = await reads.run(lambda: _turns(context, chat_id))
        if not found and chat_id not in new:
            raise Refused(404, "there is no such chat", "GET /api/chats lists them")
        return answer(request, {"chat_id": chat_id, "turns": found})

    @routes.delete("/{chat_id:path}", status_code=204)
    async def forget(chat_id: str) -> Response:
        """Delete a chat with all its turns."""
        begun_here = new.forget(chat_id)
        try:
            await reads.run(lambda: library.forget_chat(chat_id))
        except UsageError as error:
            if not begun_here:
                raise Refused(404, "there is no such chat", "GET /api/chats lists them") from error
        return Response(status_code=204)

    @routes.post("/{chat_id:path}/stream", response_class=Response, responses=STREAM)
    async def ask(chat_id: str, asked: shapes.ChatQuestion, request: Request) -> Response:
        """A question that may build on those before it, answered in events: `turn` with what it is
        understood as, then those of `/api/ask/stream`. A name that is new begins a chat."""

        def draw() -> Iterator[tuple[str, Any]]:
            return turn_events(library.chat(chat_id).ask_stream(asked.question))

        check_session(chat_id)
        return await begun(told(context.asks, draw, request), context.options.keep_alive)

    return routes


def turn_events(events: Iterator[ChatEvent]) -> Iterator[tuple[str, Any]]:
    """(name, value) of the events of a turn. Closed, the work is."""
    with contextlib.ExitStack() as closing:
        if (close := getattr(events, "close", None)) is not None:
            closing.callback(close)
        for made in events:
            if isinstance(made, QuestionUnderstood):
                shown = {"standalone": made.standalone, "clarify": list(made.clarify)}
                yield "turn", {**shown, "videos": list(made.videos)}
            elif not isinstance(made, ChatTurn):  # what it holds has been told
                yield answer_event(made)


def _turns(context: Context, chat_id: str) -> list[dict[str, Any]]:
    check_session(chat_id)
    return [turn_json(turn) for turn in context.library.chat(chat_id).turns]


def _listed(chat: dict[str, Any]) -> dict[str, Any]:
    return {"chat_id": chat.pop("session"), **chat}
