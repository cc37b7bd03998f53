"""`footnote chat`: one line a question, from a terminal or a pipe, and the commands of a chat.

There is a prompt, and line editing, only where a person types. There an error or Ctrl-C ends the
question and not the chat; from a pipe either ends the command, and what was answered is kept. On a
terminal an answer comes sentence by sentence; one that is interrupted is not kept.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from pipeline.apps import player, render
from pipeline.errors import FootnoteError, UsageError

if TYPE_CHECKING:
    from pipeline.answer.chat import Chat
    from pipeline.library import Library
    from pipeline.types import AnswerEvent, ChatEvent, ChatSummary, ChatTurn

HELP = (
    ("/moments", "what the last answer was made from"),
    ("/play N", "open citation N of the last answer; 3.2 is the second of answer 3"),
    ("/help", "this"),
    ("/quit", "leave; so does the end of the input"),
)
_QUIT = ("/quit", "/exit", "/q")


def converse(chat: Chat, library: Library) -> None:
    """Answer every line of stdin until its end or /quit."""
    interactive = sys.stdin.isatty()
    if interactive:
        _greet(chat)
    for line in _lines(interactive):
        if line.lower() in _QUIT:
            return
        try:
            _answer(line, chat, library)
        except FootnoteError as error:
            if not interactive:
                raise
            render.log.print(Text(render.clean(error.message), style="red"))
            if error.hint:
                render.log.print(Text(f"  try: {render.clean(error.hint)}"))
        except KeyboardInterrupt:
            if not interactive:
                raise
            with render.out.capture():  # what was being written would be written again
                pass
            told = "interrupted; this question is not kept: ask again, or /quit"
            render.log.print(Text(f"\n{told}", style="dim"))


def replies(chat: Chat) -> dict[str, Any]:
    """Ask every line of stdin; the session and its new turns as JSON. Commands are no questions."""
    turns = [chat.ask(line) for line in _lines(False) if not line.startswith("/")]
    return {"session": chat.session, "turns": [turn_json(turn) for turn in turns]}


def turn_json(turn: ChatTurn) -> dict[str, Any]:
    """A turn, its `answer` as in `ask --json`."""
    return {**render.plain(turn), "answer": render.answer_json(turn.answer, explain=False)}


def listed(chats: list[ChatSummary]) -> None:
    if not chats:
        render.out.print("no chat yet; footnote chat begins one")
    for chat in chats:
        line = Text(render.clean(chat.session), style="bold")
        turns = "1 turn" if chat.turns == 1 else f"{chat.turns} turns"
        line.append(f"  {turns}  {chat.last[:16].replace('T', ' ')}", style="dim")
        line.append(f"  {render.clean(chat.asked)}", style="not bold default")
        render.out.print(line)


# ---------------------------------------------------------------- one line


def _lines(interactive: bool) -> Iterator[str]:
    """What is typed, without empty lines. Ctrl-C at the prompt ends the command."""
    if interactive:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (`input` then edits lines and remembers them)
    while True:
        try:
            line = input("> ") if interactive else sys.stdin.readline()
        except EOFError:
            line = ""
            render.out.print()
            return
        if not line and not interactive:
            return
        if line.strip():
            yield line.strip()


def _greet(chat: Chat) -> None:
    turns = chat.turns
    if turns:
        name = render.clean(chat.session)
        render.out.print(Text(f"{name}: goes on after {len(turns)} turns", style="dim"))
        render.out.print(Text(f"  last: {render.clean(turns[-1].asked)}", style="dim"))
    render.out.print(Text("/help tells what else can be typed", style="dim"))


def _answer(line: str, chat: Chat, library: Library) -> None:
    command, _, rest = line.partition(" ")
    name = command.lower()
    if name == "/help":
        for typed, told in HELP:
            render.out.print(Text(f"  {typed:<10} {told}"))
    elif name == "/moments":
        _moments(chat, library)
    elif name in ("/play", "play") and (name[0] == "/" or _is_marker(rest)):
        _play(rest.strip(), chat, library)
    elif name.startswith("/"):
        raise UsageError(f"there is no {name}", "/help")
    else:
        _question(line, chat, library)


def _question(line: str, chat: Chat, library: Library) -> None:
    if not render.out.is_terminal:
        turn(chat.ask(line), library)
        return
    with contextlib.closing(chat.ask_stream(line)) as events:
        streamed(events, library)


def turn(turn: ChatTurn, library: Library) -> None:
    """The answer, with what the question was understood as where that is something else."""
    _understood(turn.asked, turn.understood, turn.videos, library, f"{turn.number}. ")
    if turn.clarify:
        _asked_back(turn.clarify)
    else:
        render.answer(turn.answer, library.path, explain=False)


def streamed(events: Iterator[ChatEvent], library: Library) -> None:
    """As `turn`, but each sentence when it was checked."""
    from pipeline.types import QuestionUnderstood

    told = next(events)
    assert isinstance(told, QuestionUnderstood)
    _understood(told.asked, told.standalone, told.videos, library)
    if told.clarify:
        _asked_back(told.clarify)
    else:
        render.answer_events(_of_the_answer(events), library.path, explain=False)


def _of_the_answer(events: Iterable[ChatEvent]) -> Iterator[AnswerEvent]:
    """Without the turn at the end, which has the number that "3.2" counts by: that is shown."""
    from pipeline.types import Answer, ChatTurn, EvidenceFound, SentenceReady

    for event in events:
        if isinstance(event, EvidenceFound | SentenceReady | Answer):
            yield event
        elif isinstance(event, ChatTurn) and event.answer.citations:
            render.out.print(Text(f"answer {event.number}", style="dim"))


def _understood(
    asked: str, understood: str, videos: Sequence[str], library: Library, number: str = ""
) -> None:
    titles = [video.title for video in library.videos() if video.video_id in videos]
    if understood != asked or titles:
        within = f" (in {'; '.join(map(render.clean, titles))})" if titles else ""
        told = f"{number}{render.clean(understood)}{within}"
        render.out.print(Text(f"\n{told}", style="dim italic"))


def _asked_back(readings: Sequence[str]) -> None:
    from pipeline.answer.chat import ASKED_BACK

    render.out.print(Text(f"\n{ASKED_BACK}", style="bold yellow"))
    for place, label in enumerate(readings, 1):
        render.out.print(Text(f"  {place}. {render.clean(label)}"))


def _moments(chat: Chat, library: Library) -> None:
    from pipeline.types import SearchResult

    last = next((t for t in reversed(chat.turns) if t.answer.moments), None)
    if last is None:
        raise UsageError("nothing was found yet", "ask a question first")
    render.moments(SearchResult(last.understood, last.answer.moments, {}), library.path)


def _play(marker: str, chat: Chat, library: Library) -> None:
    cited = chat.citation(marker)
    if cited is None:
        raise UsageError(
            f"there is no citation {marker!r}, or its video is gone", "/play 1, or /play 3.2"
        )
    path, seconds = library.locate(cited.video_id, cited.start)
    command = player.open_at(path, seconds, library.path)
    opened: Mapping[str, Any] = {"path": path, "time": seconds, "command": command}
    render.played(opened)


def _is_marker(text: str) -> bool:
    return text.strip(" []#.").replace(".", "", 1).isdigit()
