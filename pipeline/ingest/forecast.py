"""What a run of `add` would take: calls, tokens, minutes and money, stage by stage.

The work that is to be done (`workload`) times what such work took on this machine before
(`speeds`). What was never measured is not guessed: it is said, and told after the first video.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.ingest.speeds import (
    CALLS,
    LOADING,
    VIEWS,
    WHOLE,
    Measured,
    Speeds,
    per_call,
    read_speeds,
    speeds_file,
    views_model,
)
from pipeline.ingest.spending import Prices, priced, prices_of, rest_of
from pipeline.ingest.workload import Job, Workload
from pipeline.settings import Settings
from pipeline.types import BudgetState

# How far the stages of a run can overlap, or get in each other's way, before it is no measurement.
_MOST_OVERLAP, _LEAST_OVERLAP = 1 / 16, 2.0


@dataclass(frozen=True, slots=True)
class Range:
    """From the least to the most that it may be; the same twice where it follows from what was
    measured."""

    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class StageForecast:
    """One stage with one model; None: not measured on this machine, or nothing of the kind.

    `hours` of media it works on; `calls` of the model, `tokens` of both ways.
    """

    stage: str
    model: str
    files: int
    hours: float
    calls: Range | None
    tokens: Range | None
    minutes: Range | None
    usd: Range | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """All stages, in their order. `minutes` are those on the clock from start to end, None while
    a stage is not measured; `usd` None where a price cannot be told.

    Of `unread` files that the library does not know, `probed` were looked at. `waiting` says of
    stages why they have no model. `budget` is what captions are limited by, and `left` the calls
    it has left (None: no limit); `undescribed` views are beyond it.
    """

    files: int
    unchanged: int
    unread: int
    probed: int
    hours: float
    stages: tuple[StageForecast, ...]
    minutes: Range | None
    usd: Range | None
    waiting: Mapping[str, str]
    unreadable: tuple[tuple[str, str], ...]
    budget: BudgetState | None = None
    left: float | None = None
    undescribed: Range | None = None
    problem: str = ""

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """Stages of which it is not known how long they take here."""
        return tuple(stage.stage for stage in self.stages if stage.minutes is None)


@dataclass(frozen=True, slots=True)
class Forecasting:
    """Work that is to be done, to be forecast as often as something new is measured."""

    load: Workload
    settings: Settings
    budget: BudgetState

    def now(self) -> Forecast:
        """By the speeds as they are known now."""
        speeds = read_speeds(speeds_file(self.settings))
        return forecast(self.load, speeds, self.settings, self.budget)


def forecast(
    load: Workload, speeds: Speeds, settings: Settings, budget: BudgetState | None = None
) -> Forecast:
    """What the work takes by the speeds, captions within the budget."""
    whole, loading = speeds.known(WHOLE), speeds.known(LOADING)
    overlap = min(max(whole.seconds, _MOST_OVERLAP), _LEAST_OVERLAP) if whole else 1.0
    views = _views(load, speeds, settings)
    state = budget if budget and budget.allowance else None
    left = _left(state, speeds, settings, load)
    calls = views and Range(min(views.low, left), min(views.high, left))
    rows = tuple(
        _caption_row(job, speeds, settings, calls, overlap)
        if job.stage == "captions"
        else _row(job, speeds, settings, overlap)
        for job in load.jobs
    )
    minutes = _total([row.minutes for row in rows])
    if minutes and rows and loading:
        minutes += Range(loading.seconds / 60, loading.seconds / 60)
    return Forecast(
        load.files,
        load.unchanged,
        load.unread,
        load.probed,
        load.seconds / 3600,
        rows,
        minutes,
        _total([row.usd for row in rows]),
        load.waiting,
        load.unreadable,
        state,
        None if state is None else left,
        Range(views.low - calls.low, views.high - calls.high) if views and calls else None,
        speeds.problem,
    )


def _row(job: Job, speeds: Speeds, settings: Settings, overlap: float) -> StageForecast:
    known = speeds.known(job.stage, job.model)
    prices = prices_of(settings, job.model) if job.stage == "levels" else Prices()
    took = known.times(job.work) if known else None
    calls = _exactly(took.calls) if took and took.calls else None
    tokens = took.prompt_tokens + took.completion_tokens if took else 0.0
    usd: Range | None = Range(0, 0)
    if prices and job.model not in ("", "text"):
        usd = _exactly(_price(prices, took)) if took and tokens else None
    return StageForecast(
        job.stage,
        job.model,
        round(job.files),
        job.seconds / 3600,
        calls,
        _exactly(tokens) if tokens else None,
        _exactly(took.seconds * overlap / 60) if took else None,
        usd,
    )


def _price(prices: Prices, took: Measured) -> float:
    return prices.of(took.prompt_tokens, took.completion_tokens, took.calls)


def _caption_row(
    job: Job, speeds: Speeds, settings: Settings, calls: Range | None, overlap: float
) -> StageForecast:
    one, prices = speeds.known(CALLS, job.model), prices_of(settings, job.model)
    calls = calls or Range(0, 0)
    tokens = minutes = usd = None
    if one:
        both = one.prompt_tokens + one.completion_tokens
        tokens = calls.times(both) if both else None
        minutes = calls.times(one.seconds * overlap / 60)
    if not prices:
        usd = Range(0, 0)
    elif one and (both or prices.call):
        usd = calls.times(_price(prices, one))
    elif calls.high == 0:
        usd = minutes = Range(0, 0)
    note = ""
    if job.unseen and speeds.known(VIEWS, views_model(settings)) is None:
        note = "how many calls depends on how much the picture changes"
    return StageForecast(
        "captions",
        job.model,
        round(job.files),
        job.seconds / 3600,
        calls,
        tokens,
        minutes,
        usd,
        note,
    )


def _views(load: Workload, speeds: Speeds, settings: Settings) -> Range | None:
    """Calls that would describe everything there is to describe."""
    total: Range | None = None
    for job in load.jobs:
        if job.stage != "captions":
            continue
        known = speeds.known(VIEWS, views_model(settings))
        if known:
            unseen = _exactly(max(job.unseen * known.calls, min(job.unseen_files, job.unseen)))
        else:
            most = max(job.unseen_files, math.ceil(job.unseen / settings.caption_seconds))
            unseen = Range(job.unseen_files, most)
        total = unseen + Range(job.views, job.views)
    return total and Range(round(total.low), round(total.high))


def _left(state: BudgetState | None, speeds: Speeds, settings: Settings, load: Workload) -> float:
    """Calls that the budget has left; how many minutes or USD give is an estimate."""
    if state is None:
        return math.inf
    model = next((job.model for job in load.jobs if job.stage == "captions"), "")
    return rest_of(state, priced(per_call(speeds, model), prices_of(settings, model)))


def _exactly(value: float) -> Range:
    return Range(value, value)


def _total(parts: Sequence[Range | None]) -> Range | None:
    total = Range(0, 0)
    for part in parts:
        if part is None:
            return None
        total += part
    return total
