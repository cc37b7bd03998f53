"""What a report is divided into: sections, each with the passages that belong to it.

A passage is what one moment says. With a language model it plans: it sees every passage, cut to
what is nearest to the topic, and replies with titles and passage numbers, which are checked and
asked for once more where they cannot be used. Without one, passages are grouped by what they are
about (spherical k-means) and a group is called after its key phrases. The setting follows WikiVideo
(Martin et al. 2025): an article over many videos, grounded in what each of them shows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.evidence import Candidate, Transcripts, as_lines, as_shown, candidates
from pipeline.answer.planted import unplanted
from pipeline.answer.selection import leans
from pipeline.answer.statements import Statement, one_line, width
from pipeline.answer.wording import content_stems
from pipeline.ingest.key_phrases import Stretch, key_phrases
from pipeline.models.replies import UnreadableReply, json_object
from pipeline.prompts import as_data
from pipeline.types import Embedder, Moment, Vectors, Video

LEAST_SECTIONS, MOST_SECTIONS = 3, 7
LONGEST_TITLE = 80  # characters
KNOWN_TITLE = 0.5  # share of a title's words that its passages or the topic must have
# Of how many videos a report has at least room for, and how many moments each may have anyway.
VIDEOS, MIN_SHARE = 10, 3
# What a passage must have of the topic to be in a report that no language model plans.
NEAR = 0.35  # cosine of its nearest statement, where it has none of the topic's words
PER_SECTION = 3  # passages, about, that a group is worth making for
_ROUNDS = 20  # of k-means; it has settled long before
LEAST_STEMS = 4  # words that say something, of a statement that is quoted
EXCERPT = 300  # columns of a passage that a planner sees at most

_ADDRESS = re.compile(r"\w://|\bwww\.|@|\w\.[a-z]{2,}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Passage:
    """What one moment says: its statements by time, their vectors (n, dimension), and `near`
    (n,), their cosines with the topic."""

    moment: Moment
    video: Video
    statements: tuple[Candidate, ...]
    vectors: Vectors
    near: NDArray[np.float32]

    @property
    def centre(self) -> NDArray[np.float32]:
        """What it is about, as a unit vector; statements near to the topic count more."""
        summed = np.maximum(self.near, 0.05) @ self.vectors
        return np.asarray(summed / max(float(np.linalg.norm(summed)), 1e-9), np.float32)


@dataclass(frozen=True, slots=True)
class Planned:
    """A section to be written from `passages`, places in the list that was planned from."""

    title: str
    passages: tuple[int, ...]


def spread(moments: Sequence[Moment], most: int) -> list[Moment]:
    """The best moments, best first, with room for many videos: one that has its share waits until
    all others had their turn."""
    share, had = max(MIN_SHARE, most // VIDEOS), Counter[str]()
    first: list[int] = []
    for place, moment in enumerate(moments):
        had[moment.video_id] += 1
        first += [place] if had[moment.video_id] <= share else []
    later = sorted(set(range(len(moments))) - set(first))
    return [moments[place] for place in sorted([*first, *later][:most])]


def passages(
    topic: str,
    moments: Sequence[Moment],
    transcripts: Transcripts,
    embedder: Embedder,
    *,
    for_model: bool = False,
) -> list[Passage]:
    """The moments with what they say, best first; those with nothing citable are left out, and
    `for_model` what speaks to a language model.

    Cost: one embedding of the topic and of every statement.
    """
    by_rank: dict[int, list[Candidate]] = {}
    every = candidates(moments, transcripts)
    for candidate in unplanted(every, topic) if for_model else every:
        by_rank.setdefault(candidate.rank, []).append(candidate)
    told = [one_line(c.statement.text) for some in by_rank.values() for c in some]
    vectors = embedder.embed([topic, *told])
    found, at = [], 1
    for rank, some in by_rank.items():
        own = vectors[at : at + len(some)]
        video = transcripts.video(moments[rank].video_id)
        found.append(Passage(moments[rank], video, tuple(some), own, own @ vectors[0]))
        at += len(some)
    return found


def on_topic(topic: str, found: Sequence[Passage]) -> list[Passage]:
    """Those that have a word of the topic, or come near to it: all there is without a model to
    tell. Of a topic of several words a passage needs half, or its video's title does."""
    wanted = set(content_stems(topic))
    return [
        passage
        for passage in found
        if passage.near.max() >= NEAR or len(wanted & _words(passage)) >= max(1, len(wanted) / 2)
    ]


def _words(passage: Passage) -> set[str]:
    told = " ".join([passage.video.title, *(c.statement.text for c in passage.statements)])
    return set(content_stems(told))


