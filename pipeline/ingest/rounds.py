"""A run over many videos whose captions a budget pays for: in rounds, the poorest text first.

    round 0    every stage of every video but captions: only then is it known where text is poor
    round 1..  the views of all videos by their worth, as many as the budget may pay for
    the end    what was put off until a video's text would change no more

Without a limit there is one round that does everything. A call may take more or less than was
thought: rounds go on while there is something to spend and something to spend it on. The first
one is small where nothing is known of what a call takes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pipeline.errors import MediaError
from pipeline.ingest.caption_stage import PARTIAL, CaptionStage
from pipeline.ingest.runner import LocalExecutor, Runner
from pipeline.ingest.speeds import VIEWS, Measured, SpeedLog, views_model
from pipeline.ingest.spending import Purse
from pipeline.ingest.stages import VideoStages
from pipeline.media.child import MediaReader
from pipeline.models.shelf import Shelf
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.types import Progress, StageRecord, VideoReport

# Where the rest of a budget is an estimate, so much of it is given away in a round: what turns out
# dearer must not leave the most worthy undone.
_CAUTIOUS = 0.8
_FEW = 8

# (files, stages to leave for later) -> a report for each file
RunStages = Callable[[Sequence[Path], Collection[str]], Iterator[VideoReport]]


class Planned(Protocol):
    """A view that captions may describe: one call of the model."""

    @property
    def worth(self) -> float: ...
    @property
    def described(self) -> bool: ...


# (id of a video) -> its views; none where nothing is left to describe
PlanViews = Callable[[str], Sequence[Planned]]


class Adding:
    """One run of `add` over a library: its stages with the purse that pays for them.

    What the stages take is told to `log`, which is written when the run ends.
    """

    def __init__(
        self,
        catalog: Catalog,
        shelf: Shelf,
        media: MediaReader,
        settings: Settings,
        purse: Purse,
        log: SpeedLog,
        progress: Progress,
    ) -> None:
        self._catalog, self._shelf, self._media = catalog, shelf, media
        self._settings = settings
        self._purse = purse
        self._log = log
        self._progress = progress
        self._captions = CaptionStage(catalog, shelf, settings)
        self._planned: set[str] = set()

    def run(self, files: Sequence[Path]) -> Iterator[VideoReport]:
        """Reports as they come, to be `merged`."""
        began, loading = time.perf_counter(), self._shelf.loading
        try:
            yield from in_rounds(files, self._purse, self._round, self._plan, self._put_off())
        finally:
            self._log.set_calls(self._shelf.name("captions"), self._purse.used)
            self._log.end(time.perf_counter() - began, self._shelf.loading - loading)

    def _round(self, files: Sequence[Path], leave: Collection[str]) -> Iterator[VideoReport]:
        stages = VideoStages(
            self._catalog, self._shelf, self._media, self._settings, self._purse, leave, self._log
        )
        executor = LocalExecutor(self._settings.videos_at_once)
        return Runner(self._catalog, stages, executor, self._progress).run(files)

    def _put_off(self) -> Collection[str]:
        """Chapters that a language model writes are written once."""
        written = self._settings.levels in ("auto", "model") and self._shelf.name("language")
        return ("levels",) if written else ()

    def _plan(self, video_id: str) -> Sequence[Planned]:
        record = self._catalog.stage(video_id, "captions")
        if record is None or not record.key.startswith(PARTIAL):
            return ()
        video = self._catalog.video(video_id)
        views = self._captions.plan(video)
        if video_id not in self._planned and not any(view.described for view in views):
            seen = Measured(video.duration, calls=len(views))
            self._log.add(VIEWS, views_model(self._settings), seen)
        self._planned.add(video_id)
        return views


def in_rounds(
    files: Sequence[Path],
    purse: Purse,
    run: RunStages,
    plan: PlanViews,
    put_off: Collection[str] = (),
) -> Iterator[VideoReport]:
    """Reports as they come, several of a file: see `merged`. `put_off` are the stages that are
    too dear to be made anew in every round."""
    if not purse.limited or purse.room() < 1:
        yield from run(files, ())
        return
    purse.least_worth = math.inf
    paths: dict[str, str] = {}  # of the videos by their id
    for report in run(files, put_off):
        if report.stages:
            paths.setdefault(report.video_id, report.path)
        yield report
    while (room := purse.room()) >= 1:
        worths = _worths(paths, plan)
        if not worths:
            break
        if not purse.exact and room > _FEW:
            room *= _CAUTIOUS
        chosen = worths[: int(min(room, len(worths)))]
        purse.least_worth, before = chosen[-1][0], purse.used.calls
        described = {video_id for _, video_id in chosen}
        yield from run(_in_order(files, (paths[video_id] for video_id in described)), put_off)
        if purse.used.calls == before:
            break
    if put_off:
        purse.least_worth = math.inf
        yield from run(_in_order(files, paths.values()), ())


def _worths(videos: Iterable[str], plan: PlanViews) -> list[tuple[float, str]]:
    """(worth, video) of every view that is not described, the most worthy first."""
    worths: list[tuple[float, str]] = []
    for video_id in videos:
        try:
            views = plan(video_id)
        except MediaError:
            continue  # a frame is gone: the stage itself says so
        worths += [(view.worth, video_id) for view in views if not view.described]
    return sorted(worths, key=lambda one: (-one[0], one[1]))


def _in_order(files: Iterable[Path], wanted: Iterable[str]) -> list[Path]:
    paths = set(wanted)
    return [file for file in files if str(file) in paths]


def merged(reports: Iterable[VideoReport]) -> list[VideoReport]:
    """One report per file: what it was at first, and what became of it in the end.

    Calls and seconds of captions are those of all rounds.
    """
    by_path: dict[str, list[VideoReport]] = {}
    for report in reports:
        by_path.setdefault(report.path, []).append(report)
    return [_merged(first, later) for first, *later in by_path.values()]


def _merged(first: VideoReport, later: Sequence[VideoReport]) -> VideoReport:
    later = [report for report in later if report.stages]  # else another `add` is working on it
    if not later:
        return first
    stages = dict(later[-1].stages)
    made: list[StageRecord] = []  # in the rounds: what stood before them has its own price
    before = first.stages.get("captions")
    for report in later:
        record = report.stages.get("captions")
        if record is not None and record != before:
            made.append(record)
        before = record
    if made:
        seconds, calls = sum(r.seconds for r in made), sum(r.model_calls for r in made)
        stages["captions"] = replace(made[-1], seconds=seconds, model_calls=calls)
    statuses = {report.status for report in later} - {"unchanged", "updated", "moved", "added"}
    status = "partial" if statuses else first.status
    reason = later[-1].reason or first.reason
    return replace(later[-1], status=status, stages=stages, reason=reason)
