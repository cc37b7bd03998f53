"""A file may kill, stall or bloat its reader; whoever reads it gets one line and goes on."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.errors import ClockError, MediaError
from pipeline.media.child import MediaReader
from pipeline.media.probe import probe
from pipeline.media.scan import scan_video
from pipeline.types import Segment
from tests import clips

ROOT = Path(__file__).resolve().parent.parent
GREY = clips.colour(90, 90, 90)

# ---------------------------------------------------------------- run in the child


def crash(path: str) -> None:
    ctypes.string_at(0)


def leave(path: str) -> None:
    os._exit(3)


def stall(path: str) -> None:
    time.sleep(60)


def eat(path: str) -> int:
    return int(np.ones(1 << 33, np.uint8).sum())


def stumble(path: str) -> None:
    raise KeyError("moov")


def wrong_time(path: str) -> Segment:
    return Segment("speech", 2.0, 1.0, "backwards")


def process(path: str) -> int:
    return os.getpid()


def count(path: str, progress: Callable[[float], None] | None = None) -> int:
    for number in range(5):
        if progress:
            progress(float(number))
        time.sleep(0.25)
    return 5


def chatter(path: str) -> str:
    print("a library that prints")
    os.write(1, b"and one that does it from C\n")
    return "quiet"


# ---------------------------------------------------------------- tests


@pytest.fixture(scope="module")
def reader() -> Iterator[MediaReader]:
    with MediaReader(timeout=30) as reader:
        yield reader


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.write(
        tmp_path_factory.mktemp("child") / "talk.mp4",
        clips.scenes((2.0, clips.texture(1)), (2.0, clips.texture(2))),
        tracks=[clips.Track([clips.Tone(1.0, 1.5)], end=4.0)],
        subtitles=[clips.Subtitles([(0.5, 1.5, "hello")])],
    )


def test_what_comes_back_is_what_a_call_here_gives(
    reader: MediaReader, clip: Path, tmp_path: Path
) -> None:
    info = reader.probe(clip)
    assert info == probe(clip)
    assert reader.scan_video(clip, tmp_path) == scan_video(clip, tmp_path)
    sound = reader.read_audio(clip, tmp_path / "x.f32")
    assert len(sound.samples()) == sound.count > 60_000
    (track,), problems = reader.subtitles(clip, [], info)
    assert [segment.text for segment in track.segments] == ["hello"]
    assert problems == ()
    ((time_, path),) = reader.frames_at(clip, [3.0], tmp_path)
    assert (round(time_, 3), path.exists()) == (3.0, True)


def test_an_error_of_the_file_comes_through_as_it_is(reader: MediaReader, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"")
    with pytest.raises(MediaError) as raised:
        reader.probe(tmp_path / "x.mp4")
    assert raised.value.message == "x.mp4 is empty (0 bytes)"
    assert raised.value.hint == "copy or download it again"
    with pytest.raises(ClockError):
        reader.run(wrong_time, "x.mp4")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (crash, r"^x\.mp4: the decoder crashed \(signal 11\)$"),
        (leave, r"^x\.mp4: the decoder crashed \(exit code 3\)$"),
        (eat, r"^x\.mp4: reading it takes more than 4096 MB of memory$"),
        (stumble, r"^x\.mp4 could not be read \(KeyError in test_media_child\.py:\d+: 'moov'\)$"),
    ],
)
def test_a_reader_that_dies_is_one_line_and_the_next_file_is_read(
    reader: MediaReader, clip: Path, function: Callable[[str], None], says: str
) -> None:
    with pytest.raises(MediaError, match=says):
        reader.run(function, "/some/where/x.mp4")
    assert reader.probe(clip).video is not None


def test_a_reader_that_stalls_is_stopped(clip: Path) -> None:
    with MediaReader(timeout=1.5) as reader:
        began = time.monotonic()
        with pytest.raises(MediaError, match=r"x\.mp4: .* longer than 1\.5 s") as raised:
            reader.run(stall, "x.mp4")
        assert time.monotonic() - began < 5
        assert "media_timeout" in raised.value.hint


def test_a_child_serves_many_files_and_ends_with_its_reader(clip: Path) -> None:
    with MediaReader() as reader:
        pids = {reader.run(process, "x") for _ in range(3)}
        with pytest.raises(MediaError):
            reader.probe("/nowhere.mp4")
        pids.add(reader.run(process, "x"))
        assert len(pids) == 1
    assert not psutil.pid_exists(pids.pop())


def test_calls_from_two_threads_do_not_wait_for_each_other(reader: MediaReader) -> None:
    pids: list[int] = []
    slow = threading.Thread(target=lambda: reader.run(count, "x"))
    slow.start()
    time.sleep(0.3)
    pids.append(reader.run(process, "x"))
    assert slow.is_alive()
    slow.join()
    assert len(pids) == 1


def test_progress_is_told_in_the_parent(reader: MediaReader) -> None:
    seen: list[float] = []
    assert reader.run(count, "x", progress=seen.append) == 5
    assert seen == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_what_libraries_print_goes_nowhere(
    reader: MediaReader, capfd: pytest.CaptureFixture[str]
) -> None:
    assert reader.run(chatter, "x") == "quiet"
    assert capfd.readouterr() == ("", "")


def test_an_interrupted_call_leaves_no_child_at_work() -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with MediaReader() as reader:
        pid = reader.run(process, "x")
        with pytest.raises(KeyboardInterrupt):
            reader.run(count, "x", progress=interrupt)
        assert not psutil.pid_exists(pid)


def test_a_module_beside_the_videos_is_not_imported(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av.py").write_text("raise SystemExit('not yours')")
    monkeypatch.chdir(tmp_path)
    with MediaReader() as reader:
        assert reader.probe(clip).video is not None


PARENT = """
import sys, threading
from pipeline.media.child import MediaReader
from tests.test_media_child import process, stall

with MediaReader() as reader:
    print(reader.run(process, "x"), flush=True)
    reader.run(stall, "x")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_a_child_does_not_outlive_its_parent(blow: signal.Signals, tmp_path: Path) -> None:
    """Killed in the middle of a call, or interrupted from the terminal: no orphan, no noise."""
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.3)
    os.killpg(parent.pid, blow)
    _, errors = parent.communicate(timeout=60)
    _, alive = psutil.wait_procs([child], timeout=5)
    assert alive == []
    assert errors.count("Traceback") <= 1, "the parent's own at most"
