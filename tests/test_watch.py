"""`footnote watch`: what appears, changes, moves and goes, by a clock that the tests move."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.apps import settling
from pipeline.apps.settling import Settling, Stamp, Survey, being_written, survey
from pipeline.apps.watching import Log, Noticed, Watch, log_json
from pipeline.errors import UsageError
from pipeline.ingest.runner import BEING_READ
from pipeline.library import AddResult, Library
from pipeline.media.child import MediaReader
from pipeline.types import VideoReport
from tests import clips
from tests.command import Footnote
from tests.served import library_of, until

ROOT = Path(__file__).resolve().parent.parent
A, B, C = Path("/v/a.mp4"), Path("/v/b.mp4"), Path("/v/c.mp4")


def stamp(size: int = 1) -> Stamp:
    """On a disk that the folders above have not: of a file whose disk is there."""
    return Stamp(size, size, (), Path("/").stat().st_dev)


def seen(*paths: Path, **sizes: int) -> Survey:
    return Survey({path: stamp(sizes.get(path.stem, 1)) for path in paths})


# ---------------------------------------------------------------- what has come to rest


def test_a_file_is_ready_when_it_has_been_at_rest() -> None:
    rest = Settling(5.0)
    assert rest.step(seen(A), 0.0).ready == ()
    assert rest.step(seen(A), 4.9).ready == ()
    assert rest.step(seen(A), 5.0).ready == (A,)
    assert rest.step(seen(A), 99.0).ready == ()


def test_a_file_that_grows_is_not_ready_until_it_stops() -> None:
    rest = Settling(5.0)
    for second in range(0, 40, 4):
        assert rest.step(seen(A, a=second + 1), float(second)).ready == ()
    assert rest.waiting == 1
    assert rest.step(seen(A, a=37), 40.9).ready == ()
    assert rest.step(seen(A, a=37), 41.0).ready == (A,)
    assert rest.waiting == 0


def test_a_file_that_changes_is_ready_again() -> None:
    rest = Settling(1.0)
    rest.step(seen(A), 0.0)
    assert rest.step(seen(A), 1.0).ready == (A,)
    assert rest.step(seen(A, a=2), 2.0).ready == ()
    assert rest.step(seen(A, a=2), 3.0).ready == (A,)


def test_files_that_arrive_together_are_ready_together() -> None:
    rest = Settling(1.0)
    rest.step(seen(B, A), 0.0)
    assert rest.step(seen(B, A), 1.0).ready == (A, B)


def test_a_file_that_goes_is_gone_after_a_while_and_once() -> None:
    rest = Settling(1.0)
    rest.step(seen(A), 0.0)
    rest.step(seen(A), 1.0)
    assert rest.step(seen(), 2.0).gone == ()
    assert rest.step(seen(), 3.0).gone == (A,)
    assert rest.step(seen(), 9.0).gone == ()


def test_a_file_that_comes_back_was_never_gone() -> None:
    rest = Settling(1.0)
    rest.step(seen(A), 0.0)
    rest.step(seen(A), 1.0)
    rest.step(seen(), 2.0)
    assert rest.step(seen(A), 2.5).gone == ()
    assert rest.step(seen(), 3.4).gone == ()


def test_a_file_is_not_gone_before_what_may_be_it_has_been_read() -> None:
    """The new name of a file is seen a look later than that the old one is not there."""
    rest = Settling(1.0)
    rest.step(seen(A), 0.0)
    rest.step(seen(A), 1.0)
    rest.step(seen(), 2.0)
    rest.step(seen(B), 2.5)
    assert rest.step(seen(B), 3.2) == settling.Settled((), ())
    assert rest.step(seen(B), 3.6) == settling.Settled((B,), (A,))


def test_a_recording_that_goes_on_for_hours_does_not_hold_up_what_is_gone() -> None:
    rest = Settling(1.0)
    rest.step(seen(A), 0.0)
    rest.step(seen(A), 1.0)
    rest.step(seen(C), 2.0)
    assert rest.step(seen(C, c=2), 2.5).gone == ()
    assert rest.step(seen(C, c=3), 3.0).gone == (A,)


def test_a_file_that_went_before_it_was_ready_was_nothing() -> None:
    rest = Settling(1.0)
    rest.step(seen(A), 0.0)
    assert rest.step(seen(), 5.0) == settling.Settled((), ())
    assert rest.waiting == 0


def test_what_lies_on_a_disk_that_is_away_is_not_gone(tmp_path: Path) -> None:
    here = tmp_path / "usb" / "a.mp4"
    device = tmp_path.stat().st_dev
    for disk, unlisted, gone in (
        (device, (), (here,)),
        (device + 1, (), ()),  # the folder it was mounted on is there, and empty
        (device, (tmp_path / "usb",), ()),  # a share that does not answer
    ):
        rest = Settling(1.0)
        was = Survey({here: Stamp(1, 1, (), disk)})
        rest.step(was, 0.0)
        rest.step(was, 1.0)
        rest.step(Survey({}, unlisted), 2.0)
        assert rest.step(Survey({}, unlisted), 9.0).gone == gone


def test_a_file_that_is_open_for_writing_is_not_ready(tmp_path: Path) -> None:
    if not Path("/proc/self/fdinfo").is_dir():
        pytest.skip("this system does not tell which files are open")
    path = tmp_path / "a.mp4"
    with path.open("wb") as file:
        file.write(b"x")
        file.flush()
        found = survey(tmp_path, Path("/nowhere"))
        assert found is not None
        rest = Settling(1.0)
        rest.step(found, 0.0)
        assert rest.step(found, 50.0).ready == ()
        assert being_written([path]) == {path}
    assert rest.step(found, 50.5).ready == ()
    assert rest.step(found, 51.0).ready == (path,)
    with path.open("rb"):
        assert being_written([path]) == set()


# ---------------------------------------------------------------- what lies in a folder


def test_a_survey_finds_what_add_finds(tmp_path: Path) -> None:
    library, hidden = tmp_path / "library", tmp_path / ".trash"
    for folder in (library / "uploads", hidden, tmp_path / "deep" / "er"):
        folder.mkdir(parents=True)
    for name in ("a.mp4", ".b.mp4", "notes.txt", "A.MKV", "deep/er/c.webm", "a.mp4.part"):
        (tmp_path / name).write_bytes(b"x")
    (library / "uploads" / "d.mp4").write_bytes(b"x")
    (hidden / "e.mp4").write_bytes(b"x")
    (tmp_path / "nowhere.mp4").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = survey(tmp_path, library.resolve())
    assert found is not None and found.unlisted == ()
    names = {str(path.relative_to(tmp_path)) for path in found.files}
    assert names == {"a.mp4", "A.MKV", "deep/er/c.webm"}
    assert survey(tmp_path / "nothing", library) is None


def test_a_survey_sees_the_files_that_belong_to_a_video(tmp_path: Path) -> None:
    for name in ("talk.one.mp4", "talk.mp4"):
        (tmp_path / name).write_bytes(b"x")

    def sidecars(name: str) -> list[str]:
        found = survey(tmp_path, Path("/nowhere"))
        assert found is not None
        return [sidecar for sidecar, *_ in found.files[tmp_path / name].sidecars]

    assert sidecars("talk.mp4") == []
    for name in ("talk.en.vtt", "TALK.srt", "talk.one.vtt", "talk.mp4.json", "other.srt"):
        (tmp_path / name).write_text("x")
    assert sidecars("talk.mp4") == ["TALK.srt", "talk.en.vtt", "talk.mp4.json"]
    assert sidecars("talk.one.mp4") == ["talk.one.vtt"]


def test_a_folder_that_cannot_be_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share").mkdir()
    scandir = os.scandir

    def failing(path: Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "share":
            raise OSError(116, "Stale file handle")
        return scandir(path)

    monkeypatch.setattr(settling.os, "scandir", failing)
    assert survey(tmp_path, Path("/nowhere")) == Survey({}, (tmp_path / "share",))


# ---------------------------------------------------------------- with a library


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process: what is tested here is not that a child may die of them,
    and a child takes most of the time that a short clip takes."""

    def run(_: MediaReader, function: Any, *args: Any, progress: Any = None, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    monkeypatch.setattr(MediaReader, "run", run)


class Watching:
    """A watch over an empty folder, and what it told; `rest` lets everything settle."""

    def __init__(self, folder: Path, library: Library, **options: bool) -> None:
        self.folder, self.library = folder, library
        self.told: list[Noticed] = []
        self.watch = Watch(library, folder, self.told.append, settle=1.0, **options)
        self.now = 0.0

    def rest(self) -> list[tuple[str, str]]:
        """(what, whose) of everything that came of it."""
        self.told.clear()
        for _ in range(4):
            self.watch.step(self.now)
            self.now += 1.0
        found = []
        for noticed in self.told:
            found += [(r.status, r.video_id or Path(r.path).name) for r in noticed.reports]
            if noticed.kind != "read":
                found.append((noticed.kind, noticed.video_id))
        return found

    def path_of(self, video_id: str) -> str:
        return str(Path(self.library.video(video_id).path).relative_to(self.folder))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return clips.write(path, clips.scenes((0.5, clips.texture(5, (64, 36))), fps=10), fps=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "videos"
    made.mkdir()
    return made


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with library_of(tmp_path, screen_reader="fake:words", levels="none") as made:
        yield made


def put(clip: Path, path: Path, more: bytes = b"") -> Path:
    """A copy with some bytes behind the video, which make it another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(clip.read_bytes() + more)
    return path


def test_a_video_is_followed_from_its_arrival_to_its_end(
    folder: Path, library: Library, clip: Path
) -> None:
    watching = Watching(folder, library)
    assert watching.rest() == []
    put(clip, folder / "talk.mp4")
    assert watching.rest() == [("added", "talk")]
    (folder / "talk.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:00.400\nWelcome.\n")
    assert watching.rest() == [("updated", "talk")]
    assert library.search("welcome").moments[0].video_id == "talk"
    (folder / "2026").mkdir()
    for name in ("talk.mp4", "talk.vtt"):
        (folder / name).rename(folder / "2026" / name.replace("talk", "opening"))
    assert watching.rest() == [("moved", "talk")]
    assert watching.path_of("talk") == "2026/opening.mp4"
    put(clip, folder / "2026" / "opening.mp4", b"more")
    assert watching.rest() == [("updated", "talk")]
    (folder / "2026" / "opening.mp4").unlink()
    assert watching.rest() == [("gone", "talk")]
    assert library.search("welcome").moments, "its text is kept"
    put(clip, folder / "back.mp4", b"more")
    assert watching.rest() == [("moved", "talk")]


def test_what_is_deleted_is_removed_where_that_is_asked_for(
    folder: Path, library: Library, clip: Path
) -> None:
    watching = Watching(folder, library, remove=True)
    put(clip, folder / "a.mp4")
    put(clip, folder / "b.mp4", b"b")
    assert watching.rest() == [("added", "a"), ("added", "b")]
    (folder / "a.mp4").unlink()
    (folder / "b.mp4").rename(folder / "c.mp4")
    assert watching.rest() == [("moved", "b"), ("removed", "a")]
    assert [video.video_id for video in library.videos()] == ["b"]


def test_a_second_copy_takes_the_place_of_the_first(
    folder: Path, library: Library, clip: Path
) -> None:
    watching = Watching(folder, library, remove=True)
    put(clip, folder / "a.mp4")
    put(clip, folder / "copy.mp4")
    assert [status for status, _ in watching.rest()] == ["added", "unchanged"]
    (folder / "a.mp4").unlink()
    assert watching.rest() == [("moved", "a")]
    assert watching.path_of("a") == "copy.mp4"
    (folder / "copy.mp4").unlink()
    assert watching.rest() == [("removed", "a")]


def test_a_disk_that_is_unmounted_removes_nothing(
    folder: Path, library: Library, clip: Path
) -> None:
    watching = Watching(folder, library, remove=True)
    put(clip, folder / "a.mp4")
    watching.rest()
    folder.rename(folder.with_name("away"))
    assert watching.rest() == [("away", "")]
    folder.with_name("away").rename(folder)
    assert watching.rest() == [("back", "")]
    assert [video.video_id for video in library.videos()] == ["a"]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    folder: Path, library: Library, clip: Path
) -> None:
    watching = Watching(folder, library)
    (folder / "a.mp4").write_text("no video at all")
    put(clip, folder / "b.mp4")
    assert sorted(watching.rest()) == [("added", "b"), ("failed", "a")]
    assert watching.rest() == [], "it is not tried again and again"
    put(clip, folder / "a.mp4", b"a")
    assert watching.rest() == [("added", "a")]


def test_what_was_there_before_is_brought_up_to_date_and_never_removed_unseen(
    folder: Path, library: Library, clip: Path
) -> None:
    """A disk that was not there when the watch began is no reason to remove what is on it."""
    put(clip, folder / "a.mp4")
    put(clip, folder / "b.mp4", b"b")
    put(clip, folder.with_name("elsewhere.mp4"), b"c")
    library.add([folder, folder.with_name("elsewhere.mp4")])
    folder.with_name("elsewhere.mp4").unlink()
    (folder / "a.mp4").unlink()
    watching = Watching(folder, library, remove=True)
    assert sorted(watching.rest()) == [("gone", "a"), ("unchanged", "b")]
    assert len(library.videos()) == 3


def test_a_file_that_goes_in_the_moment_it_is_read_is_looked_at_again(
    folder: Path, library: Library, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = Watching(folder, library)
    put(clip, folder / "a.mp4")
    put(clip, folder / "b.mp4", b"b")
    add, calls = library.add, []

    def losing(paths: list[Path], progress: object) -> AddResult:
        calls.append(list(paths))
        if len(calls) == 1:
            (folder / "a.mp4").unlink()
        return add(paths)

    monkeypatch.setattr(library, "add", losing)
    assert watching.rest() == [("added", "b")]
    assert [len(paths) for paths in calls] == [2, 1]


def test_a_video_that_another_add_works_on_is_tried_again(
    folder: Path, library: Library, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = Watching(folder, library)
    path = put(clip, folder / "a.mp4")
    busy = VideoReport("a", str(path), "unchanged", {}, BEING_READ)
    with monkeypatch.context() as patch:
        patch.setattr(library, "add", lambda *_: AddResult((busy,), {}))
        assert watching.rest()[0] == ("unchanged", "a")
    assert watching.rest() == [("added", "a")]


def test_only_a_folder_is_watched(tmp_path: Path, library: Library, footnote: Footnote) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        Watch(library, tmp_path / "nothing", lambda _: None)
    error = footnote.json("watch", tmp_path / "nothing", code=2)["error"]
    assert error["code"] == "usage"


def test_the_log_holds_the_last_of_each_file() -> None:
    log = Log("/v", {}, {}, {})
    failed = VideoReport("a", "/v/a.mp4", "failed", {}, "no video")
    log.note(Noticed("read", "/v", reports=(failed,)))
    assert log.failed
    log.note(Noticed("read", "/v", reports=(VideoReport("a", "/v/a.mp4", "added", {}),)))
    log.note(Noticed("gone", "/v/b.mp4", "b"))
    log.note(Noticed("away", "/v"))
    assert not log.failed
    shown = log_json(log)
    assert [video["status"] for video in shown["videos"]] == ["added"]
    assert shown["gone"] == [{"path": "/v/b.mp4", "video_id": "b"}] and shown["removed"] == []


def test_the_command_runs_until_ctrl_c(tmp_path: Path, folder: Path, clip: Path) -> None:
    """One JSON object at the end, and exit code 0: ending it is how it is used."""
    put(clip, folder / "a.mp4")
    with watching_command(tmp_path, folder, "--json") as process:
        until(lambda: process.poll() is not None or (tmp_path / "library" / "frames").is_dir(), 120)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    shown = json.loads(out)
    assert shown["folder"] == str(folder)
    assert {video["video_id"] for video in shown["videos"]} <= {"a"}


def test_the_command_ends_as_a_service_does(tmp_path: Path, folder: Path) -> None:
    with watching_command(tmp_path, folder) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Watching ")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")


@contextmanager
def watching_command(
    tmp_path: Path, folder: Path, *options: str
) -> Iterator[subprocess.Popen[str]]:
    # Where the tests run in the background, Ctrl-C is ignored from the start.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "import sys; from pipeline.apps.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "watch", str(folder), "--settle", "0.1", *options]
    settings = {
        "FOOTNOTE_LIBRARY": str(tmp_path / "library"),
        "FOOTNOTE_PROFILE": "embedded",
        "FOOTNOTE_EMBEDDING_MODEL": "fake:64",
        "FOOTNOTE_SCREEN_READER": "fake:words",
        "FOOTNOTE_SPEEDS": "none",
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(
        command,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            yield process
    finally:
        process.kill()
