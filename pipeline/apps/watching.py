"""`footnote watch`: a folder is kept in the library, as long as the command runs.

What appears is added once it is completely written, what changes is read again, what is renamed or
moved inside the folder keeps its id, since a video is its content. What is removed is reported, and
removed from the library too where that is asked for. A disk that is unmounted removes nothing.

The folder is looked at every few seconds: that works on every file system, network shares included,
where the system's own notifications do not.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

from pipeline.apps.settling import Settling, survey
from pipeline.errors import UsageError, VideoNotFound

if TYPE_CHECKING:
    from pipeline.library import Library
    from pipeline.types import Progress, VideoReport

SETTLE = 5.0  # seconds
_SHORTEST, _LONGEST = 0.05, 2.0  # between two looks
# A share with many files takes long to look at: one part in so many of the time goes to that.
_SHARE, _LONGEST_PAUSE = 10, 60.0

Kind = Literal["read", "gone", "removed", "away", "back"]


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something that happened: a file was read, a file is gone (and its video removed), or the
    whole folder is away or back. `reports` are those of the files read together."""

    kind: Kind
    path: str
    video_id: str = ""
    reports: tuple[VideoReport, ...] = ()


class Watch:
    """Keeps `folder` in `library`. `tell` is called in the thread that steps.

    Raises `UsageError` where the folder is not there to begin with.
    """

    def __init__(
        self,
        library: Library,
        folder: str | Path,
        tell: Callable[[Noticed], None],
        *,
        settle: float = SETTLE,
        remove: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.folder = Path(os.path.abspath(Path(folder).expanduser()))
        if not self.folder.is_dir():
            raise UsageError(f"{folder} is not a folder", "footnote watch FOLDER")
        self._library, self._tell, self._progress = library, tell, progress
        self._remove = remove
        self._settling = Settling(settle)
        self.looking = 0.0  # seconds that the last look took
        self._away = False
        self._copies: dict[Path, str] = {}  # second copies -> the video that they are of
        # Of these it is not known which disk they were on.
        self._unsure = set(self._in_library())
        self._settling.expect(sorted(self._unsure))

    @property
    def waiting(self) -> int:
        """Files that are being written, or were a moment ago."""
        return self._settling.waiting

    def step(self, now: float) -> None:
        """Look once, and do what there is to do; `now` in seconds of a clock that only goes on."""
        began = time.perf_counter()
        seen = survey(self.folder, self._library.path.resolve())
        self.looking = time.perf_counter() - began
        if (seen is None) != self._away:
            self._away = seen is None
            self._tell(Noticed("away" if self._away else "back", str(self.folder)))
        if seen is None:
            return
        settled = self._settling.step(seen, now)
        if settled.ready:
            self._read(settled.ready)
        for path in settled.gone:
            self._lose(path)

    def _in_library(self) -> list[Path]:
        paths = (Path(video.path) for video in self._library.videos() if video.path)
        return [path for path in paths if self.folder in path.parents]

    def _read(self, paths: Sequence[Path]) -> None:
        """Everything that is ready, in one `add`: their models are loaded once."""
        there = [path for path in paths if path.exists()]
        if not there:
            return
        try:
            reports = self._library.add(there, self._progress).videos
        except UsageError:
            if all(path.exists() for path in there):
                raise
            for path in there:  # one went in this moment: the next look tells which
                self._settling.forget(path)
            return
        for report in reports:
            self._note(report)
        self._tell(Noticed("read", str(self.folder), reports=reports))

    def _note(self, report: VideoReport) -> None:
        from pipeline.ingest.runner import BEING_READ

        path = Path(report.path)
        self._unsure.discard(path)
        self._copies.pop(path, None)
        if report.reason == BEING_READ:
            self._settling.forget(path)
        elif report.status == "unchanged" and not report.stages:
            self._copies[path] = report.video_id  # "" where both came in one run

    def _lose(self, path: Path) -> None:
        """A file that was there is not; a copy of it takes its place, where there is one."""
        unsure = path in self._unsure
        self._unsure.discard(path)
        self._copies.pop(path, None)
        video = self._video_at(path)
        copies = [p for p, name in self._copies.items() if video and name in (video, "")]
        if copies:
            self._read(sorted(copies))
            video = self._video_at(path)
        if not video:
            return
        if self._remove and not unsure:
            self._library.remove([video])
            self._tell(Noticed("removed", str(path), video))
        else:
            self._tell(Noticed("gone", str(path), video))

    def _video_at(self, path: Path) -> str:
        """The id of the video whose file lies, or lay, there; "" where it lies elsewhere now, or
        where there was none."""
        try:
            video = self._library.video(str(path))
        except VideoNotFound:
            return ""
        return video.video_id if video.path == str(path) else ""


def run(watch: Watch, stop: Event, settle: float = SETTLE) -> None:
    """Step until `stop` is set."""
    usual = min(_LONGEST, max(_SHORTEST, settle / 4))
    pause = 0.0
    while not stop.wait(pause):
        watch.step(time.monotonic())
        pause = max(usual, min(_LONGEST_PAUSE, watch.looking * _SHARE))


# ---------------------------------------------------------------- the command


@dataclass(slots=True)
class Log:
    """What happened so far: the last report of each file, and what is gone."""

    folder: str
    videos: dict[str, VideoReport]
    gone: dict[str, str]  # path -> id
    removed: dict[str, str]

    def note(self, noticed: Noticed) -> None:
        for report in noticed.reports:
            self.videos[report.path] = report
            self.gone.pop(report.path, None)
            self.removed.pop(report.path, None)
        if noticed.kind in ("gone", "removed"):
            found = self.gone if noticed.kind == "gone" else self.removed
            found[noticed.path] = noticed.video_id

    @property
    def failed(self) -> bool:
        return any(report.status in ("partial", "failed") for report in self.videos.values())


def watch_folder(
    library: Library, folder: Path, *, settle: float, remove: bool, quiet: bool
) -> Log:
    """Watch until Ctrl-C, or the signal that ends a service; what happened. `quiet`: only the
    library's own log is written to."""
    from pipeline.apps import render

    stop = Event()
    log = Log(str(folder), {}, {}, {})

    def tell(noticed: Noticed) -> None:
        log.note(noticed)
        if not quiet:
            _say(noticed)

    with _ended_by_signals(stop), suppress(KeyboardInterrupt), render.progress(quiet=quiet) as bars:
        watch = Watch(library, folder, tell, settle=settle, remove=remove, progress=bars)
        if not quiet:
            render.log.print(f"Watching {render.clean(log.folder)}; Ctrl-C ends it.")
        run(watch, stop, settle)
    return log


def log_json(log: Log) -> dict[str, Any]:
    from pipeline.apps import render

    return {
        "folder": log.folder,
        "videos": [render.report_json(report) for report in log.videos.values()],
        "gone": [{"path": path, "video_id": name} for path, name in log.gone.items()],
        "removed": [{"path": path, "video_id": name} for path, name in log.removed.items()],
    }


def _say(noticed: Noticed) -> None:
    """A line for each thing that happened; nothing about files that are as they were."""
    from pipeline.apps import render

    name = render.clean(noticed.path)
    if noticed.kind == "read":
        for report in noticed.reports:
            if report.status != "unchanged":
                reason = f": {render.clean(report.reason)}" if report.reason else ""
                title = render.clean(report.video_id or Path(report.path).name)
                render.out.print(f"{report.status:8} {title}{reason}", markup=False)
    elif noticed.kind in ("away", "back"):
        told = "is not there; waiting for it" if noticed.kind == "away" else "is there again"
        render.out.print(f"{name} {told}", markup=False)
    else:
        kept = "removed from the library" if noticed.kind == "removed" else "its text is kept"
        render.out.print(f"gone     {name}: {kept}", markup=False)


@contextmanager
def _ended_by_signals(stop: Event) -> Iterator[None]:
    """SIGTERM is what Ctrl-C is, for a service that nobody sits at."""

    def end(*_: object) -> None:
        stop.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
