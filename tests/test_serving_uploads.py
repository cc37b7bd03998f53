"""Uploads: names made harmless, bounds kept, content looked at, nothing left of what fails."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.apps.serving import incoming, uploads
from pipeline.apps.serving.context import ServerOptions
from pipeline.apps.serving.incoming import Incoming, safe_name, sweep
from pipeline.apps.serving.problems import Refused
from pipeline.errors import NoRoom
from pipeline.library import Library
from pipeline.media.child import MediaReader
from tests import clips
from tests.served import Server, library_of, served, until

IN_A_CHILD = MediaReader.run
LIMIT = 200_000
RAW = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    clips.write(path, clips.scenes((0.5, clips.texture(5, (64, 36))), fps=10), fps=10)
    return path.read_bytes()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("uploads")
    with library_of(folder, screen_reader="fake:words") as made:
        yield made


@pytest.fixture(scope="module")
def server(library: Library) -> Iterator[Server]:
    with served(library, ServerOptions(upload_bytes=LIMIT)) as running:
        yield running


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process: what is tested here is not that a child may die of them,
    and a child takes most of the time that a short clip takes."""

    def run(_: MediaReader, function: Any, *args: Any, progress: Any = None, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    monkeypatch.setattr(MediaReader, "run", run)


@pytest.fixture(autouse=True)
def empty(library: Library) -> Iterator[None]:
    """No test leaves anything behind for the next one, in the folder or in the library."""
    yield
    for video in library.videos():
        library.remove([video.video_id])
    shutil.rmtree(library.path / "uploads", ignore_errors=True)


def files_in(library: Library) -> list[str]:
    """Everything in the folder of uploads, hidden parts included."""
    folder = library.path / "uploads"
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def send(server: Server, name: str, content: Any, **headers: str) -> httpx.Response:
    return server.client.post(
        "/api/uploads", params={"name": name}, content=content, headers=RAW | headers
    )


def finished(server: Server, job_id: str) -> dict[str, Any]:
    def job() -> dict[str, Any]:
        return dict(server.get(f"/api/jobs/{job_id}").json())

    until(lambda: job()["state"] not in ("queued", "running"))
    return job()


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("talk.mp4", "talk.mp4"),
        ("../../etc/passwd.mp4", "passwd.mp4"),
        ("C:\\videos\\talk.MP4", "talk.MP4"),
        (".hidden.mp4", "hidden.mp4"),
        ("  a   talk .mp4 ", "a talk.mp4"),
        ("a\0b\x1b[31m\u202e.mkv", "ab[31m.mkv"),
        ('who? "me": <1|2>*.webm', "who_ _me__ _1_2__.webm"),
        ("CON.mp4", "_CON.mp4"),
        ("lpt1.part.mov", "_lpt1.part.mov"),
        ("cafe\u0301 \u8996\u983b.mp4", "caf\u00e9 \u8996\u983b.mp4"),
        ("a.mp4.mp4", "a.mp4.mp4"),
        ("x" * 400 + ".mp4", "x" * 146 + ".mp4"),
        ("\u8996" * 100 + ".mp4", "\u8996" * 48 + ".mp4"),
    ],
)
def test_a_name_is_made_harmless(given: str, made: str) -> None:
    assert safe_name(given) == made
    assert len(made.encode()) <= 150 and Path(made).name == made


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/", ".mp4", "...mp4", "talk", "talk.exe", "talk.mp4/", "talk.mp4.sh"]
)
def test_a_name_that_is_no_video_s_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        safe_name(name)
    assert refused.value.status == 400


# ---------------------------------------------------------------- what arrives


def test_what_arrives_is_kept_under_its_name_and_added(
    server: Server, library: Library, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MediaReader, "run", IN_A_CHILD)  # as it is outside of tests
    answer = send(server, "../My talk.mp4", clip)
    assert answer.status_code == 202
    assert (answer.json()["name"], answer.json()["known"]) == ("My talk.mp4", False)
    job = finished(server, answer.json()["job_id"])
    assert job["state"] == "done" and job["videos"][0]["status"] == "added"
    assert files_in(library) == ["My talk.mp4"]
    assert server.get("/api/videos/my-talk/media").content == clip


