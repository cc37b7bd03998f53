"""Passages that match to the entries of a complete list, each counted once.

What is said and what stands on the screen at the same time is one entry, and so are passages that
follow each other, up to the 60 s of a moment. The same text in two videos is two entries, and the
second says so. Entries keep to what is always true of moments: they do not overlap, and each of
their passages intersects them.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.retrieve.exhaustive import Matches
from pipeline.retrieve.fuse import ADJACENT_SECONDS
from pipeline.types import (
    MAX_MOMENT_SECONDS,
    SOURCES,
    Entry,
    MomentPassage,
    PassageIndex,
    Source,
    VideoCount,
)

WORDS_WHY, MEANING_WHY = "words", "meaning"
# Resemblance of two texts, from which they count as copies of each other. Of one slide shown in
# two talks with other figures it is .66; of one speech transcribed twice, 5% of the words
# different, .77; of one speech cut into passages a tenth later, .82.
COPIES = 0.7
_SHINGLE = 3  # words
_SKETCH = 32  # hashes kept of a text
_LEADING = 4  # of which one has to be shared by a pair that is compared
_MIXER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: it spreads bits well


@dataclass(frozen=True, slots=True)
class _Hit:
    """The part of a passage that matches: `number` is its place among the matches."""

    number: int
    source: Source
    start: float
    end: float

    @property
    def long(self) -> bool:
        return self.end - self.start > MAX_MOMENT_SECONDS


@dataclass(slots=True)
class _Draft:
    """An entry while it grows."""

    start: float
    end: float
    hits: list[_Hit] = field(default_factory=list)

    def overlap(self, hit: _Hit) -> float:
        return min(self.end, hit.end) - max(self.start, hit.start)

    def may_follow(self, hit: _Hit) -> bool:
        """Whether the hit goes on where this entry ends, and both make one moment."""
        near = hit.start <= self.end + ADJACENT_SECONDS and hit.end > self.start
        return near and max(hit.end, self.end) - self.start <= MAX_MOMENT_SECONDS


def entries(
    found: Matches, starts: NDArray[np.float64], index: PassageIndex, titles: Mapping[str, str]
) -> tuple[tuple[Entry, ...], tuple[VideoCount, ...]]:
    """The entries by video id and start, and how many there are of each video, most first.

    `starts` (m,) say where in each passage the match begins; `titles` are by video id. Cost goes
    with the number of matches: 0.1 ms each.
    """
    made: list[Entry] = []
    drafts = [
        (v, d) for v, hits in sorted(_by_video(found, starts, index).items()) for d in _placed(hits)
    ]
    at = found.positions[np.array([h.number for _, d in drafts for h in d.hits], np.int64)]
    doubt = index.doubt(at).tolist()
    stored = iter(zip(index.passage_ids(at), index.texts(at), doubt, strict=True))
    for video_id, draft in drafts:
        texts = [next(stored) for _ in draft.hits]
        entry = _entry(video_id, titles.get(video_id, video_id), draft, texts, found)
        if entry is not None:
            made.append(entry)
    return tuple(_marked(made)), _counted(made)


def _by_video(
    found: Matches, starts: NDArray[np.float64], index: PassageIndex
) -> dict[str, list[_Hit]]:
    """The hits of each video by time."""
    table, at = index.table, found.positions
    columns = (table.video[at], table.source[at], starts, table.end[at])
    hits: dict[str, list[_Hit]] = defaultdict(list)
    for number in np.lexsort((at, table.source[at], table.end[at], starts)).tolist():
        video, source, start, end = (column[number].item() for column in columns)
        hits[table.videos[video]].append(_Hit(number, SOURCES[source], start, end))
    return hits


# ---------------------------------------------------------------- where entries lie


def _placed(hits: Sequence[_Hit]) -> list[_Draft]:
    """The entries of one video from its hits by time."""
    drafts: list[_Draft] = []
    for hit in hits:
        if not hit.long:
            _add(hit, drafts)
    for captions in (False, True):
        for hit in hits:
            if hit.long and (hit.source == "caption") == captions:
                _add_long(hit, drafts)
    for draft in drafts:
        draft.hits.sort(key=lambda hit: (hit.start, SOURCES.index(hit.source), hit.number))
    return sorted(drafts, key=lambda draft: draft.start)


def _add(hit: _Hit, drafts: list[_Draft]) -> None:
    """Let the hit join the last entry or one that covers most of it, else begin an entry."""
    if drafts and drafts[-1].may_follow(hit):
        drafts[-1].end = max(drafts[-1].end, hit.end)
        drafts[-1].hits.append(hit)
        return
    start = max(hit.start, drafts[-1].end) if drafts else hit.start
    covering = _most_covering(hit, drafts)
    if covering and hit.end - start < (hit.end - hit.start) / 2:
        covering.hits.append(hit)
    else:
        drafts.append(_Draft(start, hit.end, [hit]))


def _most_covering(hit: _Hit, drafts: Sequence[_Draft]) -> _Draft | None:
    """The entry that the hit overlaps most; entries come by time, so the last ones are enough."""
    near: list[_Draft] = []
    for draft in reversed(drafts):
        if draft.end <= hit.start:
            break
        near.append(draft)
    return max(near, key=lambda draft: draft.overlap(hit), default=None)


def _add_long(hit: _Hit, drafts: list[_Draft]) -> None:
    """A text that stood for minutes belongs to what else matches in its time; alone it is an
    entry of its first 60 s, or of all of it where it is a caption.
    """
    met = [draft for draft in drafts if draft.overlap(hit) > 0]
    for draft in met:
        if draft.end - draft.start <= MAX_MOMENT_SECONDS:
            draft.hits.append(hit)
            return
    if met:  # a long caption, no longer a single one: the minute in which the other begins
        met[0].start, met[0].end = hit.start, hit.start + MAX_MOMENT_SECONDS
        met[0].hits.append(hit)
        return
    end = hit.end if hit.source == "caption" else hit.start + MAX_MOMENT_SECONDS
    drafts.append(_Draft(hit.start, end, [hit]))


# ---------------------------------------------------------------- what entries show


def _entry(
    video_id: str,
    title: str,
    draft: _Draft,
    stored: Sequence[tuple[str, str, float]],
    found: Matches,
) -> Entry | None:
    """The entry with its texts; None where all of them were deleted since the index was opened."""
    passages = tuple(
        MomentPassage(row, hit.source, hit.start, hit.end, text, doubt)
        for hit, (row, text, doubt) in zip(draft.hits, stored, strict=True)
        if row
    )
    if not passages:
        return None
    scores = found.scores
    best = max((hit.number for hit in draft.hits), key=lambda number: scores[number])
    why = {WORDS_WHY: float(found.words[best]), MEANING_WHY: float(found.meaning[best])}
    text = "\n".join(passage.text for passage in passages)
    score = float(scores[best])
    return Entry(video_id, title, draft.start, draft.end, score, text, passages, why)


def _counted(made: Sequence[Entry]) -> tuple[VideoCount, ...]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for entry in made:
        counts[entry.video_id, entry.title] += 1
    rows = [VideoCount(video_id, title, count) for (video_id, title), count in counts.items()]
    return tuple(sorted(rows, key=lambda row: (-row.count, row.video_id)))


# ---------------------------------------------------------------- copies


def _marked(made: Sequence[Entry]) -> list[Entry]:
    """The entries, those marked whose text an earlier entry of another video has."""
    sketches = [_sketch(entry.text) for entry in made]
    holders: dict[int, list[int]] = defaultdict(list)  # hash -> entries with it in front
    marked = []
    for place, (entry, sketch) in enumerate(zip(made, sketches, strict=True)):
        others = sorted({o for h in sketch[:_LEADING] for o in holders[h]})
        copied = next(
            (
                other
                for other in others
                if made[other].video_id != entry.video_id
                and _resemblance(sketches[other], sketch) >= COPIES
            ),
            None,
        )
        marked.append(entry if copied is None else replace(entry, same_as=copied + 1))
        if copied is None:  # copies of copies point at the first
            for value in sketch[:_LEADING]:
                holders[value].append(place)
    return marked


def _sketch(text: str) -> tuple[int, ...]:
    """The smallest hashes of the text's shingles, ascending (Broder 1997, "On the resemblance and
    containment of documents"). A shingle's hash is made from those of its words, mixed so that
    their order counts; the same in every process.
    """
    words = re.findall(r"\w+", text.lower())
    hashes = np.array([zlib.crc32(word.encode()) for word in words] or [0], np.uint64)
    mixed = hashes[: max(1, len(hashes) - _SHINGLE + 1)] * _MIXER
    for i in range(1, min(_SHINGLE, len(hashes))):
        mixed = (mixed ^ hashes[i : i + len(mixed)]) * _MIXER
    return tuple(np.unique(mixed >> np.uint64(16))[:_SKETCH].tolist())


def _resemblance(one: Sequence[int], other: Sequence[int]) -> float:
    """The share of shingles that two texts have in common, estimated from their sketches."""
    smallest = set(sorted({*one, *other})[:_SKETCH])
    return len(smallest & set(one) & set(other)) / max(len(smallest), 1)
