"""How fast this machine is: what each stage took in earlier runs, for the forecast of the next.

One small JSON file for the user and all libraries, in the cache folder: what it holds can be
measured again, so a damaged one is told of and begun anew. An entry is one run of one stage with
one model; the newest count most. Nothing about the videos is in it but how long they were.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pipeline.media.probe import MediaInfo
from pipeline.models.registry import cache_folder
from pipeline.settings import Settings
from pipeline.types import Spent

_log = logging.getLogger(__name__)

NONE = "none"
# Entries that are no stages: how many views an hour of video gave, how long calls of the captioner
# were under way, how the seconds of all stages add up to those of a run, and what a run needs to
# load its models.
VIEWS, CALLS, WHOLE, LOADING = "views", "calls", "whole", "loading"
PICTURES, SOUND, SUBTITLES = "pictures", "sound", "subtitles"  # what is decoded or read

_NO_WORK = (VIEWS, WHOLE, LOADING)
_FILE = "speeds.json"
_VERSION = 1
_MOST = 20  # entries kept for a stage and model
_FADING = 0.7  # the weight of an entry beside the next newer one
_OFTEN = 15.0  # seconds between two writings during a run
USUAL_FPS = 25.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What some work took.

    `work` is seconds of media, megapixels where pictures are decoded, calls for `CALLS`; `seconds`
    are those of the clock on the wall.
    """

    work: float = 0.0
    seconds: float = 0.0
    calls: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0

    def __add__(self, other: Measured) -> Measured:
        pairs = zip(_numbers(self), _numbers(other), strict=True)
        return Measured(*(a + b for a, b in pairs))

    def times(self, factor: float) -> Measured:
        return Measured(*(number * factor for number in _numbers(self)))


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a stage with a model ("" where there is none) on a machine."""

    stage: str
    model: str
    measured: Measured
    machine: str = ""
    at: float = 0.0  # seconds since the epoch


class Speeds:
    """What is known of this machine. `problem` is a line about a file that could not be read."""

    def __init__(self, entries: Iterable[Entry] = (), problem: str = "") -> None:
        own = platform.node()
        self.problem = problem
        self._entries: dict[tuple[str, str], list[Measured]] = {}
        for entry in sorted(entries, key=lambda entry: entry.at):
            if entry.machine in ("", own):
                self._entries.setdefault((entry.stage, entry.model), []).append(entry.measured)

    def known(self, stage: str, model: str = "") -> Measured | None:
        """What a unit of work takes, the newest runs and the longest ones counting most."""
        runs = self._entries.get((stage, model), ())
        total = Measured()
        for age, measured in enumerate(reversed(runs)):
            total += measured.times(_FADING**age)
        return total.times(1 / total.work) if total.work > 0 else None


def per_call(speeds: Speeds, model: str) -> Spent | None:
    """What a call of a captioner has taken here; None before the first one was measured."""
    known = speeds.known(CALLS, model) if model else None
    if known is None:
        return None
    return Spent(1, known.seconds, round(known.prompt_tokens), round(known.completion_tokens))


# ---------------------------------------------------------------- what a run measures


class SpeedLog:
    """Gathers what the stages of one run take, and writes it now and then. Thread-safe.

    `path` None: nothing is written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._measured: dict[tuple[str, str], Measured] = {}
        self._written = 0.0
        self._began = time.time()

    def add(self, stage: str, model: str, measured: Measured) -> None:
        with self._lock:
            sofar = self._measured.get((stage, model), Measured())
            self._measured[stage, model] = sofar + measured

    def set_calls(self, model: str, used: Spent) -> None:
        """What all calls of the captioner in this run took so far."""
        if used.calls:
            tokens = (used.prompt_tokens, used.completion_tokens)
            with self._lock:
                measured = Measured(used.calls, used.seconds, used.calls, *tokens)
                self._measured[CALLS, model] = measured

    def end(self, seconds: float, loading: float) -> None:
        """The run is over after `seconds`, of which `loading` went into loading models."""
        if loading > 0:
            self.add(LOADING, "", Measured(1, loading))
        stages = sum(m.seconds for (s, _), m in self._measured.items() if s not in _NO_WORK)
        if stages > 0:
            self.add(WHOLE, "", Measured(stages, max(seconds - loading, 0.0)))
        self.save()

    def save(self, *, often: bool = False) -> None:
        """Write what was measured so far; `often`: not again within a few seconds."""
        with self._lock:
            if self._path is None or not self._measured:
                return
            if often and time.monotonic() - self._written < _OFTEN:
                return
            machine = platform.node()
            entries = [
                Entry(stage, model, measured, machine, self._began)
                for (stage, model), measured in self._measured.items()
                if measured.work > 0
            ]
            self._written = time.monotonic()
        if problem := write_speeds(self._path, entries):
            _log.warning(problem)


