"""What a language model may not bring into an answer, whatever it cites and whoever judges it.

A verifier compares a sentence with the words that it cites, and what it compares are words. So a
sentence passes that says nothing wrong but carries something with it: a picture that a page would
load from elsewhere (which also tells that elsewhere what was asked), a link, a script, a verdict on
itself. It passes when it only says what a line tells somebody to say, and when it names another
video than the one that says so. These are told from the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.answer.evidence import Evidence
from pipeline.answer.planted import is_about_orders, is_addressed, is_ordered
from pipeline.answer.wording import content_stems, fold

_PICTURE = re.compile(r"!\[[^\]\n]*\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)")
_LINK = re.compile(
    r"\[([^\]\n]*)\]\(\s*<?(?:[a-z][a-z0-9+.-]*:|//|/|#|www\.)[^()\n]*\)", re.IGNORECASE
)
_REFERENCE = re.compile(r"^[ \t]*\[[^\]\n]+\]:[ \t]*\S+.*$", re.MULTILINE)
_SCRIPT = re.compile(
    r"<(script|style|iframe|svg|object)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
# Not "a < b and c > d": a tag begins with a letter, a comment or a template's bar.
_MARKUP = re.compile(
    r"</?[a-z][^<>]*>|<!--.*?(?:-->|\Z)|<\|[^|<>]*\|>(?:system|user|assistant)?",
    re.DOTALL | re.IGNORECASE,
)
_OWN_VERDICT = re.compile(
    r"\s*[(\[](?:(?:partly|fully) )?(?:supported|verified)[)\]]", re.IGNORECASE
)
_ADDRESS = re.compile(r"\b(?:https?|ftp|data|javascript|file):\S+|\bwww\.\S+", re.IGNORECASE)
# "In the storm film, ...", "the September meeting says": which one it is said to be in.
_NAMED = re.compile(
    r"\b(?:in|at|on|from|the|this|that) (?:the |an? |his |her |their )?(?P<which>[\w'’ -]{3,60}?) "  # noqa: RUF001
    r"(?:talk|video|lecture|interview|episode|news|meeting|tour|film|podcast|recording)s?\b"
)


def without_markup(text: str) -> str:
    """`text` without pictures, links (their words stay), tags, and verdicts on itself."""
    plain = _PICTURE.sub(" ", _SCRIPT.sub(" ", text))
    plain = _LINK.sub(_words_of, _REFERENCE.sub("", plain))
    return _OWN_VERDICT.sub("", _MARKUP.sub(" ", plain))


def _words_of(link: re.Match[str]) -> str:
    """A citation that was made a link stays a citation."""
    return f"[{link[1]}]" if link[1].strip(" ^").isdigit() else link[1]


def kept_out(claim: str, cited: Sequence[Evidence], evidence: Sequence[Evidence]) -> bool:
    """Whether `claim` must not be shown as carried by `cited`, of all the `evidence` there is."""
    told = "\n".join(item.statement.text for item in cited)
    return (
        is_ordered(claim, told)
        or _leads_away(claim, told)
        or _is_of_another(claim, cited, evidence)
    )


def echoes(claim: str, lines: Sequence[str], question: str) -> bool:
    """Whether `claim` is not even to be shown as unsupported: it leads to an address that none of
    `lines` has, or it is an order to a model, or what a line tells somebody to say, and `question`
    is about other things."""
    if _leads_away(claim, "\n".join(lines)):
        return True
    if is_about_orders(question):
        return False
    return is_addressed(claim) or any(is_ordered(claim, line) for line in lines)


def _leads_away(claim: str, told: str) -> bool:
    return any(address.rstrip(".,;)") not in told for address in _ADDRESS.findall(claim))


def _is_of_another(claim: str, cited: Sequence[Evidence], evidence: Sequence[Evidence]) -> bool:
    """Whether it says that something is in a video which is not among the cited ones.

    The name must be of words of another title; of the cited titles, and of what is said there, it
    must have none.
    """
    known = set(content_stems(" ".join(_beside(item) for item in cited)))
    others = {item.video.video_id: item.video.title for item in evidence}
    titles = [set(content_stems(title)) for title in others.values()]
    for named in _NAMED.finditer(fold(claim)):
        which = set(content_stems(named.group()))
        said = set(content_stems(named["which"]))
        if said and not which & known and any(said <= title for title in titles):
            return True
    return False


def _beside(item: Evidence) -> str:
    return f"{item.video.title} {item.statement.speaker} {item.statement.text}"
