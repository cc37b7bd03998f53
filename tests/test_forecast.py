"""Forecasts: what is to be done, times what it took on this machine; nothing is made up."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline.apps import forecasts
from pipeline.ingest.forecast import Forecast, Range, forecast
from pipeline.ingest.speeds import (
    CALLS,
    LOADING,
    PICTURES,
    SOUND,
    SUBTITLES,
    VIEWS,
    WHOLE,
    Entry,
    Measured,
    SpeedLog,
    Speeds,
    read_speeds,
    views_model,
    write_speeds,
)
from pipeline.ingest.workload import Job, Workload, workload
from pipeline.media.child import MediaReader
from pipeline.models.shelf import Shelf
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.types import Allowance, BudgetState, ProgressEvent, Spent
from tests import clips
from tests.command import Footnote

HOUR = 3600.0
SETTINGS = Settings(caption_seconds=60)


def entry(stage: str, model: str, measured: Measured, at: float = 1.0) -> Entry:
    return Entry(stage, model, measured, at=at)


def measured_speeds(*more: Entry) -> Speeds:
    """Two hours of video once took: decoding 4 min, speech 40 min, 50 captions of 2 s."""
    return Speeds(
        [
            entry("frames", PICTURES, Measured(2 * HOUR * 25, 240)),
            entry("speech", "whisper:base", Measured(2 * HOUR, 2400, 300)),
            entry(VIEWS, views_model(SETTINGS), Measured(2 * HOUR, calls=50)),
            entry(CALLS, "openai:see", Measured(50, 100, 50, 50_000, 10_000)),
            *more,
        ]
    )


def load_of(*jobs: Job, waiting: dict[str, str] | None = None) -> Workload:
    return Workload(1, 0, 1, 1, HOUR, (), jobs, waiting or {})


DECODE = Job("frames", PICTURES, 1, HOUR, HOUR * 25)
SPEECH = Job("speech", "whisper:base", 1, HOUR, HOUR)
CAPTIONS = Job("captions", "openai:see", 1, HOUR, HOUR, unseen=HOUR, unseen_files=1)


def stage(found: Forecast, name: str) -> Any:
    (row,) = [row for row in found.stages if row.stage == name]
    return row


# ---------------------------------------------------------------- work times speed


def test_a_forecast_is_work_times_what_such_work_took() -> None:
    found = forecast(load_of(DECODE, SPEECH, CAPTIONS), measured_speeds(), SETTINGS)
    assert stage(found, "frames").minutes.low == pytest.approx(2)
    assert stage(found, "speech").minutes == Range(pytest.approx(20), pytest.approx(20))
    assert stage(found, "speech").calls.low == pytest.approx(150)
    seen = stage(found, "captions")
    assert seen.calls == Range(25, 25)
    assert seen.tokens.low == pytest.approx(25 * 1200)
    assert seen.minutes.high == pytest.approx(25 * 2 / 60)
    assert found.minutes is not None
    assert found.minutes.low == pytest.approx(2 + 20 + 50 / 60)
    assert found.unmeasured == ()


def test_how_stages_overlap_and_what_loading_takes_is_measured_too() -> None:
    speeds = measured_speeds(
        entry(WHOLE, "", Measured(1000, 500)), entry(LOADING, "", Measured(1, 60))
    )
    found = forecast(load_of(DECODE, SPEECH), speeds, SETTINGS)
    assert stage(found, "speech").minutes.low == pytest.approx(10)
    assert found.minutes is not None
    assert found.minutes.low == pytest.approx(1 + 10 + 1)


def test_what_was_never_measured_is_said_and_not_made_up() -> None:
    found = forecast(load_of(DECODE, SPEECH, CAPTIONS), Speeds(), SETTINGS)
    assert found.unmeasured == ("frames", "speech", "captions")
    assert found.minutes is None
    assert stage(found, "captions").calls == Range(1, 60), "at most one for caption_seconds"
    assert "picture changes" in stage(found, "captions").note
    other = Job("speech", "whisper:turbo", 1, HOUR, HOUR)
    assert forecast(load_of(other), measured_speeds(), SETTINGS).unmeasured == ("speech",)


def test_money_is_tokens_times_prices() -> None:
    priced = SETTINGS.model_copy(
        update={"price_per_million_input": 2.0, "price_per_million_output": 10.0}
    )
    found = forecast(load_of(DECODE, CAPTIONS), measured_speeds(), priced)
    assert stage(found, "captions").usd.low == pytest.approx(25 * 0.004)
    assert found.usd is not None and found.usd.low == pytest.approx(0.1)
    assert forecast(load_of(CAPTIONS), Speeds(), priced).usd is None, "no call was measured"
    written = Job("levels", "openai:write", 1, HOUR, HOUR)
    speeds = Speeds([entry("levels", "openai:write", Measured(2 * HOUR, 60, 6, 40_000, 2_000))])
    assert stage(forecast(load_of(written), speeds, priced), "levels").usd.low == pytest.approx(
        0.05
    )
    local = Job("captions", "transformers:smol", 1, HOUR, HOUR, unseen=HOUR, unseen_files=1)
    free = forecast(load_of(local), Speeds(), priced)
    assert free.usd == Range(0, 0), "what runs here costs nothing"


def test_captions_keep_within_the_budget() -> None:
    state = BudgetState(1, Allowance(20, "calls"), Spent(8))
    found = forecast(load_of(DECODE, CAPTIONS), measured_speeds(), SETTINGS, state)
    assert stage(found, "captions").calls == Range(12, 12)
    assert (found.left, found.undescribed) == (12, Range(13, 13))
    minutes = BudgetState(1, Allowance(0.5, "min"), Spent())
    found = forecast(load_of(CAPTIONS), measured_speeds(), SETTINGS, minutes)
    assert stage(found, "captions").calls == Range(15, 15), "2 s each, measured before"
    known = Job("captions", "openai:see", 1, HOUR, HOUR, views=7)
    assert stage(forecast(load_of(known), measured_speeds(), SETTINGS), "captions").calls.low == 7


# ---------------------------------------------------------------- speeds


def test_the_newest_and_the_longest_runs_count_most() -> None:
    runs = [entry("screen", "x", Measured(100, 100 * speed), at) for at, speed in enumerate((1, 3))]
    known = Speeds(reversed(runs)).known("screen", "x")
    assert known is not None and 2 < known.seconds < 3
    short = entry("screen", "x", Measured(1, 90), at=9)
    known = Speeds([*runs, short]).known("screen", "x")
    assert known is not None and known.seconds < 4, "a second of video changes little"
    assert Speeds(runs).known("screen", "y") is None
    elsewhere = replace(runs[0], machine="another machine")
    assert Speeds([elsewhere]).known("screen", "x") is None


def test_a_run_writes_what_it_measured_once(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "speeds.json"
    log = SpeedLog(file)
    log.add("screen", "x", Measured(10, 5))
    log.save()
    log.add("screen", "x", Measured(10, 5))
    log.end(seconds=9, loading=1)
    known = read_speeds(file)
    assert known.known("screen", "x") == Measured(1, 0.5)
    whole = known.known(WHOLE)
    assert whole is not None and whole.seconds == pytest.approx(0.8), "8 s for 10 s of stages"
    assert len(json.loads(file.read_text())["runs"]) == 3
    for _ in range(30):
        other = SpeedLog(file)
        other.add("screen", "x", Measured(10, 20))
        other.save()
    runs = json.loads(file.read_text())["runs"]
    assert sum(run["stage"] == "screen" for run in runs) == 20, "the file stays small"


def test_runs_that_end_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "speeds.json"

    def end(number: int) -> None:
        write_speeds(file, [entry(f"stage {number}", "", Measured(1, 1), number)])

    threads = [threading.Thread(target=end, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(file.read_text())["runs"]) == 8
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"speeds.json", ".speeds.json.lock"}


@pytest.mark.parametrize("damage", ["{", "[]", '{"version": 1}', '{"version":1,"runs":[{}]}', "\0"])
def test_a_damaged_file_is_told_of_and_begun_anew(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "speeds.json"
    file.write_text(damage)
    speeds = read_speeds(file)
    assert speeds.known("screen", "x") is None
    assert str(file) in speeds.problem and "\n" not in speeds.problem
    assert write_speeds(file, [entry("screen", "x", Measured(1, 2))]) == ""
    assert read_speeds(file).problem == ""


def test_no_file_no_measurements_and_a_place_that_cannot_be_written_stops_nothing(
    tmp_path: Path,
) -> None:
    assert read_speeds(tmp_path / "none.json").problem == ""
    (tmp_path / "file").write_text("")
    told = write_speeds(tmp_path / "file" / "speeds.json", [entry("screen", "x", Measured(1, 2))])
    assert "cannot be written" in told
    SpeedLog(None).end(1, 1)


# ---------------------------------------------------------------- what is to be done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A talk with subtitles, a film without, a song, and files that are not what they seem."""
    videos = tmp_path / "videos"
    videos.mkdir()
    scene = clips.scenes((2.0, clips.texture(1)), (2.0, clips.texture(2)), fps=5)
    tones = clips.Track([clips.Tone(1.0, 2.0)], 0.0, 4.0)
    clips.write(videos / "talk.mp4", scene, fps=5, tracks=[tones])
    (videos / "talk.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\nThe owl hunts.\n")
    scene = clips.scenes((2.0, clips.texture(3)), fps=5)
    clips.write(videos / "film.mkv", scene, fps=5, tracks=[replace(tones, end=2.0)])
    clips.write(videos / "song.m4a", tracks=[replace(tones, end=8.0)])
    (videos / "letter.mp4").write_text("Dear Ada,\n")
    (videos / "empty.mp4").write_bytes(b"")
    (videos / "notes.txt").write_text("not a video by its name")
    return videos


