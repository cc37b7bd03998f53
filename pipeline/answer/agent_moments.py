"""Moments of several searches as one list, best first.

Scores compare within one search only. So each list is measured by its own best moment before they
are put together: what a search for the missing half found first stands beside what the question
found first, and not behind everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.types import Citation, Moment


def passage_ids(moments: Iterable[Moment]) -> set[str]:
    return {passage.id for moment in moments for passage in moment.passages}


def merged(
    earlier: Sequence[Moment],
    found: Sequence[Moment],
    most: int,
    cited: Sequence[Citation] = (),
) -> tuple[Moment, ...]:
    """At most `most` moments of both lists, best first, then by video id and start; where there are
    more, those that `cited` lie in stay before others.

    Scores become shares of the best of their list; of equal ones the earlier stands first. Where
    two moments of a video overlap, the better one stays and has the passages of both, so that no
    second of a video stands in two moments.
    """
    both = [(m, age) for age, some in enumerate((earlier, found)) for m in _relative(some)]
    both.sort(key=lambda item: (-item[0].score, item[1], item[0].video_id, item[0].start))
    kept: list[Moment] = []
    for moment, _ in both:
        place = next((i for i, other in enumerate(kept) if _overlap(moment, other)), None)
        if place is None:
            kept.append(moment)
        else:
            kept[place] = _joined(kept[place], moment)
    held = [moment for moment in kept if any(_holds(moment, citation) for citation in cited)]
    room = max(0, most - len(held))
    others = [moment for moment in kept if moment not in held][:room]
    return tuple(moment for moment in kept if moment in held or moment in others)[:most]


def focussed(moments: Sequence[Moment], place: Moment) -> tuple[Moment, ...]:
    """The moments inside `place` before the others of its video; a chapter reaches as far as its
    passage, whose interval the moment that shows it may cut."""
    start = min([place.start, *(p.start for p in place.passages)])
    end = max([place.end, *(p.end for p in place.passages)])
    inside = [m for m in moments if m.start < end and m.end > start]
    outside = [m for m in moments if m not in inside]
    ranked = [*inside, *outside]
    scores = sorted((m.score for m in ranked), reverse=True)
    return tuple(replace(m, score=score) for m, score in zip(ranked, scores, strict=True))


def _relative(moments: Sequence[Moment]) -> list[Moment]:
    best = max((moment.score for moment in moments), default=0.0)
    if best <= 0:  # ranks are all there is
        return [replace(m, score=1 / (rank + 1)) for rank, m in enumerate(moments)]
    return [replace(m, score=max(m.score, 0.0) / best) for m in moments]


def _overlap(one: Moment, other: Moment) -> bool:
    return one.video_id == other.video_id and one.start < other.end and other.start < one.end


def _holds(moment: Moment, citation: Citation) -> bool:
    """A moment begins with the words found; its passages reach as far as its statements."""
    same = moment.video_id == citation.video_id
    start = min([moment.start, *(p.start for p in moment.passages)])
    end = max([moment.end, *(p.end for p in moment.passages)])
    return same and citation.start < end and start < citation.end


def _joined(better: Moment, other: Moment) -> Moment:
    """`better` with the passages that only `other` has."""
    known = {passage.id for passage in better.passages}
    fresh = tuple(p for p in other.passages if p.id not in known)
    if not fresh:
        return better
    text = "\n".join([better.text, *(p.text for p in fresh)])
    return replace(better, text=text, passages=(*better.passages, *fresh))
