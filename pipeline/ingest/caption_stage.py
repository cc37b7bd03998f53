"""The stage that describes what a video shows.

It reads the catalog (shots, key frames, what is said and what stands on the screen), chooses what
to look at, and has it described; see `ingest.looking` and `ingest.captions`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.ingest.captions import caption_shots
from pipeline.ingest.outputs import GetOutput, PutOutput, Report
from pipeline.ingest.speech import clip
from pipeline.models.shelf import Shelf
from pipeline.prompts import load_prompt
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.types import StageStatus, Video


@dataclass(frozen=True, slots=True)
class MadeCaptions:
    """What became of the stage; `write` stores it, in a transaction with the stage's record."""

    status: StageStatus
    reason: str = ""
    key: str = ""
    model_calls: int = 0
    write: Callable[[], object] = lambda: None


class CaptionStage:
    """Captions for the videos of one library. Thread-safe."""

    def __init__(self, catalog: Catalog, shelf: Shelf, settings: Settings) -> None:
        self._catalog = catalog
        self._shelf = shelf
        self._settings = settings
        self._prompt = load_prompt("caption", settings.prompt_folders)

    def key_parts(self) -> tuple[object, ...]:
        """What the stage's key is made of, beside the keys of the stages it reads."""
        return (self._shelf.name("captions"), self._prompt.key)

    def make(
        self,
        video: Video,
        pictures: bool,
        get_output: GetOutput,
        put_output: PutOutput,
        progress: Report,
    ) -> MadeCaptions:
        """Describe a video whose shots, speech and screen text are written."""
        catalog, video_id = self._catalog, video.video_id
        if not pictures:
            return MadeCaptions(
                "skipped",
                "no picture",
                write=lambda: catalog.replace_segments(video_id, "caption", []),
            )
        if not self._shelf.name("captions"):
            embedded = self._settings.profile == "embedded"
            return MadeCaptions(
                "skipped" if embedded else "pending",
                self._shelf.reason("captions"),
                write=lambda: catalog.replace_segments(video_id, "caption", []),
            )
        described = caption_shots(
            self._shots(video_id),
            self._shelf.captioner(),
            self._prompt,
            title=video.title,
            speech=[s for s in catalog.segments(video_id, "speech") if not s.invented],
            screen=catalog.segments(video_id, "screen"),
            get_output=get_output,
            put_output=put_output,
            progress=progress,
        )
        segments, _ = clip(described.segments, video.duration)
        return MadeCaptions(
            "done",
            "; ".join(f"at {start:.1f} s: {why}" for start, _, why in described.dropped),
            model_calls=described.model_calls,
            write=lambda: catalog.replace_segments(video_id, "caption", segments),
        )

    def _shots(self, video_id: str) -> list[_SeenShot]:
        frames = [
            _SeenFrame(frame.time, self._catalog.folder / frame.path)
            for frame in self._catalog.frames(video_id)
        ]
        return [
            _SeenShot(s.start, s.end, tuple(f for f in frames if s.start <= f.time < s.end))
            for s in self._catalog.shots(video_id)
        ]


@dataclass(frozen=True, slots=True)
class _SeenFrame:
    time: float
    path: Path


@dataclass(frozen=True, slots=True)
class _SeenShot:
    start: float
    end: float
    key_frames: tuple[_SeenFrame, ...]
