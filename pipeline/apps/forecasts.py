"""A forecast as a person reads it: a table of what each stage takes, and what to know beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.apps.render import clean
from pipeline.ingest.spending import rest_of
from pipeline.types import BudgetState, Progress, ProgressEvent

if TYPE_CHECKING:
    from pipeline.ingest.forecast import Forecast, Range, StageForecast
    from pipeline.library import AddResult

# What the stages are called where they stand beside minutes.
_NAMES = {"frames": "decode", "passages": "embedding", "frame_vectors": "pictures"}
_NOT_MEASURED = "not measured yet"
_MOST_NAMED = 3
_OFF = 2.0  # a forecast that is off by more is told of
_LEAST_TOLD = 30.0  # seconds below which nobody planned anything


def table(forecast: Forecast, to: Console) -> None:
    """The whole forecast; nothing of it where there is nothing to do."""
    _about_files(forecast, to)
    if not forecast.stages:
        if forecast.budget is not None:
            to.print(Text(budget(forecast.budget), style="dim"))
        return
    rows = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    rows.add_column("stage", no_wrap=True)
    rows.add_column("model", overflow="fold")
    for column in ("hours", "calls", "tokens", "minutes", "USD"):
        rows.add_column(column, justify="right", overflow="fold")
    for stage in forecast.stages:
        rows.add_row(*_cells(stage))
    to.print(rows, soft_wrap=False)
    to.print(Text(in_all(forecast), style="bold"))
    for line in _notes(forecast):
        to.print(Text(line, style="dim"))


def in_all(forecast: Forecast) -> str:
    """What all of it takes, as far as it was measured."""
    measured = [stage.minutes for stage in forecast.stages if stage.minutes is not None]
    least = sum(minutes.low for minutes in measured)
    if forecast.minutes is not None:
        told = f"about {_duration(forecast.minutes)} in all"
    elif measured and least > 0:
        told = f"{_minutes(least)} min and what is not measured yet"
    else:
        told = "how long it takes is not measured yet"
    if forecast.usd is None:
        return f"{told}; the cost is not measured yet"
    return f"{told}, {_usd(forecast.usd)} USD" if forecast.usd.high else told


def _about_files(forecast: Forecast, to: Console) -> None:
    told = [f"{_hours(forecast.hours)} of media to work on"] if forecast.stages else []
    if forecast.unchanged:
        told.append(f"{forecast.unchanged:,} files are done and cost nothing")
    if forecast.probed < forecast.unread:
        sample = f"{forecast.probed:,} of {forecast.unread:,} new files were probed"
        told.append(f"{sample} and stand for the rest")
    elif forecast.unread:
        told.append(f"{forecast.probed:,} new files probed")
    to.print(Text("; ".join(told) or "nothing to do"))
    for name, why in forecast.unreadable[:_MOST_NAMED]:
        told_why = why if why.startswith(name) else f"{name}: {why}"
        to.print(Text(clean(told_why), style="yellow"))
    if len(forecast.unreadable) > _MOST_NAMED:
        more = len(forecast.unreadable) - _MOST_NAMED
        to.print(Text(f"... and {more} more files that cannot be read", style="yellow"))


def _cells(stage: StageForecast) -> list[Text | str]:
    minutes: Text | str = Text(_NOT_MEASURED, style="yellow")
    if stage.minutes is not None:
        minutes = _range(stage.minutes, _minutes)
    return [
        _NAMES.get(stage.stage, stage.stage),
        clean(stage.model) or "-",
        f"{stage.hours:.1f}" if stage.hours >= 0.05 else "<0.1",
        _range(stage.calls, _count),
        _range(stage.tokens, _count),
        minutes,
        _usd(stage.usd) if stage.usd is None or stage.usd.high else "-",
    ]


def _notes(forecast: Forecast) -> list[str]:
    lines = [f"{stage.stage}: {stage.note}" for stage in forecast.stages if stage.note]
    if forecast.budget is not None:
        lines.append(budget(forecast.budget))
    later = forecast.undescribed
    if later is not None and later.high:
        most = "" if later.low == later.high else "up to "
        lines.append(f"{most}{_count(later.high)} calls will be left for footnote add --more")
    for stage, why in forecast.waiting.items():
        lines.append(f"{stage}: none: {clean(why)}")
    if forecast.unmeasured:
        names = ", ".join(dict.fromkeys(_NAMES.get(n, n) for n in forecast.unmeasured))
        lines.append(f"{names}: told after the first video")
    if forecast.problem:
        lines.append(clean(forecast.problem))
    return lines


def budget(state: BudgetState) -> str:
    """What of a budget is spent."""
    allowance, spent = state.allowance, state.spent
    if allowance is None:
        return "no budget limits the captions"
    used = {
        "calls": f"{spent.calls:,}",
        "min": f"{spent.seconds / 60:.1f}",
        "usd": f"{spent.usd:.2f}",
    }[allowance.unit]
    told = f"budget of {allowance}: {used} spent, in {spent.calls:,} calls"
    return told if rest_of(state) >= 1 else f"{told}; footnote add --more opens another one"


def after(forecast: Forecast, result: AddResult, to: Console) -> None:
    """Below the result: what is left of the budget, and a forecast that was far off."""
    told = [missed(forecast, result.took_ms["total"] / 1000)]
    if result.budget is not None:
        told.append(budget(result.budget))
    for line in filter(None, told):
        to.print(Text(line, style="dim"))


def missed(forecast: Forecast, seconds: float) -> str:
    """A line where the forecast was far off, "" where it was not, or nothing was forecast."""
    if forecast.minutes is None or max(seconds, forecast.minutes.high * 60) < _LEAST_TOLD:
        return ""
    low, high = forecast.minutes.low * 60 / _OFF, forecast.minutes.high * 60 * _OFF
    if low <= seconds <= high:
        return ""
    took = f"it took {_minutes(seconds / 60)} min"
    return f"{took}, not {_duration(forecast.minutes)}; the next forecast knows"


class AfterFirst:
    """Progress that tells what the rest takes, as soon as that is measured, and only then.

    `again` makes the forecast anew from what was measured meanwhile.
    """

    def __init__(
        self, forecast: Forecast, again: Callable[[], Forecast], to: Console, watch: Progress
    ) -> None:
        self._unmeasured = set(forecast.unmeasured)
        self._again, self._to, self._watch = again, to, watch

    def __call__(self, event: ProgressEvent) -> None:
        self._watch(event)
        if event.stage != "finished" or not self._unmeasured:
            return
        now = self._again()
        left = set(now.unmeasured)
        if left < self._unmeasured:
            self._unmeasured = left
            name = clean(Path(event.video).name)
            self._to.print(Text(f"measured with {name}: {in_all(now)}", style="dim"))


# ---------------------------------------------------------------- numbers


def _hours(hours: float) -> str:
    return f"{hours:,.1f} hours" if hours >= 1 else f"{_minutes(hours * 60)} minutes"


def _range(value: Range | None, form: Callable[[float], str]) -> str:
    if value is None:
        return "-"
    low, high = form(value.low), form(value.high)
    return low if low == high else f"{low}-{high}"


def _count(number: float) -> str:
    if number >= 999_500:
        return f"{number / 1e6:.1f}M"
    return f"{number / 1e3:.0f}k" if number >= 99_950 else f"{round(number):,}"


def _minutes(minutes: float) -> str:
    if minutes < 0.1:
        return "<0.1" if minutes else "0"
    return f"{minutes:.1f}" if minutes < 9.95 else f"{minutes:,.0f}"


def _duration(minutes: Range) -> str:
    if minutes.low < 120:
        return f"{_range(minutes, _minutes)} min"
    return f"{_range(minutes.times(1 / 60), _minutes)} hours"


def _usd(value: Range | None) -> str:
    if value is None:
        return "?"
    return _range(value, lambda usd: f"{usd:.2f}" if usd >= 0.01 or not usd else "<0.01")
