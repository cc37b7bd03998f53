"""The stage that makes chapters and summaries, for videos that are read and for imported ones.

Its key is made of the texts of the video's passages, not of how they came: a corrected word makes
the levels anew, a transcript that was made again and is the same does not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pipeline.errors import ModelUnavailable
from pipeline.ingest.embedding import embed_segments, write_passages
from pipeline.ingest.levels import LEVELS, make_levels, material_of
from pipeline.ingest.outputs import GetOutput, PutOutput, output_key
from pipeline.ingest.written_levels import LevelWriter
from pipeline.models.shelf import Shelf
from pipeline.prompts import Prompt, load_prompt
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.types import IMPORTED, Source, StageRecord, StageStatus, Video

PROMPTS = ("chapters", "summary", "summary_fuse", "summary_restore")
_VERSION = "2"  # raised when this code changes what it makes
_WRITTEN = "+"  # between what the text gives to a key and what the model gives


@dataclass(frozen=True, slots=True)
class MadeLevels:
    """What became of the stage; `write` stores it, in a transaction with the stage's record."""

    status: StageStatus
    key: str
    reason: str
    model_calls: int
    write: Callable[[], object]
    tokens: tuple[int, int] = (0, 0)  # of the prompts, of the replies


class LevelStage:
    """Chapters and summaries for the videos of one library. Thread-safe."""

    def __init__(self, catalog: Catalog, shelf: Shelf, settings: Settings) -> None:
        self._catalog = catalog
        self._shelf = shelf
        self._settings = settings
        self._prompts: dict[str, Prompt] = {
            name: load_prompt(name, settings.prompt_folders) for name in PROMPTS
        }

    def stands(self, video: Video, record: StageRecord | None) -> bool:
        """Whether the stage need not be run. What a model wrote of the same text stays where
        there is no model now; what it owed is asked for again where there is one."""
        if self._settings.levels == "none":
            return True
        if record is None:
            return False
        of_text = self._text_key(video)
        if record.key not in (IMPORTED, self.key(video)):
            written = record.status == "done" and record.key.startswith(of_text + _WRITTEN)
            return written and self._settings.levels != "text" and not self._shelf.name("language")
        if record.status == "pending":
            return not self._shelf.available("language")
        return record.status in ("done", "skipped")

    def follows_at_once(self, record: StageRecord | None) -> bool:
        """Whether levels are made anew as soon as a word is corrected: where that asks no model
        again, and takes the place of nothing that was imported."""
        made = record is not None and record.key != IMPORTED and _WRITTEN not in record.key
        return made and self._settings.levels != "none"

    def key(self, video: Video, *, imported: bool = False) -> str:
        """Of what the levels are made of now."""
        of_text = self._text_key(video)
        if not self._asks_model(imported):
            return of_text
        prompts = "\n".join(prompt.key for prompt in self._prompts.values())
        name = self._shelf.name("language")
        return of_text + _WRITTEN + output_key("", name, prompts).removeprefix(":")[:16]

    def make(
        self,
        video: Video,
        get_output: GetOutput,
        put_output: PutOutput,
        *,
        imported: bool = False,
        keep: Collection[Source] = (),
    ) -> MadeLevels:
        """The levels of a video whose passages are written; those to `keep` stay as they are."""
        catalog, video_id, reason = self._catalog, video.video_id, ""
        writer: LevelWriter | None = None
        if self._asks_model(imported):
            try:
                model = self._shelf.language_model()
                window = self._settings.context_window
                writer = LevelWriter(model, self._prompts, window, get_output, put_output)
            except ModelUnavailable as error:
                reason = f"{error.message}; {error.hint}" if error.hint else error.message
        given = {source: tuple(catalog.segments(video_id, source)) for source in keep}
        embedder = self._shelf.embedder()
        levels = make_levels(material_of(catalog, video), embedder, writer, given)
        stored = {
            source: list(catalog.corrected(video_id, source, segments))
            for source, segments in levels.segments.items()
        }
        seconds = self._settings.passage_seconds
        embedded = embed_segments(catalog, embedder, stored, seconds=seconds, sources=LEVELS)

        def write() -> None:
            for source in LEVELS:
                if source not in keep:
                    catalog.replace_segments(video_id, source, levels.segments[source])
            write_passages(catalog, video_id, embedded)

        reason = reason or levels.reason
        if reason:
            reason += "; until then they are made of the text alone"
        key = IMPORTED if keep else self.key(video, imported=imported)
        tokens = (writer.prompt_tokens, writer.completion_tokens) if writer else (0, 0)
        status: StageStatus = "pending" if reason else "done"
        return MadeLevels(status, key, reason, levels.model_calls, write, tokens)

    def _asks_model(self, imported: bool) -> bool:
        wanted = self._settings.levels
        if wanted == "model":
            return True
        return wanted == "auto" and not imported and bool(self._shelf.name("language"))

    def _text_key(self, video: Video) -> str:
        marks = self._catalog.text_marks(video.video_id)
        own = video.media.get("chapters") or ()
        parts = (video.title, self._shelf.embedding, repr(marks), repr(own))
        return output_key("levels", _VERSION, *parts)