@pytest.fixture(scope="module")
def media() -> Iterator[MediaReader]:
    with MediaReader() as reader:
        yield reader


def files_in(folder: Path) -> list[Path]:
    from pipeline.ingest.discover import find_media

    return find_media([folder], folder / "library")


def load(folder: Path, media: MediaReader, **options: Any) -> Workload:
    settings = Settings(
        embedding_model="fake:64",
        screen_reader="fake:Departures",
        speech_model="fake:speech",
        caption_model=options.pop("captions", "fake:colours"),
        profile="embedded",
    )
    shelf = Shelf(settings, settings.embedding_model)
    return workload(files_in(folder), settings, shelf, None, media, **options)


def test_odd_files_are_told_of_and_the_others_counted_by_what_is_in_them(
    folder: Path, media: MediaReader
) -> None:
    found = load(folder, media)
    assert (found.files, found.probed, found.unchanged) == (5, 5, 0)
    assert {name for name, _ in found.unreadable} == {"letter.mp4", "empty.mp4"}
    jobs = {(job.stage, job.model): job for job in found.jobs}
    assert jobs["frames", PICTURES].seconds == pytest.approx(6, abs=0.3)
    assert jobs["frames", PICTURES].work == pytest.approx(6 * 5 * 320 * 180 / 1e6, rel=0.1)
    assert jobs["frames", SOUND].seconds == pytest.approx(8, abs=0.3)
    assert jobs["speech", SUBTITLES].seconds == pytest.approx(4, abs=0.3)
    assert jobs["speech", "fake:speech"].seconds == pytest.approx(10, abs=0.3)
    assert jobs["captions", "fake:colours"].files == 2, "a song shows nothing"
    assert jobs["passages", "fake:64"].files == 3
    assert found.seconds == pytest.approx(14, abs=0.5)


