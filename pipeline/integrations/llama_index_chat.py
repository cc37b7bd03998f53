"""A conversation over a library as a LlamaIndex chat engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.integrations.llama_index import answer_facts, citation_node, streamed
from pipeline.types import Answer, ChatEvent, ChatTurn, QuestionUnderstood

if TYPE_CHECKING:
    from llama_index.core.chat_engine.types import BaseChatEngine
    from llama_index.core.llms import ChatMessage, ChatResponse


class Conversation(Protocol):
    """What a chat engine needs of `answer.chat.Chat`."""

    @property
    def turns(self) -> tuple[ChatTurn, ...]: ...

    def ask(self, text: str, /) -> ChatTurn: ...

    def ask_stream(self, text: str, /) -> Iterator[ChatEvent]: ...


def chat_engine(
    begin: Callable[[str | None], Conversation],
    after: Callable[[Sequence[ChatTurn]], Conversation],
    session: str | None,
) -> BaseChatEngine:
    """A LlamaIndex chat engine whose turns the library keeps; sources are the citations.

    `begin` opens a conversation by name, a new one for None; `session` is the one to go on with.
    `reset` begins a new one and deletes nothing. A message that comes with a history of its own is
    understood `after` that one, and not kept.
    """
    from llama_index.core.chat_engine.types import (
        AgentChatResponse,
        BaseChatEngine,
        StreamingAgentChatResponse,
    )

    class ChatEngine(BaseChatEngine):  # type: ignore[misc]
        def __init__(self) -> None:
            self._chat = begin(session)

        def reset(self) -> None:
            self._chat = begin(None)

        @property
        def chat_history(self) -> list[ChatMessage]:
            return [message for turn in self._chat.turns for message in _messages(turn)]

        def _of(self, history: Sequence[ChatMessage] | None) -> Conversation:
            return self._chat if history is None else after(_turns(history))

        def chat(
            self, message: str, chat_history: Sequence[ChatMessage] | None = None
        ) -> AgentChatResponse:
            turn = self._of(chat_history).ask(message)
            return AgentChatResponse(
                response=turn.answer.answer,
                source_nodes=[citation_node(citation) for citation in turn.answer.citations],
                metadata=_facts(turn),
            )

        def stream_chat(
            self, message: str, chat_history: Sequence[ChatMessage] | None = None
        ) -> StreamingAgentChatResponse:
            sources: list[Any] = []
            deltas = _deltas(self._of(chat_history).ask_stream(message), sources)
            return StreamingAgentChatResponse(
                chat_stream=deltas, source_nodes=sources, is_writing_to_memory=False
            )

        async def achat(
            self, message: str, chat_history: Sequence[ChatMessage] | None = None
        ) -> AgentChatResponse:
            return await asyncio.to_thread(self.chat, message, chat_history)

        async def astream_chat(
            self, message: str, chat_history: Sequence[ChatMessage] | None = None
        ) -> StreamingAgentChatResponse:
            sources: list[Any] = []
            deltas = _deltas(self._of(chat_history).ask_stream(message), sources)
            return StreamingAgentChatResponse(
                achat_stream=_in_a_thread(deltas), source_nodes=sources, is_writing_to_memory=False
            )

    return ChatEngine()


def _turns(history: Sequence[ChatMessage]) -> list[ChatTurn]:
    """The questions of a history, each with what was answered; nothing in it is cited."""
    turns: list[ChatTurn] = []
    for message in history:
        text = str(message.content or "")
        if message.role == "user":
            silent = Answer(text, "", True, 0.0, (), (), (), {}, {})
            turns.append(ChatTurn(len(turns) + 1, text, text, silent))
        elif message.role == "assistant" and turns:
            answered = replace(turns[-1].answer, answer=text, abstained=False)
            turns[-1] = replace(turns[-1], answer=answered)
    return turns


def _messages(turn: ChatTurn) -> list[ChatMessage]:
    from llama_index.core.llms import ChatMessage

    asked = ChatMessage(role="user", content=turn.asked)
    return [asked, ChatMessage(role="assistant", content=turn.answer.answer)]


def _facts(turn: ChatTurn) -> dict[str, Any]:
    return {
        "turn": turn.number,
        "understood": turn.understood,
        "clarify": list(turn.clarify),
        **answer_facts(turn.answer),
    }


def _deltas(events: Iterator[ChatEvent], sources: list[Any]) -> Iterator[ChatResponse]:
    """The answer in pieces as LlamaIndex's chat models give them; fills `sources`."""
    from llama_index.core.llms import ChatMessage, ChatResponse

    answer = (e for e in events if not isinstance(e, QuestionUnderstood | ChatTurn))
    for delta in streamed(answer, sources, {}):
        yield ChatResponse(message=ChatMessage(role="assistant", content=delta), delta=delta)


async def _in_a_thread(deltas: Iterator[ChatResponse]) -> AsyncIterator[ChatResponse]:
    while (delta := await asyncio.to_thread(next, deltas, None)) is not None:
        yield delta
