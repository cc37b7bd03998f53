"""Jobs: one at a time, followed while they run, stopped as Ctrl-C stops `footnote add`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.apps.job import ENDED, Following, Job, JobNotFound, JobResult, TooManyJobs
from pipeline.apps.jobs import Jobs
from pipeline.apps.serving import shapes
from pipeline.apps.serving.context import ServerOptions
from pipeline.errors import ModelUnavailable, NoRoom
from pipeline.library import Library
from pipeline.settings import Settings
from pipeline.types import Progress, ProgressEvent, StageRecord, VideoReport
from tests import clips
from tests.served import RIVER, library_of, served, until


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs(waiting=2, kept=2)
    yield made
    made.close()
    made.join(30)


def reported(progress: Progress, done: float, total: float, stage: str = "speech") -> None:
    progress(ProgressEvent("a.mp4", stage, done, total))


def ended(jobs: Jobs, job_id: str) -> None:
    until(lambda: jobs.get(job_id).state in ENDED)


class Paused:
    """Work that reports, and then waits to be let go on."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, progress: Progress) -> JobResult:
        reported(progress, 1, 10)
        self.begun.set()
        assert self.go.wait(30)
        reported(progress, 10, 10)
        records = {
            "speech": StageRecord("speech", "done"),
            "screen": StageRecord("screen", "skipped"),
        }
        return JobResult((VideoReport("a", "/films/a.mp4", "added", records),))


def test_a_job_tells_how_far_it_is_and_what_it_came_to(jobs: Jobs) -> None:
    work = Paused()
    job_id = jobs.submit("add", ["/films"], work)
    assert work.begun.wait(30)
    job = jobs.get(job_id)
    assert (job.state, job.paths, job.kind) == ("running", ("/films",), "add")
    stage = job.progress["a.mp4"]["speech"]
    assert (stage.status, stage.done, stage.total, stage.unit) == ("running", 1, 10, "s")
    work.go.set()
    ended(jobs, job_id)
    job = jobs.get(job_id)
    assert job.state == "done" and job.result.videos[0].video_id == "a"
    assert {name: told.status for name, told in job.progress["a.mp4"].items()} == {
        "speech": "done", "screen": "skipped"
    }  # fmt: skip


def test_jobs_run_one_at_a_time_in_the_order_they_came(jobs: Jobs) -> None:
    order: list[str] = []
    first = Paused()

    def noted(name: str) -> JobResult:
        order.append(name)
        return JobResult()

    one = jobs.submit("add", [], first)
    assert first.begun.wait(30)
    two, three = (jobs.submit("add", [], lambda _, name=name: noted(name)) for name in "23")
    assert jobs.get(two).state == "queued" and not order
    with pytest.raises(TooManyJobs):
        jobs.submit("add", [], first)
    first.go.set()
    ended(jobs, three)
    assert order == ["2", "3"]
    until(lambda: len(jobs.all()) == 2)
    with pytest.raises(JobNotFound):
        jobs.get(one)  # only so many that have ended are remembered


def test_a_job_that_waits_is_cancelled_at_once_and_one_that_runs_at_its_next_report(
    jobs: Jobs,
) -> None:
    first = Paused()
    one, two = jobs.submit("add", [], first), jobs.submit("add", [], lambda _: JobResult())
    assert first.begun.wait(30)
    assert jobs.cancel(two).state == "cancelled"
    assert jobs.cancel(one).state == "running"
    first.go.set()
    ended(jobs, one)
    assert jobs.get(one).state == "cancelled" and not jobs.get(one).result.videos
    assert jobs.cancel(one).state == "cancelled", "once more is no harm"


def test_a_job_that_fails_says_why_and_the_next_one_runs(jobs: Jobs) -> None:
    def fails(_: Progress) -> JobResult:
        raise NoRoom("the disk is full", "make room")

    def breaks(_: Progress) -> JobResult:
        raise RuntimeError("/secret/path")

    for work, code in ((fails, "no_room"), (breaks, "error")):
        job_id = jobs.submit("add", [], work)
        ended(jobs, job_id)
        error = jobs.get(job_id).error
        assert jobs.get(job_id).state == "failed" and error is not None and error.code == code
        assert "secret" not in error.message
    last = jobs.submit("add", [], lambda _: JobResult())
    ended(jobs, last)
    assert jobs.get(last).state == "done"


def test_who_follows_slowly_gets_the_latest_of_each_stage() -> None:
    woken: list[int] = []
    following = Following(lambda: woken.append(1))
    for done in range(1000):
        for stage in ("speech", "screen"):
            following.tell(ProgressEvent("a.mp4", stage, done, 1000), None)
    events, job = following.take()
    assert [(event.stage, event.done) for event in events] == [("speech", 999), ("screen", 999)]
    assert job is None and len(woken) == 2000 and following.take() == ([], None)


