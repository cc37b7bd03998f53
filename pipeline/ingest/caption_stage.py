"""The stage that describes what a video shows.

It reads the catalog (shots, key frames, what is said and what stands on the screen), chooses what
to look at, and has it described; see `ingest.looking` and `ingest.captions`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.ingest.captions import CaptionPrompts, Known, Purse, describe_views, is_described
from pipeline.ingest.looking import View, views_of
from pipeline.ingest.outputs import GetOutput, PutOutput, Report
from pipeline.ingest.speech import clip
from pipeline.models.shelf import Shelf
from pipeline.prompts import load_prompt
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.types import Captioner, StageStatus, Video

# Begins the key of captions that a budget left unfinished.
PARTIAL = "partial:"


@dataclass(frozen=True, slots=True)
class PlannedView:
    """A view, and whether the captioner has described it already."""

    view: View
    described: bool

    @property
    def worth(self) -> float:
        return self.view.worth


@dataclass(frozen=True, slots=True)
class MadeCaptions:
    """What became of the stage; `write` stores it, in a transaction with the stage's record.

    `partial`: a budget left some views undescribed.
    """

    status: StageStatus
    reason: str = ""
    partial: bool = False
    model_calls: int = 0
    write: Callable[[], object] = lambda: None


class CaptionStage:
    """Captions for the videos of one library. Thread-safe."""

    def __init__(self, catalog: Catalog, shelf: Shelf, settings: Settings) -> None:
        self._catalog = catalog
        self._shelf = shelf
        self._settings = settings
        caption, repair, again = (
            load_prompt(name, settings.prompt_folders)
            for name in ("caption", "caption_repair", "caption_again")
        )
        self._prompts = CaptionPrompts(caption, repair, again)

    def key_parts(self) -> tuple[object, ...]:
        """What the stage's key is made of, beside the keys of the stages it reads."""
        settings = self._settings
        chosen = (settings.caption_seconds, settings.caption_images)
        return (self._shelf.name("captions"), self._prompts.key, *chosen)

    def plan(self, video: Video) -> list[PlannedView]:
        """What is worth a call in a video whose shots, speech and screen text are written."""
        name, known = self._shelf.name("captions"), self._known(video)

        def get_output(key: str) -> bytes | None:
            return self._catalog.get_output(key)

        return [
            PlannedView(view, is_described(view, name, self._prompts, known, get_output))
            for view in self._views(video, known)
        ]

    def make(
        self,
        video: Video,
        pictures: bool,
        get_output: GetOutput,
        put_output: PutOutput,
        progress: Report,
        purse: Purse | None = None,
        captioner: Callable[[], Captioner] | None = None,
    ) -> MadeCaptions:
        """Describe a video whose shots, speech and screen text are written.

        `pictures`: whether it has any. `captioner` gives the shelf's captioner, shared with other
        videos. Raises as `describe_views` does.
        """
        catalog, video_id = self._catalog, video.video_id
        if not pictures or not self._shelf.name("captions"):
            none = MadeCaptions("skipped", "no picture") if not pictures else self._no_model()

            def forget() -> None:
                catalog.replace_segments(video_id, "caption", [])

            return MadeCaptions(none.status, none.reason, write=forget)
        known = self._known(video)
        described = describe_views(
            self._views(video, known),
            (captioner or self._shelf.captioner)(),
            self._prompts,
            known,
            purse=purse,
            get_output=get_output,
            put_output=put_output,
            together=catalog.transaction,
            progress=progress,
        )
        segments, _ = clip(described.segments, video.duration)
        reasons = [f"at {start:.1f} s: {why}" for start, _, why in described.dropped]
        if described.left:
            made = described.views - described.left
            told = f"{made} of {described.views} views described within the budget"
            reasons.insert(0, f"{told}; footnote add --more goes on")
        return MadeCaptions(
            "pending" if described.left else "done",
            "; ".join(reasons),
            partial=bool(described.left),
            model_calls=described.model_calls,
            write=lambda: catalog.replace_segments(video_id, "caption", segments),
        )

    def _no_model(self) -> MadeCaptions:
        embedded = self._settings.profile == "embedded"
        return MadeCaptions("skipped" if embedded else "pending", self._shelf.reason("captions"))

    # ------------------------------------------------------------ from the catalog

    def _known(self, video: Video) -> Known:
        catalog, video_id = self._catalog, video.video_id
        facts = catalog.metadata([video_id]).get(video_id)
        other = [*facts.people, facts.place, *facts.tags, facts.description] if facts else []
        return Known(
            video.title,
            [s for s in catalog.segments(video_id, "speech") if not s.invented],
            catalog.segments(video_id, "screen"),
            " ".join(other),
        )

    def _views(self, video: Video, known: Known) -> list[View]:
        return views_of(
            self._shots(video.video_id),
            known.speech,
            known.screen,
            seconds_per_call=self._settings.caption_seconds,
            images=self._settings.caption_images,
        )

    def _shots(self, video_id: str) -> Sequence[_SeenShot]:
        frames = [
            _SeenFrame(
                frame.time, self._catalog.folder / frame.path, _fact(frame.facts, "novelty", 1.0)
            )
            for frame in self._catalog.frames(video_id)
        ]
        times = [frame.time for frame in frames]
        return [
            _SeenShot(
                shot.start,
                shot.end,
                _fact(shot.facts, "motion", 0.0),
                tuple(frames[bisect_left(times, shot.start) : bisect_left(times, shot.end)]),
            )
            for shot in self._catalog.shots(video_id)
        ]


def _fact(facts: Mapping[str, object], name: str, unknown: float) -> float:
    """A number among the facts of a shot or a frame that an older scan may not have."""
    value = facts.get(name, unknown)
    return float(value) if isinstance(value, int | float) else unknown


@dataclass(frozen=True, slots=True)
class _SeenFrame:
    time: float
    path: Path
    novelty: float


@dataclass(frozen=True, slots=True)
class _SeenShot:
    start: float
    end: float
    motion: float
    key_frames: tuple[_SeenFrame, ...]