def section_bounds(passages: int, most: int) -> tuple[int, int]:
    """(least, most) sections for so many passages, of `most` that are allowed."""
    upper = max(1, min(most, MOST_SECTIONS, passages // 2))
    return min(LEAST_SECTIONS, upper), upper


# ---------------------------------------------------------------- by a language model


def render_passages(found: Sequence[Passage], columns: int) -> str:
    """A line per passage, numbered from 1, in about `columns` columns together."""
    each = min(EXCERPT, columns // max(1, len(found)))
    return "\n".join(f"[{n}] {_line(passage, each)}" for n, passage in enumerate(found, start=1))


def _line(passage: Passage, columns: int) -> str:
    video = passage.video
    date = f" ({as_data(video.date[:10])})" if video.date else ""
    title = as_data(video.title or video.video_id)[:60]
    return f"{title}{date}: {_excerpt(passage, columns - len(title))}"


def _excerpt(passage: Passage, columns: int) -> str:
    """Its statements nearest to the topic, as many as there is room for, by time."""
    taken: set[int] = set()
    room = columns
    for index in np.argsort(-passage.near, kind="stable"):
        cost = width(passage.statements[index].statement.text)
        if taken and cost > room:
            continue
        taken.add(int(index))
        room -= cost
    pieces: list[str] = []
    for index in sorted(taken):
        if pieces and index - 1 not in taken:
            pieces.append("...")
        pieces.append(as_data(as_lines(passage.statements[index].statement.text)))
    return " ".join(pieces)


def read_outline(
    reply: str, topic: str, found: Sequence[Passage], least: int, most: int
) -> tuple[list[Planned], str]:
    """The sections that a reply plans, and what is wrong with it, "" when nothing is.

    Numbers that are of no passage are left out, and so is a section that has no passage or no
    title then. A title that states what neither the topic nor its passages have words for is
    replaced by "": it is to be made from them.
    """
    try:
        rows = json_object(reply).get("sections")
    except UnreadableReply:
        rows = None
    if not isinstance(rows, list):
        return [], 'the reply is no JSON object with a list "sections"'
    planned = [p for row in rows if (p := _planned(row, topic, found)) is not None]
    if len(planned) < least:
        return planned, f"it has {len(planned)} usable sections, and {least} to {most} are wanted"
    return planned[:most], "" if len(rows) <= most else f"it has more than {most} sections"


def _planned(row: object, topic: str, found: Sequence[Passage]) -> Planned | None:
    title, numbers = (row.get("title"), row.get("passages")) if isinstance(row, dict) else (0, 0)
    if not isinstance(title, str) or not isinstance(numbers, list):
        return None
    places = dict.fromkeys(
        number - 1
        for number in numbers
        if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= len(found)
    )
    if not places or not title.strip():
        return None
    shown = as_shown(title).strip(" .:#*_\"'")
    fits = _is_title(shown, topic, [found[place] for place in places])
    return Planned(shown if fits else "", tuple(places))


def _is_title(title: str, topic: str, found: Iterable[Passage]) -> bool:
    """Whether it names a subject of the passages: nothing carries a title, so it states nothing."""
    if not title or len(title) > LONGEST_TITLE or _ADDRESS.search(title):
        return False
    wanted, known = set(content_stems(title)), set(content_stems(topic))
    known |= {stem for passage in found for stem in _words(passage)}
    if any(any(c.isdigit() for c in stem) and stem not in known for stem in wanted):
        return False
    return len(wanted & known) >= KNOWN_TITLE * max(1, len(wanted))


# ---------------------------------------------------------------- by the text itself


def grouped(found: Sequence[Passage], most: int, embedder: Embedder) -> list[Planned]:
    """The passages in at most `most` groups of one subject each, the best passage's group first.

    Deterministic. Cost: an embedding of a few phrases per group.
    """
    if not found:
        return []
    upper = section_bounds(len(found), most)[1]
    count = max(1, min(upper, round(len(found) / PER_SECTION)))
    labels = _kmeans(np.array([passage.centre for passage in found], np.float32), count)
    groups = [np.flatnonzero(labels == label) for label in range(count)]
    groups = sorted((group for group in groups if len(group)), key=lambda group: int(group[0]))
    places = [tuple(int(i) for i in group) for group in groups]
    names = titles([[found[i] for i in group] for group in places], embedder)
    return [Planned(name, group) for name, group in zip(names, places, strict=True)]


def titles(groups: Sequence[Sequence[Passage]], embedder: Embedder) -> list[str]:
    """A title for each group of passages: the phrases that tell it from the others."""
    stretches = []
    for group in groups:
        centre = np.sum([passage.centre for passage in group], axis=0)
        unit = np.asarray(centre / max(float(np.linalg.norm(centre)), 1e-9), np.float32)
        lines = tuple(one_line(c.statement.text) for p in group for c in p.statements)
        stretches.append(Stretch(lines, np.concatenate([p.vectors for p in group]), unit))
    every = key_phrases(stretches, embedder)
    found = [[phrase for phrase in phrases if not _ADDRESS.search(phrase)] for phrases in every]
    return [
        as_shown(", ".join([phrases[0][:1].upper() + phrases[0][1:], *phrases[1:]]))
        if phrases
        else as_shown(group[0].video.title)
        for phrases, group in zip(found, groups, strict=True)
    ]


def _kmeans(vectors: Vectors, count: int) -> NDArray[np.int64]:
    """(n,) labels; begins with the first vector and, again and again, the one farthest from all."""
    chosen = [0]
    while len(chosen) < count:
        nearest = (vectors @ vectors[chosen].T).max(axis=1)
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
    centres = vectors[chosen]
    labels = np.full(len(vectors), -1)
    for _ in range(_ROUNDS):
        before, labels = labels, np.asarray((vectors @ centres.T).argmax(axis=1))
        if (before == labels).all():
            break
        for label in range(count):
            if (labels == label).any():
                summed = vectors[labels == label].sum(axis=0)
                centres[label] = summed / max(float(np.linalg.norm(summed)), 1e-9)
    return labels.astype(np.int64)


# ---------------------------------------------------------------- what can be quoted


def quotable(statement: Statement) -> bool:
    """Whether it makes sense alone: long enough, no question, it leans on nothing before it."""
    says = not leans(statement) and not statement.text.endswith("?")
    return says and len(content_stems(statement.text)) >= LEAST_STEMS
