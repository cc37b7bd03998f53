"""The stages that turn a video into timed text and passages, and the keys that tell what to redo.

    probe -> frames -> speech -> screen -> captions -> sounds -> passages -> levels -> frame_vectors

`sounds` is there only where a sound model is set, the last one only where a frame model is. That is
their order where one matters; what does not wait for another runs beside it (`ingest.overlap`).

A stage's key is made of its inputs (the file's hash, the keys of the stages it reads), its
parameters, its prompt and its model. A stage whose record carries the key it would have now is
not run again. Each stage writes its text and its record in one transaction, and what a model said
is stored as it comes, so that a killed run loses at most the batch in flight.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipeline.errors import FootnoteError, MediaError, ModelUnavailable
from pipeline.ingest.batching import Batched
from pipeline.ingest.caption_stage import PARTIAL, CaptionStage
from pipeline.ingest.correcting import unfitting
from pipeline.ingest.embedding import embed_segments, write_passages
from pipeline.ingest.frame_vectors import embed_frames, frames_to_embed, write_frames
from pipeline.ingest.glossary import Glossary
from pipeline.ingest.lanes import (
    STOP_POLL,
    LanedClassifier,
    LanedDetector,
    LanedDiariser,
    LanedEmbedder,
    LanedEncoder,
    LanedReader,
    LanedTranscriber,
    Lanes,
    Stopped,
)
from pipeline.ingest.level_stage import LevelStage
from pipeline.ingest.listening import SharedSound
from pipeline.ingest.looks import take_in_looks
from pipeline.ingest.metadata import clean_metadata, container_metadata
from pipeline.ingest.overlap import AFTER, overlapped
from pipeline.ingest.screen_text import read_screens
from pipeline.ingest.sounds import hear_sounds
from pipeline.ingest.speakers import find_turns
from pipeline.ingest.speech import clip, count_invented, finish, transcribe
from pipeline.ingest.speech_checks import check_speech
from pipeline.ingest.speeds import (
    SUBTITLES,
    VIEWS,
    Measured,
    SpeedLog,
    views_model,
    work_of,
)
from pipeline.ingest.spending import Purse
from pipeline.ingest.tracks import BY_MACHINE, SpeechTrack, choose_tracks
from pipeline.media.audio import Sound
from pipeline.media.child import MediaReader
from pipeline.media.frames import KeyFrame, StillRun
from pipeline.media.probe import MediaInfo
from pipeline.media.published import Published
from pipeline.media.shots import Shot
from pipeline.media.sidecars import may_hold_speech
from pipeline.models.shelf import Role, Shelf
from pipeline.models.vocabulary import common_words
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.store.frames import frame_path
from pipeline.store.glossary import read_glossary
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.pictures import StoredFrame, StoredShot
from pipeline.types import (
    IMPORTED,
    SOURCES,
    STAGES,
    Metadata,
    Progress,
    ProgressEvent,
    Segment,
    Source,
    StageRecord,
    StageStatus,
    Video,
)

# Raised when a stage's code changes what it makes, so that libraries made before redo it.
VERSIONS = {"frames": 2, "speech": 1, "screen": 1, "captions": 2, "passages": 1}

# Which model a stage may have to wait for.
ROLES: dict[str, Role] = {
    "speech": "speech",
    "screen": "screen",
    "captions": "captions",
    "frame_vectors": "frames",
    "sounds": "sounds",
}


# What progress calls a stage, where it is not the stage's own name.
TOLD_AS = {"passages": "embedding", "levels": "chapters", "frame_vectors": "pictures"}

_HEARD = "heard:"  # begins the key of speech that a model heard, not one of subtitles


def key_of(stage: str, *parts: object) -> str:
    """The key of a stage with these inputs, parameters, prompt and model."""
    text = json.dumps([stage, VERSIONS.get(stage, 1), *parts], default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class StageRun:
    """What the stages made of one video. `kept` is False when nothing of it could be read."""

    records: Mapping[str, StageRecord]
    problems: tuple[str, ...] = ()  # what could be read only in part, a line each
    kept: bool = True
    notes: tuple[str, ...] = ()  # what else a user should know, a line each


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one stage made: its status, and the writes that belong to its record."""

    status: StageStatus
    reason: str = ""
    key: str = ""  # where the stage has more than one key it may carry
    model_calls: int = 0
    write: Callable[[], object] = lambda: None
    tokens: tuple[int, int] = (0, 0)  # of prompts, of replies, where they are measured here


