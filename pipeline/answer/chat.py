"""A chat: questions that build on each other, each answered as `ask` answers one.

A follow-up is first written out in full (`rewriting` by the language model, `follow_up` by rules
where there is none); what it was understood as is kept beside what was asked. A question that may
be about one of a few videos is asked back (`readings`), never twice in a row. Every turn is stored
when it is complete: a session goes on after a restart, in another process, and beside an `add`.
One that is broken off, by Ctrl-C or by a reader who leaves, is not stored, though a part of it was
shown: what follows builds on what was answered.

Several threads may ask in one chat. Each question is understood from the turns that were complete
when it was asked, and turns are numbered as they are completed.

Memory is bounded: a question is understood from the last `MEMORY` turns, and a prompt holds as much
of them as `rewriting.HISTORY_TOKENS`. Markers count from 1 in each answer; "3.2" is the second
citation of turn 3, for as long as its quote is in the library.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.answer.antecedents import FollowUp, cut
from pipeline.answer.asking import usage_of
from pipeline.answer.cite import resolves
from pipeline.answer.evidence import Transcripts
from pipeline.answer.follow_up import reference, resolve
from pipeline.answer.readings import Reading, may_split, offered, picked, readings
from pipeline.answer.rewriting import rewrite
from pipeline.errors import UsageError
from pipeline.prompts import as_data, visible
from pipeline.settings import Settings
from pipeline.store.chats import TURNS_WITH_MOMENTS, with_citations
from pipeline.types import (
    Answer,
    AnswerEvent,
    ChatEvent,
    ChatTurn,
    Citation,
    Filters,
    LanguageModel,
    QuestionUnderstood,
    SearchResult,
    Sentence,
    Video,
)

MEMORY = TURNS_WITH_MOMENTS  # turns
ASKED_BACK = "Which one do you mean?"
_LONGEST_NAME = 64


class ChatStore(Transcripts, Protocol):
    """What a chat needs of the catalog."""

    def has_video(self, video_id: str) -> bool: ...

    def videos(self) -> list[Video]: ...

    def resolve(self, reference: str) -> str: ...

    def transaction(self) -> AbstractContextManager[None]: ...

    def put_turn(self, session: str, turn: ChatTurn) -> ChatTurn: ...

    def turns(self, session: str, last: int | None = None) -> list[ChatTurn]: ...

    def unused_session(self) -> str: ...


class Asking(Protocol):
    """`Library.ask`, and `ask_stream` and `search` with another answer."""

    def __call__(self, question: str, /, *, filters: Filters) -> Answer: ...


class AskingInEvents(Protocol):
    def __call__(self, question: str, /, *, filters: Filters) -> Iterator[AnswerEvent]: ...


class Searching(Protocol):
    def __call__(self, question: str, /, *, filters: Filters) -> SearchResult: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question of a chat, what it means, and what finding that out has taken. `turn` is there
    where that answers it: it is asked back, or nothing needs to be searched."""

    text: str
    meant: FollowUp
    usage: Mapping[str, float]
    turn: ChatTurn | None = None

    def answered(self, answer: Answer) -> ChatTurn:
        used = replace(answer, usage=_sum(answer.usage, self.usage))
        return ChatTurn(0, self.text, self.meant.question, used, self.meant.videos)