def test_a_file_that_a_job_made_goes_with_it(tmp_path: Path) -> None:
    jobs = Jobs(kept=1)
    made = [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4")]
    for path in made:
        path.write_bytes(b"x")
        ended(jobs, jobs.submit("reel", [], lambda _, path=path: JobResult(file=path)))
    until(lambda: not made[1].exists())
    assert [path.exists() for path in made] == [False, False, True]
    jobs.close()
    jobs.join(30)
    assert not made[2].exists()


def test_a_file_that_is_made_when_the_jobs_are_closed_goes_too(tmp_path: Path) -> None:
    jobs, file = Jobs(), tmp_path / "folder" / "reel.mp4"
    begun, go = threading.Event(), threading.Event()

    def film(_: Progress) -> JobResult:
        begun.set()
        assert go.wait(30)
        file.parent.mkdir()
        file.write_bytes(b"x")
        return JobResult(file=file)

    job_id = jobs.submit("reel", [], film)
    assert begun.wait(30)
    jobs.close()
    go.set()
    jobs.join(30)
    assert jobs.get(job_id).state == "done" and not file.parent.exists()


def test_who_begins_to_follow_as_a_job_ends_is_told_its_end(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state at the beginning never comes after the end."""
    work, tell = Paused(), Following.tell

    def slowly(one: Following, event: ProgressEvent | None, job: Job | None) -> None:
        if job is not None and job.state == "running":
            work.go.set()
            ending.wait(0.2)  # the job would end meanwhile, if that were let in
        tell(one, event, job)

    ending = threading.Event()
    job_id = jobs.submit("add", [], work)
    assert work.begun.wait(30)
    monkeypatch.setattr(Following, "tell", slowly)
    with jobs.follow(job_id, lambda: None) as following:
        ended(jobs, job_id)
        jobs.close()
        jobs.join(30)
        assert (last := following.take()[1]) is not None and last.state == "done"


# ---------------------------------------------------------------- over HTTP


def test_a_folder_is_added_while_its_progress_is_followed(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    picture = np.full((180, 320, 3), 200, np.uint8)
    clips.write(films / "walk.mp4", clips.scenes((2.0, picture)), fps=10.0)
    (films / "walk.srt").write_text("1\n00:00:00,200 --> 00:00:01,800\nThe goose is loose.\n")
    options = ServerOptions(allow_paths=(films.resolve(),), keep_alive=0.05)
    with library_of(tmp_path) as library, served(library, options) as server:
        begun = server.post("/api/jobs", {"paths": [str(films)]})
        assert begun.status_code == 202
        job_id = begun.json()["job_id"]
        events = server.events(f"/api/jobs/{job_id}/events")
        states = [value["state"] for name, value in events if name == "job"]
        assert states[-1] == "done" and set(states[:-1]) <= {"queued", "running"}
        job = shapes.JobShown.model_validate(server.get(f"/api/jobs/{job_id}").json())
        assert job.videos[0]["status"] == "added" and job.paths == [str(films)]
        assert job.progress["walk.mp4"]["speech"].status == "done" and job.error is None
        for name, value in events:
            assert name == "job" or set(value) == {"video", "stage", "done", "total", "unit"}
        (brief,) = server.get("/api/jobs").json()["jobs"]
        assert brief["state"] == "done" and brief["videos"] == []
        found = server.get("/api/search?q=goose").json()["moments"]
        assert [moment["video_id"] for moment in found] == ["walk"], "without a restart"
        assert server.get(f"/api/jobs/{job_id}/file").status_code == 404


def test_a_job_is_cancelled_over_http_and_ends_its_stream(tmp_path: Path) -> None:
    with library_of(tmp_path, *RIVER) as library, served(library) as server:
        work = Paused()
        job_id = server.context.jobs.submit("add", ["/films/a.mp4"], work)
        assert work.begun.wait(30)
        assert server.client.delete(f"/api/jobs/{job_id}").status_code == 202
        work.go.set()
        events = server.events(f"/api/jobs/{job_id}/events")
        assert events[-1][0] == "job" and events[-1][1]["state"] == "cancelled"
        assert server.client.delete("/api/jobs/none").status_code == 404


def test_an_add_that_is_cancelled_stops_and_goes_on_when_it_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real stages: `Stopped`, raised where they report, ends the run as Ctrl-C does."""
    films = tmp_path / "films"
    films.mkdir()
    for number in range(3):
        picture = np.full((90, 160, 3), 60 * number + 20, np.uint8)
        clips.write(films / f"clip{number}.mp4", clips.scenes((1.0, picture)), fps=10.0)
    jobs = Jobs()
    settings = Settings.model_validate(
        {"embedding_model": "fake:64", "profile": "embedded",
         "videos_at_once": 1}
    )  # fmt: skip
    with Library(tmp_path / "library", settings) as library:
        reached, go = threading.Event(), threading.Event()
        add = library.add

        def watched(paths: list[str], progress: Progress) -> object:
            def report(event: ProgressEvent) -> None:
                if event.video == "clip1.mp4":
                    reached.set()
                    assert go.wait(30)
                progress(event)

            return add(paths, report)

        monkeypatch.setattr(library, "add", watched)
        job_id = jobs.add(library, [films])
        assert reached.wait(60)
        jobs.cancel(job_id)
        go.set()
        ended(jobs, job_id)
        assert jobs.get(job_id).state == "cancelled"
        assert "clip2" not in {video.video_id for video in library.videos()}
        again = jobs.add(library, [films])
        ended(jobs, again)
        statuses = [video.status for video in jobs.get(again).result.videos]
        assert jobs.get(again).state == "done" and statuses[0] == "unchanged"
        assert len(library.videos()) == 3
    jobs.close()
    jobs.join(30)


def test_files_that_are_not_there_are_no_job(tmp_path: Path) -> None:
    with library_of(tmp_path) as library, served(library) as server:
        (tmp_path / "empty").mkdir()
        for path in ("nowhere", "empty", "a\0b"):
            response = server.post("/api/jobs", {"paths": [str(tmp_path / path)]})
            assert response.status_code == 400, path
            assert str(tmp_path) not in response.text
        assert server.get("/api/jobs").json() == {"jobs": []}


def test_errors_of_models_are_of_their_kind(jobs: Jobs) -> None:
    def fails(_: Progress) -> JobResult:
        raise ModelUnavailable("no", "FOOTNOTE_ENDPOINT")

    job_id = jobs.submit("add", [], fails)
    ended(jobs, job_id)
    error = jobs.get(job_id).error
    assert error is not None and error.hint == "FOOTNOTE_ENDPOINT"
