"""How many calls of a vision model it takes to find what is seen, guided and by the clock.

    python -m benchmarks.ingest.captions --out FOLDER

The sample library is described by an oracle, which reads the script of what was drawn
(`data/truth.jsonl`, rows of kind `scene`) at the times of the pictures it is shown, and nothing
else. So what differs is only which pictures are looked at. By the clock: one picture in the middle
of every N seconds, a call each. Guided: `pipeline.ingest.looking`, as shipped and with fewer calls.

Asked are the 25 questions of `seen.jsonl`, written from the script in other words. `hit@k` and
`land@k` as in `footnote eval` (the best of a question's scenes counts), with all sources together
and with captions alone; `scenes` is the share of the 28 scenes of which a picture was shown.
Intervals are 95 % bootstrap over questions, differences paired by question.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.ingest import caption_stage
from pipeline.ingest.captions import Known
from pipeline.ingest.looking import Look, View, views_of
from pipeline.library import Library
from pipeline.media.frames import save_frames_at
from pipeline.settings import Settings
from pipeline.types import CaptionRequest, Filters, Moment, Reply, Video

DATA = Path(__file__).resolve().parents[2] / "data"
SEEN = Path(__file__).resolve().parent / "seen.jsonl"
_TITLE = re.compile(r"^Title: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scene:
    name: str  # "video_id#id"
    video_id: str
    start: float
    end: float
    text: str


@dataclass
class Oracle:
    """Reads the script at the times of the pictures; keeps count of what it was asked."""

    scenes: Sequence[Scene]
    videos: Mapping[str, str]  # title as a prompt shows it -> video id
    name: str = "oracle"
    width: int = 8
    calls: int = 0
    images: int = 0
    shown: set[str] = field(default_factory=set)

    def caption(
        self,
        requests: Sequence[CaptionRequest],
        deliver: Callable[[int, Reply], None] | None = None,
    ) -> list[Reply]:
        replies = [Reply(self._reply(request)) for request in requests]
        for place, reply in enumerate(replies):
            if deliver:
                deliver(place, reply)
        return replies

    def _reply(self, request: CaptionRequest) -> str:
        self.calls += 1
        self.images += len(request.times)
        title = _TITLE.search(request.prompt)
        video_id = self.videos[title.group(1)] if title else ""
        records = []
        for number, time in enumerate(request.times, 1):
            scene = self._at(video_id, time)
            if scene:
                self.shown.add(scene.name)
            action = scene.text if scene else "A slide with text."
            records.append({"image": number, "scene": "", "action": action})
        return json.dumps({"images": records})

    def _at(self, video_id: str, time: float) -> Scene | None:
        found = (s for s in self.scenes if s.video_id == video_id and s.start <= time < s.end)
        return next(found, None)


def read_scenes() -> list[Scene]:
    rows = [json.loads(line) for line in (DATA / "truth.jsonl").read_text().splitlines() if line]
    return [
        Scene(f"{r['video_id']}#{r['id']}", r["video_id"], r["start"], r["end"], r["text"])
        for r in rows
        if r["kind"] == "scene"
    ]


# ---------------------------------------------------------------- what to look at


ViewsOf = Callable[[caption_stage.CaptionStage, Video, Known], list[View]]


def by_the_clock(seconds: float, folder: Path) -> ViewsOf:
    """The middle of every `seconds` (about: the video is divided evenly), each by itself."""

    def views(stage: caption_stage.CaptionStage, video: Video, known: Known) -> list[View]:
        count = max(1, round(video.duration / seconds))
        step = video.duration / count
        pictures = folder / f"{seconds:g}" / video.video_id
        pictures.mkdir(parents=True, exist_ok=True)
        times = [(at + 0.5) * step for at in range(count)]
        return [
            View((Look(at * step, (at + 1) * step, time, path, 1.0, 1.0),))
            for at, (time, path) in enumerate(save_frames_at(video.path, times, pictures))
        ]

    return views


def guided(seconds: float, images: int) -> ViewsOf:
    def views(stage: caption_stage.CaptionStage, video: Video, known: Known) -> list[View]:
        shots = stage._shots(video.video_id)
        return views_of(shots, known.speech, known.screen, seconds_per_call=seconds, images=images)

    return views


# ---------------------------------------------------------------- measuring


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one way to look; values by metric are one per question."""

    calls: int
    images: int
    scenes: float
    values: Mapping[str, np.ndarray]