class Chat:
    """One session. `session` None: a new one, named by its day, which exists from its first turn.

    Each question sees what `filters` let through. Thread-safe. Raises `UsageError` for a name that
    is none.
    """

    def __init__(
        self,
        store: ChatStore,
        ask: Asking,
        ask_stream: AskingInEvents,
        search: Searching,
        model: Callable[[], LanguageModel | None],
        settings: Settings,
        session: str | None = None,
        filters: Filters | None = None,
    ) -> None:
        if session is not None:
            check_session(session)
        self.session = session or ""
        self.filters = filters or Filters()
        self._store = store
        self._ask = ask
        self._ask_stream = ask_stream
        self._search = search
        self._model = model
        self._settings = settings
        self._resolved: dict[tuple[str, float, str], bool] = {}
        self._naming = threading.Lock()

    @property
    def turns(self) -> tuple[ChatTurn, ...]:
        """All turns of the session so far, other processes' included; only the last `MEMORY` of
        them hold moments. A citation whose quote the library no longer has is left out, and a
        sentence that has no other."""
        return tuple(self._read(None))

    def ask(self, text: str) -> ChatTurn:
        """The answer to `text`, understood from the conversation so far; stored when complete.

        Raises what `Library.ask` raises; nothing is stored then.
        """
        asked = self._asked(text)
        if asked.turn is not None:
            return self._keep(asked.turn)
        return self._keep(asked.answered(self._ask(asked.meant.question, filters=self._of(asked))))

    def ask_stream(self, text: str) -> Generator[ChatEvent, None, None]:
        """As `ask`, in events as they come: see `types.ChatEvent`.

        Nothing is done before the first is drawn. The turn is stored before the `Answer` is handed
        out: who closes the stream before that leaves nothing, and ends the work. Raises what
        `Library.ask_stream` raises.
        """
        asked = self._asked(text)
        if asked.turn is not None:
            turn = self._keep(asked.turn)
            yield QuestionUnderstood(turn.asked, turn.understood, turn.videos, turn.clarify)
            yield turn.answer
            yield turn
            return
        meant = asked.meant
        yield QuestionUnderstood(asked.text, meant.question, meant.videos)
        with closing(self._events(asked)) as events:  # a reader who leaves ends the work
            for event in events:
                if not isinstance(event, Answer):
                    yield event
                    continue
                turn = self._keep(asked.answered(event))
                yield turn.answer
                yield turn

    def _events(self, asked: _Asked) -> Generator[AnswerEvent, None, None]:
        yield from self._ask_stream(asked.meant.question, filters=self._of(asked))

    def citation(self, marker: str) -> Citation | None:
        """The citation called "2" (the latest answer's that cites) or "3.2" (turn 3's second);
        None where there is none, or its quote is no longer in the library."""
        return reference(self._read(None), marker)

    # ------------------------------------------------------------ understanding

    def _asked(self, text: str) -> _Asked:
        """What `text` means after the turns so far; or that it has to be asked back."""
        text = visible(text).strip()
        if not text:
            raise UsageError("the question is empty", "footnote chat")
        turns = self._read(MEMORY)
        asked_back = turns[-1] if turns and turns[-1].clarify else None
        choice = picked(text, asked_back.clarify) if asked_back else None
        usage: Mapping[str, float] = {}
        if asked_back is not None and choice is not None:
            videos = tuple(asked_back.offered[place] for place in choice)
            meant = FollowUp(asked_back.understood, videos, refers=True)
        else:
            meant, usage = self._understand(text, turns)
        meant = replace(meant, videos=self._let_through(meant.videos))
        asked = _Asked(text, meant, usage)
        found = () if asked_back else self._readings(meant)
        if found:
            return replace(asked, turn=_asked_back(asked, found))
        if meant.recalled is not None:
            known = replace(asked.answered(recalled(meant.question, meant.recalled)), videos=())
            return replace(asked, turn=known)
        return asked

    def _understand(
        self, text: str, turns: Sequence[ChatTurn]
    ) -> tuple[FollowUp, dict[str, float]]:
        """The question in full, and what a language model was used for it."""
        ruled = resolve(text, turns)
        if not ruled.refers or ruled.settled:
            return ruled, {}
        model = self._model()
        if model is None:
            return ruled, {}
        written, reply = rewrite(text, turns, model, self._settings)
        usage = usage_of(reply)
        if written is None:
            return ruled, {**usage, "rewrites_refused": 1}
        return written, usage

    def _let_through(self, videos: Sequence[str]) -> tuple[str, ...]:
        """Those of `videos` that are there, and that the chat's own filter does not rule out."""
        own = {self._store.resolve(reference) for reference in self.filters.videos}
        return tuple(v for v in videos if self._store.has_video(v) and (not own or v in own))

    def _readings(self, meant: FollowUp) -> tuple[Reading, ...]:
        """The videos of which the question may mean each; none where it means something clear."""
        choices = self._let_through(meant.choices)
        if len(choices) > 1:
            return offered([self._store.video(video_id) for video_id in choices])
        if meant.videos or not may_split(meant.question):
            return ()
        result = self._search(meant.question, filters=self.filters)
        ids = dict.fromkeys(moment.video_id for moment in result.moments)
        known = {v: self._store.video(v) for v in ids if self._store.has_video(v)}
        return readings(meant.question, result.moments, known)

    def _of(self, asked: _Asked) -> Filters:
        """What an answer may be made from."""
        videos = asked.meant.videos
        return replace(self.filters, videos=videos) if videos else self.filters

    # ------------------------------------------------------------ memory

    def _keep(self, turn: ChatTurn) -> ChatTurn:
        """Store a turn. A session without a name gets one with it, which nobody else then has."""
        with self._naming:
            with self._store.transaction():
                session = self.session or self._store.unused_session()
                kept = self._store.put_turn(session, turn)
            self.session = session
        return kept

    def _read(self, last: int | None) -> list[ChatTurn]:
        """The stored turns, with the citations that still resolve (DESIGN 6, invariant 10)."""
        turns = self._store.turns(self.session, last) if self.session else []
        return [replace(t, answer=with_citations(t.answer, self._resolves)) for t in turns]

    def _resolves(self, citation: Citation) -> bool:
        """Asked once of every quote: reading a long video's segments takes a while."""
        video, key = citation.video_id, (citation.video_id, citation.start, citation.quote)
        if not self._store.has_video(video):
            return False
        if key not in self._resolved:
            self._resolved[key] = resolves(citation, self._store.segments(video))
        return self._resolved[key]


def _asked_back(asked: _Asked, found: Sequence[Reading]) -> ChatTurn:
    labels = tuple(reading.label for reading in found)
    options = "; ".join(f"{place}. {label}" for place, label in enumerate(labels, 1))
    text = f"{ASKED_BACK} {options}"
    turn = asked.answered(Answer(asked.meant.question, text, True, 0.0, (), (), (), {}, {}))
    ids = tuple(reading.video_id for reading in found)
    return replace(turn, videos=(), clarify=labels, offered=ids)


def recalled(question: str, citation: Citation) -> Answer:
    """ "When was that said?": where the quote stands, and who says it. Nothing is searched."""
    whole = int(citation.start)
    where = f"in {as_data(citation.title)}{f' of {citation.date[:10]}' if citation.date else ''}"
    who = f"{as_data(citation.speaker)}, " if citation.speaker else ""
    time = f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}".removeprefix("0:")
    text = f"{who}{where}, at {time}: “{as_data(cut(citation.quote))}”"
    text = text[:1].upper() + text[1:]
    own = replace(citation, marker=1, verdict="supported")
    sentences = (Sentence(text, (1,), "supported"),)
    return Answer(question, f"{text} [1]", False, 1.0, sentences, (own,), (), {}, {})


def check_session(name: str) -> None:
    """Raises `UsageError` unless `name` can be typed and printed."""
    if not name.strip() or len(name) > _LONGEST_NAME or visible(name) != name:
        message = f"a chat's name has 1 to {_LONGEST_NAME} characters and no control characters"
        raise UsageError(message, "footnote chat --session my-notes")


def _sum(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in (*one, *other)}
