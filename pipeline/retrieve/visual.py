"""Searching by what can be seen: key frames near a query, the moments they lie in, their score.

A moment is scored by the query-weighted mean of its frames (Bain et al. 2022, "A CLIP-Hitchhiker's
Guide to Long Video Retrieval", section 3): the weights are a softmax over the similarities of
frames and query, so that one frame that shows it counts for more than three that do not. The
mean is not brought to unit length again; its product with the query is then the weighted mean of
the similarities, needs no vectors, and does not favour moments whose frames differ.

A picture with a text ("like this frame, but at night") is one query vector between the two, the
plain baseline of composed image retrieval (Saito et al. 2023, "Pic2Word", section 4).

In a search by text, frames are one more signal (`with_frames`): they add to the score of the
moments that words and meaning found, and may bring in a moment of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.types import (
    CITABLE,
    MAX_MOMENT_SECONDS,
    DualEncoder,
    FrameIndex,
    Image,
    Moment,
    MomentPassage,
    Passage,
    Vectors,
)

FRAMES = "frames"  # the signal's name in `why`
TOP = 300  # frames that are looked at

# Temperatures of the softmax. 0.1 is that of the authors' release; similarities of texts and
# pictures lie close together, and at 0.1 no frame is ignored. Pictures are nearer to pictures,
# and who shows one wants that one: 0.01 is nearly the best frame alone.
TEXT_TEMPERATURE = 0.1
IMAGE_TEMPERATURE = 0.01
TEXT_WEIGHT = 0.5  # of the text in a query that is a picture and a text

# What the frames of a moment may add to its score, the best frame of the library 1: as much as a
# lesser signal of a caption, less where the moment was found by what was said. By judgement: no
# set with pictures and checkpoint was at hand to measure it.
SEEN_WEIGHT = 0.3
SAID_WEIGHT = 0.1

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class FrameQuery:
    """What is looked for: (1, dimension), unit length, and the temperature that goes with it."""

    vector: Vectors
    temperature: float


@dataclass(frozen=True, slots=True)
class RankedFrames:
    """The nearest frames, best first; ties by video id, then time."""

    positions: NDArray[np.int64]
    similarity: NDArray[np.float64]  # cosines with the query

    def share(self, similarity: float) -> float:
        """Where a similarity lies between those of the last and the first frame, 0 to 1.

        Without a spread, a single frame for instance, nothing is told: 0.
        """
        if not len(self.positions):
            return 0.0
        low, high = float(self.similarity[-1]), float(self.similarity[0])
        return min(max((similarity - low) / (high - low), 0.0), 1.0) if high > low else 0.0


@dataclass(frozen=True, slots=True)
class SeenMoment:
    """An interval found by its frames. `score` is the query-weighted mean of its similarities."""

    video_id: str
    start: float
    end: float
    score: float


class StoredText(Protocol):
    """A passage with its place in the catalog (`store.passage_lookup.StoredPassage`)."""

    @property
    def id(self) -> str: ...
    @property
    def passage(self) -> Passage: ...


class Place(Protocol):
    """Where a frame lies in its video (`store.frame_vectors.FramePlace`)."""

    @property
    def time(self) -> float: ...
    @property
    def stretch(self) -> Interval: ...
    @property
    def shot(self) -> Interval: ...


class Pictures(Protocol):
    """What a catalog knows of frames and shots, and of the text beside them."""

    def frame_places(self, rows: NDArray[np.int64], /) -> Mapping[int, Place]: ...
    def passages_of(self, video_id: str, /) -> Sequence[StoredText]: ...
    def titles(self, video_ids: Iterable[str], /) -> dict[str, str]: ...


# ---------------------------------------------------------------- the query


def text_query(encoder: DualEncoder, text: str) -> FrameQuery:
    return FrameQuery(encoder.embed_texts([text]), TEXT_TEMPERATURE)


def image_query(
    encoder: DualEncoder, image: Image, text: str = "", text_weight: float = TEXT_WEIGHT
) -> FrameQuery:
    """The picture, or the point `text_weight` of the way from it to the text, of unit length."""
    vector = encoder.embed_images([image])
    if text.strip():
        mixed = (1 - text_weight) * vector + text_weight * encoder.embed_texts([text])
        length = max(float(np.linalg.norm(mixed)), 1e-12)
        vector = np.asarray(mixed / length, np.float32)
    return FrameQuery(vector, IMAGE_TEMPERATURE)


# ---------------------------------------------------------------- frames and their score


def nearest_frames(
    index: FrameIndex,
    query: FrameQuery,
    allowed: NDArray[np.bool_] | None = None,
    top: int = TOP,
) -> RankedFrames:
    """The `top` frames nearest to the query among those `allowed` (n,), by exact cosine.

    A vector index proposes them where the library is large and nothing is filtered. Rounded, so
    that equal pictures score the same.
    """
    positions = index.propose(query.vector, top) if allowed is None else np.flatnonzero(allowed)
    similarity = index.cosine(query.vector, positions)[0].astype(np.float64).round(5)
    table = index.table
    video = table.video[positions]
    names = np.array([table.videos[number] for number in video.tolist()], np.str_)
    order = np.lexsort((table.start[positions], names, -similarity))[:top]
    return RankedFrames(positions[order], similarity[order])


def query_weighted_means(
    similarity: NDArray[np.float64], lengths: Sequence[int], temperature: float
) -> NDArray[np.float64]:
    """The means of consecutive runs of similarities, each weighted by its softmax; 0 of none.

    `lengths` (m,) are those of the runs and sum to len(similarity).
    """
    counts = np.array(lengths, np.int64)
    means, full = np.zeros(len(counts)), counts > 0
    if not full.any():
        return means
    starts = (np.cumsum(counts) - counts)[full]
    greatest = np.maximum.reduceat(similarity, starts)
    weights = np.exp((similarity - np.repeat(greatest, counts[full])) / temperature)
    means[full] = np.add.reduceat(weights * similarity, starts) / np.add.reduceat(weights, starts)
    return means


def frame_scores(
    index: FrameIndex, query: FrameQuery, intervals: Sequence[tuple[str, float, float]]
) -> list[float]:
    """The score of each (video id, start, end): of the frames that can be seen in it."""
    seen = [index.standing(*interval) for interval in intervals]
    if not seen:
        return []
    similarity = index.cosine(query.vector, np.concatenate(seen))[0].astype(np.float64).round(5)
    lengths = [len(positions) for positions in seen]
    scores: list[float] = query_weighted_means(similarity, lengths, query.temperature).tolist()
    return scores


# ---------------------------------------------------------------- moments


def seen_moments(
    index: FrameIndex, query: FrameQuery, ranked: RankedFrames, pictures: Pictures
) -> list[SeenMoment]:
    """The moments of the ranked frames, by score, then video id, then start.

    A frame that lies in the moment of a better one makes none of its own. Moments of one video
    do not overlap.
    """
    table = index.table
    rows, videos = table.rows[ranked.positions], table.video[ranked.positions]
    places = pictures.frame_places(rows)
    placed: dict[str, list[Interval]] = {}
    for row, video in zip(rows.tolist(), videos.tolist(), strict=True):
        place = places.get(row)
        others = placed.setdefault(table.videos[video], [])
        if place is None or any(start <= place.time < end for start, end in others):
            continue
        others.append(_free(_window(place), place.time, others))
    intervals = [(video_id, *span) for video_id, spans in placed.items() for span in spans]
    scores = frame_scores(index, query, intervals)
    found = [SeenMoment(*at, score) for at, score in zip(intervals, scores, strict=True)]
    return sorted(found, key=lambda moment: (-moment.score, moment.video_id, moment.start))


def _window(place: Place) -> Interval:
    """The shot; of one longer than a moment the frame's stretch, cut to a moment around it."""
    if place.shot[1] - place.shot[0] <= MAX_MOMENT_SECONDS:
        return place.shot
    start, end = place.stretch
    if end - start <= MAX_MOMENT_SECONDS:
        return start, end
    start = min(max(place.time - MAX_MOMENT_SECONDS / 2, start), end - MAX_MOMENT_SECONDS)
    return start, start + MAX_MOMENT_SECONDS


