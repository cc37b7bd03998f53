"""What is known of a video beside its text: its title, who is in it, its year, its place, its tags.

Somebody who looks for "the council meeting of 2024" or for what Maria Lind said means words that
nobody says in the video. They are matched when a question is asked, from the catalog as it is: a
corrected title counts at once, and no text is embedded or indexed anew.

Such words count in the close look as half a word of every window of the video, beside what is
said there (BM25 over two fields: Robertson, Zaragoza and Taylor 2004, "Simple BM25 Extension to
Multiple Weighted Fields"). The passages of the videos that they point to are looked at whatever
else found them, and where there is little else in the question, those videos come first.

110 talks, titles made of their ids' words and speakers as transcribed; MRR@10, and with a name
alone how often a video of that name comes first (95% intervals of the difference, paired):

    questions                                   without  with   difference
    798, as they were asked                        .590  .596   +.007 (-.001, .015)
    110, with hypothetical passages                .690  .699   +.009 (-.007, .024)
    200, with "in" and the title                   .440  .533   +.092 (.068, .117)
    116, after "What does" and a speaker's name    .520  .653   +.133 (.091, .172)
    110 titles alone                               .582  .900   +.318 (.236, .409)
    89 names of speakers alone                     .427  .775   +.348 (.258, .449)

It has a price: the right video is among the first ten of the 798 less often, .920 for .930
(-.010; -.019, -.002). The last four rows are questions made from the names themselves, and the
constants below were chosen on these talks, the only set with titles: no set was left out. On the
sample library, which had no part in it, 20 questions gave +.006 (.000, .017), and with
hypothetical passages -.003 (-.012, .004). Ids as titles change nothing: they point to none of 710
questions on tutorials and to 2 of 710 on captions (507 without the rule for names of files).

Tried and left: the title in front of each embedded passage (13 tokens more; none of 10,215 passed
256) lost .031 (-.063, -.003) with hypothetical passages and won nothing without; in front of
windows, or as a cosine of question and title, it won nothing either. In the index of words titles
won +.020 (-.017, .062) on the 110 expanded, +.026 (.003, .053) on the same plain and +.010 (.000,
.020) on 688 others, where titles alone, matched as here, win +.008, +.012 and +.009: perhaps more,
but a corrected title would have to be indexed anew.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from pipeline.store.analysis import passage_terms
from pipeline.types import Metadata, PassageIndex, PassageTable, Vectors

# A question points to so many videos at most; more of them that fit as well are no hint.
MOST_VIDEOS = 20
# So many of their passages are looked at closely, the nearest to the question.
MOST_PASSAGES = 40
# A question that is about a video and nothing else lifts its passages by so much; one of which
# this share or less is known of a video lifts none.
NAMED = 0.4
NAMED_FROM = 0.6

_SHORTEST_WORD = 3  # letters, in the name of a file
_YEAR = re.compile(r"(?:19|20)\d\d", re.ASCII)
_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class VideoTerms:
    """The index terms of what is known of videos, and the videos by term; both by video id."""

    terms: Mapping[str, frozenset[str]]
    videos: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Hints:
    """What a question says of videos, by video id: its terms that each of them has, and of those
    few that it points to how much it lifts their passages, in [0, `NAMED`]."""

    terms: Mapping[str, frozenset[str]]
    lifts: Mapping[str, float]


NO_HINTS = Hints({}, {})


def video_terms(known: Mapping[str, Metadata]) -> VideoTerms:
    """The terms of `known`, metadata by video id. About 50 microseconds a video."""
    terms = {video_id: _terms(video_id, metadata) for video_id, metadata in known.items()}
    videos: dict[str, list[str]] = {}
    for video_id, own in terms.items():
        for term in own:
            videos.setdefault(term, []).append(video_id)
    return VideoTerms(terms, {term: tuple(some) for term, some in videos.items()})


def hints_of(index: PassageIndex, question: str, known: VideoTerms) -> Hints:
    """What of `question` is known of which videos. It costs next to nothing where nothing is.

    Videos that fit equally well come in or stay out together, and more than `MOST_VIDEOS` do not
    come in: a word that half of the titles have points to none of them.
    """
    asked = sorted(index.term_counts(question))
    if not any(term in known.videos for term in asked):
        return NO_HINTS
    rarity = dict(zip(asked, index.rarity(asked).tolist(), strict=True))
    found: dict[str, set[str]] = {}
    for term in asked:
        for video_id in known.videos.get(term, ()):
            found.setdefault(video_id, set()).add(term)
    terms = {video_id: frozenset(some) for video_id, some in found.items()}
    whole = sum(rarity.values()) or 1.0
    shares = {
        video_id: sum(rarity[term] for term in sorted(terms[video_id])) / whole
        for video_id in _pointed_to(terms, _telling(rarity, known))
    }
    return Hints(terms, {video_id: _lift(share) for video_id, share in shares.items()})


def hinted_passages(
    index: PassageIndex,
    hints: Hints,
    vectors: Vectors,
    allowed: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Positions, ascending, of those `MOST_PASSAGES` of the videos pointed to that are nearest
    to the query `vectors` (q, d)."""
    if not hints.lifts:
        return np.zeros(0, np.int64)
    table = index.table
    numbers = [n for n, video_id in enumerate(table.videos) if video_id in hints.lifts]
    inside = np.isin(table.video, numbers)
    positions = np.flatnonzero(inside if allowed is None else inside & allowed)
    if len(positions) <= MOST_PASSAGES:
        return positions
    near = index.cosine(vectors, positions).mean(axis=0).round(5)
    return np.sort(positions[np.argsort(-near, kind="stable")[:MOST_PASSAGES]])