@pytest.fixture
def unread(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that would be added: nobody reads them."""
    added: list[Path] = []

    def add(_: Library, paths: list[Path]) -> str:
        added.extend(paths)
        return "job"

    monkeypatch.setattr(server.context.jobs, "add", add)
    return added


def test_a_body_whose_length_nobody_told(
    server: Server, library: Library, clip: bytes, unread: list[Path]
) -> None:
    pieces = (clip[place : place + 1000] for place in range(0, len(clip), 1000))
    assert send(server, "talk.mp4", pieces).status_code == 202
    assert unread == [library.path / "uploads" / "talk.mp4"]
    assert unread[0].read_bytes() == clip


def test_content_that_is_known_is_not_kept_twice_unless_its_file_is_gone(
    server: Server, library: Library, clip: bytes
) -> None:
    finished(server, send(server, "talk.mp4", clip).json()["job_id"])
    again = send(server, "other.mp4", clip)
    assert again.status_code == 200
    assert again.json() == {"job_id": "", "video_id": "talk", "known": True}
    assert files_in(library) == ["talk.mp4"]
    (library.path / "uploads" / "talk.mp4").unlink()
    job = finished(server, send(server, "back.mp4", clip).json()["job_id"])
    assert job["videos"][0]["status"] == "moved" and job["videos"][0]["video_id"] == "talk"


def test_no_upload_overwrites_another(
    server: Server, library: Library, clip: bytes, unread: list[Path]
) -> None:
    for number in range(3):
        answer = send(server, "talk.mp4", clip + bytes(number))
        assert answer.status_code == 202
    assert [path.name for path in unread] == ["talk.mp4", "talk (2).mp4", "talk (3).mp4"]
    assert [path.read_bytes() for path in unread] == [clip + bytes(n) for n in range(3)]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"#!/bin/sh\nrm -rf /\n", "is a text file"),
        (bytes(range(256)) * 40, "damaged or not a media file"),
        (b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n", "is a text file"),
    ],
)
def test_what_is_no_video_leaves_nothing(
    server: Server, library: Library, content: bytes, says: str
) -> None:
    answer = send(server, "talk.mp4", content)
    message = answer.json()["error"]["message"]
    assert answer.status_code == 415 and says in message
    assert message.startswith("talk.mp4 ") and ".part" not in message
    assert files_in(library) == []
    assert server.get("/api/videos").json()["total"] == 0


def test_what_is_too_large_is_refused_before_and_while_it_arrives(
    server: Server, library: Library
) -> None:
    told = send(server, "talk.mp4", bytes(LIMIT + 1))
    untold = send(server, "talk.mp4", (bytes(50_000) for _ in range(5)))
    assert told.status_code == untold.status_code == 413
    assert files_in(library) == []


def test_a_disk_that_gets_full_is_told(
    server: Server, library: Library, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(library.path)
    monkeypatch.setattr(incoming, "_FREE", usage.free + (1 << 40))
    answer = send(server, "talk.mp4", clip)
    assert answer.status_code == 507 and "are free" in answer.json()["error"]["message"]
    assert files_in(library) == []


def test_the_disk_is_looked_at_while_a_file_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Incoming(tmp_path, 1 << 20)
    part.write(b"x" * 100)
    monkeypatch.setattr(incoming, "_FREE", 1 << 60)
    part.write(b"x" * 100)  # not at every write
    part._look_at = 0
    with pytest.raises(NoRoom):
        part.write(b"x")
    part.discard()
    assert not list((tmp_path / "uploads" / ".incoming").iterdir())


class Full:
    """A file on a full disk, whose last bytes are still to be written."""

    def close(self) -> None:
        raise OSError(errno.ENOSPC, "No space left")

    def write(self, data: bytes) -> None:
        self.close()

    flush = close


def test_what_cannot_be_written_to_its_end_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Incoming(tmp_path, 1 << 20)
    with part._file, monkeypatch.context() as patched:
        patched.setattr(part, "_file", Full())
        part.discard()
    assert not list((tmp_path / "uploads" / ".incoming").iterdir())


def test_a_disk_that_is_full_all_the_same_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Incoming(tmp_path, 1 << 20)
    with part._file, monkeypatch.context() as patched:
        patched.setattr(part, "_file", Full())
        with pytest.raises(NoRoom):
            part.write(b"x")
        with pytest.raises(NoRoom):
            part.finish()


def test_a_request_that_is_gone_before_its_file_is_open_leaves_nothing(
    library: Library, server: Server
) -> None:
    desk = uploads._Desk(server.context)
    begun, go_on = threading.Event(), threading.Event()

    def make() -> Incoming:
        begun.set()
        assert go_on.wait(30)
        return Incoming(library.path, LIMIT)

    async def gone() -> None:
        asked = asyncio.create_task(desk._run(make, Incoming.discard))
        await asyncio.to_thread(begun.wait, 30)
        asked.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await asked

    before = files_in(library)
    asyncio.run(gone())
    assert files_in(library) == before


def test_an_upload_that_breaks_off_leaves_nothing(server: Server, library: Library) -> None:
    request = (
        "POST /api/uploads?name=talk.mp4 HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 100000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(request.encode() + bytes(1000))
        until(lambda: files_in(library))
        (part,) = files_in(library)
        assert part.startswith(".incoming") and part.endswith(".part")
    until(lambda: not files_in(library))


def test_only_so_many_arrive_at_once(
    server: Server, library: Library, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "UPLOADS", 0)
        answer = send(server, "talk.mp4", clip)
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert send(server, "talk.mp4", b"").status_code == 415


def test_a_full_queue_keeps_no_file(
    server: Server, library: Library, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.context.jobs, "_waiting", 0)
    assert send(server, "talk.mp4", clip).status_code == 503
    assert files_in(library) == []


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", ""])
def test_a_form_of_another_page_cannot_upload(server: Server, clip: bytes, kind: str) -> None:
    answer = send(server, "talk.mp4", clip, **{"content-type": kind})
    assert answer.status_code == 415
    foreign = send(server, "talk.mp4", clip, origin="https://evil.example")
    assert foreign.status_code == 403


def test_what_a_killed_server_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    hidden = tmp_path / "uploads" / ".incoming"
    hidden.mkdir(parents=True)
    old, new = hidden / "a.part", hidden / "b.part"
    for part in (old, new):
        part.write_bytes(b"x")
    os.utime(old, (0, time.time() - 2 * 24 * 3600))
    sweep(tmp_path)
    assert [part.name for part in hidden.iterdir()] == ["b.part"]
    sweep(tmp_path / "nothing")


def test_two_servers_sweep_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept = tmp_path / "swept by the other.part"
    monkeypatch.setattr(Path, "glob", lambda *_: iter([swept]))
    sweep(tmp_path)


def test_an_add_of_the_folder_does_not_see_what_is_arriving(library: Library, clip: bytes) -> None:
    part = Incoming(library.path, LIMIT)
    part.write(clip)
    part.finish()
    assert library.add([library.path / "uploads"]).videos == ()
    kept = part.keep("talk.mp4")
    part.discard()
    assert kept.read_bytes() == clip
