"""Routes that search and answer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from pipeline.apps import render
from pipeline.apps.serving import shapes
from pipeline.apps.serving.context import Context
from pipeline.apps.serving.looking_up import answer, visible_to
from pipeline.apps.serving.pool import WorkPool
from pipeline.apps.serving.problems import error_value, unexpected
from pipeline.apps.serving.recent import Recent
from pipeline.apps.serving.streams import Events, EventStream, event
from pipeline.errors import FootnoteError
from pipeline.types import Answer, AnswerEvent, EvidenceFound, Filters, SearchResult, Source


def router(context: Context) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["questions"])
    library = context.library
    recent = Recent(library.version)

    @routes.get("/search", response_model=SearchResult)
    async def search(
        q: Annotated[str, Query(max_length=shapes.LONGEST_QUESTION)],
        k: Annotated[int, Query(ge=1, le=200)] = 10,
        video: Annotated[list[str], Query()] = [],  # noqa: B006  (FastAPI copies it)
        source: Annotated[list[Source], Query()] = [],  # noqa: B006
        folder: str = "",
        after: str = "",
        before: str = "",
        person: Annotated[list[str], Query()] = [],  # noqa: B006
        tag: Annotated[list[str], Query()] = [],  # noqa: B006
        place: Annotated[list[str], Query()] = [],  # noqa: B006
        expand: bool = False,
    ) -> Response:
        """The moments where something is said or shown, the best first. `expand`: a language
        model, where there is one, writes passages to search with, which takes seconds."""
        named = tuple(person), tuple(tag), tuple(place)
        filters = Filters(tuple(video), tuple(source), folder, after, before, *named)

        def make() -> bytes:
            found = library.search(q, k=k, filters=filters, hypothetical=None if expand else ())
            return dumped(render.plain(found))

        if expand or library.settings.rerank_model:  # a model may be out of reach just now
            return Response(await context.searches.run(make), media_type="application/json")
        found = await recent.get((q, k, filters), lambda: context.searches.run(make))
        return Response(found, media_type="application/json")

    @routes.post("/ask", response_model=Answer)
    async def ask(asked: shapes.Asked, request: Request) -> JSONResponse:
        """An answer whose every sentence is cited."""
        found = await context.asks.run(
            lambda: library.ask(asked.question, k=asked.k, filters=asked.filters(), form=asked.form)
        )
        return answer(request, render.answer_json(found, explain=False))

    @routes.post("/ask/stream", response_class=Response, responses=STREAM)
    async def ask_stream(asked: shapes.Asked, request: Request) -> Response:
        """As `/api/ask`, in events: `evidence`, a `sentence` each, `answer`, or `error`."""

        def draw() -> Iterator[tuple[str, Any]]:
            events = library.ask_stream(
                asked.question, k=asked.k, filters=asked.filters(), form=asked.form
            )
            return answer_events(events)

        return await begun(told(context.asks, draw, request), context.options.keep_alive)

    return routes


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


def answer_event(made: Any) -> tuple[str, Any]:
    """(name, value) of one event of an answer."""
    if isinstance(made, Answer):
        return "answer", render.answer_json(made, explain=False)
    if isinstance(made, EvidenceFound):
        value = {"form": made.form, "evidence": made.statements}
        return "evidence", {**value, "moments": render.plain(made.moments)}
    return "sentence", render.plain(made)


def answer_events(events: Iterator[AnswerEvent]) -> Iterator[tuple[str, Any]]:
    """(name, value) of the events of an answer. Closed, the work is."""
    with contextlib.ExitStack() as closing:
        if (close := getattr(events, "close", None)) is not None:
            closing.callback(close)
        for made in events:
            yield answer_event(made)


async def told(
    pool: WorkPool, draw: Callable[[], Iterator[tuple[str, Any]]], request: Request
) -> Events:
    """The events of what `draw` gives, made in `pool`; a failure after the first is an event.

    Closed, the work is given up.
    """
    begun = False
    async with contextlib.aclosing(pool.stream(draw)) as drawn:
        try:
            async for kind, value in drawn:
                yield event(kind, visible_to(request, value))
                begun = True
        except FootnoteError as error:
            if not begun:
                raise
            yield event("error", {"error": error_value(error)})
        except Exception as error:
            if not begun:
                raise
            yield event("error", {"error": error_value(unexpected(error))})


async def begun(events: Events, keep_alive: float) -> EventStream:
    """The stream, once it has begun: what fails before the first event has a status of its own."""
    try:
        first = await anext(events)
    except BaseException:
        await events.aclose()
        raise
    return EventStream(_after(first, events), keep_alive)


async def _after(first: bytes, events: Events) -> Events:
    async with contextlib.aclosing(events):
        yield first
        async for chunk in events:
            yield chunk
