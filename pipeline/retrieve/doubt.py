"""Doubtful text ranks lower: a passage that rests on flagged segments gives way to others.

A segment is flagged where there is a reason not to trust it: speech that was badly heard, a caption
that contradicts its neighbours. It may be right all the same, and it may be all that there is: so
it stays in the index and costs a share of its score. Corrections by a user are no doubt.

How much is a wager on how often flags are right. Everyday videos with the captions of a random
fifth of the segments exchanged for those of other videos; half of 1,220 questions chose, this is
the other half (change of MRR@10, 95% intervals, paired; .172 without):

    cost   flagged: what is wrong       flagged: that and as much of what is right
     .1    +.004  (.001, .007)          +.001  (-.006, .007)
     .2    +.005  (.002, .008)          -.001  (-.010, .007)
     .3    +.006  (.003, .009)          -.005  (-.014, .004)
     .5    +.006  (.003, .009)          -.012  (-.025, -.001)
    1.0    +.006  (.003, .010)          -.025  (-.040, -.011)

The half that chose preferred .3 where flags are always right, .1 where every second one is. So it
did on tutorials with every second flag right, where the other half moved by -.003 (-.011, .004) at
.1 and by -.025 (-.038, -.013) at .3. Nobody knows how right flags are: .1 has most of what there is
to gain, at no significant price.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DOUBT = "doubt"  # the name of its part of a score, 0 or less

# The share of its score that a passage loses when all of its text is doubtful.
COST = 0.1
# Of so many of the best passages it is looked up; what stands below them need not be lowered.
MOST_DOUBTED = 60


def lowered(scores: NDArray[np.float64], doubt: NDArray[np.float64]) -> NDArray[np.float64]:
    """(c,) what to add to `scores` (c,): less than nothing for those with `doubt` (c,), the share
    of their text that is doubtful. What scored more than 0 still does."""
    return -COST * doubt * np.maximum(scores, 0.0)
