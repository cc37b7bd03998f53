"""The library as a model of OpenAI's protocol, for any chat front end: `/v1/chat/completions`.

What steers a language model (temperature, tools, ...) is tolerated and means nothing here: an
answer is what the videos say. Follow-ups are understood from the messages before them. Reference:
OpenAI API, "Chat Completions", as of 2025; `annotations` as its web search gives them.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.answer.chat import MEMORY
from pipeline.apps.serving.context import Context
from pipeline.apps.serving.openai_text import Writing, turns_of
from pipeline.apps.serving.problems import Refused, openai_error, unexpected
from pipeline.apps.serving.questions import STREAM, begun
from pipeline.apps.serving.shapes import LONGEST_QUESTION
from pipeline.apps.serving.streams import Events
from pipeline.errors import FootnoteError
from pipeline.library import Library
from pipeline.types import Answer, ChatTurn, EvidenceFound, Form, SentenceReady

MODEL = "footnote"
_MOST_MESSAGES = 2000
_DONE = b"data: [DONE]\n\n"


class TextPart(BaseModel):
    """A part of a message; nothing but text can be asked."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    @property
    def said(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    include_usage: bool = False


class Completion(BaseModel):
    """A request for a completion; what is not named here is tolerated and ignored."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=_MOST_MESSAGES)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None


def router(context: Context) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["OpenAI-compatible"])
    since = int(time.time())
    described = {"id": MODEL, "object": "model", "created": since, "owned_by": MODEL}

    @routes.get("/models")
    async def models() -> dict[str, Any]:
        """The one model there is: the library."""
        return {"object": "list", "data": [described]}

    @routes.get("/models/{model}")
    async def model(model: str) -> dict[str, Any]:
        _check_model(model)
        return described

    @routes.post("/chat/completions", response_class=Response, responses=STREAM)
    async def completions(asked: Completion, request: Request) -> Response:
        """An answer from the library, its citations as Markdown links and as `annotations`."""
        question, before = _conversation(asked)
        writing = Writing(_own_address(request))

        def draw() -> Iterator[_Piece]:
            return _pieces(context.library, question, before, writing)

        if not asked.stream:
            pieces = await context.asks.run(lambda: list(draw()))
            return JSONResponse(_completion(pieces[-1], writing))
        wants_usage = bool(asked.stream_options and asked.stream_options.include_usage)
        events = _chunks(context, draw, writing, wants_usage)
        return await begun(events, context.options.keep_alive)

    return routes


def _conversation(asked: Completion) -> tuple[str, list[tuple[str, str]]]:
    """The question, and (role, text) of what came before it."""
    _check_model(asked.model)
    *before, last = asked.messages
    question = last.said.strip()
    if last.role != "user" or not question:
        raise Refused(400, "the last message is the user's question", param="messages")
    if len(question) > LONGEST_QUESTION:
        told = f"the question is longer than {LONGEST_QUESTION} characters"
        raise Refused(400, told, param="messages")
    return question, [(message.role, message.said) for message in before]


def _check_model(name: str) -> None:
    if name != MODEL:
        raise Refused(
            404, f"there is no model {name[:80]!r} here: it is called {MODEL!r}",
            code="model_not_found", param="model",
        )  # fmt: skip


def _own_address(request: Request) -> str:
    """Under which this server was asked; the host has been checked."""
    secure = request.headers.get("x-forwarded-proto") == "https"
    scheme = "https" if secure else request.url.scheme
    return f"{scheme}://{request.headers['host']}"


# ---------------------------------------------------------------- answering

# A text that is new, or the answer when it is complete.
_Piece = str | Answer


def _pieces(
    library: Library, question: str, before: Sequence[tuple[str, str]], writing: Writing
) -> Iterator[_Piece]:
    """The texts of an answer as they come, then the answer. Closed, the work is."""
    chat = library.chat_after(turns_of(before, _Known(library), MEMORY))
    form: Form = "short"
    answer: Answer | None = None
    with contextlib.closing(chat.ask_stream(question)) as events:
        for made in events:
            if isinstance(made, EvidenceFound):
                form = made.form
            elif isinstance(made, SentenceReady):
                yield writing.sentence(made.sentence, made.citations, form)
            elif isinstance(made, Answer):
                answer = made
            elif isinstance(made, ChatTurn):
                assert answer is not None
                if made.clarify:
                    yield writing.asked_back(made)
                else:
                    yield from _unsaid(writing, answer)
                    yield writing.rest(answer)
                yield answer


def _unsaid(writing: Writing, answer: Answer) -> Iterator[str]:
    """The sentences of an answer that came whole: it was known already."""
    if writing.text:
        return
    for place, sentence in enumerate(answer.sentences):
        new = answer.citations if place == 0 else ()
        yield writing.sentence(sentence, new, answer.form)


class _Known:
    """The videos and the segments that earlier answers cite."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def video(self, reference: str) -> Any:
        return self._library.video(reference)

    def segments(self, reference: str) -> Any:
        return self._library.show(reference)[1]


# ---------------------------------------------------------------- the protocol


def _completion(answer: _Piece, writing: Writing) -> dict[str, Any]:
    assert isinstance(answer, Answer)
    message = {
        "role": "assistant",
        "content": writing.text,
        "refusal": None,
        "annotations": _annotations(writing),
    }
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {**_head("chat.completion"), "choices": [choice], "usage": _usage(answer)}


async def _chunks(context: Context, draw: Any, writing: Writing, wants_usage: bool) -> Events:
    """The completion in chunks, one for each sentence; a failure after the first is told in one."""
    head = _head("chat.completion.chunk") | ({"usage": None} if wants_usage else {})

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _data({**head, "choices": [choice]})

    started = False
    async with contextlib.aclosing(context.asks.stream(draw)) as pieces:
        try:
            async for piece in pieces:
                if not started:
                    yield chunk({"role": "assistant", "content": ""})
                    started = True
                if isinstance(piece, str):
                    yield chunk({"content": piece})
                    continue
                yield chunk({"annotations": _annotations(writing)})
                yield chunk({}, "stop")
                if wants_usage:
                    yield _data({**head, "choices": [], "usage": _usage(piece)})
        except FootnoteError as error:
            if not started:
                raise
            yield _data({"error": openai_error(error)})
        except Exception as error:
            if not started:
                raise
            yield _data({"error": openai_error(unexpected(error))})
    yield _DONE


def _annotations(writing: Writing) -> list[dict[str, Any]]:
    return [annotation.value() for annotation in writing.annotations]


def _head(kind: str) -> dict[str, Any]:
    made = f"chatcmpl-{secrets.token_hex(12)}"
    return {"id": made, "object": kind, "created": int(time.time()), "model": MODEL}


def _usage(answer: Answer) -> dict[str, int]:
    """What the language model read and wrote; nothing where the answer is made of quotes."""
    read, said = (int(answer.usage.get(f"{n}_tokens", 0)) for n in ("prompt", "completion"))
    return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}


def _data(value: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False, allow_nan=False)}\n\n".encode()
