"""Citations: a moment tightened to the words that carry a claim, and the link that opens them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.evidence import Transcripts, gather
from pipeline.answer.statements import Statement, one_line
from pipeline.answer.wording import content_stems
from pipeline.types import Citation, Embedder, Moment, Segment, Verdict, Video

# Words and meaning count alike: names and numbers need the first, paraphrase the second.
WORD_WEIGHT = 0.5
_YOUTUBE = frozenset(("youtube.com", "youtu.be", "youtube-nocookie.com"))
_UNSAFE = re.compile(r"[\x00-\x20\x7f]")


def make_citation(marker: int, statement: Statement, video: Video, verdict: Verdict) -> Citation:
    """The citation of one statement; its quote is the statement's stored text, unchanged."""
    return Citation(
        marker=marker,
        video_id=statement.video_id,
        title=video.title,
        start=statement.start,
        end=statement.end,
        quote=statement.text,
        source=statement.source,
        verdict=verdict,
        link=link(video, statement.start),
        speaker=statement.speaker,
    )


def tighten(
    claim: str, moment: Moment, transcripts: Transcripts, embedder: Embedder
) -> Statement | None:
    """The statement of `moment` that says most of what `claim` says; None when nothing is citable.

    Cost: one embedding of the claim and of every statement in the moment.
    """
    found = [item.statement for item in gather([moment], transcripts, tokens=10_000)]
    if not found:
        return None
    scores = affinity([claim], found, embedder)[0]
    return found[int(np.argmax(scores))]


def affinity(
    claims: Sequence[str], found: Sequence[Statement], embedder: Embedder
) -> NDArray[np.float64]:
    """(claims, statements): half cosine, half the share of the claim's words in the statement."""
    vectors = embedder.embed([*claims, *(one_line(s.text) for s in found)])
    cosine = vectors[: len(claims)] @ vectors[len(claims) :].T
    shares = [[word_share(claim, s) for s in found] for claim in claims]
    return WORD_WEIGHT * np.array(shares) + (1 - WORD_WEIGHT) * cosine.astype(np.float64)


def word_share(claim: str, statement: Statement) -> float:
    """Share of the claim's distinct content words that the statement has, 0 when it has none."""
    language = statement.language or "en"
    wanted = set(content_stems(claim, language))
    return len(wanted & set(content_stems(statement.text, language))) / max(1, len(wanted))


def resolves(citation: Citation, segments: Sequence[Segment]) -> bool:
    """Whether the quote is stored text of that video and source at that time (invariant 10).

    `segments` are the video's. The quote must be a contiguous part of consecutive segments of
    one language joined by single spaces, and those segments must overlap the citation's interval.
    """
    if not citation.quote.strip():
        return False
    for language in {s.language for s in segments if s.source == citation.source}:
        near = [
            segment
            for segment in segments
            if (segment.source, segment.language) == (citation.source, language)
            and segment.start <= citation.end
            and segment.end >= citation.start
        ]
        if citation.quote in " ".join(segment.text for segment in near):
            return True
    return False


# ---------------------------------------------------------------- links


def link(video: Video, start: float) -> str:
    """An address that opens the video at `start`; "" when it has neither a path nor a web address.

    A file is preferred: it is what was indexed. Players count fragments in seconds (Media
    Fragments URI 1.0, section 4.2.1); YouTube has its own `t`, in whole seconds.
    """
    if video.path:
        return f"{Path(video.path).absolute().as_uri()}#t={seconds(start)}"
    try:
        parts = urlsplit(video.url)
        host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    except ValueError:  # an address that cannot be read opens nothing
        return ""
    if parts.scheme not in ("http", "https") or not host or _UNSAFE.search(video.url):
        return ""
    if host in _YOUTUBE:
        name = "start" if parts.path.startswith("/embed/") else "t"
        kept = [(k, v) for k, v in parse_qsl(parts.query) if k not in ("t", "start")]
        query = urlencode([*kept, (name, str(math.floor(start)))], quote_via=quote)
        return urlunsplit(parts._replace(query=query, fragment=""))
    return urlunsplit(parts._replace(fragment=f"t={seconds(start)}"))


def seconds(start: float) -> str:
    """Seconds to a tenth, rounded down: a link never opens after the word."""
    return f"{math.floor(start * 10) / 10:.1f}".removesuffix(".0")
