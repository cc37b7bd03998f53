"""HyDE: a language model writes passages that could answer, and the search looks for their like.

Gao et al. 2023, "Precise Zero-Shot Dense Retrieval without Relevance Labels". A question and
its answer share few words; a passage that might have been the answer shares many, wrong though
its facts may be. What comes back is used to search with and shown to nobody as an answer.

Without a usable reply the search goes on with the question alone, and says why.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import ModelUnavailable
from pipeline.prompts import Prompt
from pipeline.types import SOURCES, LanguageModel, PassageTable, Source

GetOutput = Callable[[str], bytes | None]
PutOutput = Callable[[str, bytes], None]

# More than the embedding model reads and enough words for BM25; longer is a model run wild.
LONGEST_PASSAGE = 1500  # characters
_LEAST_SHARE = 0.05  # of all passages, for a source to be worth imitating

_REGISTERS: dict[Source, str] = {
    "speech": "transcripts of what people say",
    "caption": "captions that describe what can be seen",
    "screen": "text read from the screen (slides, menus, code)",
    "sound": "short descriptions of sounds",
    "chapter": "chapter titles",
    "summary": "summaries",
}
ANY_REGISTER = f"{_REGISTERS['speech']}, {_REGISTERS['caption']}, and {_REGISTERS['screen']}"


@dataclass(frozen=True, slots=True)
class Expansion:
    """Hypothetical passages; where there are none, `reason` says why. Tokens are 0 if cached."""

    passages: tuple[str, ...] = ()
    reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


def expand(
    question: str,
    model: LanguageModel,
    prompt: Prompt,
    count: int = 2,
    *,
    register: str = ANY_REGISTER,
    get_output: GetOutput | None = None,
    put_output: PutOutput | None = None,
) -> Expansion:
    """At most `count` passages written by `model` with the prompt `hyde`.

    `register` says what the library's text is like; see `register_of`. A reply that held
    passages is kept under a key made of the whole request (question, prompt, count, register)
    and the model's name; no other is. A model that fails, or replies with nothing to search
    with, gives no passages and a `reason`.
    """
    if count < 1:
        return Expansion(reason="no hypothetical passages were asked for")
    request = prompt.render(question=question, count=count, register=register)
    key = _key(request, model.name)
    kept = get_output(key) if get_output else None
    if kept is not None:
        return Expansion(tuple(json.loads(kept)))
    try:
        reply = model.complete(request)
    except ModelUnavailable as error:
        return Expansion(reason=error.message)
    passages = tuple(read_passages(reply.text, question, request)[:count])
    if passages and put_output:
        put_output(key, json.dumps(passages, ensure_ascii=False).encode())
    reason = "" if passages else f"{model.name} replied with no passage to search with"
    return Expansion(passages, reason, reply.prompt_tokens, reply.completion_tokens)


def register_of(table: PassageTable) -> str:
    """What the text of a library is like, for the prompt: its sources, the most common first."""
    counts = np.bincount(table.source, minlength=len(SOURCES))
    least = _LEAST_SHARE * counts.sum()
    common = [SOURCES[i] for i in np.argsort(-counts, kind="stable") if counts[i] > least]
    names = [_REGISTERS[source] for source in common]
    if not names:
        return ANY_REGISTER
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, and {names[-1]}"


def _key(request: str, model: str) -> str:
    return "hyde:" + hashlib.sha256(f"{model}\n{request}".encode()).hexdigest()


# ---------------------------------------------------------------- reading the reply

_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHTS_END = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_JSON = re.compile(r"\[.*\]|\{.*\}", re.DOTALL)
# "1." "2)" "[3]" "(4)" "-" "*" "Passage 5:" "**Passage 6**", at the beginning of a line
_ITEM = re.compile(
    r"^[ \t]*(?:[*_#]*[ \t]*(?:passage|caption|transcript)\b[ \t]*\d*[ \t]*[*_]*[ \t]*[:.)][*_]*"
    r"|[*_]{2}(?:passage|caption|transcript)[ \t]*\d*[*_]{2}"
    r"|\(?\[?\d{1,2}[.):\]]+|[-*\u2022])(?=\s|\Z)",
    re.MULTILINE | re.IGNORECASE,
)
_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb*_ "
# Only as models put it: "Sorry, let me share my screen" is a fine passage.
_REFUSAL = re.compile(
    r"(?:i['\u2019]?a?m sorry,? but|sorry, but|as an ai\b"
    r"|i (?:can(?:not|['\u2019]t)|am unable to|am not able to) "
    r"(?:help|assist|answer|provide|write|generate|fulfil|create|comply))",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(r"(?:here|sure|certainly|okay|of course|below)\b.{0,200}:", re.IGNORECASE)
_WORD = re.compile(r"\w+")


def read_passages(reply: str, question: str, request: str = "") -> list[str]:
    """The passages in a reply: a JSON list, a numbered or bulleted list, or paragraphs.

    Thoughts, labels, quotation marks and an introduction are stripped. Left out is what adds no
    word to the question, repeats a part of the `request` or an earlier passage, or refuses.
    """
    text = _THOUGHTS_END.split(_THOUGHTS.sub("", reply))[-1]
    text = _FENCE.sub("", text).strip()
    items = _from_json(text)
    if items is None:
        items = _from_list(text)
    passages: dict[str, str] = {}
    asked, said = set(_words(question)), " ".join(_words(request))
    for item in items:
        passage = _clean(item)
        words = _words(passage)
        wording = " ".join(words)
        if set(words) <= asked or wording in said or _REFUSAL.match(passage):
            continue
        passages.setdefault(wording, passage)
    return list(passages.values())


def _from_json(text: str) -> list[str] | None:
    """The strings in the reply's JSON, None where it holds none."""
    found = _JSON.search(text)
    if not found:
        return None
    try:
        strings = _strings(json.loads(found[0]))
    except (ValueError, RecursionError):
        return None
    return strings or None


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts: Sequence[object] = ()
    if isinstance(value, list):
        parts = value
    elif isinstance(value, dict):
        parts = list(value.values())
    return [string for part in parts for string in _strings(part)]


def _from_list(text: str) -> list[str]:
    marks = list(_ITEM.finditer(text))
    if not marks:
        paragraphs = re.split(r"\n\s*\n", text)
        return [part for part in paragraphs if not _PREAMBLE.fullmatch(part.strip())]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    items = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    return [re.split(r"\n\s*\n", item)[0] for item in items]  # what follows is a closing remark


def _clean(item: str) -> str:
    """One line of printable text, without the marks around it."""
    line = " ".join("".join(c if c.isprintable() else " " for c in item).split())
    label = _ITEM.match(line)
    line = (line[label.end() :] if label else line).strip(_QUOTES)
    if len(line) <= LONGEST_PASSAGE:
        return line
    return line[:LONGEST_PASSAGE].rsplit(" ", 1)[0]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
