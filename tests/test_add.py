"""`footnote add`, end to end on real clips: times, resuming, moves, copies, changes, failures."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.store.catalog import Catalog
from tests import clips
from tests.command import Footnote

SRT = """1
00:00:00,500 --> 00:00:02,000
The owl hunts voles at night.

2
00:00:02,500 --> 00:00:03,500
The ferry leaves at noon.
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two videos: one of two scenes with a sidecar, one with sound and nothing said about it."""
    monkeypatch.setenv("FOOTNOTE_SCREEN_READER", "fake:Departures")
    videos = tmp_path / "videos"
    videos.mkdir()
    scenes = clips.scenes((2.0, clips.texture(1)), (2.0, clips.texture(2)), fps=10)
    clips.write(videos / "talk.mp4", scenes, fps=10)
    (videos / "talk.srt").write_text(SRT)
    clips.write(
        videos / "film.mkv",
        clips.scenes((3.0, clips.texture(3)), fps=10),
        fps=10,
        tracks=[clips.Track([clips.Tone(1.0, 2.0)], 0.0, 3.0)],
    )
    return videos


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {Path(video["path"]).name: video["status"] for video in report["videos"]}


def stage(report: dict[str, Any], video_id: str, name: str) -> dict[str, Any]:
    (video,) = [video for video in report["videos"] if video["video_id"] == video_id]
    return dict(video["stages"][name])


def dump(library: Path) -> tuple[list[tuple[object, ...]], Any]:
    with Catalog(library) as catalog:
        return list(catalog.dump()), catalog.dump_embeddings()


def test_what_is_said_and_shown_is_found_at_its_time(footnote: Footnote, folder: Path) -> None:
    report = footnote.json("add", folder)
    assert statuses(report) == {"talk.mp4": "added", "film.mkv": "added"}
    first = footnote.json("search", "ferry leaves", "--source", "speech")["moments"][0]
    assert (first["video_id"], first["start"], first["end"]) == ("talk", 0.5, 3.5)
    shown = footnote.json("show", "talk")
    assert shown["duration"] == pytest.approx(4.0, abs=0.11)
    assert [(s["start"], s["end"]) for s in shown["segments"] if s["source"] == "speech"] == [
        (0.5, 2.0),
        (2.5, 3.5),
    ]
    (screen,) = [s for s in shown["segments"] if s["source"] == "screen"]
    assert screen["text"] == "Departures"
    assert screen["start"] < 0.2
    assert screen["end"] == pytest.approx(4.0, abs=0.6)
    answer = footnote.json("ask", "When does the ferry leave?")
    (citation, *_) = answer["citations"]
    # The words lie in 2.5 to 3.5; a citation is long enough to be heard.
    assert (citation["start"], citation["end"]) == (2.0, 4.0)
    assert citation["quote"] == "The ferry leaves at noon."
    assert "[1]" in answer["answer"]


def test_frames_are_kept_for_the_shots(footnote: Footnote, folder: Path) -> None:
    footnote.json("add", folder)
    with Catalog(footnote.library) as catalog:
        shots, frames = catalog.shots("talk"), catalog.frames("talk")
    assert [(s.start, s.end) for s in shots] == [(0.0, 2.0), (2.0, pytest.approx(4.0))]
    assert {frame.time >= 2.0 for frame in frames} == {False, True}
    on_disk = {p.name for p in (footnote.library / "frames" / "talk").iterdir()}
    assert on_disk == {Path(frame.path).name for frame in frames}, "working frames are gone"


def test_adding_again_runs_nothing(footnote: Footnote, folder: Path) -> None:
    first = footnote.json("add", folder)
    before = dump(footnote.library)[0]
    again = footnote.json("add", folder)
    assert statuses(again) == {"talk.mp4": "unchanged", "film.mkv": "unchanged"}
    assert again["videos"][1]["stages"] == first["videos"][1]["stages"], "no stage ran"
    assert dump(footnote.library)[0] == before


def test_a_touched_file_is_hashed_once_and_not_read(
    footnote: Footnote, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = footnote.json("add", folder)
    os.utime(folder / "talk.mp4", (1_700_000_000, 1_700_000_000))
    again = footnote.json("add", folder)
    assert statuses(again)["talk.mp4"] == "unchanged"
    assert again["videos"][1]["stages"] == first["videos"][1]["stages"]

    def hashed(path: Path) -> str:
        pytest.fail(f"{path} was hashed")

    monkeypatch.setattr("pipeline.ingest.runner.sha256_of", hashed)
    assert statuses(footnote.json("add", folder))["talk.mp4"] == "unchanged"


def test_a_video_is_its_content_not_its_path(footnote: Footnote, folder: Path) -> None:
    footnote.json("add", folder)
    (folder / "sub").mkdir()
    (folder / "talk.mp4").rename(folder / "sub" / "renamed.mp4")
    (folder / "talk.srt").rename(folder / "sub" / "renamed.srt")
    moved = footnote.json("add", folder)
    assert statuses(moved) == {"renamed.mp4": "moved", "film.mkv": "unchanged"}
    assert {video["video_id"] for video in footnote.json("list")["videos"]} == {"talk", "film"}
    assert footnote.json("show", str(folder / "sub" / "renamed.mp4"))["video_id"] == "talk"

    shutil.copy(folder / "film.mkv", folder / "copy.mkv")
    copied = footnote.json("add", folder)
    assert statuses(copied)["copy.mkv"] == "unchanged"
    assert {video["video_id"] for video in copied["videos"]} == {"talk", "film"}
    assert len(footnote.json("list")["videos"]) == 2


def test_text_is_kept_until_there_is_something_in_its_place(
    footnote: Footnote, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_CAPTION_MODEL", "fake:colours")
    monkeypatch.setenv("FOOTNOTE_SPEECH_MODEL", "fake:all aboard")
    monkeypatch.setenv("FOOTNOTE_SPEECH_DETECTOR", "fake:loudness")
    footnote.json("add", folder)
    before = {v: footnote.json("show", v)["segments"] for v in ("talk", "film")}
    monkeypatch.delenv("FOOTNOTE_CAPTION_MODEL")
    monkeypatch.delenv("FOOTNOTE_SPEECH_MODEL")
    again = footnote.json("add", folder)
    assert set(statuses(again).values()) == {"unchanged"}
    assert {v: footnote.json("show", v)["segments"] for v in before} == before

    (folder / "talk.mp4").rename(folder / "renamed.mp4")  # and its subtitles stay behind
    moved = footnote.json("add", folder)
    assert statuses(moved)["renamed.mp4"] == "moved"
    assert footnote.json("show", "talk")["segments"] == before["talk"]


def test_a_copy_in_the_same_run_is_not_read_twice(footnote: Footnote, folder: Path) -> None:
    shutil.copy(folder / "film.mkv", folder / "also.mkv")
    footnote.json("add", folder)
    assert len(footnote.json("list")["videos"]) == 2


def test_two_files_of_one_name_are_two_videos(footnote: Footnote, folder: Path) -> None:
    (folder / "other").mkdir()
    other = clips.scenes((1.0, clips.texture(9)), fps=10)
    clips.write(folder / "other" / "talk.mp4", other, fps=10)
    footnote.json("add", folder)
    ids = {video["video_id"] for video in footnote.json("list")["videos"]}
    assert len(ids) == 3
    assert {video_id[:5] for video_id in ids} == {"film", "talk", "talk-"}
    assert footnote.json("show", "talk-")["duration"] == pytest.approx(1.0, abs=0.11)


def test_changed_content_is_read_again_and_keeps_its_id(footnote: Footnote, folder: Path) -> None:
    footnote.json("add", folder)
    clips.write(folder / "talk.mp4", clips.scenes((2.2, clips.texture(5)), fps=10), fps=10)
    report = footnote.json("add", folder, code=4)
    assert statuses(report)["talk.mp4"] == "partial", "a subtitle now lies beyond the end"
    shown = footnote.json("show", "talk")
    assert shown["duration"] == pytest.approx(2.2, abs=0.11)
    assert all(segment["end"] <= shown["duration"] for segment in shown["segments"])


def test_text_of_an_older_content_goes_even_if_nothing_replaces_it(
    footnote: Footnote, folder: Path
) -> None:
    footnote.json("add", folder)
    (folder / "talk.srt").unlink()
    clips.write(folder / "talk.mp4", clips.scenes((2.2, clips.texture(6)), fps=10), fps=10)
    assert statuses(footnote.json("add", folder))["talk.mp4"] == "updated"
    assert {s["source"] for s in footnote.json("show", "talk")["segments"]} == {"screen"}
    found = footnote.json("search", "owl hunts voles")["moments"]
    assert all("owl" not in moment["text"] for moment in found)


def test_a_changed_sidecar_redoes_speech_and_nothing_else(footnote: Footnote, folder: Path) -> None:
    first = footnote.json("add", folder)
    (folder / "talk.srt").write_text(SRT.replace("noon", "midnight"))
    again = footnote.json("add", folder)
    assert statuses(again)["talk.mp4"] == "updated"
    assert stage(again, "talk", "screen") == stage(first, "talk", "screen")
    assert "midnight" in footnote.json("search", "ferry")["moments"][0]["text"]


def test_a_pending_stage_is_done_when_its_model_is_there(
    footnote: Footnote, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = footnote.json("add", folder)
    assert stage(first, "film", "speech")["status"] == "pending"
    assert footnote.json("list")["videos"][0]["pending"] == ["speech"]
    monkeypatch.setenv("FOOTNOTE_SPEECH_MODEL", "fake:all aboard")
    monkeypatch.setenv("FOOTNOTE_SPEECH_DETECTOR", "fake:loudness")
    again = footnote.json("add", folder)
    assert stage(again, "film", "speech")["model_calls"] == 1
    assert stage(again, "film", "screen") == stage(first, "film", "screen")
    (said,) = [s for s in footnote.json("show", "film")["segments"] if s["source"] == "speech"]
    assert said["text"] == "all aboard"
    assert said["start"] == pytest.approx(1.0, abs=0.75)
    assert said["end"] == pytest.approx(2.0, abs=0.75)
    assert footnote.json("list")["videos"][0]["pending"] == []


def test_an_endpoint_that_is_down_stops_neither_add_nor_search(
    footnote: Footnote, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_PROFILE", "auto")
    monkeypatch.setenv("FOOTNOTE_SPEECH_MODEL", "fake:all aboard")
    monkeypatch.setenv("FOOTNOTE_ENDPOINT", "http://127.0.0.1:9/v1")
    report = footnote.json("add", folder)
    assert set(statuses(report).values()) == {"added"}
    waiting = stage(report, "talk", "captions")
    assert waiting["status"] == "pending"
    assert "127.0.0.1:9" in waiting["reason"]
    assert footnote.json("search", "owl hunts voles")["moments"][0]["video_id"] == "talk"
    error = footnote.json("ask", "What does the owl hunt?", code=3)["error"]
    assert error["code"] == "model_unavailable"


def test_a_changed_caption_prompt_redoes_captions_and_no_other_stage(
    footnote: Footnote, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FOOTNOTE_CAPTION_MODEL", "fake:colours")
    first = footnote.json("add", folder)
    assert stage(first, "talk", "captions")["model_calls"] == 1, "one for both shots"
    own = tmp_path / "own"
    own.mkdir()
    (own / "caption.txt").write_text("Describe $title, $images: $before $speech $screen")
    monkeypatch.setenv("FOOTNOTE_PROMPTS", str(own))
    again = footnote.json("add", folder)
    assert stage(again, "talk", "captions")["model_calls"] == 1
    for name in ("frames", "speech", "screen"):
        assert stage(again, "talk", name) == stage(first, "talk", name)
    third = footnote.json("add", folder)
    assert third["videos"][1]["stages"] == again["videos"][1]["stages"]


def test_a_file_that_cannot_be_read_stops_no_other(footnote: Footnote, folder: Path) -> None:
    (folder / "bad.mp4").write_bytes(b"not a video at all, but text\n" * 100)
    (folder / "empty.mp4").write_bytes(b"")
    whole = (folder / "talk.mp4").read_bytes()
    report = footnote.json("add", folder, code=4)
    assert statuses(report) == {
        "bad.mp4": "failed",
        "empty.mp4": "failed",
        "film.mkv": "added",
        "talk.mp4": "added",
    }
    for video in report["videos"][:2]:
        assert video["reason"]
        assert "\n" not in video["reason"]
    (folder / "bad.mp4").write_bytes(whole + b"\0")
    again = footnote.json("add", folder, code=4)
    assert statuses(again)["bad.mp4"] == "added"
    assert {video["video_id"] for video in footnote.json("list")["videos"]} == {
        "bad", "film", "talk",
    }  # fmt: skip


def test_remove_leaves_no_frame_and_the_file_alone(footnote: Footnote, folder: Path) -> None:
    footnote.json("add", folder)
    footnote.json("remove", "talk")
    assert (folder / "talk.mp4").exists()
    assert not (footnote.library / "frames" / "talk").exists()
    moments = footnote.json("search", "owl hunts voles")["moments"]
    assert {moment["video_id"] for moment in moments} <= {"film"}


def test_dry_run_says_what_it_would_do_and_does_nothing(footnote: Footnote, folder: Path) -> None:
    plan = footnote.json("add", folder, "--dry-run")["plan"]
    assert [Path(path).name for path, _ in plan["files"]] == ["film.mkv", "talk.mp4"]
    assert not footnote.library.exists()


def test_a_killed_add_goes_on_and_ends_like_an_undisturbed_one(
    footnote: Footnote, folder: Path
) -> None:
    footnote.json("add", folder)
    expected = dump(footnote.library)
    killed = footnote.library.with_name("killed")
    command = [sys.executable, "-m", "pipeline.apps.cli", "add", str(folder)]
    root = Path(__file__).resolve().parent.parent
    for moment in (0.6, 1.2):
        process = subprocess.Popen(
            [*command, "--library", str(killed), "--json"],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    other = Footnote(killed, footnote._capture)
    other.json("add", folder)
    found = dump(killed)
    assert found[0] == expected[0]
    assert np.abs(found[1] - expected[1]).max() < 1e-5
    assert other.json("doctor")["ok"]


def test_ctrl_c_ends_soon_with_one_message_and_leaves_no_child(
    footnote: Footnote, folder: Path
) -> None:
    clips.write(folder / "long.mp4", clips.scenes((240.0, clips.texture(4)), fps=25), fps=25)
    command = [sys.executable, "-m", "pipeline.apps.cli", "add", str(folder), "--json"]
    process = subprocess.Popen(
        [*command, "--library", str(footnote.library)],
        stdout=subprocess.PIPE,
        text=True,
        # What runs in the background is started with Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until, children = time.monotonic() + 60, list[str]()
    while not children and time.monotonic() < until:
        time.sleep(0.02)
        children = children_of(process.pid)
    assert children, "the decoder runs in a child"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert footnote.json("doctor")["ok"]


def children_of(pid: int) -> list[str]:
    """Processes that any thread of `pid` has started."""
    found: list[str] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            found += listed.read_text().split()
    return found


def test_a_video_that_another_add_is_working_on_is_left_to_it(
    footnote: Footnote, folder: Path
) -> None:
    footnote.json("add", folder / "film.mkv")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with Catalog(footnote.library) as catalog:
            import socket

            owner = f"{socket.gethostname()}:{other.pid}:0"
            assert catalog.claim("talk", "add", owner, 60)
        report = footnote.json("add", folder)
        assert "another" in next(v["reason"] for v in report["videos"] if v["video_id"] == "talk")
        assert len(footnote.json("list")["videos"]) == 1
    finally:
        other.kill()
        other.wait()
        assert other.stdin
        other.stdin.close()
    assert statuses(footnote.json("add", folder))["talk.mp4"] == "added", "its owner has died"


def test_json_of_add_is_the_contract(footnote: Footnote, folder: Path) -> None:
    report = footnote.json("add", folder)
    for video in report["videos"]:
        assert set(video) == {"video_id", "path", "status", "stages", "reason"}
        for record in video["stages"].values():
            assert set(record) == {"status", "reason", "seconds", "model_calls"}
    json.dumps(report, allow_nan=False)
