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
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pipeline.errors import UsageError
from pipeline.models.shelf import Shelf
from pipeline.retrieve.finder import Finder, check_question
from pipeline.settings import Settings, load_settings
from pipeline.store.catalog import Catalog
from pipeline.store.database import DATABASE_FILE
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.synchronise import library_indexes
from pipeline.store.work import LIBRARY_OWNER, lease_owner
from pipeline.types import (
    CITABLE,
    FROM_FILE,
    IMPORTED,
    SOURCES,
    TEXT_STAGES,
    Allowance,
    Answer,
    AnswerEvent,
    BudgetState,
    Captioner,
    Chapters,
    ChatSummary,
    ChatTurn,
    Check,
    Embedder,
    Filters,
    Image,
    LanguageModel,
    Listing,
    Look,
    Metadata,
    Progress,
    ProgressEvent,
    Report,
    SearchResult,
    Segment,
    Source,
    StageRecord,
    Summary,
    TitledSpan,
    Verification,
    Video,
    VideoReport,
    VideoStatus,
    VideoSummary,
)

if TYPE_CHECKING:
    from pipeline.answer.chat import Chat
    from pipeline.answer.sight import Sight
    from pipeline.answer.verify import Verifier
    from pipeline.export.clipping import Clip
    from pipeline.export.formats import Export
    from pipeline.ingest.correcting import Edited
    from pipeline.ingest.forecast import Forecasting
    from pipeline.ingest.level_stage import LevelStage
    from pipeline.ingest.rows import ImportedVideo
    from pipeline.ingest.spending import Purse
    from pipeline.integrations.notebook import Pictures
    from pipeline.retrieve.expand import Expansion
    from pipeline.retrieve.fuse import Recipe
    from pipeline.types import PassageIndex

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

_SYNCHRONISE_SECONDS = 15.0  # between two updates of the indexes during a long `add`
_REINDEX_BATCH = 512
_EDIT_SECONDS = 120.0  # that a correction may take
_PICTURE_SECONDS = 20.0  # that decoding one picture may take
_LOOK_PATIENCE = 5.0  # seconds that a look waits for an `add` or an edit of its video to end


@dataclass(frozen=True, slots=True)
class Plan:
    """What `add` would read, and which model would do each stage."""

    profile: str
    files: tuple[tuple[str, int], ...]  # (path, bytes)
    stages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AddResult:
    """`budget` is what captions are limited by, and what of it is spent; None: by nothing."""

    videos: tuple[VideoReport, ...]
    took_ms: Mapping[str, float]
    budget: BudgetState | None = None


@dataclass(frozen=True, slots=True)
class ImportResult:
    videos: tuple[VideoReport, ...]
    rows: int
    errors: tuple[tuple[int, str], ...]  # (line, message); line 0 for a file that has no rows
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
    if settings.levels != "none":
        writer = "" if settings.levels == "text" else shelf.name("language")
        stages["levels"] = f"chapters and a summary by {writer or 'the text itself'}"
    if settings.sound_model:
        stages["sounds"] = shelf.name("sounds")
    if settings.frame_model:
        stages["frames"] = shelf.name("frames")
    sizes = tuple((str(file), file.stat().st_size) for file in files)
    return Plan(settings.profile, sizes, stages)


def forecast_of(
    paths: Sequence[str | Path],
    settings: Settings,
    budget: str | Allowance | None = None,
    more: bool = False,
    progress: Progress | None = None,
) -> Forecasting:
    """What `add` would take, with this budget. Reads the headers of new files, 20 ms each, of at
    most 500; loads no model, changes nothing. The library need not exist yet.

    Raises `UsageError` for a path that is not there, for a budget that is none, and for one in
    USD without prices.
    """
    from pipeline.ingest.discover import find_media
    from pipeline.ingest.forecast import Forecasting
    from pipeline.ingest.spending import (
        budget_for,
        check_prices,
        prices_of,
        read_allowance,
        rest_of,
    )
    from pipeline.ingest.workload import workload
    from pipeline.media.child import MediaReader

    wanted = read_allowance(budget) if isinstance(budget, str) else budget
    files = find_media(paths, settings.library)
    report = progress or _silent
    with ExitStack() as open_things:
        catalog = None
        if (settings.library / DATABASE_FILE).is_file():
            catalog = open_things.enter_context(Catalog(settings.library))
        space = catalog.embedding_space() if catalog else None
        shelf = Shelf(settings, space.model if space else settings.embedding_model)
        state = budget_for(catalog.budget() if catalog else None, wanted, more)
        model = shelf.name("captions")
        check_prices(state.allowance, prices_of(settings, model), model)
        media = open_things.enter_context(
            MediaReader(settings.media_memory_mb, settings.media_timeout)
        )
        load = workload(
            files,
            settings,
            shelf,
            catalog,
            media,
            describes_more=rest_of(state) >= 1,
            progress=lambda done, total: report(
                ProgressEvent("new files", "probing", done, total, "files")
            ),
        )
    report(ProgressEvent("new files", "finished", 1, 1))
    return Forecasting(load, settings, state)


