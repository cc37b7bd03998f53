"""Bars for work on several videos at once: a row for each stage that is under way.

    interview.mp4    frames     ━━━━━━━━━━━━━━━━━━━━━━━━ 0:00:41
                     speech     ━━━━━━━━                 0:02:10
    lecture.mkv      captions   ━━━━                     0:06:33

The rows of a video stand together under its name, the video that was begun first on top.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.types import ProgressEvent

_NAME = 40  # characters, on a wide terminal
_OTHERS = 52  # columns that the rest of a row takes


class VideoBars(Progress):
    """Draws `ProgressEvent`s from any thread. A stage's row goes when the stage is done."""

    def __init__(self, console: Console) -> None:
        self._rows: dict[str, dict[str, TaskID]] = {}  # video -> stage -> its row
        self._guard = threading.Lock()
        self._terminal = console
        super().__init__(
            TextColumn("{task.fields[shown]}", markup=False),
            TextColumn("{task.fields[stage]:<9}", style="dim", markup=False),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def show(self, event: ProgressEvent, name: str) -> None:
        """`name` is what is shown of the video's."""
        with self._guard:
            rows = self._rows.setdefault(event.video, {})
            total = event.total or None
            if event.stage == "finished":
                for task in self._rows.pop(event.video).values():
                    self.remove_task(task)
            elif total and event.done >= total:
                if event.stage in rows:
                    self.remove_task(rows.pop(event.stage))
            elif event.stage in rows:
                self.update(rows[event.stage], completed=event.done, total=total)
            else:
                rows[event.stage] = self.add_task(
                    "",
                    total=total,
                    completed=int(event.done),
                    video=event.video,
                    name=name,
                    shown="",
                    stage=event.stage,
                )

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """The rows by video, its name in the first of them only."""
        begun = {video: place for place, video in enumerate(list(self._rows))}
        room = max(8, min(_NAME, self._terminal.width - _OTHERS))
        ordered = sorted(tasks, key=lambda t: (begun.get(t.fields["video"], -1), t.id))
        before = None
        for task in ordered:
            video, name = task.fields["video"], task.fields["name"]
            short = name if len(name) <= room else name[: room - 3] + "..."
            task.fields["shown"] = short if video != before else ""
            before = video
        return super().make_tasks_table(ordered)
