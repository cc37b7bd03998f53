"""Citations: a moment tightened to the words that carry a claim, and the link that opens them.

A citation's quote is exact; its interval is made to be listened to. So it begins a breath before
the first word, ends one after the last, and lasts long enough to be followed (`clip`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, urlencode, urlsplit, urlunsplit

from pipeline.answer.statements import Statement
from pipeline.types import Citation, Segment, Verdict, Video

# Seconds before the first and after the last word, where these are known to the word. The times of
# a subtitle have such a margin of their own.
LEAD_IN, LEAD_OUT = 0.3, 0.3
HEARABLE = 2.0  # seconds that a clip lasts at least, where the video does

_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_YOUTUBE = frozenset(("youtube.com", "youtube-nocookie.com"))
_YOUTUBE_PATH = re.compile(r"/(?:embed|shorts|live|v|e)/([\w-]+)/?$")
_YOUTUBE_ID = re.compile(r"[\w-]+")


def make_citation(
    marker: int, statement: Statement, video: Video, verdict: Verdict, segments: Sequence[Segment]
) -> Citation:
    """The citation of one statement; its quote is the statement's stored text, unchanged.

    `segments` are the video's: the clip reaches into the silence between them.
    """
    start, end = clip(statement, video, segments)
    return Citation(
        marker=marker,
        video_id=statement.video_id,
        title=video.title,
        start=start,
        end=end,
        quote=statement.text,
        source=statement.source,
        verdict=verdict,
        link=link(video, start),
        date=video.date,
        speaker=statement.speaker,
    )


def clip(statement: Statement, video: Video, segments: Sequence[Segment]) -> tuple[float, float]:
    """(start, end) of what a citation opens, in seconds: all the statement's words, and never
    outside the video.

    Timed words get `LEAD_IN` and `LEAD_OUT`, as far as nothing else is said there: a clip does not
    begin inside another word. What is shorter than `HEARABLE` then goes on into what follows, so
    that the words stay at its beginning; only where the video ends does it begin earlier.
    """
    length = video.duration or max([statement.end, *(s.end for s in segments)])
    start, end = max(0.0, statement.start), min(statement.end, length)
    if any(segment.words for segment in statement.segments):
        near = list(_heard(statement, segments))
        before = max((t for _, t in near if t <= start), default=0.0)
        after = min((t for t, _ in near if t >= end), default=length)
        start = max(before, start - LEAD_IN)
        end = min(after, end + LEAD_OUT, length)
    end = max(end, min(start + HEARABLE, length))
    start = min(start, max(0.0, end - HEARABLE))
    return (start, end) if start < end else (statement.start, statement.end)


def _heard(statement: Statement, segments: Sequence[Segment]) -> Iterator[tuple[float, float]]:
    """(start, end) of what is said around a statement: words where they are timed."""
    begin, stop = statement.start - 1.0, statement.end + 1.0
    for segment in segments:
        if segment.source != statement.source or segment.end < begin or segment.start > stop:
            continue
        if segment.words:
            yield from ((word.start, word.end) for word in segment.words)
        else:
            yield segment.start, segment.end


def resolves(citation: Citation, segments: Sequence[Segment]) -> bool:
    """Whether the quote is stored text of that video and source at that time (invariant 10).

    `segments` are the video's. The quote must be a contiguous part of consecutive segments of
    one language joined by single spaces, and those segments must overlap the citation's interval.
    What is flagged as invented is no such text.
    """
    if not citation.quote.strip():
        return False
    own = [s for s in segments if s.source == citation.source and not s.invented]
    for language in {segment.language for segment in own}:
        near = [
            segment.text
            for segment in own
            if segment.language == language
            and segment.start <= citation.end
            and segment.end >= citation.start
        ]
        if citation.quote in " ".join(near):
            return True
    return False


# ---------------------------------------------------------------- links


def link(video: Video, start: float) -> str:
    """An address that opens the video at `start`; "" when it has neither a path nor a web address.

    A file is preferred: it is what was indexed. Players count fragments in seconds (Media
    Fragments URI 1.0, section 4.2.1); YouTube's page has its own `t`, in whole seconds.
    """
    if video.path:
        return f"{Path(video.path).absolute().as_uri()}#t={seconds(start)}"
    try:
        parts = urlsplit(video.url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:  # an address that cannot be read opens nothing
        return ""
    if parts.scheme not in ("http", "https") or not host or _UNSAFE.search(video.url):
        return ""
    if host == "youtu.be" or host.removeprefix("m.").removeprefix("music.") in _YOUTUBE:
        return _youtube(parts, host, start)
    if parts.fragment[:1] in ("/", "!"):  # it says which page it is: another would open
        return video.url
    return urlunsplit(parts._replace(fragment=f"t={seconds(start)}"))


def _youtube(parts: SplitResult, host: str, start: float) -> str:
    """The page that plays a video, whatever address names it, with the playlist it is seen in.

    An embedded player's address does not open by itself, and a short's ignores the time. An
    address that names no video, such as that of a playlist, stays as it is.
    """
    asked = parse_qs(parts.query)
    if host == "youtu.be":
        named = parts.path.strip("/")
    else:
        inside = _YOUTUBE_PATH.match(parts.path)
        named = inside[1] if inside else asked.get("v", [""])[0]
    if not _YOUTUBE_ID.fullmatch(named) or named == "videoseries":
        return urlunsplit(parts._replace(fragment=""))
    kept = {"v": named} | {name: asked[name][0] for name in ("list",) if name in asked}
    query = urlencode(kept | {"t": str(math.floor(start))}, quote_via=quote)
    return f"https://www.youtube.com/watch?{query}"


def seconds(start: float) -> str:
    """Seconds to a tenth, rounded down: a link never opens after the word."""
    return f"{math.floor(start * 10) / 10:.1f}".removesuffix(".0")
