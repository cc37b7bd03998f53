"""A library: a folder that holds everything Footnote knows about some videos.

The facade alone constructs stores and models and hands them down as protocols.

    with Library("talks-library") as library:
        library.add(["talks/"])
        answer = library.ask("Who proposed the ferry line?")
        print(answer.answer, answer.citations)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import UsageError
from pipeline.models.shelf import Shelf
from pipeline.prompts import load_prompt
from pipeline.retrieve.finder import Finder, check_question
from pipeline.settings import Settings, load_settings
from pipeline.store.catalog import Catalog
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.synchronise import library_indexes
from pipeline.types import (
    IMPORTED,
    SOURCES,
    TEXT_STAGES,
    Answer,
    Check,
    Embedder,
    Filters,
    Image,
    LanguageModel,
    Listing,
    Progress,
    ProgressEvent,
    SearchResult,
    Segment,
    Source,
    StageRecord,
    Video,
    VideoReport,
    VideoStatus,
    VideoSummary,
)

if TYPE_CHECKING:
    from pipeline.ingest.rows import ImportedVideo
    from pipeline.retrieve.expand import Expansion
    from pipeline.retrieve.fuse import Recipe
    from pipeline.types import PassageIndex


_log = logging.getLogger(__name__)

_SYNCHRONISE_SECONDS = 15.0  # between two updates of the indexes during a long `add`
_REINDEX_BATCH = 512


@dataclass(frozen=True, slots=True)
class Plan:
    """What `add` would read, and which model would do each stage."""

    profile: str
    files: tuple[tuple[str, int], ...]  # (path, bytes)
    stages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AddResult:
    videos: tuple[VideoReport, ...]
    took_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ImportResult:
    videos: tuple[VideoReport, ...]
    rows: int
    errors: tuple[tuple[int, str], ...]  # (line, message)
    took_ms: Mapping[str, float]


def plan_of(paths: Sequence[str | Path], settings: Settings) -> Plan:
    """What `add` would read, and with which models. Loads no model, reads no video.

    Raises `UsageError` for a path that is not there. The library need not exist yet.
    """
    from pipeline.ingest.discover import find_media

    files = find_media(paths, settings.library)
    shelf = Shelf(settings, settings.embedding_model)
    speech, captions = shelf.name("speech"), shelf.name("captions")
    stages = {
        "speech": f"subtitles, else {speech}" if speech else "subtitles",
        "screen": shelf.name("screen"),
        "captions": captions or f"none: {shelf.reason('captions')}",
    }
    if settings.frame_model:
        stages["frames"] = shelf.name("frames")
    sizes = tuple((str(file), file.stat().st_size) for file in files)
    return Plan(settings.profile, sizes, stages)


class Library:
    """One library, open for reading and writing. Safe to share between threads; close it.

    `path` (else the settings' `library`) is made when `create` is True; otherwise a folder
    without a library is `LibraryNotFound`. `language_model` and `embedder` take the place of the
    settings' choice: any object of that role, a LlamaIndex `LLM` included.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        settings: Settings | None = None,
        *,
        create: bool = True,
        language_model: object | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        settings = settings or load_settings({"library": path})
        if path is not None:
            settings = settings.model_copy(update={"library": Path(path)})
        self.settings = settings
        self.path = settings.library
        self._catalog = Catalog(self.path, create=create)
        space = self._catalog.embedding_space()
        self._shelf = Shelf(
            settings,
            space.model if space else settings.embedding_model,
            language_model=_as_language_model(language_model),
            embedder=embedder,
        )
        self._indexes = library_indexes(self.path, settings.chroma)
        self._finder = Finder(self._catalog, self._indexes, self._shelf, settings)

    def close(self) -> None:
        self._indexes.close()
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ filling

    def add(self, paths: Sequence[str | Path], progress: Progress | None = None) -> AddResult:
        """Bring every video among `paths` up to date; see `footnote add`.

        One report per file. A file that cannot be read, or only in part, does not stop the
        others. Raises `UsageError` for a path that is not there, `EmbeddingMismatch`.
        """
        from pipeline.ingest.discover import find_media
        from pipeline.ingest.runner import LocalExecutor, Runner
        from pipeline.ingest.stages import VideoStages
        from pipeline.media.child import MediaReader

        began = time.perf_counter()
        files = find_media(paths, self.path)
        self._finder.check_embedding()
        with MediaReader(self.settings.media_memory_mb, self.settings.media_timeout) as media:
            stages = VideoStages(
                self._catalog,
                self._shelf,
                media,
                self.settings,
                load_prompt("caption", self.settings.prompt_folders),
            )
            runner = Runner(self._catalog, stages, LocalExecutor(), progress or _silent)
            reports = self._synchronised(runner.run(files))
        order = {str(file): place for place, file in enumerate(files)}
        reports.sort(key=lambda report: order.get(report.path, len(order)))
        return AddResult(tuple(reports), {"total": _since(began)})

    def import_rows(self, file: str | Path, progress: Progress | None = None) -> ImportResult:
        """Import timed text from a JSONL file; the videos it names are replaced.

        Bad rows are reported with their line numbers, the others go in.
        """
        from pipeline.ingest.rows import read_rows

        began = time.perf_counter()
        rows = read_rows(file)
        self._finder.check_embedding()
        total = len(rows.videos)
        report = progress or _silent

        def imported() -> Iterator[VideoReport]:
            for number, video in enumerate(rows.videos, 1):
                yield self._import_video(video)
                report(ProgressEvent(Path(file).name, "import", number, total, "videos"))

        reports = self._synchronised(imported())
        count = sum(len(video.segments) for video in rows.videos)
        errors = tuple((problem.line, problem.message) for problem in rows.errors)
        return ImportResult(tuple(reports), count, errors, {"total": _since(began)})

    def remove(self, references: Sequence[str]) -> list[str]:
        """Remove videos by id, unique prefix or path, with everything known only through them.

        The files themselves stay. Raises `VideoNotFound` before anything is removed.
        """
        from pipeline.store.frames import remove_frames

        video_ids = list(dict.fromkeys(self._catalog.resolve(r) for r in references))
        for video_id in video_ids:
            self._catalog.remove_video(video_id)
            remove_frames(self.path, video_id)
        self._synchronise()
        return video_ids

    # ------------------------------------------------------------ looking

    def videos(self) -> list[VideoSummary]:
        """All videos by id."""
        counts, stages = self._catalog.segment_counts(), self._catalog.all_stages()
        return [
            _summary(v, counts.get(v.video_id, {}), stages.get(v.video_id, {}))
            for v in self._catalog.videos()
        ]

    def show(self, reference: str) -> tuple[VideoSummary, list[Segment]]:
        """One video and its timed text, by time. Raises `VideoNotFound`."""
        video = self._catalog.video(self._catalog.resolve(reference))
        segments = self._catalog.segments(video.video_id)
        counts: dict[str, int] = {}
        for segment in segments:
            counts[segment.source] = counts.get(segment.source, 0) + 1
        return _summary(video, counts, self._catalog.stages(video.video_id)), segments

    def locate(self, reference: str, seconds: float) -> tuple[str, float]:
        """The file of a video, and `seconds` held within its length."""
        video = self._catalog.video(self._catalog.resolve(reference))
        if not video.path:
            where = f"; see {video.url}" if video.url else ""
            raise UsageError(
                f"{video.video_id} was imported without a file{where}", "footnote show"
            )
        if not Path(video.path).exists():
            raise UsageError(f"{video.path} is not there any more", "footnote add its new place")
        return video.path, min(seconds, video.duration) if video.duration else seconds

    def status(self) -> dict[str, Any]:
        """Counts, hours, disk use by part, models, pending work, generations."""
        pending: dict[str, int] = {}
        for records in self._catalog.all_stages().values():
            for record in records.values():
                if record.status in ("pending", "failed"):
                    pending[record.name] = pending.get(record.name, 0) + 1
        space, frames = self._catalog.embedding_space(), self._catalog.frame_space()
        return {
            "library": str(self.path),
            "counts": self._catalog.counts(),
            "hours": round(self._catalog.hours(), 3),
            "disk_bytes": _disk_use(self.path),
            "models": {
                "embedding": space.model if space else self._shelf.embedding,
                "screen": self._shelf.name("screen"),
                **({"frames": frames.model} if frames else {}),
            },
            "pending": pending,
            "generations": {
                "catalog": self._catalog.generation(),
                "matrix": self._indexes.matrix.stamp().generation,
                "words": self._indexes.words.stamp().generation,
                "vectors": self._indexes.vectors.stamp().generation,
                **({"frames": self._catalog.frame_generation()} if frames else {}),
            },
        }

    # ------------------------------------------------------------ asking

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        filters: Filters | None = None,
        hypothetical: Sequence[str] | None = None,
        recipe: Recipe | None = None,
    ) -> SearchResult:
        """The `k` best moments for `query`, best first.

        `hypothetical` are passages to search with beside the query; None lets a configured
        language model write them, an empty sequence asks none. `recipe` weighs the signals in
        another way than the shipped one, to study them. Raises `UsageError` for an empty query,
        `LibraryNotFound` for an empty library, `EmbeddingMismatch`.
        """
        check_question(query)
        model = self._finder.language_model(look_around=False)
        return self._finder.search(
            query, k, filters or Filters(), hypothetical, model=model, recipe=recipe
        )

    def find_all(
        self,
        question: str,
        *,
        filters: Filters | None = None,
        hypothetical: Sequence[str] | None = None,
    ) -> Listing:
        """Every moment about what `question` looks for, and what was scanned to know it.

        The frame of a question about the whole library ("how many times ...", "which videos ...")
        is left out: see `retrieve.framing`. No language model is asked; `hypothetical` are passages
        to compare with beside the question. Raises as `search` does.
        """
        check_question(question)
        return self._finder.find_all(question, filters or Filters(), hypothetical or ())

    def search_image(
        self,
        image: str | Path | Image,
        text: str = "",
        *,
        k: int = 10,
        filters: Filters | None = None,
        text_weight: float = 0.5,
    ) -> SearchResult:
        """The `k` moments that look most like `image`, a file or an RGB array, best first.

        `text` moves the query towards what it says ("at night"): `text_weight` of the way, 0 is
        the picture alone. Needs a frame model, and frames that were embedded with it. Raises
        `UsageError` for what is no picture and where no frames are embedded, `EmbeddingMismatch`
        where that was another model, `ModelUnavailable`.
        """
        from pipeline.media.image_file import checked_image, read_image

        if not 0 <= text_weight <= 1:
            raise UsageError(f"text_weight {text_weight} is not between 0 and 1", "0.5")
        picture = read_image(image) if isinstance(image, str | Path) else checked_image(image)
        return self._finder.search_image(picture, text, k, filters or Filters(), text_weight)

    def ask(
        self,
        question: str,
        *,
        k: int | None = None,
        filters: Filters | None = None,
        hypothetical: Sequence[str] | None = None,
    ) -> Answer:
        """An answer whose every sentence is cited, or an honest abstention, from `k` moments.

        With a language model it is written from the moments found, without one it is made of
        sentences quoted from them. Raises as `search` does.
        """
        from pipeline.answer.ask import answer_question

        check_question(question)
        self._finder.index()  # an empty library is found out before a model is loaded
        model = self._finder.language_model(look_around=True)
        moments = k or self.settings.evidence_moments
        result = self._finder.search(
            question, moments, filters or Filters(), hypothetical, model=model
        )
        return answer_question(
            question, result, self._catalog, self._shelf.embedder(), model, self.settings
        )

    def expand(self, question: str) -> Expansion:
        """Passages that would answer `question`, written by the language model (HyDE).

        Cached by question, prompt and model. Raises `ModelUnavailable` without a model.
        """
        return self._finder.expand(question)

    def embedder(self) -> Embedder:
        """The model the library's passages are embedded with."""
        return self._shelf.embedder()

    def index(self) -> PassageIndex:
        """The passages as they are now, for searching. Raises `LibraryNotFound` when empty."""
        return self._finder.index()

    def as_retriever(self, k: int = 10) -> Any:
        """A LlamaIndex retriever over the library's moments."""
        from pipeline.integrations.llama_index import moment_retriever

        return moment_retriever(lambda query: self.search(query, k=k))

    def as_query_engine(self) -> Any:
        """A LlamaIndex query engine that answers as `ask` does."""
        from pipeline.integrations.llama_index import answer_engine

        return answer_engine(self.ask)

    # ------------------------------------------------------------ mending

    def doctor(self, *, repair: bool = False) -> list[Check]:
        """What is wrong with the library; `repair` first rebuilds what is derived and damaged."""
        from pipeline.store.synchronise import check, merely_behind
        from pipeline.store.synchronise import repair as mend

        if repair:
            mend(self._catalog, self._indexes)
        elif merely_behind(self._catalog, self._indexes):
            self._synchronise()
        return [*check(self._catalog, self._indexes), self._check_files()]

    def reindex(
        self, embedding: str | None = None, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Embed every passage with `embedding` (None: the library's model), and use that model.

        The present vectors serve searches until the last new one is made; a killed run goes on
        where it stopped. Passages keep their texts: only a model with a lower token limit sees
        less of the longest ones.
        """
        from pipeline.ingest.embedding import embed_groups
        from pipeline.models.embedding import load_embedder

        report = progress or _silent
        embedder = load_embedder(embedding or self._shelf.embedding, self.settings)
        space = EmbeddingSpace(embedder.name, embedder.dimension)
        total, done = self._catalog.counts()["passages"], 0
        self._catalog.start_reembedding(space)
        while batch := self._catalog.texts_to_reembed(_REINDEX_BATCH):
            rows = [row for row, _ in batch]
            vectors = embedder.embed([text for _, text in batch])
            windows = embed_groups(embedder, self._catalog.window_texts(rows))
            self._catalog.put_next_embeddings(rows, vectors, windows)
            done += len(batch)
            report(ProgressEvent("reindex", "embedding", done, total, "passages"))
        self._catalog.adopt_next_embeddings(space)
        self._shelf = Shelf(self.settings, embedder.name, embedder=embedder)
        self._finder = Finder(self._catalog, self._indexes, self._shelf, self.settings)
        self._synchronise()
        return {"passages": total, "embedding": embedder.name, "dimension": embedder.dimension}

    # ------------------------------------------------------------ inside

    def _import_video(self, imported: ImportedVideo) -> VideoReport:
        from pipeline.ingest.embedding import embed_segments, write_passages

        catalog, embedder = self._catalog, self._shelf.embedder()
        known = catalog.video(imported.video_id) if catalog.has_video(imported.video_id) else None
        video = _imported_video(imported, known)
        segments: dict[Source, list[Segment]] = {source: [] for source in SOURCES}
        for segment in dict.fromkeys(imported.segments):  # a row that is there twice was said once
            segments[segment.source].append(segment)
        embedded = embed_segments(
            catalog, embedder, segments, seconds=self.settings.passage_seconds
        )
        records = {name: StageRecord(name, "done", IMPORTED) for name in TEXT_STAGES}
        with catalog.transaction():
            catalog.claim_embedding_space(EmbeddingSpace(embedder.name, embedder.dimension))
            catalog.put_video(replace(video, duration=0.0))  # the text before it may be longer
            for source, some in segments.items():
                catalog.replace_segments(video.video_id, source, some)
            write_passages(catalog, video.video_id, embedded)
            catalog.put_video(video)
            for record in records.values():
                catalog.put_stage(video.video_id, record)
        status: VideoStatus = "updated" if known else "added"
        replaced = f"replaces the text read from {known.path}" if known and known.sha256 else ""
        return VideoReport(video.video_id, video.path, status, records, replaced)

    def _synchronised(self, reports: Iterable[VideoReport]) -> list[VideoReport]:
        """Draw all `reports`; the indexes follow every few seconds, and at the end."""
        drawn, last = [], time.monotonic()
        try:
            for report in reports:
                drawn.append(report)
                if time.monotonic() - last > _SYNCHRONISE_SECONDS:
                    self._synchronise()
                    last = time.monotonic()
        finally:
            self._synchronise()
        return drawn

    def _synchronise(self) -> None:
        from pipeline.store.synchronise import synchronise

        synchronise(self._catalog, self._indexes)

    def _check_files(self) -> Check:
        missing = [v.path for v in self._catalog.videos() if v.path and not Path(v.path).exists()]
        detail = f"{len(missing)} not there any more: {', '.join(missing[:3])}" if missing else ""
        return Check("video files", not missing, detail, "footnote add FOLDER" if missing else "")


def _imported_video(imported: ImportedVideo, known: Video | None) -> Video:
    """The video that the rows tell of; the file of one that was added before is remembered."""
    video = known or Video(
        imported.video_id, "", added=datetime.now(UTC).isoformat(timespec="seconds")
    )
    own_file = bool(video.sha256)
    return replace(
        video,
        title=video.title if own_file and imported.title == imported.video_id else imported.title,
        path=imported.path or video.path,
        duration=max(video.duration, imported.duration) if own_file else imported.duration,
        date=imported.date or video.date,
        language=imported.language,
        url=imported.url or video.url,
    )


def _summary(
    video: Video, counts: Mapping[str, int], stages: Mapping[str, StageRecord]
) -> VideoSummary:
    pending = tuple(n for n, r in stages.items() if r.status in ("pending", "failed"))
    sources: dict[str, int] = {source: counts[source] for source in SOURCES if source in counts}
    return VideoSummary(
        video.video_id, video.title, video.path, video.duration, video.added, sources, pending
    )


def _as_language_model(model: object | None) -> LanguageModel | None:
    """A `LanguageModel` as it is, a LlamaIndex `LLM` wrapped."""
    if model is None or hasattr(model, "name"):
        return model  # type: ignore[return-value]
    from pipeline.models.language import wrap

    return wrap(model)


def _disk_use(folder: Path) -> dict[str, int]:
    """Bytes by part of the library."""
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            part = path.relative_to(folder).parts[0]
            sizes[part] = sizes.get(part, 0) + path.stat().st_size
    return dict(sorted(sizes.items()))


def _since(began: float) -> float:
    """Milliseconds since `began`."""
    return (time.perf_counter() - began) * 1000


def _silent(event: ProgressEvent) -> None:
    """Progress that nobody watches."""