def _free(window: Interval, time: float, others: Sequence[Interval]) -> Interval:
    """The part of the window around `time` that no other moment covers."""
    low = max((end for _, end in others if end <= time), default=0.0)
    high = min((start for start, _ in others if start > time), default=float("inf"))
    return max(window[0], low), min(window[1], high)


def shown(seen: Sequence[SeenMoment], pictures: Pictures) -> Iterator[Moment]:
    """The moments with the citable passages that lie in them; there need be none."""
    texts: dict[str, Sequence[StoredText]] = {}
    titles = pictures.titles(sorted({moment.video_id for moment in seen}))
    for moment in seen:
        if moment.video_id not in texts:
            texts[moment.video_id] = pictures.passages_of(moment.video_id)
        passages = tuple(_passages_in(moment, texts[moment.video_id]))
        yield Moment(
            moment.video_id,
            titles.get(moment.video_id, moment.video_id),
            moment.start,
            moment.end,
            moment.score,
            "\n".join(passage.text for passage in passages),
            passages,
            {FRAMES: moment.score},
        )


def _passages_in(moment: SeenMoment, stored: Sequence[StoredText]) -> list[MomentPassage]:
    """Those that share at least half of themselves, or of the moment, with it; by time."""
    found = []
    for text in stored:
        passage = text.passage
        shared = min(passage.end, moment.end) - max(passage.start, moment.start)
        shorter = min(passage.end - passage.start, moment.end - moment.start)
        if passage.source in CITABLE and shared >= shorter / 2:
            found.append(
                MomentPassage(text.id, passage.source, passage.start, passage.end, passage.text)
            )
    return sorted(found, key=lambda passage: (passage.start, passage.source, passage.id))


