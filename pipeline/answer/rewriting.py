"""A follow-up question rewritten by a language model so that it makes sense by itself.

The conversation goes into the prompt as data, bounded in tokens, the latest turns first. The
reply is JSON and is checked: a question that brings in names or numbers of its own, or that lost
what was asked, is none, and the rules of `follow_up` stand in, which is told in `usage`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.answer.antecedents import FollowUp, cut
from pipeline.answer.evidence import WIDTH_PER_TOKEN
from pipeline.answer.planted import is_addressed
from pipeline.answer.statements import width
from pipeline.answer.wording import ASKING, STOPWORDS, names, stem, words
from pipeline.models.replies import UnreadableReply, json_object
from pipeline.prompts import as_data, load_prompt
from pipeline.settings import Settings
from pipeline.types import IN_LINES, ChatTurn, LanguageModel, Reply

HISTORY_TOKENS = 1500
_ANSWER = 600  # characters of an earlier answer
_QUOTE = 160
_CITATIONS = 8
_QUESTION = 400
# What points into the conversation, and need not be found again in the rewritten question.
_POINTING = (
    "first second third fourth fifth last other another one number citation footnote entry more"
    " else detail details point item step moment exactly please okay ok explain"
)


class _Rewritten(BaseModel):
    model_config = ConfigDict(extra="ignore")

    question: str
    videos: list[str] = []


def rewrite(
    text: str, turns: Sequence[ChatTurn], model: LanguageModel, settings: Settings
) -> tuple[FollowUp | None, Reply]:
    """`text` as a question in full, None where the reply is none, and the reply. One call.

    Raises what the language model raises.
    """
    keys = _keys(turns)
    tokens = min(HISTORY_TOKENS, settings.context_window // 4)
    history = _history(turns, keys, int(tokens * WIDTH_PER_TOKEN))
    prompt = load_prompt("chat_rewrite", settings.prompt_folders)
    reply = model.complete(prompt.render(history=history, question=as_data(text)))
    return _read(reply.text, text, history, {key: video for video, key in keys.items()}), reply


def _read(reply: str, text: str, history: str, videos: Mapping[str, str]) -> FollowUp | None:
    try:
        found = _Rewritten.model_validate(json_object(reply))
    except (UnreadableReply, ValidationError):
        return None
    question = as_data(found.question)
    if not question or len(question) > _QUESTION or not _is_faithful(question, text, history):
        return None
    chosen = tuple(dict.fromkeys(videos[key] for key in found.videos if key in videos))
    return FollowUp(question, chosen, refers=True, settled=True)


def _is_faithful(question: str, text: str, history: str) -> bool:
    """Whether it brings in no name or number, and keeps what was asked."""
    known = set(words(f"{history} {text}"))
    own = {word for word in words(question) if any(c.isdigit() for c in word)}
    if not (names(question) | own) <= known:
        return False
    pointing = STOPWORDS | ASKING | frozenset(_POINTING.split())
    asked = {stem(word) for word in words(text) if word not in pointing}
    return not asked or bool(asked & {stem(word) for word in words(question)})


# ---------------------------------------------------------------- the conversation as data


def _keys(turns: Sequence[ChatTurn]) -> dict[str, str]:
    """V1, V2 ... by video id, in order of appearance."""
    ids = (v for t in turns for v in (*t.videos, *(c.video_id for c in t.answer.citations)))
    return {video_id: f"V{place}" for place, video_id in enumerate(dict.fromkeys(ids), 1)}


def _history(turns: Sequence[ChatTurn], keys: Mapping[str, str], columns: int) -> str:
    """As many of the latest turns as fit, in order; the latest one in any case."""
    shown: list[str] = []
    for turn in reversed(turns):
        text = _turn(turn, keys)
        columns -= width(text)
        if shown and columns < 0:
            break
        shown.append(text)
    return "\n\n".join(reversed(shown))


def _turn(turn: ChatTurn, keys: Mapping[str, str]) -> str:
    lines = [f"Question: {as_data(turn.asked)}"]
    if turn.understood != turn.asked:
        lines.append(f"Understood as: {as_data(turn.understood)}")
    if turn.videos:
        lines.append(f"Only about: {', '.join(keys[video] for video in turn.videos)}")
    if turn.clarify:
        return "\n".join([*lines, f"Asked back which is meant: {as_data('; '.join(turn.clarify))}"])
    lines.append(f"Answer: {_answer(turn)}")
    # Without a language model an answer quotes whatever was said: orders to one go no further.
    quoted = [c for c in turn.answer.citations if not is_addressed(c.quote)]
    for citation in quoted[:_CITATIONS]:
        where = f"{keys[citation.video_id]}, {as_data(cut(citation.title, 80))}"
        dated = f", {as_data(citation.date[:10])}" if citation.date else ""
        said = f", said by {as_data(citation.speaker)}" if citation.speaker else ""
        quote = as_data(cut(citation.quote, _QUOTE))
        lines.append(f"({citation.marker}) {where}{dated}{said}: {quote}")
    return "\n".join(lines)


def _answer(turn: ChatTurn) -> str:
    answer = turn.answer
    told = [(i, s.text) for i, s in enumerate(answer.sentences, 1) if not is_addressed(s.text)]
    if answer.form in IN_LINES and told:
        return as_data(cut("; ".join(f"entry {i}: {text}" for i, text in told), _ANSWER))
    whole = len(told) == len(answer.sentences)
    return as_data(cut(answer.answer if whole else " ".join(text for _, text in told), _ANSWER))
