"""What a run of `add` would have to do, before it does it: which stages of which files, how long.

Files that the library knows and that did not change are told from their stamps and cost nothing;
of the others the headers are read, in the child process that reads media. Of very many a sample
is read and stands for the rest by its share of the bytes. Nothing is hashed: a file that was only
moved, or touched, counts as new here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import MediaError
from pipeline.ingest.caption_stage import PARTIAL
from pipeline.ingest.outputs import Report
from pipeline.ingest.speeds import PICTURES, SOUND, SUBTITLES, USUAL_FPS
from pipeline.ingest.stages import ROLES, VideoStages
from pipeline.media.child import MediaReader
from pipeline.media.probe import MediaInfo
from pipeline.media.sidecars import find_sidecars, may_hold_speech, stamp
from pipeline.models.shelf import Role, Shelf
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.types import STAGES, StageRecord, Video

MOST_PROBED = 500
_AT_ONCE = 2
_BITMAPS = ("pgs", "dvd_sub", "dvb_sub", "xsub")  # subtitles that are pictures


@dataclass(slots=True)
class Job:
    """What one stage has to do with one model: `work` as `speeds.Measured` counts it.

    `files` and `seconds` of media; `views` are captions that are known one by one, `unseen` are
    seconds of video of which it is not known how many they will be.
    """

    stage: str
    model: str
    files: float = 0
    seconds: float = 0.0
    work: float = 0.0
    views: int = 0
    unseen: float = 0.0
    unseen_files: float = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """All of it. `waiting` says of stages why they have no model, with what to do about it."""

    files: int
    unchanged: int
    unread: int  # files whose headers had to be read, of which `probed` were
    probed: int
    seconds: float  # of the media to be worked on
    unreadable: tuple[tuple[str, str], ...]  # (file name, why), of those probed
    jobs: tuple[Job, ...]
    waiting: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What decides how much work a file is."""

    seconds: float
    megapixels: float  # a second, 0 without a picture
    sound: bool
    subtitles: bool


@dataclass(slots=True)
class _Tally:
    shelf: Shelf
    settings: Settings
    jobs: dict[tuple[str, str], Job] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def add(
        self, facts: _Facts, owed: Collection[str], views: int | None = None, share: float = 1
    ) -> None:
        """A file of which the `owed` stages are to be run; it stands for `share` files."""
        self.seconds += facts.seconds * share
        for stage in owed:
            named = self._model(stage, facts)
            if named is None:
                continue
            job = self.jobs.setdefault((stage, named), Job(stage, named))
            megapixels = facts.megapixels if named == PICTURES else 1.0
            job.files += share
            job.seconds += facts.seconds * share
            job.work += facts.seconds * megapixels * share
            if stage == "captions" and views is None:
                job.unseen += facts.seconds * share
                job.unseen_files += share
            elif stage == "captions":
                job.views += views or 0

    def _model(self, stage: str, facts: _Facts) -> str | None:
        """What does the stage; None where there is nothing to do, or nothing to do it with."""
        if stage == "frames":
            return PICTURES if facts.megapixels else SOUND
        if stage == "passages":
            return self.shelf.embedding
        if stage == "levels":
            writes = self.settings.levels in ("auto", "model")
            return (self.shelf.name("language") if writes else "") or "text"
        if stage == "speech" and facts.subtitles:
            return SUBTITLES
        if not (facts.sound if stage in ("speech", "sounds") else facts.megapixels):
            return None
        role: Role = ROLES[stage]
        if not self.shelf.name(role):
            self.waiting[stage] = self.shelf.reason(role)
        return self.shelf.name(role) or None


def workload(
    files: Sequence[Path],
    settings: Settings,
    shelf: Shelf,
    catalog: Catalog | None,
    media: MediaReader,
    *,
    describes_more: bool = True,
    most_probed: int = MOST_PROBED,
    progress: Report | None = None,
) -> Workload:
    """What `add` would do with `files`; `catalog` None: there is no library yet.

    `describes_more`: the budget has something left for videos that are described in part. About
    20 ms for each file that is probed; `progress` counts them. Loads no model.
    """
    tally, unchanged = _Tally(shelf, settings), 0
    new: list[Path] = []
    stages = VideoStages(catalog, shelf, media, settings) if catalog else None
    for file in files:
        known = _as_known(file, catalog) if catalog else None
        if known is None or stages is None:
            new.append(file)
        elif owed := _owed(stages, known, describes_more):
            tally.add(_known_facts(known), owed, _views(stages, known, owed))
        else:
            unchanged += 1
    sample = _sample(new, most_probed)
    probed = _probe(sample, media, progress)
    share = _size(new) / max(_size(sample), 1) if len(sample) < len(new) else 1.0
    stages_of_new = _stages_of_new(settings)
    for file, info in probed:
        if isinstance(info, MediaInfo):
            tally.add(_facts(file, info), stages_of_new, share=share)
    return Workload(
        len(files),
        unchanged,
        len(new),
        len(sample),
        tally.seconds,
        tuple((file.name, info) for file, info in probed if isinstance(info, str)),
        tuple(sorted(tally.jobs.values(), key=lambda job: STAGES.index(job.stage))),
        tally.waiting,
    )


