"""Ranked passages to moments: what a person is shown, and what an answer may cite.

Passages are taken best first. One that overlaps a moment of another source joins it, so that
what was said and what stood on the screen at that time is one moment. Of a passage only the part
around its best window is taken, so that a moment begins where the answer begins. What is left over
becomes a moment of its own, cut back to where no better moment lies. A passage longer than a moment
(a slide that stood for five minutes, a chapter) is placed where else something matched in it,
else at its beginning.

Always true of the result: a moment lasts at most 60 s, a single longer caption excepted; moments
of one video do not overlap; each holds at least one passage, and each of its passages intersects
it; the parts of `why` sum to the score; order is by score, then video id, then start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.retrieve.search import Ranked
from pipeline.types import (
    MAX_MOMENT_SECONDS,
    SOURCES,
    Moment,
    MomentPassage,
    PassageIndex,
    PassageTable,
    Source,
)

# What a second source adds to a moment's score: it confirms, it does not count double.
SECOND_SOURCE = 0.5
# A long passage is placed at another hit only if that one matched at least this share as well.
ANCHOR_SHARE = 0.5
# A caption describes its whole interval; what was said or shown on a screen has its place.
TIGHTENED: frozenset[Source] = frozenset({"speech", "screen"})
LEAD_SECONDS = 2.0  # so that the first word is not missed
LEAST_SECONDS = 15.0  # from which what is said can be understood
TOUCH_SECONDS = 1.0  # two sources that overlap by less are not of one moment

Interval = tuple[float, float]
Floats = NDArray[np.float64]
CutsOf = Callable[[Set[str]], Mapping[str, Sequence[float]]]


@dataclass(frozen=True, slots=True)
class _Hit:
    """A ranked passage: `rank` is its column in `Ranked`. `start` and `end` are the part of it
    that counts, `whole` the passage."""

    rank: int
    source: Source
    start: float
    first: float  # when what answers begins, `start` or a lead after it
    end: float
    score: float
    whole: Interval

    @property
    def long(self) -> bool:
        return self.end - self.start > MAX_MOMENT_SECONDS

    def overlap(self, start: float, end: float) -> float:
        return min(self.end, end) - max(self.start, start)

    def touches(self, start: float, end: float) -> bool:
        """Whether the two overlap by more than the jitter of two clocks."""
        return self.overlap(start, end) > min(TOUCH_SECONDS, (self.end - self.start) / 2)

    def continues(self, other: _Hit) -> bool:
        """Whether the two are parts of one text that was too long for one passage."""
        return (self.source, self.whole) == (other.source, other.whole)


@dataclass(slots=True)
class _Draft:
    """A moment while it grows. `hits` begins with the one that placed it."""

    start: float
    end: float
    hits: list[_Hit] = field(default_factory=list)

    @property
    def whole_caption(self) -> bool:
        """A single caption longer than a moment: nothing may join it."""
        return self.end - self.start > MAX_MOMENT_SECONDS

    def begin_at_cut(self, cuts: Sequence[float]) -> None:
        """Leave out of the lead what is of another shot than what answers."""
        cut = cuts[at - 1] if (at := bisect_right(cuts, self.hits[0].first)) else 0.0
        if self.start < cut <= self.start + LEAD_SECONDS and cut < self.end:
            self.start = cut

    def takes(self, hit: _Hit) -> bool:
        """Whether the hit is of another source and of this time."""
        if self.whole_caption or not hit.touches(self.start, self.end):
            return False
        return all(other.source != hit.source for other in self.hits)


def moments(
    ranked: Ranked,
    index: PassageIndex,
    titles: Mapping[str, str],
    k: int = 10,
    lengths: Mapping[str, float] | None = None,
    cuts: CutsOf | None = None,
) -> list[Moment]:
    """The best `k` moments of the ranked passages; `titles` are by video id.

    `lengths` are the durations of videos by id, where they are known: no moment ends later.
    `cuts` gives the shot boundaries of videos, ascending: no moment begins with the last second
    of another shot. On the sample library the first right moment then begins 3.4 s off on
    average, 3.9 s without, and 12.6 s where whole passages are moments.

    Deterministic; its cost goes with `len(ranked)`, not with the library.
    """
    scored: list[tuple[float, str, _Draft, list[tuple[float, _Hit]]]] = []
    for video_id, hits in _by_video(ranked, index.table, lengths or {}).items():
        for draft in _place(hits):
            weights = _weights(draft)
            score = sum(weight * hit.score for weight, hit in weights)
            scored.append((score, video_id, draft, weights))
    scored.sort(key=lambda item: (-item[0], item[1], item[2].start))
    if cuts is not None:
        by_video = cuts({video_id for _, video_id, _, _ in scored[:k]})
        for _, video_id, draft, _ in scored[:k]:
            draft.begin_at_cut(by_video.get(video_id, ()))
    return _shown(scored[:k], ranked, index, titles)


def _by_video(
    ranked: Ranked, table: PassageTable, lengths: Mapping[str, float]
) -> dict[str, list[_Hit]]:
    """The hits of each video, best first."""
    at = ranked.positions
    start, first, end = _tightened(ranked, table, lengths)
    whole = zip(table.start[at].tolist(), table.end[at].tolist(), strict=True)
    columns = (table.video[at], table.source[at], start, first, end, ranked.scores)
    hits: dict[str, list[_Hit]] = defaultdict(list)
    rows = zip(*(column.tolist() for column in columns), whole, strict=True)
    for rank, (video, source, *rest) in enumerate(rows):
        hits[table.videos[video]].append(_Hit(rank, SOURCES[source], *rest))
    return hits


def _tightened(
    ranked: Ranked, table: PassageTable, lengths: Mapping[str, float]
) -> tuple[Floats, Floats, Floats]:
    """(p,) when the part of each passage that counts starts, when what answers begins in it, and
    when it ends: the best window and what follows it, in sources that run along with time; the
    whole passage in others."""
    at = ranked.positions
    start, end = table.start[at], table.end[at]
    if ranked.focus is None:
        return start, start, end
    names = np.array([source in TIGHTENED for source in SOURCES])
    tight = names[table.source[at]] & (end - start > LEAST_SECONDS)
    tight &= end - start <= MAX_MOMENT_SECONDS
    first = np.where(tight, ranked.focus[0], start)
    lead = np.where(table.source[at] == SOURCES.index("speech"), LEAD_SECONDS, 0.0)
    begins = np.where(tight, np.maximum(first - lead, start), start)
    last = np.array([lengths.get(table.videos[v], 0.0) for v in table.video[at].tolist()])
    ends = np.maximum(ranked.focus[1], begins + LEAST_SECONDS)
    ends = np.minimum(ends, begins + MAX_MOMENT_SECONDS)
    ends = np.minimum(ends, np.maximum(last, end))
    return begins, first, np.where(tight, ends, end)


# ---------------------------------------------------------------- where moments lie


def _place(hits: Sequence[_Hit]) -> list[_Draft]:
    """The moments of one video from its hits, best first."""
    drafts: list[_Draft] = []
    used: set[int] = set()
    for hit in hits:
        if hit.rank in used or _join(hit, drafts):
            continue
        start, end = _free_part(hit, drafts)
        if end - start < min(hit.end - hit.start, MAX_MOMENT_SECONDS) / 2:
            _attach(hit, drafts)  # mostly within better moments of its own source
            continue
        draft = _Draft(start, end, [hit])
        if hit.long:
            used |= _shorten(draft, hit, hits, drafts)
        drafts.append(draft)
    return drafts


def _join(hit: _Hit, drafts: Sequence[_Draft]) -> bool:
    """Let the hit join the moment that shows the rest of the same text, else the one that it
    overlaps most of those without its source."""
    for draft in drafts:
        if any(hit.continues(other) for other in draft.hits):
            draft.hits.append(hit)
            return True
    open_to_it = [draft for draft in drafts if draft.takes(hit)]
    if not open_to_it:
        return False
    draft = max(open_to_it, key=lambda draft: hit.overlap(draft.start, draft.end))
    draft.hits.append(hit)
    _extend(draft, hit, drafts)
    return True


def _extend(draft: _Draft, hit: _Hit, drafts: Sequence[_Draft]) -> None:
    """Let the moment last to the end of the hit, where there is room and it stays short.

    It begins where its best hit does: widened to both sides, the first right moment on the sample
    library began 6.0 s off on average, and so 4.6 s.
    """
    _, high = _room(draft.start, draft.end, drafts)
    end = min(max(draft.end, hit.end), high)
    if end - draft.start <= MAX_MOMENT_SECONDS:
        draft.end = end


def _attach(hit: _Hit, drafts: Sequence[_Draft]) -> None:
    """Show the hit with the moment that covers most of it, which stays as it is."""
    best = max(drafts, key=lambda draft: hit.overlap(draft.start, draft.end))
    if not best.whole_caption:
        best.hits.append(hit)


def _shorten(draft: _Draft, hit: _Hit, hits: Sequence[_Hit], drafts: Sequence[_Draft]) -> set[int]:
    """Cut the moment of a long hit down to where else something matched; the ranks used up.

    Without such a place a caption stays whole, anything else keeps its first 60 s.
    """
    for other in hits[hits.index(hit) + 1 :]:
        if other.score < ANCHOR_SHARE * hit.score:
            break
        elsewhere = not other.touches(draft.start, draft.end)
        if elsewhere or other.long or other.source == hit.source:
            continue
        low, high = _room(max(other.start, draft.start), min(other.end, draft.end), drafts)
        draft.start, draft.end = max(other.start, low), min(other.end, high)
        draft.hits.append(other)
        return {other.rank}
    if hit.source != "caption":
        draft.end = min(draft.end, draft.start + MAX_MOMENT_SECONDS)
    return set()


def _room(start: float, end: float, drafts: Sequence[_Draft]) -> Interval:
    """How far an interval that no other moment overlaps could be widened, itself included."""
    low = max((draft.end for draft in drafts if draft.end <= start), default=0.0)
    high = min((draft.start for draft in drafts if draft.start >= end), default=float("inf"))
    return low, high


def _free_part(hit: _Hit, drafts: Sequence[_Draft]) -> Interval:
    """The longest part of the hit that no moment covers, the first of equals."""
    parts: list[Interval] = []
    begin = hit.start
    for draft in sorted(drafts, key=lambda draft: draft.start):
        if draft.end <= begin or draft.start >= hit.end:
            continue
        if draft.start > begin:
            parts.append((begin, draft.start))
        begin = draft.end
    if begin < hit.end:
        parts.append((begin, hit.end))
    return max(parts, key=lambda part: part[1] - part[0], default=(hit.start, hit.start))


# ---------------------------------------------------------------- what moments show


def _weights(draft: _Draft) -> list[tuple[float, _Hit]]:
    """The best hit of each source and what it counts: the best of all fully, others half."""
    best: dict[Source, _Hit] = {}
    for hit in sorted(draft.hits, key=lambda hit: hit.rank):
        best.setdefault(hit.source, hit)
    return [(SECOND_SOURCE if i else 1.0, hit) for i, hit in enumerate(best.values())]


def _shown(
    scored: Sequence[tuple[float, str, _Draft, list[tuple[float, _Hit]]]],
    ranked: Ranked,
    index: PassageIndex,
    titles: Mapping[str, str],
) -> list[Moment]:
    """The moments with the texts of their passages, fetched in one go."""
    in_time = [
        sorted(draft.hits, key=lambda hit: (hit.whole, SOURCES.index(hit.source), hit.rank))
        for _, _, draft, _ in scored
    ]
    at = ranked.positions[np.array([hit.rank for hits in in_time for hit in hits], np.int64)]
    doubts = index.doubt(at).tolist()
    stored = iter(zip(index.passage_ids(at), index.texts(at), doubts, strict=True))
    shown = []
    for (score, video_id, draft, weights), hits in zip(scored, in_time, strict=True):
        texts = [next(stored) for _ in hits]
        passages = tuple(
            MomentPassage(row, hit.source, *hit.whole, text, doubt)
            for hit, (row, text, doubt) in zip(hits, texts, strict=True)
            if row  # "" where a passage was deleted since the index was opened
        )
        if passages:
            text = "\n".join(passage.text for passage in passages)
            title, why = titles.get(video_id, video_id), _why(weights, ranked)
            moment = Moment(video_id, title, draft.start, draft.end, score, text, passages, why)
            shown.append(moment)
    return shown


def _why(weights: Sequence[tuple[float, _Hit]], ranked: Ranked) -> dict[str, float]:
    """The score of a moment by signal."""
    parts = ranked.parts[:, [hit.rank for _, hit in weights]] @ [weight for weight, _ in weights]
    return {name: part for name, part in zip(ranked.names, parts.tolist(), strict=True) if part}
