"""Sound to `sound` segments: from when to when there is music, applause, an alarm.

A classifier hears windows that overlap by half; a sound begins where its score is high and goes
on while it is not low (hysteresis, as for edges in Canny 1986), so that it does not flicker.
Labels of speech are left out, for speech has its words; labels that hold for the same time are
one segment. The thresholds suit models trained on AudioSet and were not tuned on any.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.outputs import GetOutput, PutOutput, Report, output_key
from pipeline.types import SAMPLE_RATE, Audio, Samples, Segment, SoundClassifier

BATCH = 16  # windows per call: all that is in memory of the sound

_BEGINS, _GOES_ON = 0.4, 0.2
_BRIDGED = 3.0  # seconds that a sound may be too low to hear and still be the same one
_SAME_TIME = 0.6  # share of the union of two intervals that they have in common
_MOST_LABELS = 4
_SILENT = 1e-4  # the loudest sample of a window that no classifier need hear

# What is said has its own segments, and where it sounds is no event.
_NO_EVENT = re.compile(
    r"\b(speech|speaking|conversation|narration|monologue|silence)\b|^(inside|outside|whispering)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SoundText:
    """`segments` are of source `sound`, by time."""

    segments: tuple[Segment, ...]
    model_calls: int


@dataclass(frozen=True, slots=True)
class _Event:
    """One label from its first to its last second."""

    start: float
    end: float
    label: str
    score: float


def hear_sounds(
    audio: Samples,
    classifier: SoundClassifier,
    *,
    get_output: GetOutput,
    put_output: PutOutput,
    progress: Report | None = None,
) -> SoundText:
    """`sound` segments of `audio` (16 kHz, read a batch of windows at a time).

    Times count from the start of `audio`, to half a window. Scores are kept under the hash of
    their batch as soon as they are made; windows of silence are not classified. `progress` is
    called with seconds.
    """
    duration = len(audio) / SAMPLE_RATE
    step = classifier.seconds / 2
    count = max(1, math.ceil((duration - classifier.seconds) / step) + 1) if duration else 0
    scores: list[Mapping[str, float]] = []
    calls = 0
    for first in range(0, count, BATCH):
        windows = [
            _window(audio, at * step, classifier.seconds)
            for at in range(first, min(first + BATCH, count))
        ]
        heard, called = _scores(windows, classifier, get_output, put_output)
        scores += heard
        calls += called
        if progress:
            progress(min(duration, (first + len(windows)) * step), duration)
    events = _events(scores, step, duration)
    return SoundText(tuple(_segments(events)), calls)


def _window(audio: Samples, start: float, seconds: float) -> Audio:
    first = round(start * SAMPLE_RATE)
    return np.array(audio[first : first + round(seconds * SAMPLE_RATE)], np.float32)


def _scores(
    windows: Sequence[Audio],
    classifier: SoundClassifier,
    get_output: GetOutput,
    put_output: PutOutput,
) -> tuple[list[Mapping[str, float]], int]:
    """(label -> score of each window, how often the classifier was called)."""
    loud = [at for at, window in enumerate(windows) if float(np.abs(window).max()) > _SILENT]
    if not loud:
        return [{} for _ in windows], 0
    sounds = [windows[at] for at in loud]
    key = output_key("sounds-1", classifier.name, *(sound.tobytes() for sound in sounds))
    output, calls = get_output(key), 0
    if output is None:
        output, calls = json.dumps([dict(one) for one in classifier.classify(sounds)]).encode(), 1
        put_output(key, output)
    heard = dict(zip(loud, json.loads(output), strict=True))
    return [heard.get(at, {}) for at in range(len(windows))], calls


# ---------------------------------------------------------------- scores to events


def _events(scores: Sequence[Mapping[str, float]], step: float, duration: float) -> list[_Event]:
    """Every label's stretches. A step of time has the mean score of the windows it lies in."""
    labels = sorted({label for one in scores for label in one if not _NO_EVENT.search(label)})
    steps = max(1, math.ceil(duration / step))
    events: list[_Event] = []
    for label in labels:
        heard = np.array([one.get(label, 0.0) for one in scores])
        level = _by_step(heard, steps)
        for first, last in _stretches(level, round(_BRIDGED / step)):
            start, end = first * step, min((last + 1) * step, duration)
            if start < end:
                events.append(_Event(start, end, label, float(level[first : last + 1].mean())))
    return events


def _by_step(heard: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """(steps,) from (windows,): window i covers the steps i and i + 1."""
    total, covered = np.zeros(steps + 1), np.zeros(steps + 1)
    for offset in (0, 1):
        reach = heard[: steps + 1 - offset]
        total[offset : offset + len(reach)] += reach
        covered[offset : offset + len(reach)] += 1
    return (total / np.maximum(covered, 1))[:steps]


def _stretches(level: NDArray[np.float64], bridged: int) -> list[tuple[int, int]]:
    """(first, last) steps of each sound: it begins high, goes on while it is not low."""
    on = np.flatnonzero(level >= _GOES_ON)
    if not len(on):
        return []
    runs = np.split(on, np.flatnonzero(np.diff(on) > 1 + bridged) + 1)
    found = []
    for run in runs:
        if level[run].max() >= _BEGINS:
            found.append((int(run[0]), int(run[-1])))
    return found


# ---------------------------------------------------------------- events to segments


def _segments(events: Sequence[_Event]) -> list[Segment]:
    """Events that hold for about the same time as one segment, the surest label first."""
    groups: list[list[_Event]] = []
    for event in sorted(events, key=lambda e: (-e.score, e.start, e.label)):
        for group in groups:
            if _same_time(group[0], event):
                group.append(event)
                break
        else:
            groups.append([event])
    segments = [
        Segment(
            "sound", g[0].start, g[0].end, ", ".join(readable(e.label) for e in g[:_MOST_LABELS])
        )
        for g in groups
    ]
    return sorted(segments, key=lambda s: (s.start, s.end, s.text))


def _same_time(a: _Event, b: _Event) -> bool:
    shared = min(a.end, b.end) - max(a.start, b.start)
    return shared >= _SAME_TIME * (max(a.end, b.end) - min(a.start, b.start))


def readable(label: str) -> str:
    """A label as a person would write it: "Fire_alarm" is "fire alarm"."""
    return " ".join(label.replace("_", " ").split()).lower()
