"""The systems that are compared: one table, from which everything else follows.

A system is a recipe that differs from the shipped one in one thing, or a way of fusing that was
tried and is not in the recipe. A recipe's fields are changed by `dataclasses.replace`, its signals
silenced by name: a new field or signal gets its row here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval.dropped import VARIANTS
from pipeline.retrieve.fuse import (
    HYDE_SIGNALS,
    QUESTION_SIGNALS,
    WINDOW_HYDE_SIGNALS,
    WINDOW_SIGNALS,
    Recipe,
)
from pipeline.retrieve.search import RECIPE
from pipeline.types import SOURCES, Source

# What was seen, in somebody's words; all else was said or written by whom it is about.
SEEN = frozenset(("caption", "sound"))

WEIGHTS = "weights"
ALONE = "one signal alone"
LEFT_OUT = "one signal left out"
CONTEXT = "context"
COARSE = "without any windows"
DROPPED = f"tried and dropped, against: {COARSE}"
GROUPS = (ALONE, LEFT_OUT, CONTEXT, WEIGHTS, DROPPED)


@dataclass(frozen=True)
class Muted(Recipe):
    """A recipe in which the signals `without` count for nothing."""

    without: tuple[str, ...] = ()

    def weights(self, names: Sequence[str], source: NDArray[np.uint8]) -> NDArray[np.float64]:
        rows = super().weights(names, source)
        rows[[name in self.without for name in names]] = 0.0
        return rows


@dataclass(frozen=True, slots=True)
class System:
    """`recipe` is what the library searches with; a `dropped` one has a function of its own.

    It is compared with the shipped recipe, or with the system called `against`.
    """

    name: str
    group: str
    recipe: Recipe = RECIPE
    dropped: str = ""
    against: str = ""

    def described(self) -> str:
        """What makes its results what they are, the same in every process."""
        recipe = json.dumps(asdict(self.recipe), sort_keys=True)
        return self.dropped or recipe


def systems(*, recorded: bool) -> list[System]:
    """All but the shipped one; `recorded`: there are hypothetical passages."""
    coarse = HYDE_SIGNALS if recorded else QUESTION_SIGNALS
    fine = WINDOW_HYDE_SIGNALS if recorded else WINDOW_SIGNALS
    return [
        *_signals_alone(coarse, fine),
        *_signals_left_out(coarse, fine),
        *_context(),
        *_weights(),
        *(System(name, DROPPED, dropped=name, against=COARSE) for name in VARIANTS),
    ]


def _muted(without: Iterable[str], **changes: Any) -> Recipe:
    fields = {field.name: getattr(RECIPE, field.name) for field in dataclasses.fields(RECIPE)}
    return Muted(**fields | changes, without=tuple(sorted(without)))


def _signals_alone(coarse: Sequence[str], fine: Sequence[str]) -> Iterator[System]:
    """Nothing but one signal, without context. Windows only refine what others found."""
    for name in coarse:
        others = {*coarse, *fine} - {name}
        recipe = _muted(others, words=shares(0.5, 0.5), windows=0.0, neighbours=0.0, video=0.0)
        yield System(f"{name} alone", ALONE, recipe)


def _signals_left_out(coarse: Sequence[str], fine: Sequence[str]) -> Iterator[System]:
    # Of two, leaving one out is the other with its context: `without any`.
    for name in (*(coarse if len(coarse) > 2 else ()), *fine):
        yield System(f"without {name}", LEFT_OUT, _muted([name]))
    yield System(COARSE, LEFT_OUT, replace(RECIPE, windows=0.0))
    words = {name for name in (*coarse, *fine) if "words" in name}
    yield System("without any meaning", LEFT_OUT, _muted({*coarse, *fine} - words))
    yield System("without any words", LEFT_OUT, _muted(words))


def _context() -> Iterator[System]:
    yield System("without neighbours", CONTEXT, replace(RECIPE, neighbours=0.0))
    yield System("without the video", CONTEXT, replace(RECIPE, video=0.0))
    yield System("without any context", CONTEXT, replace(RECIPE, neighbours=0.0, video=0.0))


def _weights() -> Iterator[System]:
    spoken, seen = RECIPE.words["speech"], RECIPE.words["caption"]
    for name, changes in {
        "equal weights": {"words": shares(0.5, 0.5)},
        f"words {spoken:g} for all": {"words": shares(spoken, spoken)},
        f"words {seen:g} for all": {"words": shares(seen, seen)},
        "windows for all that counts": {"windows": 1.0},
        "lists of 100": {"top": 100},
        "lists of 1000": {"top": 1000},
        "20 looked at closely": {"closely": 20},
        "200 looked at closely": {"closely": 200},
    }.items():
        yield System(name, WEIGHTS, replace(RECIPE, **changes))  # type: ignore[arg-type]


def shares(spoken: float, seen: float) -> dict[Source, float]:
    """What words count, of 1, by source: of what was said or written, and of what was seen."""
    return {source: seen if source in SEEN else spoken for source in SOURCES}


# ---------------------------------------------------------------- the grid of tuned weights

GRID: dict[str, tuple[float, ...]] = {
    "spoken": (0.5, 0.65, 0.8),
    "seen": (0.0, 0.2, 0.4),
    "windows": (0.3, 0.5, 0.7),
    "neighbours": (0.0, 0.1),
    "video": (0.0, 0.1),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of the grid: the words' share of what was said and of what was seen, and the
    recipe's fields of these names."""

    spoken: float
    seen: float
    windows: float
    neighbours: float
    video: float

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in asdict(self).items())

    def system(self) -> System:
        fields = asdict(self)
        words = shares(fields.pop("spoken"), fields.pop("seen"))
        return System(f"grid {self}", WEIGHTS, replace(RECIPE, words=words, **fields))

    def effective(self, sources: frozenset[str]) -> Point:
        """The same on a library of these sources: what it has none of weighs nothing."""
        return replace(
            self,
            spoken=self.spoken if sources - SEEN else 0.0,
            seen=self.seen if sources & SEEN else 0.0,
        )


def grid() -> list[Point]:
    """All points, the shipped recipe's first: on a tie it stays."""
    words = RECIPE.words["speech"], RECIPE.words["caption"]
    shipped = Point(*words, RECIPE.windows, RECIPE.neighbours, RECIPE.video)
    return list(dict.fromkeys([shipped, *(Point(*some) for some in product(*GRID.values()))]))