def measure(out: Path, base: Path, name: str, views: ViewsOf, scenes: Sequence[Scene]) -> Measured:
    path = out / name.replace(" ", "-")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(base, path)
    with Library(base, _settings(base), create=False) as library:
        titles = {video.title: video.video_id for video in library.videos()}
    oracle = Oracle(scenes, titles)
    shipped = caption_stage.CaptionStage._views
    caption_stage.CaptionStage._views = views  # type: ignore[assignment, method-assign]
    try:
        with Library(path, _settings(path), captioner=oracle) as library:
            library.add([DATA / "videos"])
            values = _ask(library, scenes)
    finally:
        caption_stage.CaptionStage._views = shipped  # type: ignore[method-assign]
    return Measured(oracle.calls, oracle.images, len(oracle.shown) / len(scenes), values)


def _ask(library: Library, scenes: Sequence[Scene]) -> dict[str, np.ndarray]:
    by_name = {scene.name: scene for scene in scenes}
    values: dict[str, list[float]] = {}
    for line in SEEN.read_text().splitlines():
        row = json.loads(line)
        gold = [by_name[name] for name in row["scenes"]]
        for where, sources in (("all", ()), ("captions", ("caption",))):
            filters = Filters(sources=sources)  # type: ignore[arg-type]
            found = library.search(row["text"], k=10, filters=filters, hypothetical=()).moments
            for metric, value in _scores(found, gold).items():
                values.setdefault(f"{metric} {where}", []).append(value)
    return {name: np.array(some) for name, some in values.items()}


def _scores(moments: Sequence[Moment], gold: Sequence[Scene]) -> dict[str, float]:
    hits = [any(_is_hit(moment, scene) for scene in gold) for moment in moments]
    lands = [any(_lands(moment, scene) for scene in gold) for moment in moments]
    return {
        "hit@1": float(any(hits[:1])),
        "hit@5": float(any(hits[:5])),
        "land@1": float(any(lands[:1])),
    }


def _is_hit(moment: Moment, scene: Scene) -> bool:
    if moment.video_id != scene.video_id:
        return False
    shared = min(moment.end, scene.end) - max(moment.start, scene.start)
    union = max(moment.end, scene.end) - min(moment.start, scene.start)
    middle = (moment.start + moment.end) / 2
    return shared / union >= 0.3 or scene.start <= middle <= scene.end


def _lands(moment: Moment, scene: Scene) -> bool:
    return moment.video_id == scene.video_id and scene.start - 10 <= moment.start <= scene.end


def _interval(values: np.ndarray) -> tuple[float, float]:
    random = np.random.default_rng(0)
    means = random.choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _settings(library: Path) -> Settings:
    return Settings(library=library, profile="embedded", levels="none")


# ---------------------------------------------------------------- the table


def write(out: Path, measured: Mapping[str, Measured], hours: float) -> str:
    """A table, and the differences from one picture every 30 s."""
    names = list(next(iter(measured.values())).values)
    head = ["looking", "calls", "calls/h", "pictures", "scenes", *names]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, one in measured.items():
        cells = [name, str(one.calls), f"{one.calls / hours:.0f}", str(one.images)]
        cells += [f"{one.scenes:.2f}", *(f"{one.values[n].mean():.2f}" for n in names)]
        lines.append("| " + " | ".join(cells) + " |")
    clock = measured["every 30 s"]
    lines += ["", "Less one picture every 30 s, with 95 % intervals:", ""]
    for name, one in measured.items():
        if one is clock:
            continue
        told = []
        for metric in names:
            difference = one.values[metric] - clock.values[metric]
            low, high = _interval(difference)
            told.append(f"{metric} {difference.mean():+.2f} [{low:+.2f}, {high:+.2f}]")
        lines.append(f"* {name}: {one.calls / clock.calls:.2f} x the calls; " + "; ".join(told))
    text = "\n".join(lines) + "\n"
    (out / "captions.md").write_text(text, encoding="utf-8")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    base = out / "without-captions"
    with Library(base, _settings(base)) as library:
        library.add([DATA / "videos"])
        hours = sum(video.duration for video in library.videos()) / 3600
    scenes = read_scenes()
    ways: dict[str, ViewsOf] = {
        "every 10 s": by_the_clock(10, out / "pictures"),
        "every 30 s": by_the_clock(30, out / "pictures"),
        "every 60 s": by_the_clock(60, out / "pictures"),
        "guided as shipped": guided(60, 6),
        "guided, 4 pictures": guided(60, 4),
        "guided, 2 pictures": guided(60, 2),
        "guided, 1 picture": guided(60, 1),
    }
    measured = {name: measure(out, base, name, views, scenes) for name, views in ways.items()}
    sys.stdout.write(write(out, measured, hours))
    return 0


if __name__ == "__main__":
    sys.exit(main())