def _stages_of_new(settings: Settings) -> list[str]:
    wanted = {
        "probe": False,  # what is done here costs the same as what is forecast
        "sounds": bool(settings.sound_model),
        "levels": settings.levels != "none",
        "frame_vectors": bool(settings.frame_model),
    }
    return [stage for stage in STAGES if wanted.get(stage, True)]


# ---------------------------------------------------------------- files that the library knows


def _as_known(file: Path, catalog: Catalog) -> Video | None:
    """The library's video of a file that has not changed since; None for any other file."""
    known = catalog.video_by_path(str(file))
    if known is None:
        return None
    try:
        facts = file.stat()
        sidecars = tuple(stamp(sidecar) for sidecar in find_sidecars(file))
    except OSError:
        return None
    now = (facts.st_size, facts.st_mtime_ns, sidecars)
    return known if (known.size, known.modified_ns, known.sidecars) == now else None


def _owed(stages: VideoStages, video: Video, describes_more: bool) -> list[str]:
    """The stages that would be run. No model is loaded to find out whether it can be had."""
    records = stages.catalog.stages(video.video_id)
    owed = [
        name
        for name in STAGES
        if name != "probe" and _is_owed(stages, name, video, records, describes_more)
    ]
    if {"speech", "screen", "captions", "sounds"} & set(owed):
        for follows in ("passages", "levels"):
            if follows not in owed and (follows != "levels" or stages.settings.levels != "none"):
                owed.append(follows)
    return owed


def _is_owed(
    stages: VideoStages,
    name: str,
    video: Video,
    records: Mapping[str, StageRecord],
    describes_more: bool,
) -> bool:
    record = records.get(name)
    if record is not None and record.status == "pending":
        if record.key.startswith(PARTIAL):
            return describes_more and bool(stages.shelf.name("captions"))
        role: Role | None = "language" if name == "levels" else ROLES.get(name)
        if role is not None:
            return bool(stages.shelf.name(role))
    return not stages.stands(name, video, records)


def _views(stages: VideoStages, video: Video, owed: Collection[str]) -> int | None:
    """How many views are still to be described; None where that is not known yet."""
    if "captions" not in owed or {"frames", "speech", "screen"} & set(owed):
        return None
    try:
        return sum(not view.described for view in stages.captions.plan(video))
    except MediaError:
        return None  # a frame is gone: decoded again first


def _known_facts(video: Video) -> _Facts:
    media: Mapping[str, Any] = video.media
    return _as_facts(
        video.duration or float(media.get("duration") or 0.0),
        media.get("video"),
        bool(media.get("audio")),
        [str(stream.get("codec", "")) for stream in media.get("subtitles") or ()],
        [path for path, *_ in video.sidecars],
    )


# ---------------------------------------------------------------- files that it does not


def _sample(files: Sequence[Path], most: int) -> list[Path]:
    """At most `most` of them, evenly spread over their order."""
    if len(files) <= most:
        return list(files)
    return [files[at * len(files) // most] for at in range(most)]


def _probe(
    files: Sequence[Path], media: MediaReader, progress: Report | None
) -> list[tuple[Path, MediaInfo | str]]:
    """(file, what its header says, or why it cannot be read)."""
    found: list[tuple[Path, MediaInfo | str]] = []
    read = partial(_info, media)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="footnote-probe") as pool:
        for file, info in zip(files, pool.map(read, files), strict=True):
            found.append((file, info))
            if progress:
                progress(len(found), len(files))
    return found


def _info(media: MediaReader, file: Path) -> MediaInfo | str:
    try:
        return media.probe(file)
    except MediaError as error:
        return error.message


def _facts(file: Path, info: MediaInfo) -> _Facts:
    codecs = [stream.codec for stream in info.subtitles]
    picture = asdict(info.video) if info.video else None
    sidecars = [str(sidecar) for sidecar in find_sidecars(file)]
    return _as_facts(info.duration, picture, bool(info.audio), codecs, sidecars)


def _as_facts(
    seconds: float,
    picture: Mapping[str, Any] | None,
    sound: bool,
    codecs: Sequence[str],
    sidecars: Sequence[str],
) -> _Facts:
    megapixels = 0.0
    if picture:
        fps = float(picture.get("fps") or 0)
        fps = fps if 0 < fps <= 1000 else USUAL_FPS
        megapixels = fps * picture["width"] * picture["height"] / 1e6
    text = any(not any(mark in codec for mark in _BITMAPS) for codec in codecs)
    return _Facts(seconds, megapixels, sound, text or any(map(may_hold_speech, sidecars)))


def _size(files: Sequence[Path]) -> int:
    total = 0
    for file in files:
        try:
            total += file.stat().st_size
        except OSError:
            continue  # gone since it was listed
    return total