class VideoStages:
    """The stages over one library's catalog, models and frames folder. Thread-safe.

    `purse` pays for captions, None: without a limit; `leave` are stages for a later run; what
    stages take is told to `speeds`.
    """

    def __init__(
        self,
        catalog: Catalog,
        shelf: Shelf,
        media: MediaReader,
        settings: Settings,
        purse: Purse | None = None,
        leave: Collection[str] = (),
        speeds: SpeedLog | None = None,
        lanes: Lanes | None = None,
    ) -> None:
        self.lanes = lanes or Lanes()
        self.catalog = catalog
        self.shelf = shelf
        self.media = media
        self.settings = settings
        self.purse = purse
        self.leave = leave
        self.speeds = speeds
        self.captions = CaptionStage(catalog, shelf, settings)
        self.levels = LevelStage(catalog, shelf, settings)
        self.terms = tuple(dict.fromkeys((*settings.glossary, *read_glossary(catalog.folder))))
        self._batched: Batched | None = None
        self._lock = threading.Lock()

    def complete(self, video: Video) -> bool:
        """Whether nothing is left to do or to try again. Reads the catalog, not the file."""
        records = self.catalog.stages(video.video_id)
        if self.catalog.waiting_looks(video.video_id):
            return False
        return all(name in self.leave or self.stands(name, video, records) for name in STAGES)

    def glossary(self) -> Glossary | None:
        """The user's names and terms, None where there are none."""
        return Glossary(self.terms, common_words()) if self.terms else None

    def run(self, video: Video, progress: Progress, order: int = 0) -> StageRun:
        """Bring `video` up to date: run what is missing, and record what became of it.

        Stages that do not wait for each other run at the same time, in threads; of several videos
        the one of the lowest `order` goes first. Raises `Stopped` once `lanes.stop` is set.
        """
        run = _VideoRun(self, video, progress, order).run()
        if self.speeds is not None:
            if self.purse is not None:
                self.speeds.set_calls(self.shelf.name("captions"), self.purse.used)
            self.speeds.save(often=True)
        return run

    def captioner(self) -> Batched:
        """The captioner, shared by all videos of this run. Raises `ModelUnavailable`."""
        model = self.shelf.captioner()
        with self._lock:
            if self._batched is None:
                self._batched = Batched(model, self.lanes.stop, self.lanes.trace)
            return self._batched

    # ------------------------------------------------------------ keys

    def stands(self, name: str, video: Video, records: Mapping[str, StageRecord]) -> bool:
        """Whether stage `name` need not be run: done with its present key, or beyond reach.

        A stage that waits for a model is tried again only when that model can be had now; what a
        model made is not given up where there is no model.
        """
        record = records.get(name)
        if name == "frame_vectors" and not self.settings.frame_model:
            return True
        if name == "sounds" and not self.settings.sound_model:
            return True  # what was heard before stays
        if name == "levels":
            return self.levels.stands(video, record)
        if record is None:
            return False
        if record.status == "done" and self._made_by_a_model_now_absent(name, record):
            return True
        keys = self.keys(name, video, records)
        if name == "captions" and record.key.startswith(PARTIAL + keys[0]):
            return not self._describes_more()
        if record.key not in (IMPORTED, *keys):
            return False
        if record.status == "pending" and name in ROLES:
            return not self.shelf.available(ROLES[name])
        return record.status in ("done", "skipped")

    def _describes_more(self) -> bool:
        """Whether there is something to spend on what a budget left undescribed."""
        if not self.shelf.name("captions"):
            return False
        return self.purse is None or (self.purse.least_worth < math.inf and self.purse.room() >= 1)

    def model_of(self, name: str, record: StageRecord) -> str:
        """Which model a stage was run with, for its speed; "" where there is none."""
        if name == "passages":
            return self.shelf.embedding
        if name == "speech" and not record.key.startswith(_HEARD):
            return SUBTITLES
        if name == "levels":
            return self.shelf.name("language") if record.model_calls else "text"
        return self.shelf.name(ROLES[name]) if name in ROLES else ""

    def _made_by_a_model_now_absent(self, name: str, record: StageRecord) -> bool:
        if name not in ("speech", "captions") or self.shelf.name(ROLES[name]):
            return False
        return name == "captions" or record.key.startswith(_HEARD)

    def keys(self, name: str, video: Video, records: Mapping[str, StageRecord]) -> Sequence[str]:
        """The keys stage `name` may carry now: `speech` has one for subtitles, one for a model."""
        settings, shelf = self.settings, self.shelf
        if name == "probe":
            return (key_of(name, video.sha256),)
        if name == "frames":
            parts = (settings.screen_frames_per_second, settings.max_key_frames_per_shot)
            return (key_of(name, video.sha256, *parts),)
        if name == "speech":
            sidecars = [sidecar for sidecar in video.sidecars if may_hold_speech(sidecar[0])]
            written = self.terms if any(s[0].lower().endswith(BY_MACHINE) for s in sidecars) else ()
            subtitles = key_of(name, video.sha256, sidecars, *written)
            model = (settings.speech_detector, shelf.name("speech"), settings.language)
            told = (settings.diarisation, settings.speakers, self.terms)
            heard = key_of(name, video.sha256, sidecars, *model, *told)
            return (subtitles, _HEARD + heard)
        if name == "sounds":
            return (key_of(name, video.sha256, settings.language, shelf.name("sounds")),)
        if name == "levels":
            return (self.levels.key(video),)
        if name == "frame_vectors":
            return (key_of(name, _seen(records, "frames"), shelf.name("frames")),)
        above = [_seen(records, stage) for stage in ("frames", "speech", "screen", "captions")]
        above += [_seen(records, "sounds")] if "sounds" in records and name == "passages" else []
        if name == "screen":
            return (key_of(name, above[0], shelf.name("screen")),)
        if name == "captions":
            return (key_of(name, above[:3], *self.captions.key_parts()),)
        return (key_of(name, above, shelf.embedding, settings.passage_seconds),)