def verify_file(saved: str | Path, settings: Settings | None = None) -> Verification:
    """A saved report checked against the evidence that it carries, without a library.

    That shows that it agrees with itself. Raises `UsageError` for a file that carries none.
    """
    from pipeline.answer.recheck import check
    from pipeline.answer.saved import load_saved
    from pipeline.models.embedding import load_embedder

    settings = settings or load_settings()
    read = load_saved(Path(saved))
    return check(read, load_embedder(settings.embedding_model, settings))


class Library:
    """One library, open for reading and writing. Safe to share between threads; close it.

    `path` (else the settings' `library`) is made when `create` is True; otherwise a folder
    without a library is `LibraryNotFound`. `language_model`, `embedder` and `captioner` take the
    place of the settings' choice: any object of that role, a LlamaIndex `LLM` included.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        settings: Settings | None = None,
        *,
        create: bool = True,
        language_model: object | None = None,
        embedder: Embedder | None = None,
        captioner: Captioner | None = None,
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
            captioner=captioner,
        )
        self._captioner = captioner
        self._indexes = library_indexes(self.path, settings.chroma)
        self._finder = Finder(self._catalog, self._indexes, self._shelf, settings)
        self._levels: LevelStage | None = None

    def close(self) -> None:
        self._indexes.close()
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ notebooks

    def _repr_html_(self) -> str:
        """The library in a notebook: its videos, the first fifty with a picture."""
        from pipeline.integrations.notebook import library_html

        return library_html(self.videos(), self._pictures())

    def _pictures(self) -> Pictures:
        from pipeline.integrations.notebook import LibraryPictures

        return LibraryPictures(self.frame, self.clip)

    def _shown(self, value: _T) -> _T:
        """`value`, which a notebook draws with pictures and clips of this library."""
        from pipeline.integrations.notebook import shown

        return shown(value, self._pictures())

    # ------------------------------------------------------------ filling

    def add(
        self,
        paths: Sequence[str | Path],
        progress: Progress | None = None,
        budget: str | Allowance | None = None,
        more: bool = False,
    ) -> AddResult:
        """Bring every video among `paths` up to date; see `footnote add`.

        One report per file. A file that cannot be read, or only in part, does not stop the
        others. `budget` ("200calls", "10min", "2usd") limits what captions may take, in this run
        and the next ones, until `more` opens another budget, None: without a limit. Raises
        `UsageError` for a path that is not there and a budget that is none, `EmbeddingMismatch`.
        """
        from pipeline.ingest.discover import find_media
        from pipeline.ingest.rounds import Adding, merged
        from pipeline.ingest.speeds import SpeedLog, speeds_file
        from pipeline.ingest.spending import read_allowance
        from pipeline.media.child import MediaReader

        began = time.perf_counter()
        files = find_media(paths, self.path)
        wanted = read_allowance(budget) if isinstance(budget, str) else budget
        self._finder.check_embedding()
        settings, log = self.settings, SpeedLog(speeds_file(self.settings))
        with (
            MediaReader(settings.media_memory_mb, settings.media_timeout) as media,
            self._open_purse(wanted, more=more) as purse,
        ):
            adding = Adding(
                self._catalog, self._shelf, media, settings, purse, log, progress or _silent
            )
            reports = merged(self._synchronised(adding.run(files)))
            state = purse.state() if purse.limited else None
        order = {str(file): place for place, file in enumerate(files)}
        reports.sort(key=lambda report: order.get(report.path, len(order)))
        return AddResult(tuple(reports), {"total": _since(began)}, state)

    def _open_purse(self, wanted: Allowance | None = None, *, more: bool = False) -> Purse:
        """What calls of the caption model are paid from; see `ingest.spending`."""
        from pipeline.ingest.speeds import per_call, read_speeds, speeds_file
        from pipeline.ingest.spending import open_purse

        model = self._shelf.name("captions")
        expected = per_call(read_speeds(speeds_file(self.settings)), model)
        return open_purse(self._catalog, self.settings, model, wanted, more, expected)

    def import_text(self, path: str | Path, progress: Progress | None = None) -> ImportResult:
        """Import what is known of videos that need not be here; see `footnote import`.

        `path` holds rows (`import_rows`), or is a file of subtitles, a transcript of Whisper or an
        .info.json with the files of its name beside it, or a folder of these: content decides.
        Videos that are there themselves are passed over in a folder: `add` reads both. Raises
        `UsageError` for a path that is not there or holds none of this.
        """
        from pipeline.ingest.bundles import BundleImporter, find_bundles
        from pipeline.media.bundles import is_rows
        from pipeline.media.child import MediaReader

        path = Path(path).expanduser()
        if not path.is_dir() and is_rows(path):
            return self.import_rows(path, progress)
        began = time.perf_counter()
        bundles = find_bundles(path, self.path)
        self._finder.check_embedding()
        with MediaReader(self.settings.media_memory_mb, self.settings.media_timeout) as media:
            importer = BundleImporter(self._catalog, media, alone=not path.is_dir())
            report = progress or _silent

            def imported() -> Iterator[VideoReport]:
                for number, bundle in enumerate(bundles, 1):
                    found = importer.read(bundle)
                    if isinstance(found, VideoReport):
                        yield found
                    elif found:
                        yield self._import_video(found)
                    report(ProgressEvent(path.name, "import", number, len(bundles), "videos"))

            reports = self._synchronised(imported())
        errors = tuple((0, problem) for problem in importer.problems)
        return ImportResult(tuple(reports), importer.rows, errors, {"total": _since(began)})

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

    def edit(
        self,
        reference: str,
        *,
        at: float | None = None,
        within: float = 0.0,
        segment: int | None = None,
        source: Source | None = None,
        text: str | None = None,
        speaker: str | None = None,
        **facts: str | Sequence[str],
    ) -> Edited:
        """Correct a segment's text or speaker, or what is known of the video; see `footnote edit`.

        The segment is the one at `at` seconds (`ingest.correcting.segment_at`) or number `segment`
        of `show`; `facts` are title, date, place, people, tags. The correction stays when the
        video is read again. Raises `UsageError` where nothing is meant or nothing would change.
        """
        from pipeline.ingest.correcting import FACTS, correct_facts, correct_segment, pick

        if wrong := facts.keys() - set(FACTS):
            raise UsageError(f"nothing is known as {min(wrong)!r}", f"one of {', '.join(FACTS)}")
        of_segment = text is not None or speaker is not None
        if of_segment == bool(facts):
            raise UsageError("give either what a segment says, or facts of the video", "--text")
        video_id = self._catalog.resolve(reference)
        with self._being_edited(video_id):
            if facts:
                given = {n: [v] if isinstance(v, str) else list(v) for n, v in facts.items()}
                return correct_facts(self._catalog, video_id, given)
            meant = pick(
                self._catalog.segments(video_id), at, within, segment, source, text is None
            )
            self._finder.check_embedding()
            done = correct_segment(
                self._catalog,
                self._shelf.embedder(),
                video_id,
                meant,
                text=text,
                speaker=speaker,
                seconds=self.settings.passage_seconds,
            )
            self._levels_follow(done)
        self._synchronise()
        return done

    def undo_edit(self, reference: str) -> Edited:
        """Take back the last `edit` of a video. Raises `UsageError` when there is none."""
        from pipeline.ingest.correcting import undo_last

        video_id = self._catalog.resolve(reference)
        with self._being_edited(video_id):
            undone = undo_last(
                self._catalog,
                self._shelf.embedder,
                video_id,
                seconds=self.settings.passage_seconds,
            )
            self._levels_follow(undone)
        self._synchronise()
        return undone

    def _levels_follow(self, done: Edited) -> None:
        if any(correction.source in CITABLE for correction in done.corrections):
            self._remake_levels(done.video_id)

    def _remake_levels(self, video_id: str) -> None:
        """Chapters and a summary that were made of the text alone are made of the changed text;
        what a model wrote waits for the next `add`."""
        record = self._catalog.stage(video_id, "levels")
        if self._level_stage().follows_at_once(record):
            self._make_levels(self._catalog.video(video_id), ())

    def edits(self, reference: str) -> Edited:
        """What was corrected of a video and is not taken back, first to last."""
        from pipeline.ingest.correcting import Edited

        video_id = self._catalog.resolve(reference)
        return Edited(video_id, tuple(self._catalog.corrections(video_id)))

    @contextmanager
    def _being_edited(self, video_id: str) -> Iterator[None]:
        """No `add` works on the video meanwhile, and no other edit."""
        owner = lease_owner()
        if not self._catalog.claim(video_id, "add", owner, _EDIT_SECONDS):
            raise UsageError(f"footnote add is working on {video_id}", "try again when it is done")
        try:
            yield
        finally:
            self._catalog.release(video_id, "add", owner)

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
        known = self._catalog.metadata(described=False)
        found = [
            _summary(v, counts.get(v.video_id, {}), stages.get(v.video_id, {}), known[v.video_id])
            for v in self._catalog.videos()
            if v.video_id in known  # another process may have added it meanwhile
        ]
        return self._shown(found)

    def show(self, reference: str) -> tuple[VideoSummary, list[Segment]]:
        """One video and its timed text, by time. Raises `VideoNotFound`."""
        video = self._catalog.video(self._catalog.resolve(reference))
        segments = self._catalog.segments(video.video_id)
        counts: dict[str, int] = {}
        for segment in segments:
            counts[segment.source] = counts.get(segment.source, 0) + 1
        known = self._catalog.metadata([video.video_id])[video.video_id]
        return _summary(video, counts, self._catalog.stages(video.video_id), known), segments

    def video(self, reference: str) -> Video:
        """What the catalog has of one video: its file and the facts of it.

        Raises `VideoNotFound`.
        """
        return self._catalog.video(self._catalog.resolve(reference))

    def with_content(self, sha256: str) -> list[Video]:
        """The videos whose file has this content, by id."""
        return self._catalog.videos_by_hash(sha256)

    def is_damaged(self, reference: str) -> bool:
        """Whether some of a video could not be decoded. Raises `VideoNotFound`."""
        record = self._catalog.stage(self._catalog.resolve(reference), "frames")
        return record is not None and record.status == "failed"

    def key_frames(self, reference: str) -> tuple[list[tuple[float, Path]], list[float]]:
        """(time, JPEG) of the stored frames of a video, and when its shots begin, both ascending.

        Raises `VideoNotFound`.
        """
        video_id = self._catalog.resolve(reference)
        return self._stored_frames(video_id), self._catalog.cuts([video_id]).get(video_id, [])

    def frame(self, reference: str, at: float, *, width: int = 640) -> tuple[float, bytes]:
        """What is seen at `at` seconds: (the frame's own time, a JPEG of at most `width` pixels).

        The stored frame of the shot where there is one, else what the file shows there, decoded
        from the key frame before it. Raises `VideoNotFound`, `UsageError` for a video without a
        file, `MediaError` where no picture can be had.
        """
        from pipeline.media.child import MediaReader
        from pipeline.media.seeking import picture_near
        from pipeline.media.thumbnails import encode, frame_near, shrink

        video, (frames, cuts) = self.video(reference), self.key_frames(reference)
        near = frame_near(frames, cuts, at)
        if near is not None:
            with suppress(OSError):  # its file is gone or damaged: `doctor` says so
                return near[0], shrink(near[1], width)
        if not video.file:
            raise UsageError(
                f"{video.video_id} was imported without a file, so it has no pictures",
                "footnote add FILE",
            )
        with MediaReader(self.settings.media_memory_mb, _PICTURE_SECONDS) as media:
            time, picture = media.run(picture_near, video.file, at, 2 * width)
        return time, encode(picture, width)

    def chapters(self, reference: str) -> Chapters:
        """The chapters of one video: its own, else those a language model or the text gives.

        Raises `VideoNotFound`.
        """
        video = self._catalog.video(self._catalog.resolve(reference))
        rows = self._catalog.segments(video.video_id, "chapter")
        spans = tuple(TitledSpan(r.start, r.end, r.text, FROM_FILE in r.flags) for r in rows)
        return Chapters(video.video_id, video.title, spans, self._levels_note(video, bool(spans)))

    def summary(self, reference: str) -> Summary:
        """The summary of one video, each sentence with the places that it is taken from.

        Raises `VideoNotFound`.
        """
        from pipeline.ingest.underneath import summary_of

        video = self._catalog.video(self._catalog.resolve(reference))
        told = summary_of(self._catalog.segments(video.video_id))
        text = " ".join(sentence.text for sentence in told)
        note = self._levels_note(video, bool(told))
        return Summary(video.video_id, video.title, text, told, note)

    def _levels_note(self, video: Video, there: bool) -> str:
        """Why there is nothing, or what is owed."""
        record = self._catalog.stage(video.video_id, "levels")
        if record is None and not there:
            return "not made yet; footnote add makes them" if video.path else "not made"
        if record is not None and record.status == "pending":
            return f"pending: {record.reason}"
        return "" if there else "it has little text, or stays with one subject"

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

    # ------------------------------------------------------------ taking out

    def clip(
        self, reference: str, start: float, end: float, target: str | Path, *, exact: bool = False
    ) -> Clip:
        """Write `start` to `end` seconds of a video to a file; its name tells the container.

        Packets are copied where that gives a clip that plays, from the key frame before; `exact`
        encodes anew. What was done is in the result. Raises `UsageError` for an interval that is
        none or outside, a video without a file and a `target` that cannot be, `MediaError`.
        """
        from pipeline.export.clipping import check_target, clip_video
        from pipeline.media.child import MediaReader

        video = self._catalog.video(self._catalog.resolve(reference))
        place = check_target(Path(target), self.path, self._catalog.videos())
        with MediaReader(self.settings.media_memory_mb, self.settings.media_timeout) as media:
            return clip_video(video, start, end, place, media, exact=exact)

    def export(
        self,
        form: str,
        *,
        answer: Answer | Mapping[str, Any] | str | Path | None = None,
        video: str | None = None,
        sources: Sequence[Source] = (),
        subtitles: str = "burned",
        target: str | Path | None = None,
        folders: bool = True,
        progress: Progress | None = None,
    ) -> Export:
        """An answer (or what `ask --json` wrote: the value, or its file) or a video in a format.

        `form` is one of `export.formats.FORMATS`. Formats of text come as bytes, and the caller
        writes them (`target` is only checked); a reel is written to `target`, with `subtitles`
        "burned", "sidecar" or "none". `sources` are those of a video to tell. With `folders` False
        files are named without where they lie, for who is at another machine. Raises `UsageError`
        where there is nothing to export, `MediaError`.
        """
        from pipeline.export.clipping import check_target
        from pipeline.export.formats import chosen_format
        from pipeline.export.making import export_answer, export_reel, export_video, read_answer
        from pipeline.export.reel import chosen_subtitles
        from pipeline.export.stock import Stock
        from pipeline.media.child import MediaReader

        chosen, shown = chosen_format(form), chosen_subtitles(subtitles)
        if (answer is None) == (video is None):
            raise UsageError("give an answer or a video", "--answer A.json, or --video V")
        place = Path(target) if target is not None else None
        if place is not None:
            place = check_target(place, self.path, self._catalog.videos())
        settings, report = self.settings, progress or _silent
        with MediaReader(settings.media_memory_mb, settings.media_timeout) as media:
            font = str(settings.reel_font or "")
            stock = Stock(self._catalog, self._stored_frames, media, font, folders)
            if video is not None:
                video_id = self._catalog.resolve(video)
                known = self._catalog.metadata([video_id])[video_id]
                return export_video(video_id, chosen, stock, sources, known)
            assert answer is not None
            saved = read_answer(answer)
            if chosen != "reel":
                return export_answer(saved, chosen, stock)
            if place is None:
                raise UsageError("a reel is a file", "-o reel.mp4")
            name = place.name
            return export_reel(
                saved,
                stock,
                place,
                shown,
                lambda done, total: report(ProgressEvent(name, "reel", done, total, "scenes")),
            )

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
            **({"budget": _budget_facts(budget)} if (budget := self._catalog.budget()) else {}),
            "generations": {
                "catalog": self._catalog.generation(),
                "matrix": self._indexes.matrix.stamp().generation,
                "words": self._indexes.words.stamp().generation,
                "vectors": self._indexes.vectors.stamp().generation,
                **({"frames": self._catalog.frame_generation()} if frames else {}),
            },
        }

    def version(self) -> Hashable:
        """What is another one after anything was written to the library, by whatever process."""
        return self._catalog.data_version()

    def _stored_frames(self, video_id: str) -> list[tuple[float, Path]]:
        return [(f.time, self.path / f.path) for f in self._catalog.frames(video_id)]

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
        found = self._finder.search(
            query, k, filters or Filters(), hypothetical, model=model, recipe=recipe
        )
        return self._shown(found)

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
        found = self._finder.find_all(question, filters or Filters(), hypothetical or ())
        return self._shown(found)

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
        found = self._finder.search_image(picture, text, k, filters or Filters(), text_weight)
        return self._shown(found)

    def ask(
        self,
        question: str,
        *,
        k: int | None = None,
        filters: Filters | None = None,
        hypothetical: Sequence[str] | None = None,
        form: str = "",
        steps: int | None = None,
    ) -> Answer:
        """An answer whose every sentence is cited, or an honest abstention, from `k` moments.

        With a language model it is written from the moments found, without one it is made of
        sentences quoted from them. `form` is one of `types.FORMS`, "": what the question's wording
        asks for. `steps` (None: the setting `agent_steps`) is how often an answer that is not
        enough looks further, within the bounds of the settings: see `answer.agent`, and `trace` of
        the answer. Raises as `search` does, and `UsageError` for a form that is none.
        """
        from pipeline.answer.ask import answer_question

        steps = self.settings.agent_steps if steps is None else steps
        if steps:
            further = self._ask_further(
                question, k, filters or Filters(), hypothetical, form, steps
            )
            return self._shown(further)
        given = self._asked(question, k, filters, hypothetical, form)
        sight, verifier = self._sight(), self._verifier()
        answer = answer_question(question, *given, form=form, sight=sight, verifier=verifier)
        return self._shown(self._with_missing(answer, filters))

    def ask_stream(
        self,
        question: str,
        *,
        k: int | None = None,
        filters: Filters | None = None,
        hypothetical: Sequence[str] | None = None,
        form: str = "",
        steps: int | None = None,
    ) -> Iterator[AnswerEvent]:
        """As `ask`, in events as they come: the evidence, each sentence once checked, the answer.

        The search is done, and its errors are raised, when the first event is drawn. Where an agent
        looks further all events come at its end.
        """
        from pipeline.answer.ask import stream_answer

        steps = self.settings.agent_steps if steps is None else steps
        if steps:
            from pipeline.answer.agent_best import as_events

            asked = question, k, filters or Filters(), hypothetical, form, steps
            yield from as_events(self._ask_further(*asked))
            return
        given = self._asked(question, k, filters, hypothetical, form)
        sight, verifier = self._sight(), self._verifier()
        for event in stream_answer(question, *given, form=form, sight=sight, verifier=verifier):
            if isinstance(event, Answer):
                event = self._shown(self._with_missing(event, filters))
            yield event

    def chat(self, session: str | None = None, *, filters: Filters | None = None) -> Chat:
        """A conversation, in which a question may build on those before it; see `answer.chat`.

        It is kept in the library: `session` goes on with the one of that name, or begins it;
        None begins one that is named by the day. Raises `UsageError` for a name that is none.
        """
        from pipeline.answer.chat import Chat

        return Chat(
            self._catalog,
            self.ask,
            self.ask_stream,
            self.search,
            self.language_model,
            self.settings,
            session,
            filters,
        )

    def chat_after(self, turns: Sequence[ChatTurn], *, filters: Filters | None = None) -> Chat:
        """A conversation that is kept elsewhere: `turns` came before, and nothing is stored."""
        from pipeline.answer.chat import Chat
        from pipeline.answer.elsewhere import SESSION, TurnsElsewhere

        return Chat(
            TurnsElsewhere(self._catalog, turns),
            self.ask,
            self.ask_stream,
            self.search,
            self.language_model,
            self.settings,
            SESSION,
            filters,
        )

    def chats(self) -> list[ChatSummary]:
        """The conversations kept in the library, the one that was used last first."""
        return self._catalog.chats()

    def forget_chat(self, session: str) -> None:
        """Delete a conversation. Raises `UsageError` where there is none of that name."""
        self._catalog.forget_chat(session)

    def _asked(
        self,
        question: str,
        k: int | None,
        filters: Filters | None,
        hypothetical: Sequence[str] | None,
        form: str,
    ) -> tuple[SearchResult, Catalog, Embedder, LanguageModel | None, Settings]:
        """What an answer is made from and with."""
        from pipeline.answer.forms import chosen_form

        check_question(question)
        chosen_form(question, form)  # a mistake is found out before a model is loaded
        self._finder.index()  # and so is an empty library
        model = self._finder.language_model(look_around=True)
        moments = k or self.settings.evidence_moments
        result = self._finder.search(
            question, moments, filters or Filters(), hypothetical, model=model
        )
        return result, self._catalog, self._shelf.embedder(), model, self.settings

    def _ask_further(
        self,
        question: str,
        k: int | None,
        filters: Filters,
        hypothetical: Sequence[str] | None,
        form: str,
        steps: int,
    ) -> Answer:
        """As `ask`, by an agent that takes `steps` steps at most beyond the first answer."""
        from pipeline.answer import agent
        from pipeline.answer.agent_model import ModelChooser
        from pipeline.answer.ask import answer_question
        from pipeline.answer.forms import chosen_form
        from pipeline.ingest.spending import check_prices, prices_of

        check_question(question)
        chosen_form(question, form)
        self._finder.index()
        settings, model = self.settings, self._finder.language_model(look_around=True)
        prices = prices_of(settings, model.name if model else "")
        if settings.agent_usd and model:
            check_prices(Allowance(settings.agent_usd, "usd"), prices, model.name)

        def search(query: str, some: Filters, count: int) -> SearchResult:
            # What the agent asks for is told already in the words of what is looked for.
            written = hypothetical if (query, some) == (question, filters) else ()
            return self._finder.search(query, count, some, written, model=model)

        def answer(asked: str, result: SearchResult, also: Sequence[str]) -> Answer:
            given = self._catalog, self._shelf.embedder(), model, settings
            sight, verifier = self._sight(), self._verifier()
            return answer_question(
                asked, result, *given, form=form, sight=sight, verifier=verifier, also=also
            )

        def length(video_id: str) -> float:
            return self._catalog.video(video_id).duration

        found = agent.run(
            question,
            search,
            self.look if self._shelf.name("captions") else None,
            answer,
            agent.Bounds(
                steps,
                settings.agent_calls,
                settings.agent_seconds,
                settings.agent_usd,
                k or settings.evidence_moments,
            ),
            chooser=ModelChooser(model, length, settings.prompt_folders) if model else None,
            filters=filters,
            prices=prices,
        )
        return self._with_missing(found, filters)

    def _verifier(self) -> Verifier | None:
        """What `verify_model` names; None where the first level of checking is all there is."""
        if not self.settings.verify_model:
            return None
        from pipeline.answer.verify_model import load_verifier

        return load_verifier(self.settings, self._shelf, self._shelf.embedder())

    def _sight(self) -> Sight | None:
        """The eyes of an answer, where the setting `answer_frames` gives it some."""
        from pipeline.answer.sight import Sight

        if not self.settings.answer_frames:
            return None

        return Sight(self._shelf.captioner(), self._stored_frames, self.settings.answer_frames)

    def _with_missing(self, answer: Answer, filters: Filters | None) -> Answer:
        """An answer that abstained also says what the library lacks of what could matter."""
        from pipeline.answer.nearby import missing

        if not answer.abstained:
            return answer
        videos = self._catalog.videos()
        ids = [video.video_id for video in videos]
        lacks = missing(
            filters or Filters(),
            videos,
            self._catalog.all_stages(),
            lambda some: self._finder.let_through(ids, some),
        )
        return replace(answer, missing=lacks)

    def report(self, topic: str, *, k: int | None = None, filters: Filters | None = None) -> Report:
        """An article on `topic` over many videos, every sentence cited and checked.

        Without a language model it is made of quotes. From `k` moments (`report_moments`), chosen
        among twice as many so that one video does not have them all. Without sections where the
        library has nothing on it. Raises as `search` does.
        """
        from pipeline.answer.report import make_report

        check_question(topic)
        self._finder.index()  # an empty library is found out before a model is loaded
        model = self._finder.language_model(look_around=True)
        settings = self.settings.model_copy(update={"report_moments": k} if k else {})
        wide = 2 * settings.report_moments
        found = self._finder.search(topic, wide, filters or Filters(), None, model=model)
        given = (self._catalog, self._shelf.embedder(), model, settings)
        return make_report(topic, found, *given, verifier=self._verifier())

    def verify(self, saved: str | Path | Mapping[str, Any], *, own: bool = False) -> Verification:
        """A saved answer or report (a file, or the value in it), checked again.

        Against this library, or with `own` against the evidence that a report carries itself; see
        `verify_file` for that without a library. Raises `UsageError` for what is neither.
        """
        from pipeline.answer.recheck import check
        from pipeline.answer.saved import load_saved, read_saved

        read = read_saved(saved) if isinstance(saved, Mapping) else load_saved(Path(saved))
        transcripts = None if own else self._catalog
        return check(read, self._shelf.embedder(), transcripts, self._verifier())

    def expand(self, question: str) -> Expansion:
        """Passages that would answer `question`, written by the language model (HyDE).

        Cached by question, prompt and model. Raises `ModelUnavailable` without a model.
        """
        return self._finder.expand(question)

    def look(
        self, reference: str, start: float, end: float, question: str, *, frames: int = 6
    ) -> Look:
        """What the frames between `start` and `end` seconds show, as the caption model sees it.

        What it saw is stored as captions of those frames: searches find it, answers cite it. The
        same look at the same content asks no model again. See `answer.look`. Raises `UsageError`
        for an interval outside the video and a video without picture or file, `BudgetSpent`,
        `ModelUnavailable`.
        """
        from pipeline.answer.look import PROMPTS, look_at, wanted
        from pipeline.media.child import MediaReader
        from pipeline.prompts import load_prompt

        check_question(question)
        video_id = self._catalog.resolve(reference)
        what = wanted(self._catalog.video(video_id), start, end, question, frames)
        self._finder.check_embedding()
        settings, captioner = self.settings, self._shelf.captioner
        model = self._shelf.name("captions") or captioner().name  # raises where there is none
        prompts = {name: load_prompt(name, settings.prompt_folders) for name in PROMPTS}
        with (
            MediaReader(settings.media_memory_mb, settings.media_timeout) as media,
            self._open_purse() as purse,
        ):
            found = look_at(what, self._catalog, model, captioner, media.frames_at, prompts, purse)
        if not self._catalog.waiting_looks(video_id) or self._take_in_looks(video_id):
            return found
        later = f"footnote add is working on {video_id}: it is searched when that is done"
        return replace(found, note="; ".join(filter(None, (found.note, later))))

    def _take_in_looks(self, video_id: str) -> bool:
        """Make what was looked at searchable; False where somebody else works on the video, who
        then does it (`ingest.looks`)."""
        from pipeline.ingest.looks import take_in_looks

        owner, until = lease_owner(), time.monotonic() + _LOOK_PATIENCE
        while not self._catalog.claim(video_id, "add", owner, _EDIT_SECONDS):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        try:
            seconds = self.settings.passage_seconds
            take_in_looks(self._catalog, self._shelf.embedder(), video_id, seconds)
            self._remake_levels(video_id)
        finally:
            self._catalog.release(video_id, "add", owner)
        self._synchronise()
        return True

    def embedder(self) -> Embedder:
        """The model the library's passages are embedded with."""
        return self._shelf.embedder()

    def language_model(self) -> LanguageModel | None:
        """The model that `ask` writes with, None where it quotes. Raises `ModelUnavailable`."""
        return self._finder.language_model(look_around=True)

    def get_output(self, key: str) -> bytes | None:
        """What a model said, kept by `put_output` under this key; see `ingest.outputs`."""
        return self._catalog.get_output(key)

    def put_output(self, key: str, value: bytes) -> None:
        """Keep what a model said, as a thing of the library and of no video."""
        self._catalog.put_output(key, LIBRARY_OWNER, value)

    def index(self) -> PassageIndex:
        """The passages as they are now, for searching. Raises `LibraryNotFound` when empty."""
        return self._finder.index()

    def as_retriever(self, k: int = 10, filters: Filters | None = None) -> Any:
        """A LlamaIndex retriever over the library's moments, the `k` best of each query."""
        from pipeline.integrations.llama_index import moment_retriever

        return moment_retriever(
            lambda query, written: self.search(query, k=k, filters=filters, hypothetical=written)
        )

    def as_query_engine(
        self, k: int | None = None, filters: Filters | None = None, *, streaming: bool = False
    ) -> Any:
        """A LlamaIndex query engine that answers as `ask` does, or as `ask_stream`."""
        from pipeline.integrations.llama_index import answer_engine

        return answer_engine(
            lambda query, written: self.ask(query, k=k, filters=filters, hypothetical=written),
            lambda query, written: self.ask_stream(
                query, k=k, filters=filters, hypothetical=written
            ),
            streaming=streaming,
        )

    def as_chat_engine(self, session: str | None = None, filters: Filters | None = None) -> Any:
        """A LlamaIndex chat engine; its turns are kept in the library as those of `chat` are."""
        from pipeline.integrations.llama_index_chat import chat_engine

        return chat_engine(
            lambda name: self.chat(name, filters=filters),
            lambda turns: self.chat_after(turns, filters=filters),
            session,
        )

    def as_query_transform(self) -> Any:
        """A LlamaIndex query transform: the passages that `search` writes to search with (HyDE).

        For retrievers of one's own; `as_retriever` writes them itself. Raises `ModelUnavailable`
        where there is no language model, when it is run.
        """
        from pipeline.integrations.llama_index import hyde_transform

        return hyde_transform(lambda question: self._finder.expand(question).passages)

    def as_embedding(self) -> Any:
        """The library's embedding model as a LlamaIndex `BaseEmbedding`."""
        from pipeline.integrations.llama_index import embedding_model

        return embedding_model(self._shelf.embedder())

    def as_nodes(self, videos: Sequence[str] | None = None) -> list[Any]:
        """The passages of `videos` (None: of all) as LlamaIndex `TextNode`s with their vectors.

        Chapters and summaries, which are made of the others, are left out.
        """
        from pipeline.integrations.llama_index import passage_nodes

        catalog = self._catalog
        ids = [v.video_id for v in catalog.videos()] if videos is None else videos
        found: list[Any] = []
        for video in (catalog.video(catalog.resolve(reference)) for reference in ids):
            every = catalog.passages_of(video.video_id)
            passages = [stored for stored in every if stored.passage.source in CITABLE]
            vectors = catalog.vectors_of([stored.row for stored in passages])
            found += [(stored, video.title, vectors[stored.row]) for stored in passages]
        return passage_nodes(found)

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
        self._shelf = Shelf(
            self.settings, embedder.name, embedder=embedder, captioner=self._captioner
        )
        self._levels = None
        self._finder = Finder(self._catalog, self._indexes, self._shelf, self.settings)
        self._synchronise()
        return {"passages": total, "embedding": embedder.name, "dimension": embedder.dimension}

    # ------------------------------------------------------------ inside

    def _import_video(self, imported: ImportedVideo) -> VideoReport:
        from pipeline.ingest.correcting import unfitting
        from pipeline.ingest.embedding import embed_segments, write_passages
        from pipeline.ingest.levels import LEVELS

        catalog, embedder = self._catalog, self._shelf.embedder()
        known = catalog.video(imported.video_id) if catalog.has_video(imported.video_id) else None
        video = _imported_video(imported, known)
        segments: dict[Source, list[Segment]] = {source: [] for source in SOURCES}
        for segment in dict.fromkeys(imported.segments):  # a row that is there twice was said once
            segments[segment.source].append(segment)
        corrected = {s: catalog.corrected(video.video_id, s, rows) for s, rows in segments.items()}
        embedded = embed_segments(
            catalog, embedder, corrected, seconds=self.settings.passage_seconds
        )
        records = {name: StageRecord(name, "done", IMPORTED) for name in TEXT_STAGES}
        with catalog.transaction():
            catalog.claim_embedding_space(EmbeddingSpace(embedder.name, embedder.dimension))
            catalog.put_video(replace(video, duration=0.0))  # the text before it may be longer
            for source, some in segments.items():
                catalog.replace_segments(video.video_id, source, some)
            write_passages(catalog, video.video_id, embedded)
            catalog.put_video(video)
            if not catalog.has_metadata(video.video_id, "file"):
                own = Metadata(video.title, video.date, url=video.url, language=video.language)
                catalog.put_metadata(video.video_id, "file", own)
            catalog.put_metadata(video.video_id, "import", imported.metadata(), keep=True)
            for record in records.values():
                catalog.put_stage(video.video_id, record)
        if self.settings.levels != "none":
            keep = [source for source in LEVELS if segments[source]]
            records["levels"] = self._make_levels(video, keep)
        status: VideoStatus = "updated" if known else "added"
        told = [f"replaces the text read from {known.path}"] if known and known.sha256 else []
        told += unfitting(catalog.corrections(video.video_id))
        return VideoReport(video.video_id, video.path, status, records, "; ".join(told))

    def _make_levels(self, video: Video, keep: Sequence[Source]) -> StageRecord:
        """Chapters and a summary of an imported video, but for those that were imported."""
        began, catalog = time.perf_counter(), self._catalog
        made = self._level_stage().make(
            video,
            lambda key: catalog.get_output(key, video.video_id),
            lambda key, value: catalog.put_output(key, video.video_id, value),
            imported=True,
            keep=keep,
        )
        took, calls = time.perf_counter() - began, made.model_calls
        record = StageRecord("levels", made.status, made.key, made.reason, took, calls)
        with catalog.transaction():
            made.write()
            catalog.put_stage(video.video_id, record)
        return record

    def _level_stage(self) -> LevelStage:
        """Made once: it reads its prompts."""
        from pipeline.ingest.level_stage import LevelStage

        if self._levels is None:
            self._levels = LevelStage(self._catalog, self._shelf, self.settings)
        return self._levels

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
    chapters = [asdict(chapter) for chapter in imported.chapters]
    return replace(
        video,
        title=video.title if own_file and imported.title == imported.video_id else imported.title,
        path=imported.path or video.path,
        duration=max(video.duration, imported.duration) if own_file else imported.duration,
        date=imported.date or video.date,
        language=imported.language,
        url=imported.url or video.url,
        sidecars=video.sidecars if own_file else imported.sidecars,
        media={**video.media, **({"chapters": chapters} if chapters else {})},
    )


def _summary(
    video: Video, counts: Mapping[str, int], stages: Mapping[str, StageRecord], known: Metadata
) -> VideoSummary:
    pending = tuple(n for n, r in stages.items() if r.status in ("pending", "failed"))
    sources: dict[str, int] = {source: counts[source] for source in SOURCES if source in counts}
    return VideoSummary(
        video.video_id,
        video.title,
        video.path,
        video.duration,
        video.added,
        sources,
        pending,
        video.date,
        known.people,
        known.place,
        known.tags,
        video.url,
        known.description,
    )


def _as_language_model(model: object | None) -> LanguageModel | None:
    """A `LanguageModel` as it is, a LlamaIndex `LLM` wrapped."""
    if model is None or hasattr(model, "name"):
        return model  # type: ignore[return-value]
    from pipeline.models.language import wrap

    return wrap(model)


def _budget_facts(state: BudgetState) -> dict[str, Any]:
    spent = state.spent
    return {
        "allowed": str(state.allowance) if state.allowance else "no limit",
        "calls": spent.calls,
        "minutes": round(spent.seconds / 60, 2),
        "tokens": spent.prompt_tokens + spent.completion_tokens,
        "usd": round(spent.usd, 4),
    }


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