def lifts(hints: Hints, table: PassageTable, candidates: NDArray[np.int64]) -> NDArray[np.float64]:
    """(c,) what the question adds to the score of each candidate for the video it is of."""
    video = table.video[candidates]
    by_number = {n: hints.lifts.get(table.videos[n], 0.0) for n in np.unique(video).tolist()}
    return np.array([by_number[number] for number in video.tolist()], np.float64)


# ---------------------------------------------------------------- inside


def _terms(video_id: str, known: Metadata) -> frozenset[str]:
    """In the language of the video and in English, which titles often are."""
    named = "\n".join((*known.people, known.place, *known.tags, known.date[:4]))
    text = f"{known.title}\n{named}"
    terms = frozenset(passage_terms(text)).union(passage_terms(text, known.language))
    if _plain(known.title) != _plain(video_id):
        return terms
    # The name of a file: numbers in it count recordings, and ids are made of any letters.
    given = frozenset(passage_terms(named)).union(passage_terms(named, known.language))
    return frozenset(term for term in terms if term in given or _is_word(term))


def _is_word(term: str) -> bool:
    if term.isascii():
        return bool(_YEAR.fullmatch(term)) or (term.isalpha() and len(term) >= _SHORTEST_WORD)
    return term.isalpha()


def _plain(name: str) -> str:
    return _SEPARATORS.sub("-", name.casefold()).strip("-")


def _telling(rarity: Mapping[str, float], known: VideoTerms) -> dict[str, float]:
    """How well a term tells videos apart: no better than passages, or than their titles."""
    held = {term: len(known.videos.get(term, ())) for term in rarity}
    among = {t: math.log1p((len(known.terms) - n + 0.5) / (n + 0.5)) for t, n in held.items()}
    return {term: min(rarity[term], among[term]) for term in rarity}


def _pointed_to(terms: Mapping[str, frozenset[str]], telling: Mapping[str, float]) -> list[str]:
    """The videos that fit best, those that fit equally well together, `MOST_VIDEOS` at most."""
    fit = {v: round(sum(telling[t] for t in sorted(own)), 6) for v, own in terms.items()}
    ordered = sorted(fit, key=lambda video_id: (-fit[video_id], video_id))
    chosen: list[str] = []
    for _, equal in groupby(ordered, key=fit.__getitem__):
        group = list(equal)
        if len(chosen) + len(group) > MOST_VIDEOS:
            break
        chosen += group
    return chosen


def _lift(share: float) -> float:
    return NAMED * max(0.0, share - NAMED_FROM) / (1 - NAMED_FROM)