def work_of(stage: str, info: MediaInfo, seconds: float) -> tuple[str, float]:
    """(what is worked on, how much work it is), where that does not depend on a model.

    Decoding takes as long as there are pixels; everything else as long as the video is.
    """
    if stage != "frames":
        return "", seconds
    if info.video is None:
        return SOUND, seconds
    fps = info.video.fps if 0 < info.video.fps <= 1000 else USUAL_FPS
    return PICTURES, seconds * fps * info.video.width * info.video.height / 1e6


def views_model(settings: Settings) -> str:
    """What decides how many views a video gives, beside the video."""
    return f"{settings.caption_seconds:g} s, {settings.caption_images} images"


# ---------------------------------------------------------------- the file


def speeds_file(settings: Settings) -> Path | None:
    """Where the speeds are kept; None: nowhere."""
    if settings.speeds == NONE:
        return None
    return Path(settings.speeds).expanduser() if settings.speeds else default_file()


def default_file() -> Path:
    return cache_folder() / _FILE


def read_speeds(path: Path | None) -> Speeds:
    """What is known; nothing where there is no file, and where it is damaged, which it says."""
    if path is None:
        return Speeds()
    try:
        return Speeds(_entries(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        told = f"{type(error).__name__}: {error}".splitlines()[0][:100]
        return Speeds(problem=f"the speeds in {path} cannot be read and are measured anew ({told})")


def write_speeds(path: Path, entries: Iterable[Entry]) -> str:
    """Add the entries, in one step; those of the same run take the place of what it wrote before.

    A place that cannot be written costs the forecast, not the run: "" or why it was not written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            try:
                before = _entries(path)
            except (ValueError, KeyError, TypeError, AttributeError):
                before = []  # damaged: begun anew
            _replace(path, _kept(before, list(entries)))
    except OSError as error:
        return f"the speeds cannot be written to {path}: {error.strerror or error}"
    return ""


def _kept(before: list[Entry], new: list[Entry]) -> list[Entry]:
    """Before and new, of each stage and model the newest few."""
    runs = {(e.stage, e.model, e.machine, e.at) for e in new}
    every = [e for e in before if (e.stage, e.model, e.machine, e.at) not in runs] + new
    kept: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in sorted(every, key=lambda entry: entry.at):
        kept.setdefault((entry.stage, entry.model, entry.machine), []).append(entry)
    return [entry for entries in kept.values() for entry in entries[-_MOST:]]


def _entries(path: Path) -> list[Entry]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    if stored["version"] != _VERSION:
        return []  # of another Footnote
    return [_entry(row) for row in stored["runs"]]


def _entry(row: dict[str, object]) -> Entry:
    numbers = [float(row[field.name]) for field in fields(Measured)]  # type: ignore[arg-type]
    if not all(0 <= number < float("inf") for number in numbers):
        raise ValueError(f"not a measurement: {row}")
    named = (str(row["stage"]), str(row["model"]))
    return Entry(*named, Measured(*numbers), str(row["machine"]), float(row["at"]))  # type: ignore[arg-type]


def _replace(path: Path, entries: Iterable[Entry]) -> None:
    rows = [
        {"stage": e.stage, "model": e.model, "machine": e.machine, "at": e.at, **asdict(e.measured)}
        for e in entries
    ]
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"version": _VERSION, "runs": rows}, file, indent=0)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two runs that end at once must not lose what the other one wrote."""
    with open(path.with_name(f".{path.name}.lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _numbers(measured: Measured) -> tuple[float, ...]:
    return tuple(getattr(measured, field.name) for field in fields(Measured))
