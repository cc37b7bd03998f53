"""A picture of one run: what went on in each lane, for which video, from begin to end.

Scoring: the time of every turn in a lane (`ingest.lanes`), as the run reports it. `busy` is the
share of the run in which a lane had something to do, `alone` the share in which it was the only one
that had; the captioner is a made one (`fake:slow`), so that a run without a GPU shows what one with
it would. All videos are added to an empty library.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from benchmarks.ingest.report import Row, publish
from benchmarks.ingest.timing import covered
from pipeline.ingest.lanes import Lanes, StageEvent
from pipeline.ingest.runner import LocalExecutor, Runner
from pipeline.ingest.stages import VideoStages
from pipeline.media.child import MediaReader
from pipeline.models.shelf import Shelf
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from tests import clips

PICTURE = "overlap.png"
_SETTINGS: dict[str, Any] = {
    "profile": "embedded",
    "caption_model": "fake:slow:0.8:0.25",
    "speech_model": "fake:all aboard the night train to the coast",
    "sound_model": "fake:pitch",
    "levels": "text",
}
_ORDER = (
    "decode",
    "detector",
    "speech",
    "sounds",
    "screen",
    "captions",
    "embedding",
    "pictures",
    "levels",
)
_COLOURS = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888", "#ee8866",
    "#44bb99", "#bbcc33", "#77aadd", "#994455", "#eedd88", "#99ddff", "#ffaabb", "#225555",
)  # fmt: skip
_WIDTH, _LEFT, _TOP, _BAR = 1600, 150, 60, 22


def record(videos: Sequence[Path], settings: Settings) -> tuple[list[StageEvent], float, float]:
    """(events, when the run began, when it ended), seconds of `time.perf_counter`."""
    events: list[StageEvent] = []
    lock = threading.Lock()

    def trace(event: StageEvent) -> None:
        with lock:
            events.append(event)

    with tempfile.TemporaryDirectory(prefix="footnote-bench-") as folder:
        settings = settings.model_copy(update={"library": Path(folder) / "library"})
        with Catalog(settings.library, create=True) as catalog, MediaReader() as media:
            shelf = Shelf(settings, settings.embedding_model)
            stages = VideoStages(catalog, shelf, media, settings, lanes=Lanes(trace=trace))
            executor = LocalExecutor(settings.videos_at_once)
            began = time.perf_counter()
            list(Runner(catalog, stages, executor, lambda _: None).run(list(videos)))
            return events, began, time.perf_counter()


def run(videos: Sequence[Path], out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="footnote-bench-") as folder:
        events, began, ended = record(videos or _made(Path(folder)), Settings(**_SETTINGS))
    out.mkdir(parents=True, exist_ok=True)
    draw(events, began, ended).save(out / PICTURE)
    publish(out, "overlap", _rows(events, ended - began), str(__doc__))


def _made(folder: Path) -> list[Path]:
    made = []
    for number in range(8):
        parts = [(4.0, clips.texture(100 * number + scene, (640, 360))) for scene in range(8)]
        track = clips.Track([clips.Tone(1.0, 20.0), clips.Tone(22.0, 30.0)], 0.0, 32.0)
        path = folder / f"video {number + 1}.mp4"
        made.append(clips.write(path, clips.scenes(*parts, fps=25), fps=25, tracks=[track]))
    return made


def _rows(events: Sequence[StageEvent], seconds: float) -> list[Row]:
    def spent(*lanes: str) -> float:
        return covered([(e.begin, e.end) for e in events if e.lane in lanes])

    there = [lane for lane in _ORDER if any(event.lane == lane for event in events)]
    all_ = spent(*there)
    return [
        {
            "lane": lane,
            "turns": sum(event.lane == lane for event in events),
            "seconds": spent(lane),
            "busy %": 100 * spent(lane) / seconds,
            "alone %": 100 * (all_ - spent(*(other for other in there if other != lane))) / seconds,
        }
        for lane in there
    ]


# ---------------------------------------------------------------- the picture


def draw(events: Sequence[StageEvent], began: float, ended: float) -> Image.Image:
    """A block per lane, with as many rows as it had turns at once; a colour per video."""
    videos = list(dict.fromkeys(e.video for e in sorted(events, key=lambda e: e.begin)))
    colour = {video: _COLOURS[at % len(_COLOURS)] for at, video in enumerate(videos)}
    lanes = [lane for lane in _ORDER if any(event.lane == lane for event in events)]
    rows = {lane: _rows_of([e for e in events if e.lane == lane]) for lane in lanes}
    columns = max(1, (_WIDTH - 2 * 20) // 330)
    legend = 26 * -(-len(videos) // columns)
    bars = sum(len(rows[lane]) * _BAR + 12 for lane in lanes)
    image = Image.new("RGB", (_WIDTH, _TOP + bars + 50 + legend + 20), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    scale = (_WIDTH - _LEFT - 30) / (ended - began)
    title = f"One run over {len(videos)} videos: who was at work, when ({ended - began:.1f} s)"
    pen.text((20, 16), title, "black", ImageFont.load_default(20))
    _axis(pen, font, ended - began, scale, _TOP + bars)
    top = _TOP
    for lane in lanes:
        pen.text((20, top + len(rows[lane]) * _BAR / 2 - 9), lane, "black", font)
        for row in rows[lane]:
            for event in row:
                left = _LEFT + (event.begin - began) * scale
                right = max(left + 1, _LEFT + (event.end - began) * scale)
                box = (left, top + 2, right, top + _BAR - 2)
                wide = right - left > 4
                outline = "white" if wide else None
                pen.rectangle(box, colour[event.video], outline)
            top += _BAR
        top += 12
        pen.line((_LEFT, top - 6, _WIDTH - 30, top - 6), "#dddddd")
    for at, video in enumerate(videos):
        left, line = 20 + at % columns * 330, top + 50 + at // columns * 26
        pen.rectangle((left, line, left + 16, line + 16), colour[video])
        pen.text((left + 24, line - 2), video[:34], "black", font)
    return image


def _axis(pen: Any, font: Any, seconds: float, scale: float, bottom: int) -> None:
    step = next(s for s in (1, 2, 5, 10, 20, 60, 120, 300, 600, 3600) if seconds / s <= 16)
    for tick in range(0, int(seconds) + 1, step):
        place = _LEFT + tick * scale
        pen.line((place, _TOP - 6, place, bottom), "#eeeeee")
        pen.text((place - 8, bottom + 8), f"{tick} s", "#555555", font)


def _rows_of(events: Sequence[StageEvent]) -> list[list[StageEvent]]:
    """Events in as few rows as hold them without overlap; those of a shared batch overlap."""
    rows: list[list[StageEvent]] = []
    for event in sorted(events, key=lambda e: (e.begin, e.end)):
        for row in rows:
            if row[-1].end <= event.begin + 1e-6:
                row.append(event)
                break
        else:
            rows.append([event])
    return rows