def test_of_very_many_files_a_sample_stands_for_the_rest(
    tmp_path: Path, media: MediaReader
) -> None:
    videos = tmp_path / "many"
    videos.mkdir()
    source = clips.write(videos / "0.mp4", clips.scenes((2.0, clips.texture(3)), fps=5), fps=5)
    for number in range(1, 12):
        (videos / f"{number}.mp4").write_bytes(source.read_bytes())
    told: list[tuple[float, float]] = []
    found = load(
        videos, media, most_probed=3, progress=lambda done, total: told.append((done, total))
    )
    assert (found.files, found.unread, found.probed) == (12, 12, 3)
    assert told[-1] == (3, 3)
    assert found.seconds == pytest.approx(24, rel=0.02)
    (frames,) = [job for job in found.jobs if job.stage == "frames"]
    assert frames.files == pytest.approx(12)


def test_a_stage_without_a_model_says_what_would_do_it(folder: Path, media: MediaReader) -> None:
    found = load(folder, media, captions="")
    assert "captions" not in {job.stage for job in found.jobs}
    assert "embedded profile" in found.waiting["captions"]


# ---------------------------------------------------------------- the command


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTNOTE_SCREEN_READER", "fake:Departures")
    monkeypatch.setenv("FOOTNOTE_CAPTION_MODEL", "fake:colours")
    monkeypatch.setenv("FOOTNOTE_CAPTION_SECONDS", "2")
    monkeypatch.setenv("FOOTNOTE_CAPTION_IMAGES", "1")


