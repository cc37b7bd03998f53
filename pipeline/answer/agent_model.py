"""What a language model is asked before the next step of an agent, and what it may reply.

It sees the question, the draft with its verdicts, a line of each moment, and what was tried. Videos
have numbers there: a reply can name none that was not found. Whatever it replies is one of four
actions within the bounds of the loop, checked here; a reply that is none is asked for once more,
and then the rules decide. So neither a model that talks nonsense nor a transcript that gives orders
can do more than a step that the loop would allow anyway (invariant 9).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ValidationError

from pipeline.answer.agent_rules import LOOK_SECONDS, Next, said_alike
from pipeline.models.replies import UnreadableReply, json_object
from pipeline.prompts import Prompt, as_data, load_prompt
from pipeline.types import Answer, LanguageModel, Moment, Spent

# (video id) -> its length in seconds, 0 when unknown
Length = Callable[[str], float]

MOST_CALLS = 2  # of one decision: the reply, and its repair
_MOMENTS = 12  # shown, the best first
_HEADLINE = 220  # characters of each
_QUERY = 200
_REPLY_ROOM = 2000
_ACTIONS = {
    "answer": "answer: nothing more, the draft is enough",
    "search": 'search: find moments for "query" in all videos',
    "zoom": 'zoom: find moments for "query" inside one "video"; with "" the chapters and summaries'
    " choose it",
    "look": 'look: let a vision model look at the pictures of one "video" from "start" to "end",'
    f" {LOOK_SECONDS:.0f} seconds at most, with the question in hand",
}


def _as_name(value: object) -> object:
    return "" if value is None else str(value) if isinstance(value, int) else value


def _as_time(value: object) -> object:
    return 0.0 if value in (None, "") else value


_Name = Annotated[str, BeforeValidator(_as_name)]
_Time = Annotated[float, BeforeValidator(_as_time)]


class _Reply(BaseModel):
    enough: bool
    missing: _Name = ""
    action: Literal["answer", "search", "zoom", "look"] = "answer"
    query: _Name = ""
    video: _Name = ""
    start: _Time = 0.0
    end: _Time = 0.0


@dataclass(frozen=True, slots=True)
class Draft:
    """What an agent has at hand when the next step is chosen."""

    question: str
    answer: Answer
    moments: Sequence[Moment]
    tried: Sequence[Next]
    can_look: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The next step, None where no reply could be used because of `problem`."""

    next: Next | None
    spent: Spent
    problem: str = ""


class ModelChooser:
    """Chooses by asking a language model; `prompt_folders` override `agent_next`."""

    def __init__(
        self, model: LanguageModel, length: Length, prompt_folders: Sequence[Path] = ()
    ) -> None:
        self._model = model
        self._length = length
        self._prompt = load_prompt("agent_next", prompt_folders)
        self._again = load_prompt("look_again", prompt_folders)

    def choose(self, draft: Draft, calls: int) -> Choice:
        """The next step in no more than `calls` calls of the model, and at most two.

        Raises `ModelUnavailable`.
        """
        request = prompt_of(self._prompt, draft)
        spent, problem, asked = Spent(), "", request
        for _ in range(min(calls, MOST_CALLS)):
            reply = self._model.complete(asked)
            spent += Spent(1, 0.0, reply.prompt_tokens, reply.completion_tokens)
            chosen = read_next(reply.text, draft, self._length)
            if isinstance(chosen, Next):
                return Choice(chosen, spent)
            problem = chosen
            asked = self._again.render(
                request=request, reply=as_data(reply.text)[:_REPLY_ROOM], problem=as_data(problem)
            )
        return Choice(None, spent, problem)


# ---------------------------------------------------------------- asking


def prompt_of(prompt: Prompt, draft: Draft) -> str:
    """The request; all that comes from videos and from models is data in it."""
    allowed = [text for name, text in _ACTIONS.items() if name != "look" or draft.can_look]
    tried = [f"- {step.action}: {as_data(step.query)}" for step in draft.tried]
    return prompt.render(
        question=as_data(draft.question),
        draft=_draft_lines(draft.answer),
        evidence=_evidence_lines(draft.moments),
        tried="\n".join([f"- search: {as_data(draft.question)}", *tried]),
        actions="\n".join(f"- {text}" for text in allowed),
    )