class _NothingToRead(Exception):
    """Neither a picture nor sound of the file can be decoded."""


class _VideoRun:
    """One pass over the stages of one video: what they share while it lasts."""

    _info: MediaInfo

    def __init__(self, stages: VideoStages, video: Video, progress: Progress, order: int) -> None:
        self._all = stages
        self._catalog = stages.catalog
        self._video = video
        self._progress = progress
        self._ended = threading.Event()  # nothing more is wanted: one of the stages failed badly
        self._turns = stages.lanes.of(order, video.video_id, self._ended.is_set)
        self._pictures_known = threading.Event()  # and so is where the video ends
        self._rescan = threading.Lock()
        self._sound = SharedSound(self._decode_sound, ("speech", "sounds"))
        self._records: dict[str, StageRecord] = {}
        self._problems: dict[str, list[str]] = {}

    def run(self) -> StageRun:
        video_id = self._video.video_id
        if self._catalog.has_video(video_id):
            self._records = dict(self._catalog.stages(video_id))
        try:
            self._probe()
        except MediaError as error:
            # What an older content of this file gave stays as it was.
            return StageRun(
                {"probe": StageRecord("probe", "failed", reason=error.message)}, kept=False
            )
        try:
            overlapped(AFTER, self._step, self._ended.set)
        except _NothingToRead:
            return self._nothing_kept()
        finally:
            self._sound.close()
        if self._catalog.waiting_looks(video_id):  # somebody asked while this was going on
            seconds = self._all.settings.passage_seconds
            take_in_looks(self._catalog, self._all.shelf.embedder(), video_id, seconds)
        self._forget_stills()
        notes = unfitting(self._catalog.corrections(video_id))
        return StageRun(self._in_order(), self._all_problems(), notes=notes)

    def _step(self, name: str) -> None:
        """One stage, where it is missing; the others that do not wait for it run meanwhile."""
        stage: Callable[[], _Outcome] = getattr(self, f"_{name}")
        left = name in self._all.leave
        if not left and not self._all.stands(name, self._video, self._records):
            self._run_stage(name, stage)
            self._tell(TOLD_AS.get(name, name), 1, 1)  # it is over, wherever its last report was
        if name in ("speech", "sounds"):
            self._sound.done(name)
        if name == "frames":
            if not self._video.duration:
                raise _NothingToRead
            self._pictures_known.set()

    def _duration(self) -> float:
        """Where the video ends, once its pictures are decoded: nothing lies beyond it."""
        asked = time.perf_counter()
        while not self._pictures_known.wait(STOP_POLL):
            if self._turns.ended():
                raise Stopped
        self._turns.waited += time.perf_counter() - asked
        return self._video.duration

    def _in_order(self) -> dict[str, StageRecord]:
        """The records, in the order of the stages, whichever was done first."""
        names = sorted(self._records, key=STAGES.index)
        return {name: self._records[name] for name in names}

    def _all_problems(self, *stages: str) -> tuple[str, ...]:
        """What was complained of in `stages`, all when there are none, in their order."""
        return tuple(p for name in stages or STAGES for p in self._problems.get(name, ()))

    def _complain(self, stage: str, problems: Sequence[str]) -> None:
        self._problems.setdefault(stage, []).extend(problems)

    # ------------------------------------------------------------ stages

    def _probe(self) -> None:
        """Facts of the container. Always run: it costs milliseconds and later stages need them."""
        began = time.perf_counter()
        with self._turns.turn("decode"):
            info = self._all.media.probe(Path(self._video.path))
        published = self._published(info)
        self._info = replace(info, chapters=published.chapters or info.chapters)
        facts = json.loads(json.dumps(asdict(self._info)))
        probed = self._records.get("probe")
        changed = probed is not None and probed.key != self._key("probe")
        duration = 0.0
        if self._catalog.has_video(self._video.video_id) and not changed:
            duration = self._catalog.video(self._video.video_id).duration
        self._video = replace(self._video, duration=duration, media=facts)
        reason = "; ".join(published.problems)
        seconds = time.perf_counter() - began
        record = StageRecord("probe", "done", self._key("probe"), reason, seconds)
        with self._catalog.transaction():
            self._catalog.put_video(self._video)
            self._video = self._described(info, published)
            if changed:
                self._forget_text()
            self._catalog.put_stage(self._video.video_id, record)
        self._records["probe"] = record

    def _published(self, info: MediaInfo) -> Published:
        """What the files beside the video say; what is wrong with them is no fault of the video."""
        sidecars = [path for path, *_ in self._video.sidecars]
        try:
            with self._turns.turn("decode"):
                published = self._all.media.published(sidecars, info.duration)
        except MediaError as error:
            published = Published(problems=(error.message,))
        self._complain("probe", published.problems)
        return published

    def _described(self, info: MediaInfo, published: Published) -> Video:
        """The video with its title, date, url and language, by who is trusted most with each."""
        catalog, video = self._catalog, self._video
        if not catalog.has_metadata(video.video_id, "file"):
            own = Metadata(video.title, video.date, url=video.url, language=video.language)
            catalog.put_metadata(video.video_id, "file", own)
        catalog.put_metadata(video.video_id, "container", container_metadata(info))
        sidecars = clean_metadata(published.metadata)
        return catalog.put_metadata(video.video_id, "sidecar", sidecars)

    def _frames(self) -> _Outcome:
        """Decode the pictures once: true duration, shots, key frames, still stretches."""
        folder = self._folder()
        if not self._pictures_known.is_set():  # else others may be looking at them
            shutil.rmtree(folder, ignore_errors=True)
        claimed = self._info.duration
        with self._turns.turn("decode"):
            scan = self._all.media.scan_video(
                Path(self._video.path),
                folder,
                frames_per_second=self._all.settings.screen_frames_per_second,
                key_frames_per_shot=self._all.settings.max_key_frames_per_shot,
                progress=lambda seconds: self._tell("frames", seconds, claimed),
            )
        self._complain("frames", scan.problems)
        key, video = self._key("frames"), replace(self._video, duration=scan.duration)
        shots = [StoredShot(s.start, s.end, _shot_facts(s)) for s in scan.shots]
        frames = [
            StoredFrame(f.time, self._stored_path(f.path), _frame_facts(f))
            for f in dict.fromkeys(f for shot in scan.shots for f in shot.key_frames)
        ]

        def write() -> None:
            # Less could be decoded this time: what lies beyond the end now cannot be cited.
            self._catalog.put_video(video)
            self._forget_text_beyond(scan.duration)
            self._catalog.replace_shots(video.video_id, shots)
            self._catalog.replace_frames(video.video_id, frames)
            if not self._all.settings.frame_model:  # else the stage that follows sorts them out
                self._catalog.keep_frame_vectors(video.video_id, ())
            stills = _stills_json(scan.stills)
            self._catalog.put_output(f"stills:{key}", video.video_id, stills)

        self._video = video
        if scan.problems:
            # A file read only in part is tried again by the next `add`: it may have been on
            # its way to this disk.
            return _Outcome("failed", "; ".join(scan.problems), key, write=write)
        if not self._info.video:
            return _Outcome("skipped", "no picture", key, write=write)
        return _Outcome("done", key=key, write=write)

    def _speech(self) -> _Outcome:
        """The subtitles that come with the video, else what the transcriber hears."""
        subtitles_key, model_key = self._all.keys("speech", self._video, self._records)
        sidecars = [Path(path) for path, *_ in self._video.sidecars]
        with self._turns.turn("decode"):
            tracks, problems = self._all.media.subtitles(
                Path(self._video.path), sidecars, self._info
            )
        self._complain("speech", problems)
        chosen = choose_tracks(tracks)
        if chosen:
            segments = [segment for track in chosen for segment in self._trusted(track)]
            reason = "; ".join((*problems, *filter(None, [count_invented(segments)])))
            return self._spoken(segments, subtitles_key, reason, 0)
        if not self._info.audio:
            return self._waiting("speech", "no sound", subtitles_key, status="skipped")
        return self._transcribed(model_key)

    def _trusted(self, track: SpeechTrack) -> Sequence[Segment]:
        """A track as it is, or, where a recogniser wrote it, judged by its text."""
        if not track.origin.lower().endswith(BY_MACHINE):
            return track.segments
        everywhere = [(0.0, self._duration())]  # nobody listened to tell where speech is
        return finish(check_speech(track.segments, everywhere), self._all.glossary(), ())

    def _transcribed(self, key: str) -> _Outcome:
        shelf, settings = self._all.shelf, self._all.settings
        try:
            diariser = shelf.diariser()
            detector, transcriber = shelf.speech_detector(), shelf.transcriber()
        except ModelUnavailable as error:
            return self._waiting("speech", _with_hint(error), key)
        take = self._turns.taker
        sound = self._sound.get()
        heard = transcribe(
            sound.samples(),
            LanedDetector(detector, take("detector")),
            LanedTranscriber(transcriber, take("speech")),
            language=settings.language,
            terms=self._all.terms,
            get_output=self._get_output,
            put_output=self._put_output,
            progress=lambda done, total: self._tell("speech", done, total),
        )
        turns = find_turns(
            LanedDiariser(diariser, take("speech")),
            sound.samples(),
            sound.levels,
            settings.speakers,
            f"{self._video.sha256}:{sound.stream}",
            self._get_output,
            self._put_output,
        )
        segments = finish(heard.segments, self._all.glossary(), turns)
        return self._spoken(segments, key, count_invented(segments), heard.model_calls)

    def _decode_sound(self, target: Path) -> Sound:
        """The track that a viewer hears, once for all that listen to it."""
        with self._turns.turn("decode"):
            sound = self._all.media.read_audio(
                Path(self._video.path),
                target,
                language=self._all.settings.language,
                levels=any(track.channels == 2 for track in self._info.audio),
                progress=lambda done: self._tell("listening", done, self._info.duration),
            )
        self._tell("listening", 1, 1)
        return sound

    def _spoken(
        self,
        segments: Sequence[Segment],
        key: str,
        reason: str,
        calls: int,
    ) -> _Outcome:
        inside, outside = clip(segments, self._duration())
        if outside:
            end = f"the end at {self._video.duration:.1f} s"
            self._complain("speech", [f"{len(outside)} utterances beyond {end} were left out"])
        return _Outcome("done", reason, key, calls, self._replacing("speech", inside))

    def _screen(self) -> _Outcome:
        """The text on the screen, each picture that stands still read once."""
        if not self._info.video:
            return _Outcome("skipped", "no picture", write=self._replacing("screen", []))
        reader = self._all.shelf.screen_reader()
        read = read_screens(
            self._stills(),
            LanedReader(reader, self._turns.taker("screen")),
            get_output=self._get_output,
            put_output=self._put_output,
            progress=lambda done, total: self._tell("screen", done, total, "pictures"),
        )
        segments, _ = clip(read.segments, self._video.duration)
        return _Outcome(
            "done", model_calls=read.model_calls, write=self._replacing("screen", segments)
        )

    def _captions(self) -> _Outcome:
        """What the pictures show, in words."""
        made = self._all.captions.make(
            self._video,
            bool(self._info.video),
            self._get_output,
            self._put_output,
            lambda done, total: self._tell("captions", done, total, "captions"),
            self._all.purse,
            lambda: self._all.captioner().of(self._turns),
        )
        # The reason says how many are described: with more of them the passages are made anew.
        key = PARTIAL + self._key("captions") if made.partial else ""
        key += ":" + key_of("captions", made.reason)[:8] if made.partial else ""
        return _Outcome(made.status, made.reason, key, made.model_calls, made.write)

    def _sounds(self) -> _Outcome:
        """Music, applause, an alarm: what is heard and not said."""
        if not self._info.audio:
            return _Outcome("skipped", "no sound", write=self._replacing("sound", []))
        try:
            classifier = self._all.shelf.sound_classifier()
        except ModelUnavailable as error:
            return self._waiting("sound", _with_hint(error))
        heard = hear_sounds(
            self._sound.get().samples(),
            LanedClassifier(classifier, self._turns.taker("sounds")),
            get_output=self._get_output,
            put_output=self._put_output,
            progress=lambda done, total: self._tell("sounds", done, total),
        )
        segments, _ = clip(heard.segments, self._duration())
        return _Outcome(
            "done", model_calls=heard.model_calls, write=self._replacing("sound", segments)
        )

    def _waiting(
        self, source: Source, reason: str, key: str = "", status: StageStatus = "pending"
    ) -> _Outcome:
        """No model for a stage now: what was read of this content before stays.

        Subtitles that are no longer beside the video, or a prompt that was changed, are no
        reason to lose what was known before there is something to put in its place.
        """
        kept = sum(s.source == source for s in self._catalog.segments(self._video.video_id))
        if kept:
            reason = f"{reason}; the {kept} {source} segments read before are kept"
        return _Outcome(status, reason, key)

    def _passages(self) -> _Outcome:
        """All text of the video, packed and embedded."""
        video_id = self._video.video_id
        embedder = LanedEmbedder(self._all.shelf.embedder(), self._turns.taker("embedding"))
        embedded = embed_segments(
            self._catalog,
            embedder,
            {source: self._catalog.segments(video_id, source) for source in SOURCES},
            seconds=self._all.settings.passage_seconds,
            boundaries=[shot.start for shot in self._catalog.shots(video_id)],
            report=lambda done, total: self._tell("embedding", done, total, "passages"),
        )
        space = EmbeddingSpace(embedder.name, embedder.dimension)

        def write() -> None:
            self._catalog.claim_embedding_space(space)
            write_passages(self._catalog, video_id, embedded)

        return _Outcome("done", write=write)

    def _levels(self) -> _Outcome:
        """Chapters and a summary of all that."""
        self._tell("chapters", 0, 1, "videos")
        with self._turns.turn("levels"):
            made = self._all.levels.make(self._video, self._get_output, self._put_output)
        calls, tokens = made.model_calls, made.tokens
        return _Outcome(made.status, made.reason, made.key, calls, made.write, tokens)

    def _frame_vectors(self) -> _Outcome:
        """The key frames as vectors, to be searched by what they show."""
        if not self._info.video:
            return _Outcome("skipped", "no picture")
        catalog, video_id = self._catalog, self._video.video_id
        encoder = LanedEncoder(self._all.shelf.dual_encoder(), self._turns.taker("pictures"))
        with self._rescan:
            there = (catalog.folder / frame.path for frame in catalog.frames(video_id))
            if not all(path.exists() for path in there):
                self._run_stage("frames", self._frames)
        wanted = frames_to_embed(catalog, video_id, encoder.name)
        embedded = embed_frames(
            catalog,
            encoder,
            video_id,
            wanted,
            lambda done, total: self._tell("pictures", done, total, "frames"),
        )
        return _Outcome(
            "done",
            model_calls=embedded.model_calls,
            write=lambda: write_frames(catalog, encoder, video_id, embedded),
        )

    # ------------------------------------------------------------ around a stage

    def _run_stage(self, name: str, stage: Callable[[], _Outcome]) -> None:
        """Run one stage; its writes and its record reach the catalog together.

        Its seconds are those of its work, without those that it waited for its turns.
        """
        began, waited = time.perf_counter(), self._turns.waited
        loaded, first = self._all.shelf.waited(), name not in self._records
        try:
            outcome = stage()
        except ModelUnavailable as error:
            outcome = _Outcome("pending", _with_hint(error))
        except MediaError as error:
            outcome = _Outcome("failed", error.message)
            self._complain(name, [error.message])
        record = StageRecord(
            name,
            outcome.status,
            outcome.key or self._key(name),
            outcome.reason,
            time.perf_counter() - began - (self._turns.waited - waited),
            outcome.model_calls,
        )
        with self._catalog.transaction():
            outcome.write()
            self._catalog.put_stage(self._video.video_id, record)
        self._records[name] = record
        self._measure(record, outcome.tokens, self._all.shelf.waited() - loaded, first)

    def _measure(
        self, record: StageRecord, tokens: tuple[int, int], loading: float, first: bool
    ) -> None:
        """Remember how long a stage took that was not just looked up among what was kept."""
        log, name = self._all.speeds, record.name
        made = record.status == "done" or (name == "frames" and record.status == "skipped")
        if log is None or not made or not (first or record.model_calls):
            return
        if name == "captions":  # their calls are measured by the purse
            seen = Measured(self._video.duration, calls=record.model_calls)
            if first and record.model_calls:
                log.add(VIEWS, views_model(self._all.settings), seen)
            return
        decoded, work = work_of(name, self._info, self._video.duration)
        model = decoded or self._all.model_of(name, record)
        seconds = max(0.0, record.seconds - loading)
        log.add(name, model, Measured(work, seconds, record.model_calls, *tokens))

    def _nothing_kept(self) -> StageRun:
        """Nothing could be decoded: the video is forgotten, and what is wrong is said."""
        self._catalog.remove_video(self._video.video_id)
        shutil.rmtree(self._folder(), ignore_errors=True)
        records = {n: r for n, r in self._in_order().items() if n in ("probe", "frames")}
        return StageRun(records, self._all_problems("probe", "frames"), kept=False)

    def _key(self, name: str) -> str:
        return self._all.keys(name, self._video, self._records)[0]

    def _tell(self, stage: str, done: float, total: float, unit: str = "s") -> None:
        if self._ended.is_set():
            raise Stopped
        name = Path(self._video.path).name
        self._progress(ProgressEvent(name, stage, done, max(total, done), unit))

    def _get_output(self, key: str) -> bytes | None:
        return self._catalog.get_output(key, self._video.video_id)

    def _put_output(self, key: str, value: bytes) -> None:
        self._catalog.put_output(key, self._video.video_id, value)

    def _replacing(self, source: Source, segments: Sequence[Segment]) -> Callable[[], None]:
        return lambda: self._catalog.replace_segments(self._video.video_id, source, segments)

    def _forget_text(self) -> None:
        """The file holds something else now: what its older content gave is not of this video."""
        for source in SOURCES:
            self._catalog.replace_segments(self._video.video_id, source, [])
        self._catalog.forget_passages(self._video.video_id)
        self._catalog.keep_frame_vectors(self._video.video_id, ())

    def _forget_text_beyond(self, duration: float) -> None:
        for source in SOURCES:
            segments = self._catalog.segments(self._video.video_id, source)
            if any(segment.end > duration for segment in segments):
                self._catalog.replace_segments(self._video.video_id, source, [])

    # ------------------------------------------------------------ pictures

    def _folder(self) -> Path:
        return (self._catalog.folder / frame_path(self._video.video_id, 0.0)).parent

    def _stored_path(self, path: Path) -> str:
        return str(path.relative_to(self._catalog.folder))

    def _stills(self) -> list[StillRun]:
        """The stretches the scan found; scanned again where their pictures are gone."""
        key = f"stills:{self._records['frames'].key}"
        with self._rescan:
            kept = self._catalog.get_output(key, self._video.video_id)
            stills = _stills_from_json(kept, self._folder()) if kept is not None else []
            if kept is None or not all(still.path.exists() for still in stills):
                self._run_stage("frames", self._frames)
                kept = self._catalog.get_output(key, self._video.video_id)
                stills = _stills_from_json(kept or b"[]", self._folder())
        return stills

    def _forget_stills(self) -> None:
        """Delete the pictures that only the screen reader needed, once it has read them."""
        if self._records["screen"].status not in ("done", "skipped"):
            return
        kept = {Path(frame.path).name for frame in self._catalog.frames(self._video.video_id)}
        folder = self._folder()
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in kept:
                path.unlink(missing_ok=True)


def _seen(records: Mapping[str, StageRecord], name: str) -> str:
    """What a later stage's key takes from an earlier one: its key and what became of it."""
    record = records.get(name)
    return f"{record.status} {record.key}" if record else ""


def _with_hint(error: FootnoteError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _shot_facts(shot: Shot) -> dict[str, object]:
    return {"brightness": round(shot.brightness, 4), "motion": round(shot.motion, 4)}


def _frame_facts(frame: KeyFrame) -> dict[str, object]:
    facts: dict[str, object] = {"width": frame.width, "height": frame.height, "hash": frame.hash}
    facts["novelty"] = round(frame.novelty, 3)
    return facts if frame.same_as is None else {**facts, "same_as": frame.same_as}


def _stills_json(stills: Sequence[StillRun]) -> bytes:
    return json.dumps([[s.start, s.end, s.time, s.path.name, s.moving] for s in stills]).encode()


def _stills_from_json(stored: bytes, folder: Path) -> list[StillRun]:
    return [
        StillRun(start, end, at, folder / name, moving)
        for start, end, at, name, moving in json.loads(stored)
    ]
