"""What a language model is asked for an answer, and its reply in parts that can be checked.

A streamed reply is shown sentence by sentence, and no sentence before it was checked. So the
pieces are held until a sentence and its citations are complete, which only the beginning of the
next one tells: "It was built in 1887. [4]" may go on with "[5]".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.answer.evidence import Evidence, render
from pipeline.answer.generate import MARKER
from pipeline.ingest.sentences import sentences
from pipeline.models.replies import estimated_reply
from pipeline.prompts import as_data, load_prompt
from pipeline.types import Form, Reply

_THOUGHT_OPEN = re.compile(r"<(?:think|thinking|reasoning)>", re.IGNORECASE)
_THOUGHT_CLOSE = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)
_BEGUN = re.compile(r"[\W_]*\w+[^\w]")  # a word, and what shows that it has ended


def request(
    question: str,
    evidence: Sequence[Evidence],
    form: Form,
    folders: Sequence[Path] = (),
    pictures: Sequence[Evidence] = (),
) -> tuple[str, str]:
    """(prompt, system prompt) for an answer in `form`; `folders` override prompts by file name.

    `pictures` are the lines that the pictures sent along show, in their order.
    """
    shown = load_prompt(f"answer_{form}", folders).render()
    if pictures:
        named = "\n".join(
            f"- picture {place} was taken at line [{item.number}]"
            for place, item in enumerate(pictures, 1)
        )
        shown += "\n\n" + load_prompt("answer_pictures", folders).render(pictures=named)
    prompt = load_prompt("answer", folders).render(
        question=as_data(question), evidence=render(evidence), form=shown
    )
    return prompt, load_prompt("answer_system", folders).render()


def usage_of(reply: Reply) -> dict[str, float]:
    """What one call of a language model took, to stand in `Answer.usage`: `tokens_estimated` is
    there where nobody counted them."""
    usage: dict[str, float] = {
        "language_calls": 1,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
    }
    return {**usage, "tokens_estimated": 1} if reply.estimated else usage


def drawn(
    pieces: Iterable[str | Reply], asked: str, took: Callable[[Reply], None]
) -> Iterator[str]:
    """The texts of a streamed reply to `asked`; `took` is called with what it has taken, of one
    that breaks off with an estimate."""
    said: list[str] = []
    reply: Reply | None = None
    try:
        for piece in pieces:
            if isinstance(piece, Reply):
                reply = piece
            else:
                said.append(piece)
                yield piece
    finally:
        took(reply or estimated_reply("".join(said), asked))


def finished_parts(pieces: Iterable[str]) -> Iterator[str]:
    """The reply in parts, as soon as each holds whole sentences and the last of them is cited.

    Joined they are the reply. What cites nothing waits for what does: it may turn out to be the
    beginning of a refusal. Raises what `pieces` raises; what was not finished then is lost.
    """
    held = ""
    for piece in pieces:
        held += piece
        if cut := _finished(held):
            yield held[:cut]
            held = held[cut:]
    if held.strip():
        yield held


def _finished(text: str) -> int:
    """How many characters of a reply that goes on are whole sentences with all their markers."""
    opened, closed = (len(pattern.findall(text)) for pattern in (_THOUGHT_OPEN, _THOUGHT_CLOSE))
    if opened > closed:
        return 0
    # Of the same length, so that places stay, and no marker is taken for a word.
    bare = MARKER.sub(lambda match: " " * len(match.group()), text)
    begins = [begin for begin, _ in sentences(bare)][1:]
    if not begins:
        return 0
    cut = begins[-1]
    begun = text[cut] not in "[【" and _BEGUN.match(bare, cut)
    return cut if begun and MARKER.search(text, 0, cut) else 0
