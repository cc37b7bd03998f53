"""The guard against drift: a hypothetical passage that is not about the question is not used.

A language model that misreads a question, or knows another sense of its words, writes well about
something else, and the search follows it there. What is about a question lies nearer to it than
what a library holds of this and that. How near that is differs from one library, and one embedding
model, to the next, so the library's own passages are the scale: a passage is dropped unless its
cosine with the question is `LEAST` standard deviations above their mean. Each passage is judged
by itself, so that the good one of two stays.

Measured with 2 recorded passages for each of 110 questions on talks, tutorials and everyday videos,
and with those of other questions of the same set planted in their place (10 drawings; MRR: 3). The
least half or quarter deviation that drops nine planted passages of ten on two sets is 1.5 for any
two, and does so on the third:

                                          talks  tutorials  everyday
    planted passages dropped               .923       .915      .911
    MRR@10 with planted passages           .469       .340      .172
      and the guard                        .560       .441      .214
      the question alone                   .569       .446      .218
    recorded passages dropped              .141       .027      .000
    MRR@10 with recorded passages          .674       .491      .237
      and the guard                        .687       .484      .237

Which passages on the subject do harm is told neither by this nor by the agreement of the two lists
of results or the share of the question's words that are kept (AUC .4 to .7, better than chance on
talks alone). For drift these two are as good a sign, but their thresholds do not carry over from
one set to another: set on two, they dropped a third of the recorded passages on talks, or half of
the planted ones on tutorials.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.types import PassageIndex, Vectors, derived_passages

LEAST = 1.5  # standard deviations
_SAMPLE = 1000  # passages: half a millisecond, and the mean within a thirtieth of a deviation
_FEWEST = 50  # passages, for a library to be a scale


def on_subject(index: PassageIndex, question: Vectors, passages: Vectors) -> NDArray[np.bool_]:
    """(n,) whether each of `passages` (n, d) is about the `question` (1, d).

    All are in a library too small to tell. The same sample of the library's passages, evenly
    spaced, is compared each time, whatever filters a search has.
    """
    if not len(passages):
        return np.ones(0, np.bool_)
    perceived = np.flatnonzero(~derived_passages(index.table))
    every = len(perceived)
    if every < _FEWEST:
        return np.ones(len(passages), np.bool_)
    sample = perceived[np.linspace(0, every - 1, min(_SAMPLE, every)).astype(np.int64)]
    return nearer_than_most(passages @ question[0], index.cosine(question, sample)[0])


def nearer_than_most(
    cosines: NDArray[np.float32], background: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """(n,) which `cosines` lie `LEAST` standard deviations above the mean of `background` (s,)."""
    least = float(background.mean()) + LEAST * float(background.std())
    kept: NDArray[np.bool_] = cosines >= least
    return kept