def _draft_lines(answer: Answer) -> str:
    if answer.abstained:
        return "(no answer: nothing that was found answers the question)"
    quotes = {citation.marker: citation for citation in answer.citations}
    lines = []
    for sentence in answer.sentences:
        lines.append(f"{as_data(sentence.text)} ({sentence.verdict})")
        cited = (quotes[marker] for marker in sentence.citations)
        lines += [f"  from {as_data(c.title)}: {as_data(c.quote)[:_HEADLINE]}" for c in cited]
    return "\n".join(lines)


def _evidence_lines(moments: Sequence[Moment]) -> str:
    numbers = videos_of(moments)
    lines, named = [], set()
    for moment in moments[:_MOMENTS]:
        number = numbers.index(moment.video_id) + 1
        title = "" if moment.video_id in named else f" ({as_data(moment.title)[:80]})"
        named.add(moment.video_id)
        text = as_data(moment.text)[:_HEADLINE]
        lines.append(f"V{number}{title} {moment.start:.0f} to {moment.end:.0f} s: {text}")
    return "\n".join(lines) or "(no moments)"


def videos_of(moments: Sequence[Moment]) -> list[str]:
    """Ids of the videos of the moments that a model is shown; V1 is the first."""
    return list(dict.fromkeys(moment.video_id for moment in moments[:_MOMENTS]))


# ---------------------------------------------------------------- reading


def read_next(text: str, draft: Draft, length: Length) -> Next | str:
    """The step that a reply asks for, or what is wrong with it in a few words."""
    try:
        reply = _Reply.model_validate(json_object(text))
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'it'}: {first['msg']}"
    except UnreadableReply as error:
        return str(error)
    why = as_data(reply.missing)[:_QUERY]
    if reply.enough or reply.action == "answer":
        return Next("answer", why or "the model finds the answer enough")
    return _checked(reply, why, draft, length)


def _checked(reply: _Reply, why: str, draft: Draft, length: Length) -> Next | str:
    query, shown = as_data(reply.query)[:_QUERY], videos_of(draft.moments)
    video = _video(reply.video, shown)
    if video is None:
        return f"there is no video {reply.video!r:.40}, they are V1 to V{len(shown)}"
    if reply.action == "look":
        return _look(reply, why, video, draft, length)
    if not said_alike(query):
        return f"{reply.action} needs a query"
    zooms = reply.action == "zoom"
    chosen = Next(reply.action, why, query, video if zooms else "", by_model=True)
    if any(_same(chosen, step) for step in _begun(draft)):
        return f"{reply.action} for {query!r} was tried already"
    return chosen


def _look(reply: _Reply, why: str, video: str, draft: Draft, length: Length) -> Next | str:
    if not draft.can_look:
        return "look is not among the actions"
    if not video:
        return "look needs a video"
    start, end, last = reply.start, reply.end, length(video)
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end <= (last or math.inf)):
        return f"start and end must lie within the video, 0 to {last:.0f} s, start before end"
    if end - start > LOOK_SECONDS:
        return f"a look takes at most {LOOK_SECONDS:.0f} seconds"
    chosen = Next("look", why, draft.question, video, start, end, by_model=True)
    if any(_same(chosen, step) for step in draft.tried):
        return "these pictures were looked at already"
    return chosen


def _begun(draft: Draft) -> list[Next]:
    return [Next("search", "", draft.question), *draft.tried]


def _same(one: Next, other: Next) -> bool:
    return (one.action, one.video_id, one.start, one.end, said_alike(one.query)) == (
        other.action, other.video_id, other.start, other.end, said_alike(other.query)
    )  # fmt: skip


def _video(named: str, shown: Sequence[str]) -> str | None:
    """The id that "V2", "2" or the id itself means; "" for none, None for one not shown."""
    bare = named.strip()
    if not bare or bare in shown:
        return bare
    number = bare.upper().removeprefix("V")
    if number.isascii() and number.isdigit() and 1 <= int(number[:4]) <= len(shown):
        return shown[int(number[:4]) - 1]
    return None