# ---------------------------------------------------------------- as one signal of several


def with_frames(
    found: Sequence[Moment],
    index: FrameIndex,
    query: FrameQuery,
    ranked: RankedFrames,
    pictures: Pictures,
    k: int,
    *,
    alone: bool = True,
) -> list[Moment]:
    """`found` with what their frames add, best first, at most `k`.

    `ranked` are the frames near the query; a moment's share lies between 0 (as the last of them)
    and 1 (as the first). With `alone`, moments that only frames found are among them, where they
    overlap none of `found`.
    """
    scores = frame_scores(index, query, [(m.video_id, m.start, m.end) for m in found])
    moments = [
        _raised(moment, _weight(moment) * ranked.share(score))
        for moment, score in zip(found, scores, strict=True)
    ]
    if alone:
        seen = seen_moments(index, query, ranked, pictures)
        fresh = [moment for moment in seen if not any(_overlap(moment, other) for other in found)]
        for moment in shown(fresh[:k], pictures):
            part = SEEN_WEIGHT * ranked.share(moment.score)
            if part:
                moments.append(replace(moment, score=part, why={FRAMES: part}))
    return sorted(moments, key=lambda m: (-m.score, m.video_id, m.start))[:k]


def _weight(moment: Moment) -> float:
    described = any(passage.source == "caption" for passage in moment.passages)
    return SEEN_WEIGHT if described else SAID_WEIGHT


def _raised(moment: Moment, part: float) -> Moment:
    if not part:
        return moment
    return replace(moment, score=moment.score + part, why={**moment.why, FRAMES: part})


def _overlap(seen: SeenMoment, moment: Moment) -> bool:
    same = seen.video_id == moment.video_id
    return same and seen.start < moment.end and moment.start < seen.end
