"""The numbered evidence an answer is made from: statements of the moments found, as data.

A language model sees one line per statement, grouped by video in the order of time. What videos
say is data (DESIGN 6, invariant 9): it is shown on one line inside a fence, without characters
that hide or steer, and without any square bracket or tag of its own, so that nothing in it can
pass for a citation, for the end of the fence, or for a chat template's control token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.answer.statements import Statement, one_line, statements, width
from pipeline.prompts import as_data, visible
from pipeline.types import CITABLE, HOW, MAX_MOMENT_SECONDS, Moment, Segment, Source, Video

# Around a moment, so that a sentence that begins or ends outside is whole.
MARGIN = 30.0  # seconds
WIDTH_PER_TOKEN = 3.5  # columns of text to a token, on the safe side for English
TOKENS_PER_LINE = 14  # number, time, speaker and the line break

_MARKER_LIKE = re.compile(r"\[([\s\d,;–-]*\d[\s\d,;–-]*)\]")  # noqa: RUF001


class Transcripts(Protocol):
    """What the library knows of the videos in a search result."""

    def video(self, video_id: str) -> Video: ...

    def segments(self, video_id: str) -> Sequence[Segment]:
        """All stored segments of a video, of every source, by (start, end)."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A statement that could be evidence; `rank` is that of the best moment it lies in, from 0."""

    rank: int
    statement: Statement

    @property
    def cost(self) -> int:
        """Tokens, about, that its line takes in a prompt."""
        return round(width(self.statement.text) / WIDTH_PER_TOKEN) + TOKENS_PER_LINE


@dataclass(frozen=True, slots=True)
class Evidence:
    """One citable statement. `number` is what the model cites; `rank` that of its moment."""

    number: int
    video: Video
    statement: Statement
    rank: int


def gather(moments: Sequence[Moment], transcripts: Transcripts, tokens: int) -> list[Evidence]:
    """The citable statements of the moments, numbered from 1, in no more than about `tokens`.

    Better moments are taken first, each as far as there is room; `selection` chooses among them
    with a question in hand.
    """
    taken: list[Candidate] = []
    spent = 0
    for candidate in candidates(moments, transcripts):
        spent += candidate.cost
        if spent > tokens and taken:
            break
        taken.append(candidate)
    return numbered(taken, transcripts)


def candidates(moments: Sequence[Moment], transcripts: Transcripts) -> list[Candidate]:
    """Every citable statement of the moments once: better moments first, by time in each.

    Where only a chapter or summary was found, the statements underneath it are given.
    """
    found: dict[tuple[str, Source, str, float, int], Candidate] = {}
    for rank, moment in enumerate(moments):
        for statement in _statements_in(moment, transcripts.segments(moment.video_id)):
            mark = (
                statement.video_id,
                statement.source,
                statement.language,
                statement.segments[0].start,
                statement.offset,
            )
            found.setdefault(mark, Candidate(rank, statement))
    return list(found.values())


def shared(listed: Sequence[Sequence[Candidate]], tokens: int) -> list[Candidate]:
    """The best of several lists, each best first, in about `tokens`: as many tokens of each.

    What stands in two of them is taken once, and leaves room. One list is taken whole.
    """
    if len(listed) == 1:
        return list(listed[0])
    taken: dict[int, Candidate] = {}
    spent, places, whole = [0] * len(listed), [0] * len(listed), 0
    while open_ := [at for at, some in enumerate(listed) if places[at] < len(some)]:
        at = min(open_, key=lambda at: (spent[at], at))
        candidate = listed[at][places[at]]
        places[at] += 1
        if id(candidate) in taken:
            continue
        if taken and whole + candidate.cost > tokens:
            break
        taken[id(candidate)] = candidate
        spent[at] += candidate.cost
        whole += candidate.cost
    return list(taken.values())


