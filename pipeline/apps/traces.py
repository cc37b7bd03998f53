"""The trace of an agent for people: what was done, why, what it found, what it took; 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pipeline.apps.render import clean, span
from pipeline.types import Spent, Step, Trace

WIDTH = 80
_INDENT = "   "
_LONGEST = 400  # characters of one part: what a model or a video says can be long


def lines_of(trace: Trace) -> Iterator[str]:
    """A few lines for each step, then why it stopped; none longer than `WIDTH`."""
    for number, step in enumerate(trace.steps):
        yield from _wrapped(f"{number}. {_done(step)}", "")
        yield from _wrapped(f"why: {_told(step.why)}", _INDENT)
        yield from _wrapped(f"found: {_told(step.found)}; {_judged(step)}", _INDENT)
        yield from _wrapped(_took(step.spent), _INDENT)
    yield from _wrapped(f"stopped: {_told(trace.stopped)}", "")
    if trace.failed:
        yield from _wrapped(f"failed: {_told(trace.failed)}", "")
    yield from _wrapped(f"in all {_took(trace.spent)}", "")


def _done(step: Step) -> str:
    query = f'"{_told(step.query)}"'
    if step.action == "search":
        return f"search for {query}"
    if step.action == "zoom":
        return f"zoom in{' to ' + _told(step.video_id) if step.video_id else ''} for {query}"
    if step.action == "look":
        return f"look at {_told(step.video_id)}, {span(step.start, step.end)}"
    return "first answer"


def _judged(step: Step) -> str:
    if not (step.new_moments or step.confidence or step.kept):
        return "not answered again"
    kept = "the best so far" if step.kept else "no better answer"
    return f"confidence {step.confidence:.2f}, {kept}"


def _took(spent: Spent) -> str:
    calls = f"{spent.calls} call{'s' * (spent.calls != 1)}"
    tokens = f"{spent.prompt_tokens + spent.completion_tokens:,} tokens"
    usd = f", {spent.usd:.4f} USD" if spent.usd else ""
    return f"{calls}, {tokens}, {spent.seconds:.1f} s{usd}"


def _told(text: str) -> str:
    shown = clean(text)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3].rstrip() + "..."


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + _INDENT)