def test_a_dry_run_changes_nothing_and_knows_more_the_second_time(
    footnote: Footnote,
    folder: Path,
    models: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dry = footnote.json("add", folder, "--dry-run")
    assert not footnote.library.exists() and not (tmp_path / "speeds.json").exists()
    assert len(dry["plan"]["files"]) == 5
    assert dry["forecast"]["minutes"] is None
    made = footnote.json("add", folder, code=4)
    done = footnote.json("add", folder, "--dry-run")["forecast"]
    assert (done["unchanged"], done["stages"]) == (3, []), "nothing is left but what is no video"
    elsewhere = Footnote(tmp_path / "other", capsys)
    again = elsewhere.json("add", folder, "--dry-run")["forecast"]
    calls = sum(v["stages"].get("captions", {}).get("model_calls", 0) for v in made["videos"])
    row = next(row for row in again["stages"] if row["stage"] == "captions")
    assert row["calls"] == {"low": calls, "high": calls}
    assert row["tokens"]["low"] > 0
    assert again["minutes"]["low"] > 0, "every stage was measured"
    limited = elsewhere.json("add", folder, "--dry-run", "--budget", "2calls")["forecast"]
    assert (limited["left"], limited["undescribed"]["low"]) == (2, calls - 2)


def test_what_a_budget_left_is_forecast_view_by_view(
    footnote: Footnote, folder: Path, models: None
) -> None:
    footnote.json("add", folder, "--budget", "1calls", code=4)
    assert footnote.json("add", folder, "--dry-run")["forecast"]["stages"] == []
    more = footnote.json("add", folder, "--dry-run", "--more")["forecast"]
    rows = {row["stage"]: row for row in more["stages"]}
    assert rows["captions"]["calls"] == {"low": 2.0, "high": 2.0}
    assert "frames" not in rows and "passages" in rows
    with Catalog(footnote.library) as catalog:
        state = catalog.budget()
    assert state is not None and state.allowance == Allowance(1, "calls"), "nothing was opened"


def test_the_speeds_are_kept_where_the_setting_says(
    footnote: Footnote, folder: Path, models: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FOOTNOTE_SPEEDS", "none")
    footnote.json("add", folder, code=4)
    assert not list(tmp_path.rglob("speeds.json"))


# ---------------------------------------------------------------- what a person reads


def drawn(found: Forecast, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO(), soft_wrap=True)
    forecasts.table(found, console)
    return console.export_text()


def test_the_table_is_read_at_80_columns() -> None:
    long = Job("captions", "transformers:HuggingFaceTB/SmolVLM-Instruct", 900, 9e5, 9e5, unseen=9e5)
    jobs = (DECODE, SPEECH, long)
    state = BudgetState(1, Allowance(200, "calls"), Spent(12))
    text = drawn(
        forecast(load_of(*jobs, waiting={"sounds": "no model"}), Speeds(), SETTINGS, state)
    )
    assert "not measured yet" in text
    assert "budget of 200 calls: 12 spent" in text
    assert "sounds: none: no model" in text
    assert "told after the first video" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_what_is_measured_on_the_way_is_told_once() -> None:
    unknown = forecast(load_of(DECODE, SPEECH), Speeds(), SETTINGS)
    known = forecast(load_of(DECODE, SPEECH), measured_speeds(), SETTINGS)
    console = Console(width=80, record=True, file=io.StringIO())
    seen: list[ProgressEvent] = []
    after = forecasts.AfterFirst(unknown, lambda: known, console, seen.append)
    after(ProgressEvent("talk.mp4", "frames", 1, 4))
    assert console.export_text(clear=False) == ""
    after(ProgressEvent("talk.mp4", "finished", 1, 1))
    after(ProgressEvent("film.mkv", "finished", 1, 1))
    assert console.export_text().count("about 22 min in all") == 1
    assert len(seen) == 3


def test_a_forecast_that_was_far_off_is_told() -> None:
    found = forecast(load_of(DECODE, SPEECH), measured_speeds(), SETTINGS)
    assert forecasts.missed(found, 22 * 60) == ""
    assert "50 min, not 22 min" in forecasts.missed(found, 50 * 60)
    assert forecasts.missed(forecast(load_of(SPEECH), Speeds(), SETTINGS), 5000) == ""