def numbered(taken: Iterable[Candidate], transcripts: Transcripts) -> list[Evidence]:
    """The statements as evidence, numbered from 1: videos by their best moment, then time."""
    chosen = list(taken)
    best: dict[str, int] = {}
    for candidate in chosen:
        video_id = candidate.statement.video_id
        best[video_id] = min(candidate.rank, best.get(video_id, candidate.rank))

    def place(candidate: Candidate) -> tuple[int, float, float, int]:
        statement = candidate.statement
        return best[statement.video_id], statement.start, statement.end, statement.offset

    videos = {video_id: transcripts.video(video_id) for video_id in best}
    return [
        Evidence(number, videos[c.statement.video_id], c.statement, c.rank)
        for number, c in enumerate(sorted(chosen, key=place), start=1)
    ]


def _statements_in(moment: Moment, segments: Sequence[Segment]) -> list[Statement]:
    sources = {passage.source for passage in moment.passages} & CITABLE or CITABLE
    start, end = _reach(moment)
    near = [
        segment
        for segment in segments
        if segment.source in sources
        and segment.start < end + MARGIN
        and segment.end > start - MARGIN
    ]
    return [s for s in statements(moment.video_id, near) if _belongs(s, start, end)]


def _reach(moment: Moment) -> tuple[float, float]:
    """From when to when evidence is taken: a moment begins with the words that were found, what
    they are about may have been named before. So its passages are taken whole."""
    short = [p for p in moment.passages if p.end - p.start <= MAX_MOMENT_SECONDS]
    starts, ends = [p.start for p in short], [p.end for p in short]
    return min([moment.start, *starts]), max([moment.end, *ends])


def _belongs(statement: Statement, start: float, end: float) -> bool:
    """Whether at least half of the statement, or of the interval, lies in the other."""
    shared = min(statement.end, end) - max(statement.start, start)
    return shared >= 0.5 * min(statement.end - statement.start, end - start)


# ---------------------------------------------------------------- as the model reads it


def render(evidence: Sequence[Evidence]) -> str:
    """One line per statement under a heading per video; `...` stands where time was left out."""
    lines: list[str] = []
    before: Evidence | None = None
    for item in evidence:
        if before is None or before.video.video_id != item.video.video_id:
            lines += ["", _heading(item.video)] if before else [_heading(item.video)]
        elif item.statement.start - before.statement.end > MARGIN:
            lines.append("...")
        lines.append(_line(item))
        before = item
    return "\n".join(lines)


def _heading(video: Video) -> str:
    date = f" ({as_data(video.date[:10])})" if video.date else ""
    return f'Video "{as_data(video.title or video.video_id)}"{date}'


def _line(item: Evidence) -> str:
    statement = item.statement
    how = HOW[statement.source]
    if statement.speaker:
        how += f" by {as_data(statement.speaker)}"
    if statement.doubtful:
        how += ", badly heard" if statement.source == "speech" else ", uncertain"
    text = as_data(as_lines(statement.text))
    return f"[{item.number}] {clock(statement.start)} {how}: {text}"


def as_lines(text: str) -> str:
    """The lines of a screen side by side: `Saturday closed / Sunday 9 to 5`."""
    return " / ".join(line.strip() for line in text.splitlines() if line.strip())


def as_shown(text: str) -> str:
    """`text` on one line as an answer shows it: nothing in it reads as a marker `[n]`."""
    plain = visible(text)
    while (rounder := _MARKER_LIKE.sub(r"(\1)", plain)) != plain:
        plain = rounder
    return one_line(plain)


def as_quote(item: Evidence) -> str:
    """The statement as an answer without a language model shows it."""
    return f"“{as_shown(as_lines(item.statement.text))}”"


def clock(seconds: float) -> str:
    """`mm:ss`, `h:mm:ss` from an hour on; rounded down, as players do. `types.clock` with
    two figures for minutes, which the prompts over evidence and their replies have."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minutes:02}:{second:02}"
