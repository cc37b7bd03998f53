"""A job as a value: what it is about, how far it is, what it came to; and who follows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.errors import FootnoteError
from pipeline.types import Progress, ProgressEvent, VideoReport

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: frozenset[JobState] = frozenset(("done", "failed", "cancelled"))


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far one stage of one video is; `status` as in `StageRecord`, or "running"."""

    status: str
    done: float
    total: float
    unit: str


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job came to: a report for each file of an `add`, or the file that was made, which is
    removed when the job is forgotten."""

    videos: tuple[VideoReport, ...] = ()
    file: Path | None = None
    mime: str = ""
    name: str = ""  # what a browser saves it as


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it is now. `progress`: file name -> stage -> how far it is."""

    job_id: str
    kind: str
    state: JobState
    created: str  # ISO 8601, UTC
    paths: tuple[str, ...]
    progress: Mapping[str, Mapping[str, StageProgress]] = field(default_factory=dict)
    result: JobResult = JobResult()
    error: FootnoteError | None = None


Work = Callable[[Progress], JobResult]


class TooManyJobs(FootnoteError):
    """The queue of jobs is full."""

    code = "busy"


class JobNotFound(FootnoteError):
    code = "job_not_found"


class Following:
    """What a job has told since it was last taken. Of each stage only the latest: who is slow
    misses steps, and nothing piles up."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._events: dict[tuple[str, str], ProgressEvent] = {}
        self._job: Job | None = None

    def take(self) -> tuple[list[ProgressEvent], Job | None]:
        """The events, and the job where it has changed its state; nothing is told twice."""
        with self._lock:
            events, job = list(self._events.values()), self._job
            self._events, self._job = {}, None
        return events, job

    def tell(self, event: ProgressEvent | None, job: Job | None) -> None:
        with self._lock:
            if event is not None:
                self._events[event.video, event.stage] = event
            self._job = job or self._job
        self._wake()
