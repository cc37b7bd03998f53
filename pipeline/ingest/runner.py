"""Brings videos up to date: tells what each file is, runs the stages that are missing, reports.

An `Executor` decides where the work on one video runs; this one uses threads, since the decoder is
a child process and the models release the interpreter. Several videos are in flight, so that one
is decoded while another is described; `ingest.lanes` bounds what they do at the same time.
Whatever the executor, results reach the catalog in short transactions, so that a killed run loses
at most the batch in flight.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from pipeline.errors import MediaError
from pipeline.ingest.discover import sha256_of
from pipeline.ingest.lanes import Stopped
from pipeline.ingest.rows import slug_of
from pipeline.ingest.stages import StageRun, VideoStages
from pipeline.media.sidecars import find_sidecars, stamp
from pipeline.store.catalog import Catalog
from pipeline.store.work import lease_owner
from pipeline.types import Progress, ProgressEvent, Video, VideoReport, VideoStatus

T = TypeVar("T")
R = TypeVar("R")

LEASE_SECONDS = 120.0
BEING_READ = "another footnote add is working on it"


class Executor(Protocol):
    """Where the work on each item runs."""

    name: str

    def run(self, work: Callable[[T], R], items: Iterable[T], stop: threading.Event) -> Iterator[R]:
        """Results in the order of completion; `items` is drawn as there is room.

        `stop` is set when the run ends early: work that sees it gives up.
        """
        ...


class LocalExecutor:
    """Threads of this process, one for each of `workers` videos in flight."""

    name = "local"

    def __init__(self, workers: int = 4) -> None:
        self._workers = workers

    def run(self, work: Callable[[T], R], items: Iterable[T], stop: threading.Event) -> Iterator[R]:
        drawn = iter(items)
        running: set[Future[R]] = set()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="footnote")
        try:
            for item in drawn:
                running.add(pool.submit(work, item))
                while len(running) >= self._workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BaseException:
            stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file and what it is to the library. `video` is None when it could not even be read."""

    path: Path
    video: Video | None
    status: VideoStatus
    reason: str = ""
    copy_of: str = ""  # the id of the video that this is a second copy of
    order: int = 0  # its place in the run: the lowest has the right of way


