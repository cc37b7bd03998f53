"""What a language model replied, read leniently: passages and translations, in any layout.

Models number, label, quote, fence and explain what they were asked to give bare, and small ones
do all of it at once. What is read is only searched with, so a doubtful item costs little; what
refuses, repeats the request or adds nothing to the question is left out.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Sequence

from pipeline.models.replies import without_thoughts

# More than the embedding model reads and enough words for BM25; longer is a model run wild.
LONGEST_PASSAGE = 1500  # characters

_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_JSON = re.compile(r"\[.*\]|\{.*\}", re.DOTALL)
# A string of JSON, still escaped, and the ":" that makes it a key.
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"(\s*:)?')
# "1." "2)" "[3]" "(4)" "-" "*" "Passage 5:" "**Passage 6**", at the beginning of a line
_ITEM = re.compile(
    r"^[ \t]*(?:[*_#]*[ \t]*(?:passage|caption|transcript)\b[ \t]*\d*[ \t]*[*_]*[ \t]*[:.)][*_]*"
    r"|[*_]{2}(?:passage|caption|transcript)[ \t]*\d*[*_]{2}"
    r"|\(?\[?\d{1,2}[.):\]]+|[-*\u2022])(?=\s|\Z)",
    re.MULTILINE | re.IGNORECASE,
)
# "Before (speech):", "**During** -", "caption:", alone or in front of what was asked for
_LABEL = re.compile(
    r"[*_#\s]*(?:before|during|after|speech|spoken|captions?|screen|sound|on screen)\b[*_\s]*"
    r"(?:[(/,-]\s*\w+\s*\)?[*_\s]*)?[:\u2013-]+[*_\s]*",
    re.IGNORECASE,
)
_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb*_ "
# Only as models put it: "Sorry, let me share my screen" is a fine passage.
_REFUSAL = re.compile(
    r"(?:i['\u2019]?a?m sorry,? but|sorry, but|as an ai\b"
    r"|i (?:can(?:not|['\u2019]t)|am unable to|am not able to) "
    r"(?:help|assist|answer|provide|write|generate|fulfil|create|comply|translate))",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(r"(?:here|sure|certainly|okay|of course|below)\b.{0,200}:", re.IGNORECASE)
_TRANSLATION = re.compile(r"^[\s*_-]*[\"'`]?(\w{2,3})\b[\"'`*_]*\s*[:=-]\s*(.+)$", re.MULTILINE)
_WORD = re.compile(r"\w+")


def read_passages(reply: str, question: str, request: str = "") -> list[str]:
    """The passages in a reply: a JSON list, a numbered or bulleted list, or paragraphs.

    Thoughts, labels, quotation marks and an introduction are stripped. Left out is what adds no
    word to the question, repeats a part of the `request` or an earlier passage, or refuses.
    """
    text = _bare(reply)
    items = _from_json(text)
    if items is None:
        items = _from_list(text)
    return _usable(map(_clean, items), question, request)


def read_parts(reply: str, question: str, request: str = "") -> list[str]:
    """The passages of a reply that was asked to sort them, as JSON, by time and kind.

    Read in the order written, from JSON however deep, from JSON that was cut off, or from lines
    that begin with the names of its keys.
    """
    text = _bare(reply)
    items = _from_json(text)
    if items is None and '":' in text:
        items = _from_broken_json(text)
    if items is None:
        items = _from_labelled(text)
    return _usable((_clean(_LABEL.sub("", item, count=1)) for item in items), question, request)


def read_translations(reply: str, languages: Sequence[str]) -> dict[str, str]:
    """Texts by language, for those of `languages` (ISO 639-1) that a reply has; others are left
    out. Read from a JSON object, or from lines such as `de: ...`."""
    text = _bare(reply)
    found = _object(text)
    if not found:
        found = dict(_TRANSLATION.findall(text))
    by_code = {key.casefold(): _clean(value) for key, value in found.items()}
    wanted = {language: by_code.get(language, "") for language in languages}
    return {code: said for code, said in wanted.items() if said and not _REFUSAL.match(said)}


# ---------------------------------------------------------------- inside


def _bare(reply: str) -> str:
    """The reply without thoughts and code fences."""
    return _FENCE.sub("", without_thoughts(reply)).strip()


def _usable(items: Iterable[str], question: str, request: str) -> list[str]:
    passages: dict[str, str] = {}
    asked, said = set(_words(question)), " ".join(_words(request))
    for passage in items:
        words = _words(passage)
        wording = " ".join(words)
        if set(words) <= asked or wording in said or _REFUSAL.match(passage):
            continue
        passages.setdefault(wording, passage)
    return list(passages.values())


def _from_json(text: str) -> list[str] | None:
    """The strings in the reply's JSON, None where it holds none."""
    return _strings(_loaded(text)) or None


def _object(text: str) -> dict[str, str]:
    """The texts in the reply's JSON object by their keys."""
    loaded = _loaded(text)
    if not isinstance(loaded, dict):
        return {}
    return {key: value for key, value in loaded.items() if isinstance(value, str)}


def _loaded(text: str) -> object:
    found = _JSON.search(text)
    try:
        return json.loads(found[0]) if found else None
    except (ValueError, RecursionError):
        return None


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts: Sequence[object] = ()
    if isinstance(value, list):
        parts = value
    elif isinstance(value, dict):
        parts = list(value.values())
    return [string for part in parts for string in _strings(part)]


def _from_broken_json(text: str) -> list[str]:
    """The whole strings of JSON that was cut off or badly punctuated, without its keys."""
    found = []
    for string, key in _STRING.findall(text):
        if not key:
            with contextlib.suppress(ValueError):  # an escape that JSON does not know
                found.append(json.loads(f'"{string}"', strict=False))
    return found


def _from_list(text: str) -> list[str]:
    marks = list(_ITEM.finditer(text))
    if not marks:
        paragraphs = re.split(r"\n\s*\n", text)
        return [part for part in paragraphs if not _PREAMBLE.fullmatch(part.strip())]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    items = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    return [re.split(r"\n\s*\n", item)[0] for item in items]  # what follows is a closing remark


def _from_labelled(text: str) -> list[str]:
    """One item per line that says when or what kind it is; else as any list."""
    lines = [_ITEM.sub("", line, count=1).strip() for line in text.splitlines()]
    labelled = [line for line in lines if (mark := _LABEL.match(line)) and line[mark.end() :]]
    return labelled or _from_list(text)


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
