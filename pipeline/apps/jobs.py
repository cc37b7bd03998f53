"""Long work that is asked for and followed from elsewhere: files to be added, a reel to be made.

One job at a time, in the order they came: two `add`s at once only get in each other's way. A
job is cancelled as Ctrl-C stops `footnote add`: what was done is kept, and the same files added
again go on from there.

    jobs = Jobs()
    job_id = jobs.submit("add", paths, lambda progress: library.add(paths, progress))
    with jobs.follow(job_id, wake) as following: ...
"""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.apps.job import (
    ENDED,
    Following,
    Job,
    JobNotFound,
    JobResult,
    JobState,
    StageProgress,
    TooManyJobs,
    Work,
)
from pipeline.errors import FootnoteError
from pipeline.ingest.lanes import Stopped
from pipeline.types import Progress, ProgressEvent

if TYPE_CHECKING:
    from pipeline.library import Library

_log = logging.getLogger(__name__)

_OVER = "finished"  # what is reported of a file as if it were a stage


class Jobs:
    """The queue and the history of jobs. Thread-safe; close it.

    At most `waiting` jobs wait, and `kept` that have ended are remembered.
    """

    def __init__(self, waiting: int = 50, kept: int = 100) -> None:
        self._waiting, self._kept = waiting, kept
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, _Running] = OrderedDict()
        self._queue: queue.SimpleQueue[_Running | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, kind: str, paths: Sequence[str | Path], work: Work) -> str:
        """Put `work` at the end of the queue; the job's id. Raises `TooManyJobs`."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        job = Job(secrets.token_hex(6), kind, "queued", now, tuple(map(str, paths)))
        with self._lock:
            queued = sum(one.job.state == "queued" for one in self._jobs.values())
            if self._closed or queued >= self._waiting:
                raise TooManyJobs("too many jobs wait", "try again when some are done")
            running = self._jobs[job.job_id] = _Running(job, work)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run_all, name="footnote-jobs", daemon=True
                )
                self._thread.start()
        self._queue.put(running)
        return job.job_id

    def add(
        self, library: Library, paths: Sequence[str | Path], told: Sequence[str | Path] = ()
    ) -> str:
        """A job that brings the videos among `paths` up to date: `Library.add`. It is shown as
        being about `told`, where that is something."""

        def work(progress: Progress) -> JobResult:
            return JobResult(library.add(paths, progress).videos)

        return self.submit("add", told or paths, work)

    def all(self) -> list[Job]:
        """The jobs, the latest first."""
        with self._lock:
            return [running.job for running in reversed(self._jobs.values())]

    def get(self, job_id: str) -> Job:
        """Raises `JobNotFound`."""
        return self._find(job_id).now()

    def cancel(self, job_id: str) -> Job:
        """Stop a job, at the next thing that it reports; one that waits is not begun.

        The job as it is now: one under way is "running" until it has stopped.
        """
        running = self._find(job_id)
        running.cancel()
        return running.now()

    @contextmanager
    def follow(self, job_id: str, wake: Callable[[], None]) -> Iterator[Following]:
        """What happens to a job from now on. `wake` is called from any thread when there is
        something to take. Raises `JobNotFound`."""
        running = self._find(job_id)
        following = Following(wake)
        running.followed_by(following)
        try:
            yield following
        finally:
            running.left_by(following)

    def close(self) -> None:
        """Cancel everything. A job under way stops by itself soon; it is not waited for."""
        with self._lock:
            self._closed = True
            every = tuple(self._jobs.values())
        for running in every:
            running.cancel()
            running.discard()
        self._queue.put(None)

    def join(self, timeout: float | None = None) -> None:
        """Wait, after `close`, until what was under way has stopped."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _find(self, job_id: str) -> _Running:
        with self._lock:
            found = self._jobs.get(job_id)
        if found is None:
            raise JobNotFound("there is no job of that id", "GET /api/jobs lists them")
        return found

    def _run_all(self) -> None:
        while (running := self._queue.get()) is not None:
            running.run()
            if self._closed:
                running.discard()  # nobody can fetch what it made at last
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        with self._lock:
            ended = [i for i, running in self._jobs.items() if running.job.state in ENDED]
            forgotten = [self._jobs.pop(i) for i in ended[: max(0, len(ended) - self._kept)]]
        for running in forgotten:
            running.discard()


class _Running:
    """A job with its work, its followers and whether it is still wanted."""

    def __init__(self, job: Job, work: Work) -> None:
        self.job = job
        self._work = work
        self._lock = threading.Lock()
        self._progress: dict[str, dict[str, StageProgress]] = {}
        self._following: list[Following] = []
        self._cancelled = False

    def now(self) -> Job:
        with self._lock:
            return self._now()

    def _now(self) -> Job:
        stages = {video: dict(told) for video, told in self._progress.items()}
        return replace(self.job, progress=stages)

    def followed_by(self, following: Following) -> None:
        with self._lock:  # its end is told after this, or is in it
            self._following.append(following)
            following.tell(None, self._now())

    def left_by(self, following: Following) -> None:
        with self._lock:
            self._following.remove(following)

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            waiting = self.job.state == "queued"
        if waiting:
            self._become("cancelled")

    def discard(self) -> None:
        """Remove the file that was made, and its folder where it had one to itself."""
        if (file := self.job.result.file) is not None:
            file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                file.parent.rmdir()

    def run(self) -> None:
        """Everything that the work raises is the job's error."""
        with self._lock:
            if self._cancelled:
                return
            self.job = replace(self.job, state="running")
        self._tell_state()
        try:
            result = self._work(self._watch)
        except Stopped:
            self._become("cancelled")
        except FootnoteError as error:
            self._become("cancelled" if self._cancelled else "failed", error=error)
        except Exception as error:
            _log.exception("job %s failed", self.job.job_id)
            bug = FootnoteError(
                f"a bug in Footnote: {type(error).__name__}", "see the server's log"
            )
            self._become("failed", error=bug)
        else:
            self._finish(result)

    def _finish(self, result: JobResult) -> None:
        """The stages end as their records say, those without a report of progress too."""
        from pipeline.ingest.stages import TOLD_AS

        with self._lock:
            for report in result.videos:
                told = self._progress.setdefault(Path(report.path).name, {})
                for record in report.stages.values():
                    name = TOLD_AS.get(record.name, record.name)
                    last = told.get(name, StageProgress("", 0.0, 0.0, "s"))
                    told[name] = replace(last, status=record.status)
        self._become("done", result=result)

    def _become(
        self,
        state: JobState,
        *,
        result: JobResult | None = None,
        error: FootnoteError | None = None,
    ) -> None:
        with self._lock:
            if self.job.state in ENDED:
                return
            given = result or self.job.result
            self.job = replace(self.job, state=state, result=given, error=error)
        self._tell_state()

    def _watch(self, event: ProgressEvent) -> None:
        """Every stage reports often, which is when a job can be stopped."""
        if self._cancelled:
            raise Stopped
        status = "done" if 0 < event.total <= event.done else "running"
        with self._lock:
            told = self._progress.setdefault(event.video, {})
            if event.stage != _OVER:
                told[event.stage] = StageProgress(status, event.done, event.total, event.unit)
            following = tuple(self._following)
        for one in following:
            one.tell(event, None)

    def _tell_state(self) -> None:
        now = self.now()
        with self._lock:
            following = tuple(self._following)
        for one in following:
            one.tell(None, now)