class Identifier:
    """Tells which video a file is: a video is its content, not its path.

    Same path, size, modification time and sidecars: unchanged, without reading the file.
    Otherwise its hash decides: a moved file is re-pointed, a changed one keeps its id and is read
    again, a second copy is not read twice, and two files that share a name are two videos.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._taken: dict[str, str] = {}  # ids given out in this run -> hash

    def identify(self, path: Path) -> Candidate:
        try:
            facts = path.stat()
            sidecars = tuple(stamp(sidecar) for sidecar in find_sidecars(path))
        except OSError as error:
            return Candidate(path, None, "failed", f"cannot be read: {error.strerror}")
        known = self._catalog.video_by_path(str(path))
        now = Video(
            "", "", str(path), size=facts.st_size, modified_ns=facts.st_mtime_ns, sidecars=sidecars
        )
        if known and _same_file(known, now):
            return Candidate(path, known, "unchanged")
        try:
            sha256 = sha256_of(path)
        except MediaError as error:
            return Candidate(path, None, "failed", error.message)
        stamped = replace(now, sha256=sha256)
        if known and known.sha256 == sha256:
            status: VideoStatus = "unchanged" if known.sidecars == sidecars else "updated"
            return Candidate(path, _restamped(known, stamped), status)
        return self._new_content(path, known, stamped)

    def _new_content(self, path: Path, known: Video | None, stamped: Video) -> Candidate:
        for twin in self._catalog.videos_by_hash(stamped.sha256):
            if not Path(twin.path).exists():
                return Candidate(path, _restamped(twin, stamped), "moved")
            reason = f"a copy of {twin.video_id} ({twin.path})"
            return Candidate(path, None, "unchanged", reason, twin.video_id)
        if known:
            return Candidate(path, _restamped(known, stamped), "updated")
        video_id = self._free_id(path.stem, stamped.sha256)
        if not video_id:
            return Candidate(path, None, "unchanged", "a copy of another file in this run")
        added = datetime.now(UTC).isoformat(timespec="seconds")
        date = datetime.fromtimestamp(stamped.modified_ns / 1e9, UTC).date().isoformat()
        video = replace(stamped, video_id=video_id, title=path.stem, date=date, added=added)
        return Candidate(path, video, "added")

    def _free_id(self, stem: str, sha256: str) -> str:
        """The slug of the stem, with 8 digits of the hash where another has it; "" for a copy."""
        if sha256 in self._taken.values():
            return ""
        slug = slug_of(stem)
        for video_id in (slug, f"{slug}-{sha256[:8]}", f"{slug}-{sha256}"):
            if video_id not in self._taken and not self._catalog.has_video(video_id):
                self._taken[video_id] = sha256
                return video_id
        raise AssertionError("two contents with one SHA-256")


def _same_file(known: Video, now: Video) -> bool:
    return (known.size, known.modified_ns, known.sidecars) == (
        now.size,
        now.modified_ns,
        now.sidecars,
    )


def _restamped(video: Video, stamped: Video) -> Video:
    return replace(
        video,
        path=stamped.path,
        sha256=stamped.sha256,
        size=stamped.size,
        modified_ns=stamped.modified_ns,
        sidecars=stamped.sidecars,
    )


class Runner:
    """Runs what is missing for each file and yields a report as each is finished."""

    def __init__(
        self,
        catalog: Catalog,
        stages: VideoStages,
        executor: Executor,
        progress: Progress,
    ) -> None:
        self._catalog = catalog
        self._stages = stages
        self._executor = executor
        self._watcher = progress
        self._stop = stages.lanes.stop
        self._owner = lease_owner()

    def run(self, paths: Sequence[Path]) -> Iterator[VideoReport]:
        # Identified one after another, in order: ids must not depend on which thread is faster.
        identifier = Identifier(self._catalog)
        candidates = (
            replace(identifier.identify(path), order=order) for order, path in enumerate(paths)
        )
        yield from self._executor.run(self._bring_up_to_date, candidates, self._stop)

    def _progress(self, event: ProgressEvent) -> None:
        """Every stage reports often: the place to notice that nobody waits for it any more."""
        if self._stop.is_set():
            raise Stopped
        self._watcher(event)

    def _bring_up_to_date(self, candidate: Candidate) -> VideoReport:
        path = str(candidate.path)
        video = candidate.video
        if video is None:
            return VideoReport(candidate.copy_of, path, candidate.status, {}, candidate.reason)
        if candidate.status == "unchanged" and self._stages.complete(video):
            if self._catalog.video(video.video_id) != video:
                self._catalog.put_video(video)  # touched: not hashed again next time
            records = self._catalog.stages(video.video_id)
            return VideoReport(video.video_id, path, "unchanged", records)
        if not self._catalog.claim(video.video_id, "add", self._owner, LEASE_SECONDS):
            return VideoReport(video.video_id, path, "unchanged", {}, BEING_READ)
        if candidate.status == "added" and self._catalog.has_video(video.video_id):
            # Another `add` gave the id away between the look at the file and the lease.
            self._catalog.release(video.video_id, "add", self._owner)
            again = Identifier(self._catalog).identify(candidate.path)
            return self._bring_up_to_date(replace(again, order=candidate.order))
        try:
            with _Heartbeat(self._catalog, video.video_id, self._owner):
                run = self._stages.run(video, self._progress, candidate.order)
        finally:
            self._catalog.release(video.video_id, "add", self._owner)
            self._watcher(ProgressEvent(candidate.path.name, "finished", 1, 1))
        return _report(candidate, run)


def _report(candidate: Candidate, run: StageRun) -> VideoReport:
    assert candidate.video is not None
    problems = [r.reason for r in run.records.values() if r.status == "failed" and r.reason]
    problems += run.problems
    status: VideoStatus = candidate.status
    if not run.kept:
        status = "failed"
    elif problems:
        status = "partial"
    return VideoReport(
        candidate.video.video_id,
        str(candidate.path),
        status,
        run.records,
        "; ".join(dict.fromkeys((*problems, *run.notes))),
    )


class _Heartbeat:
    """Renews a video's lease while its stages run."""

    def __init__(self, catalog: Catalog, video_id: str, owner: str) -> None:
        self._catalog, self._video_id, self._owner = catalog, video_id, owner
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(LEASE_SECONDS / 4):
            self._catalog.renew(self._video_id, "add", self._owner, LEASE_SECONDS)
