"""Stages and videos side by side: bounded, oldest first, and with the library that order gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.ingest import stages
from pipeline.ingest.lanes import Lane, Lanes, StageEvent, Stopped
from pipeline.ingest.listening import SharedSound
from pipeline.ingest.overlap import AFTER, overlapped
from pipeline.ingest.runner import LocalExecutor, Runner
from pipeline.ingest.stages import VideoStages
from pipeline.library import Library
from pipeline.media.audio import Sound
from pipeline.media.child import MediaReader
from pipeline.models.shelf import Shelf
from pipeline.models.speech import FakeTranscriber
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.types import ProgressEvent
from tests import clips

FAKES: dict[str, Any] = {
    "profile": "embedded",
    "embedding_model": "fake:64",
    "screen_reader": "fake:Departures | Platform two",
    "speech_model": "fake:all aboard the night train",
    "speech_detector": "fake:loudness",
    "caption_model": "fake:colours",
    "sound_model": "fake:pitch",
    "levels": "text",
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five short clips with cuts and sound; one has subtitles, one is sound alone."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(4):
        parts = [(1.5, clips.texture(10 * number + part)) for part in range(number + 1)]
        seconds = 1.5 * len(parts)
        tones = [clips.Tone(0.2, seconds - 0.3, 300 + 100 * number)]
        clips.write(
            folder / f"clip{number}.mp4",
            clips.scenes(*parts, fps=10),
            fps=10,
            tracks=[clips.Track(tones, 0.0, seconds)],
        )
    (folder / "clip2.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\nThe owl hunts voles.\n")
    clips.write(folder / "radio.m4a", tracks=[clips.Track([clips.Tone(0.5, 3.0)], 0.0, 3.5)])
    return folder


def settings_of(library: Path, **more: Any) -> Settings:
    return Settings(**{**FAKES, "library": library, **more})


def add(library: Path, videos: Path, **more: Any) -> tuple[list[Any], Any, list[Any]]:
    """(canonical rows, vectors, reports) of a new library of `videos`."""
    with Library(library, settings_of(library, **more)) as opened:
        result = opened.add([videos])
    reports = [
        (
            Path(v.path).name,
            v.status,
            v.reason,
            list(v.stages),
            [s.status for s in v.stages.values()],
        )
        for v in result.videos
    ]
    with Catalog(library) as catalog:
        return list(catalog.dump()), catalog.dump_embeddings(), reports


# ---------------------------------------------------------------- the same library


def in_order(
    after: Mapping[str, Sequence[str]], step: Callable[[str], object], abandon: object
) -> None:
    for name in ("frames", "speech", "screen", "captions", "sounds", "passages", "levels"):
        step(name)
    step("frame_vectors")


def test_the_library_is_that_of_one_stage_after_the_other(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(stages, "overlapped", in_order)
        expected = add(tmp_path / "one", videos, videos_at_once=1)
    found = add(tmp_path / "many", videos, videos_at_once=5)
    assert found[0] == expected[0]
    assert np.array_equal(found[1], expected[1])
    assert found[2] == expected[2], "what was told of them, too"
    assert {row[0] for row in found[0]} >= {"videos", "segments", "passages", "stages", "frames"}
    sources = {row[2] for row in found[0] if row[0] == "segments"}
    assert {"speech", "screen", "caption", "sound"} <= sources


def test_speech_is_heard_while_the_pictures_are_decoded(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = threading.Event()
    transcribe, scan = FakeTranscriber.transcribe, MediaReader.scan_video

    def transcribing(self: FakeTranscriber, *args: Any) -> Any:
        heard.set()
        return transcribe(self, *args)

    def scanning(self: MediaReader, *args: Any, **kwargs: Any) -> Any:
        assert heard.wait(10), "speech waits for the pictures"
        return scan(self, *args, **kwargs)

    monkeypatch.setattr(FakeTranscriber, "transcribe", transcribing)
    monkeypatch.setattr(MediaReader, "scan_video", scanning)
    rows, _, reports = add(tmp_path / "library", videos / "clip1.mp4")
    assert [report[1] for report in reports] == ["added"]
    assert "speech" in {row[2] for row in rows if row[0] == "segments"}


def test_sound_is_decoded_once_for_speech_and_sounds(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, decoded = MediaReader.read_audio, []

    def reading(self: MediaReader, path: Path, target: Path, **kwargs: Any) -> Sound:
        decoded.append((Path(path).name, target))
        return read(self, path, target, **kwargs)

    monkeypatch.setattr(MediaReader, "read_audio", reading)
    add(tmp_path / "library", videos)
    assert sorted(name for name, _ in decoded) == sorted(p.name for p in videos.glob("*.m*4*"))
    assert not any(target.exists() for _, target in decoded), "nothing is left behind"


# ---------------------------------------------------------------- when it ends early


def test_a_bug_in_a_stage_ends_the_run_and_is_what_is_raised(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: FakeTranscriber, *_: Any) -> Any:
        raise ZeroDivisionError("in the recogniser")

    monkeypatch.setattr(FakeTranscriber, "transcribe", broken)
    began = time.perf_counter()
    with pytest.raises(ZeroDivisionError, match="in the recogniser"):
        add(tmp_path / "library", videos)
    assert time.perf_counter() - began < 20
    assert not [t for t in threading.enumerate() if t.name.startswith("footnote-stage")]
    with Catalog(tmp_path / "library") as catalog:
        for video in catalog.videos():
            assert catalog.claim(video.video_id, "add", "another", 10), "its lease is free again"


def test_a_stop_ends_waits_for_a_slow_captioner(videos: Path, tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "library", caption_model="fake:slow:0.3:0", caption_batch=1)
    described = threading.Event()

    def progress(event: ProgressEvent) -> None:
        if event.stage == "captions":
            described.set()

    with Catalog(settings.library, create=True) as catalog, MediaReader() as media:
        run = VideoStages(catalog, Shelf(settings, "fake:64"), media, settings)
        runner = Runner(catalog, run, LocalExecutor(4), progress)
        paths = sorted(videos.glob("*.mp4"))
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(lambda: list(runner.run(paths)))
            assert described.wait(30)
            run.lanes.stop.set()
            with pytest.raises(Stopped):
                running.result(timeout=5)
        captioner: Any = run.shelf.captioner()
        calls = len(captioner.busy)
        time.sleep(1.2)
        # One was worked on, one was handed over: nothing else begins after the end.
        assert len(captioner.busy) <= calls + 2 < 10


def test_a_file_of_which_nothing_can_be_read_leaves_nothing(tmp_path: Path) -> None:
    good = clips.write(
        tmp_path / "good.mp4",
        clips.scenes((2.0, clips.texture(1)), fps=10),
        fps=10,
        tracks=[clips.Track([clips.Tone(0.0, 2.0)], 0.0, 2.0)],
    )
    data = bytearray(good.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)  # the header is whole, and nothing behind it
    (tmp_path / "bad.mp4").write_bytes(data)
    rows, _, reports = add(tmp_path / "library", tmp_path / "bad.mp4")
    assert [report[1] for report in reports] in (["failed"], ["partial"])
    kept = {row[1] for row in rows if row[0] == "videos"}
    assert kept == ({"bad"} if reports[0][1] == "partial" else set())


# ---------------------------------------------------------------- steps


def test_steps_wait_for_what_they_come_after_and_for_nothing_else() -> None:
    done: list[str] = []
    together = threading.Barrier(2, timeout=5)

    def step(name: str) -> None:
        assert set(AFTER[name]) <= set(done)
        if name in ("frames", "speech"):
            together.wait()
        done.append(name)

    overlapped(AFTER, step, lambda: None)
    assert sorted(done) == sorted(AFTER)
    assert done[-1] in ("levels", "frame_vectors")


def test_a_step_that_fails_is_raised_when_the_others_have_ended() -> None:
    abandoned, ended = threading.Event(), []

    def step(name: str) -> None:
        if name == "a":
            raise KeyError(name)
        assert name == "b", "nothing else begins"
        assert abandoned.wait(5)
        time.sleep(0.05)
        ended.append(name)

    with pytest.raises(KeyError):
        overlapped({"a": (), "b": (), "c": ("a",)}, step, abandoned.set)
    assert ended == ["b"]


# ---------------------------------------------------------------- lanes


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(12) as made:
        yield made


def test_a_lane_holds_as_many_as_it_is_wide_the_oldest_first(pool: ThreadPoolExecutor) -> None:
    lanes = Lanes({"work": 2})
    began: list[int] = []
    inside, most = 0, 0
    gate, lock = threading.Event(), threading.Lock()

    def work(order: int) -> None:
        nonlocal inside, most
        with lanes.of(order, str(order), lambda: False).turn("work"):
            with lock:
                inside += 1
                most = max(most, inside)
                began.append(order)
            assert gate.wait(5)
            with lock:
                inside -= 1

    running = [pool.submit(work, 50 + number) for number in range(2)]
    time.sleep(0.05)
    running += [pool.submit(work, order) for order in (9, 3, 7, 1, 5)]
    time.sleep(0.1)
    gate.set()
    for one in running:
        one.result()
    assert most == 2
    assert set(began[2:4]) == {1, 3}
    assert set(began[4:6]) == {5, 7}


def test_the_older_video_is_done_before_the_younger_begins(pool: ThreadPoolExecutor) -> None:
    lanes = Lanes({"work": 1})
    done: list[int] = []

    def pictures(order: int) -> None:
        turns = lanes.of(order, str(order), lambda: False)
        for _ in range(5):
            with turns.turn("work"):
                time.sleep(0.01)
            done.append(order)
            time.sleep(0.005)  # what was read is stored

    with lanes.of(9, "holder", lambda: False).turn("work"):
        running = [pool.submit(pictures, order) for order in (2, 1)]
        time.sleep(0.05)
    for one in running:
        one.result()
    assert done == [1] * 5 + [2] * 5


@pytest.mark.parametrize("of_the_run", [True, False])
def test_who_waits_for_a_lane_goes_when_nobody_wants_it_any_more(
    pool: ThreadPoolExecutor, of_the_run: bool
) -> None:
    lanes, ended = Lanes({"work": 1}), threading.Event()
    holder, waiter = (lanes.of(order, "talk", ended.is_set) for order in (0, 1))

    def wait() -> None:
        with waiter.turn("work"):
            pytest.fail("it was held")

    with holder.turn("work"):
        waiting = pool.submit(wait)
        time.sleep(0.05)
        (lanes.stop if of_the_run else ended).set()
        with pytest.raises(Stopped):
            waiting.result(timeout=2)
    lanes.lane("work").enter(0, lambda: False)  # and the lane is whole


def test_what_waits_is_counted_apart_and_every_turn_is_traced(pool: ThreadPoolExecutor) -> None:
    events: list[StageEvent] = []
    lanes = Lanes({"work": 1}, events.append)
    waited = []

    def work(order: int) -> None:
        turns = lanes.of(order, f"v{order}", lambda: False)
        with turns.turn("work"):
            time.sleep(0.1)
        waited.append(turns.waited)

    for one in [pool.submit(work, order) for order in range(3)]:
        one.result()
    first, second, third = sorted(waited)
    assert first < 0.05
    assert second == pytest.approx(0.15, abs=0.09)
    assert second + 0.08 < third < second + 0.3
    assert {event.video for event in events} == {"v0", "v1", "v2"}
    assert all(b.begin >= a.end - 0.01 for a, b in pairwise(events))


def test_a_lane_is_free_again_after_an_error() -> None:
    lane = Lane(1)
    turns = Lanes({"work": 1}).of(0, "talk", lambda: False)
    with pytest.raises(ValueError), turns.turn("work"):
        raise ValueError
    with turns.turn("work"):
        pass
    lane.enter(0, lambda: False)


# ---------------------------------------------------------------- the sound that is shared


def test_the_file_of_the_sound_goes_with_its_last_listener(tmp_path: Path) -> None:
    targets: list[Path] = []

    def decode(target: Path) -> Sound:
        targets.append(target)
        target.write_bytes(b"\0\0" * 100)
        return Sound(target, 100, 0)

    sound = SharedSound(decode, ("speech", "sounds"))
    assert len(sound.get().samples()[:]) == 100
    assert sound.get() is sound.get()
    sound.done("speech")
    assert targets[0].exists()
    sound.done("sounds")
    assert len(targets) == 1
    assert not targets[0].parent.exists()
    sound.close()


def test_a_track_that_cannot_be_decoded_is_tried_once() -> None:
    tried = []

    def decode(target: Path) -> Sound:
        tried.append(target)
        raise MediaError("no sound")

    sound = SharedSound(decode, ("speech", "sounds"))
    for _ in range(2):
        with pytest.raises(MediaError, match="no sound"):
            sound.get()
    sound.close()
    assert len(tried) == 1
    assert not tried[0].parent.exists()


def test_a_decoder_that_is_stopped_leaves_no_folder() -> None:
    targets: list[Path] = []

    def decode(target: Path) -> Sound:
        targets.append(target)
        raise Stopped

    sound = SharedSound(decode, ("speech", "sounds"))
    for _ in range(2):
        with pytest.raises(Stopped):
            sound.get()
    assert not any(target.parent.exists() for target in targets)
