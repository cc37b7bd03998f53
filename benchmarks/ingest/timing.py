"""When models are called: wrapped where they are loaded, so that any `Library` can be measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

Interval = tuple[float, float]  # seconds of time.perf_counter

# Where each role is loaded, and the calls of it that are the model's.
_ROLES = {
    "pipeline.models.screen.load_screen_reader": ("read",),
    "pipeline.models.speech.load_speech_detector": ("detect",),
    "pipeline.models.speech.load_transcriber": ("transcribe",),
    "pipeline.models.embedding.load_embedder": ("embed", "count_tokens"),
    "pipeline.models.vision.load_captioner": ("caption",),
    "pipeline.models.sounds.load_sound_classifier": ("classify",),
}


class Calls:
    """Intervals of calls, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.intervals: list[Interval] = []

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                with self._lock:
                    self.intervals.append((began, time.perf_counter()))

        return timing

    @property
    def seconds(self) -> float:
        """In which at least one call was under way: what overlaps counts once."""
        return covered(self.intervals)


def covered(intervals: Sequence[Interval]) -> float:
    """Seconds that lie in at least one interval."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(intervals):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


@contextmanager
def timed_models() -> Iterator[Calls]:
    """Models loaded inside are timed, loading them as well."""
    calls = Calls()
    with ExitStack() as stack:
        for target, methods in _ROLES.items():
            module, _, name = target.rpartition(".")
            load = getattr(__import__(module, fromlist=[name]), name)
            stack.enter_context(patch(target, calls.timed(_loading(load, methods, calls))))
        yield calls


def _loading(load: Callable[..., Any], methods: Sequence[str], calls: Calls) -> Callable[..., Any]:
    def loading(*args: Any, **kwargs: Any) -> Any:
        model = load(*args, **kwargs)
        for method in methods:
            setattr(model, method, calls.timed(getattr(model, method)))
        return model

    return loading
