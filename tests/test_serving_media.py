"""What the server hands out of videos: ranges of files, streams, pictures, and no other file."""

from __future__ import annotations

import io
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import psutil
import pytest
from PIL import Image as Pillow

from pipeline.apps.serving import live, media
from pipeline.apps.serving.files import (
    ByteRange,
    Unsatisfiable,
    has_changed,
    may_continue,
    open_file,
    parse_range,
)
from pipeline.apps.serving.problems import Refused
from pipeline.apps.serving.stills import KeptPictures, strip_times, width_of
from pipeline.errors import UsageError
from pipeline.library import Library
from pipeline.media.thumbnails import frame_near, shrink
from tests import clips
from tests.served import RIVER, Server, library_of, served, until

SECRET = b"\0root:x:0:0\0" * 400  # no text: only what it is not tells that it must not go out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


SPARE = ("changed", "gone", "folder", "link", "fifo", "copy", "text", "still", "long")


@pytest.fixture(scope="module")
def library(folder: Path) -> Iterator[Library]:
    """Three files (one played as it is, one copied, one made anew), some that tests do things to,
    and texts without any file; one of those names a file all the same."""
    videos = folder / "videos"
    videos.mkdir()
    scenes = [(2.0, clips.texture(1)), (2.0, clips.texture(2)), (2.0, clips.texture(3))]
    beep = [clips.Track([clips.Tone(1.0, 2.0)], end=6.0)]
    clips.write(videos / "talk.mp4", clips.scenes(*scenes, fps=10), fps=10, tracks=beep)
    clips.write(videos / "film.mkv", clips.scenes(*scenes, fps=10), fps=10, tracks=beep)
    noise(videos / "tape.avi")
    for number, name in enumerate(SPARE):
        spare(folder, name, number)
    (videos / "mine.mp4").symlink_to(spare(folder, "archive/mine", 77))
    (folder / "shadow").write_bytes(SECRET)
    bait = {"video_id": "bait", "start": 0.0, "end": 5.0, "text": "Look here."}
    made = library_of(
        folder, *RIVER, {**bait, "path": str(folder / "shadow")}, screen_reader="fake:Departures"
    )
    made.add([videos])
    with made:
        yield made


def spare(folder: Path, name: str, seed: int) -> Path:
    path = folder / "videos" / f"{name}.mp4" if "/" not in name else folder / f"{name}.mp4"
    path.parent.mkdir(exist_ok=True)
    return clips.write(path, clips.scenes((0.5, clips.texture(seed, (64, 36))), fps=10), fps=10)


def noise(path: Path) -> None:
    """Four seconds of it: the stream made of them is larger than all the buffers on its way."""
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuvj420p"
        pictures = [random.integers(0, 256, (360, 640, 3), np.uint8) for _ in range(5)]
        for number in range(100):
            picture = np.roll(pictures[number % 5], number, axis=1)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(stream.encode(None))


@pytest.fixture(scope="module")
def server(library: Library) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media, "STREAMS", 2)
        with served(library) as running:
            yield running


@pytest.fixture
def talk(folder: Path) -> bytes:
    return (folder / "videos" / "talk.mp4").read_bytes()


# ---------------------------------------------------------------- ranges, without a server


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-9", (0, 9)),
        ("bytes=90-", (90, 99)),
        ("bytes=-10", (90, 99)),
        ("bytes=-1000", (0, 99)),
        ("bytes=50-1000", (50, 99)),
        ("BYTES = 5 - 6", (5, 6)),
        ("bytes=9-5", None),
        ("bytes=0-1,5-6", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=--5", None),
        ("bytes=+1-2", None),
        ("bytes=\u0661-\u0662", None),
        ("lines=0-9", None),
        (f"bytes={'9' * 5000}-", None),
        (f"bytes=0-{'9' * 5000}", None),
    ],
)
def test_a_range_is_understood_or_ignored(header: str, found: tuple[int, int] | None) -> None:
    assert parse_range(header, 100) == (ByteRange(*found) if found else None)


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_beyond_the_end_cannot_be_had(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, 100)


def test_nothing_of_an_empty_file_can_be_had() -> None:
    with pytest.raises(Unsatisfiable):
        parse_range("bytes=0-", 0)


def test_conditions_are_weighed_as_the_standard_says() -> None:
    old, new = formatdate(1000, usegmt=True), formatdate(3000, usegmt=True)
    assert not has_changed({"if-none-match": '"a", W/"b"'}, '"b"', 2000)
    assert has_changed({"if-none-match": '"c"', "if-modified-since": new}, '"b"', 2000)
    assert not has_changed({"if-none-match": "*"}, '"b"', 2000)
    assert has_changed({"if-modified-since": old}, '"b"', 2000)
    assert not has_changed({"if-modified-since": new}, '"b"', 2000.9)
    assert has_changed({"if-modified-since": "yesterday"}, '"b"', 2000)
    assert may_continue({}, '"b"', 2000)
    assert may_continue({"if-range": '"b"'}, '"b"', 2000)
    assert not may_continue({"if-range": 'W/"b"'}, '"b"', 2000)
    assert may_continue({"if-range": formatdate(2000, usegmt=True)}, '"b"', 2000.4)
    assert not may_continue({"if-range": old}, '"b"', 2000)


# ---------------------------------------------------------------- files


def test_a_file_is_handed_out_whole(server: Server, talk: bytes) -> None:
    answer = server.get("/api/videos/talk/media")
    assert (answer.status_code, answer.content) == (200, talk)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert server.get("/api/videos/film/media").headers["content-type"] == "video/x-matroska"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=10-19", slice(10, 20)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
    ],
)
def test_a_range_of_a_file(server: Server, talk: bytes, header: str, part: slice) -> None:
    answer = server.get("/api/videos/talk/media", headers={"range": header})
    first, last, _ = part.indices(len(talk))
    assert (answer.status_code, answer.content) == (206, talk[part])
    assert answer.headers["content-range"] == f"bytes {first}-{last - 1}/{len(talk)}"


def test_a_range_beyond_the_end_is_416_with_the_size(server: Server, talk: bytes) -> None:
    answer = server.get("/api/videos/talk/media", headers={"range": "bytes=999999999-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(talk)}"
    assert answer.json()["error"]["code"] == "range"


def test_what_the_client_has_is_not_sent_again(server: Server, talk: bytes) -> None:
    address = "/api/videos/talk/media"
    first = server.get(address)
    tag, date = first.headers["etag"], first.headers["last-modified"]
    for known in ({"if-none-match": tag}, {"if-modified-since": date}):
        answer = server.get(address, headers=known)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    part = {"range": "bytes=0-3", "if-range": tag}
    assert server.get(address, headers=part).content == talk[:4]
    whole = server.get(address, headers={**part, "if-range": '"another"'})
    assert (whole.status_code, whole.content) == (200, talk)


def test_head_tells_all_but_the_file(server: Server, talk: bytes) -> None:
    for header, status, length in ({}, 200, len(talk)), ({"range": "bytes=0-3"}, 206, 4):
        answer = server.client.head("/api/videos/talk/media", headers=header)
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["content-length"] == str(length)


def test_a_part_of_ten_gigabytes_is_read_from_where_it_lies(
    server: Server, library: Library, folder: Path
) -> None:
    """The file is a hole with a few bytes near its end: read from the beginning, it would take
    longer than anybody waits."""
    place, size = 9 << 30, 10 << 30
    path = folder / "videos" / "long.mp4"
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(place)
        file.write(b"found")
    facts = path.stat()
    video = library.video("long")
    library._catalog.put_video(replace(video, size=facts.st_size, modified_ns=facts.st_mtime_ns))
    header = {"range": f"bytes={place}-{place + 4}"}
    answer = server.get("/api/videos/long/media", headers=header)
    assert (answer.status_code, answer.content) == (206, b"found")
    # One who asks for all of the rest and leaves costs what he has taken.
    rest = {"range": f"bytes={place}-"}
    with server.client.stream("GET", "/api/videos/long/media", headers=rest) as answer:
        assert answer.headers["content-length"] == str(size - place)
        assert next(answer.iter_bytes(5)) == b"found"


# ---------------------------------------------------------------- no other file


@pytest.mark.parametrize(
    ("name", "says"),
    [("changed", "was changed"), ("gone", "not there any more"), ("folder", "was changed")],
)
def test_a_file_that_is_gone_or_changed_is_not_found(
    server: Server, folder: Path, name: str, says: str
) -> None:
    path = folder / "videos" / f"{name}.mp4"
    if name == "changed":
        path.write_bytes(path.read_bytes() + b"x")
    else:
        path.unlink()
    if name == "folder":
        path.mkdir()
    for place in ("media", "stream"):
        answer = server.get(f"/api/videos/{name}/{place}")
        assert answer.status_code == 404 and says in answer.json()["error"]["message"]
        assert str(path.parent) not in answer.text
    assert server.get(f"/api/videos/{name}").json()["playback"]["kind"] == "frames"


@pytest.mark.parametrize("name", ["link", "fifo", "copy", "text"])
def test_what_is_put_in_the_place_of_a_file_is_not_handed_out(
    server: Server, library: Library, folder: Path, name: str
) -> None:
    """A link to elsewhere, a pipe that blocks, bytes of the same size; and, for whoever can set
    times, a key of the same size and the same time."""
    path = folder / "videos" / f"{name}.mp4"
    facts = path.stat()
    secret = folder / f"secret-{name}"
    if name == "text":
        secret.write_text("-----BEGIN PRIVATE KEY-----\n".ljust(facts.st_size, "A"))
        os.utime(secret, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    else:
        secret.write_bytes(SECRET[:500].ljust(facts.st_size, b"\0"))
    path.unlink()
    if name == "fifo":
        os.mkfifo(path)
    elif name == "copy":
        shutil.copy(secret, path)
    else:
        path.symlink_to(secret)
    with pytest.raises(Refused) as refused:
        open_file(library.video(name))
    assert refused.value.status == 404 and "was changed" in refused.value.message
    for place in ("media", "stream"):
        assert server.get(f"/api/videos/{name}/{place}").status_code == 404


def test_a_link_that_was_added_as_one_is_followed(server: Server, folder: Path) -> None:
    content = (folder / "archive" / "mine.mp4").read_bytes()
    assert server.get("/api/videos/mine/media").content == content


def test_a_path_that_was_imported_is_never_opened(server: Server) -> None:
    assert server.get("/api/videos/bait").json()["playback"]["kind"] == "none"
    for place in ("media", "stream", "frame?at=1"):
        answer = server.get(f"/api/videos/bait/{place}")
        assert answer.status_code == 404 and b"root" not in answer.content


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd"])
def test_only_ids_name_files(server: Server, name: str) -> None:
    for place in ("media", "stream", "frame", "strip"):
        answer = server.get(f"/api/videos/{name}/{place}")
        assert answer.status_code in (404, 405) and "root:" not in answer.text


# ---------------------------------------------------------------- how it plays


def test_it_is_told_how_each_video_plays(server: Server) -> None:
    found = {
        name: server.get(f"/api/videos/{name}").json()["playback"]
        for name in ("talk", "film", "tape", "council")
    }
    assert found == {
        "talk": {"kind": "direct", "url": "/api/videos/talk/media", "mime": "video/mp4"},
        "film": {"kind": "remux", "url": "/api/videos/film/stream", "mime": "video/mp4"},
        "tape": {"kind": "transcode", "url": "/api/videos/tape/stream", "mime": "video/mp4"},
        "council": {"kind": "none", "url": "", "mime": ""},
    }


@pytest.mark.parametrize(("name", "end"), [("film", 5.9), ("tape", 3.96)])
def test_a_stream_begins_where_its_header_says(server: Server, name: str, end: float) -> None:
    address = f"/api/videos/{name}/stream?start=3.5"
    told = server.client.head(address)
    assert told.status_code == 200 and not told.content
    answer = server.get(address)
    assert answer.headers["x-stream-start"] == told.headers["x-stream-start"]
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["cache-control"] == "no-store"
    start = float(answer.headers["x-stream-start"])
    assert 0 <= start <= 3.5
    with av.open(io.BytesIO(answer.content)) as stream:
        times = [frame.time for frame in stream.decode(video=0)]
    assert times[0] == pytest.approx(0.0, abs=0.01)
    assert start + times[-1] == pytest.approx(end, abs=0.1)


def test_a_stream_beyond_the_end_is_its_last_moment(server: Server) -> None:
    answer = server.get("/api/videos/film/stream?start=1000")
    assert answer.status_code == 200 and float(answer.headers["x-stream-start"]) < 6
    assert server.get("/api/videos/film/stream?start=-1").status_code == 400
    assert server.get("/api/videos/film/stream?start=nan").status_code == 400


# ---------------------------------------------------------------- streams and their clients


def children() -> list[psutil.Process]:
    """The processes that make streams."""
    found = []
    for child in psutil.Process().children():
        try:
            if "pipeline.media.live" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


class Client:
    """One who asks for a stream, takes no more than he is told to, and may hang up."""

    def __init__(self, server: Server, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.head = b""
        while b"\r\n\r\n" not in self.head:
            self.head += self.socket.recv(256)

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    def rest(self) -> bytes:
        data = b""
        while more := self.socket.recv(1 << 16):
            data += more
        return data

    def close(self) -> None:
        self.socket.close()


SLOW = "/api/videos/tape/stream"


def test_who_asks_where_a_stream_begins_gets_that_stream(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page asks first, and then for the same: it is not begun twice."""
    assert server.client.head(f"{SLOW}?start=1").status_code == 200
    (child,) = children()
    client = Client(server, f"{SLOW}?start=1")
    assert [other.pid for other in children()] == [child.pid]
    client.close()
    until(lambda: not children(), 5)
    monkeypatch.setattr(live, "_KEPT", 0.01)
    assert server.client.head(SLOW).status_code == 200
    until(lambda: not children(), 5)


def test_a_client_that_leaves_frees_its_work(server: Server) -> None:
    client = Client(server, SLOW)
    assert client.status == 200 and len(children()) == 1
    client.close()
    until(lambda: not children(), 5)


def test_so_many_streams_at_once_and_then_a_503(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_ROOM_WITHIN", 0.05)
    clients = [Client(server, SLOW) for _ in range(media.STREAMS)]
    try:
        assert {client.status for client in clients} == {200}
        refused = server.get(SLOW)
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert refused.json()["error"]["code"] == "busy"
    finally:
        for client in clients:
            client.close()
    until(lambda: not children(), 5)
    monkeypatch.setattr(live, "_KEPT", 0.0)
    assert server.client.head(SLOW).status_code == 200


def test_a_stream_that_stands_still_makes_room(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page left open with its player paused does not keep others from playing."""
    monkeypatch.setattr(live, "_STANDS_STILL", 0.0)
    clients = [Client(server, SLOW) for _ in range(media.STREAMS)]
    try:
        monkeypatch.setattr(live, "_KEPT", 0.0)
        assert server.client.head(SLOW).status_code == 200
        # It ends as streams do, and the page asks again when somebody plays on.
        assert clients[0].rest().endswith(b"0\r\n\r\n")
    finally:
        for client in clients:
            client.close()
    until(lambda: not children(), 5)


def test_a_decoder_that_dies_breaks_the_connection_off(server: Server) -> None:
    client = Client(server, SLOW)
    (child,) = children()
    child.kill()
    data = client.rest()
    assert not data.endswith(b"0\r\n\r\n"), "a stream that is not whole must not look so"
    client.close()
    assert server.get("/api/videos/talk/media").status_code == 200


def test_a_file_that_nobody_takes_any_more_is_let_go(server: Server, folder: Path) -> None:
    path = str(folder / "videos" / "tape.avi")
    client = Client(server, "/api/videos/tape/media")
    client.close()
    until(lambda: path not in {file.path for file in psutil.Process().open_files()}, 5)


# ---------------------------------------------------------------- pictures


def picture(answer: httpx.Response) -> Any:
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    return Pillow.open(io.BytesIO(answer.content))


def colour_of(image: Any) -> tuple[float, ...]:
    return tuple(np.asarray(image.convert("RGB").resize((8, 8)), float).mean(axis=(0, 1)))


def test_a_picture_is_that_of_its_shot(server: Server) -> None:
    for second, seed in ((0.5, 1), (2.5, 2), (5.9, 3)):
        shown = picture(server.get(f"/api/videos/talk/frame?at={second}&width=160"))
        assert shown.size == (160, 90)
        wanted = colour_of(Pillow.fromarray(clips.texture(seed)))
        assert colour_of(shown) == pytest.approx(wanted, abs=6)


def test_pictures_are_bounded_and_kept_by_the_browser(server: Server) -> None:
    answer = server.get("/api/videos/talk/frame?at=1&width=99999")
    assert picture(answer).size == clips.SIZE  # never larger than it is
    assert "max-age" in answer.headers["cache-control"]
    again = server.get(
        "/api/videos/talk/frame?at=1&width=99999", headers={"if-none-match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert width_of(99_999) == 1280 and width_of(1) == 16 and width_of(161) == 176
    assert server.get("/api/videos/talk/frame?width=0").status_code == 400


def test_a_strip_is_pictures_along_the_timeline(server: Server) -> None:
    frames = server.get("/api/videos/talk/strip?width=80&count=6").json()["frames"]
    assert [frame["at"] for frame in frames] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert len({frame["url"] for frame in frames}) == 3  # one picture for each shot
    for frame in frames:
        assert picture(server.get(frame["url"])).width == 80
    assert server.get("/api/videos/council/strip").json() == {"frames": []}


def test_a_stored_picture_that_is_damaged_is_decoded_by_the_library_too(library: Library) -> None:
    """What assistants and notebooks look through; a path that was imported is none for them."""
    (_, stored), *_ = library.key_frames("mine")[0]
    stored.write_bytes(b"no jpeg")
    _, data = library.frame("mine", 0.2, width=48)
    assert Pillow.open(io.BytesIO(data)).width == 48
    with pytest.raises(UsageError, match="imported without a file"):
        library.frame("bait", 1.0)


def test_a_picture_that_is_not_stored_is_decoded(
    server: Server, library: Library, folder: Path
) -> None:
    shutil.rmtree(library.path / "frames" / "still")
    shown = picture(server.get("/api/videos/still/frame?at=0.2&width=48"))
    assert shown.width == 48
    wanted = Pillow.fromarray(clips.texture(SPARE.index("still"), (64, 36)))
    assert colour_of(shown) == pytest.approx(colour_of(wanted), abs=6)
    (folder / "videos" / "still.mp4").unlink()
    assert server.get("/api/videos/still/frame?at=0.4&width=32").status_code == 404


def test_the_frame_of_a_time_is_of_the_same_shot() -> None:
    frames = [(0.5, Path("a")), (1.5, Path("b")), (4.0, Path("c"))]
    cuts = [0.0, 3.0, 6.0]
    found = {at: frame_near(frames, cuts, at) for at in (0.0, 1.0, 2.9, 3.0, 5.0, 7.0)}
    assert [one and one[1].name for one in found.values()] == ["a", "a", "b", "c", "c", None]
    assert frame_near([], cuts, 1.0) is None
    assert strip_times(10.0, 2) == [2.5, 7.5]


def test_kept_pictures_are_the_latest_used_and_no_more_than_fit() -> None:
    kept, calls = KeptPictures(most=250), []

    def make(key: str) -> bytes:
        def made() -> bytes:
            calls.append(key)
            return key.encode() * 100

        return kept.get((key,), made)

    for key in "ababcacb":
        assert make(key) == key.encode() * 100
    assert "".join(calls) == "abcab"


def test_a_stored_picture_that_is_no_jpeg_is_not_opened_as_something_else(tmp_path: Path) -> None:
    Pillow.new("RGB", (8, 8)).save(tmp_path / "x.png")
    with pytest.raises(OSError):
        shrink(tmp_path / "x.png", 8)


def test_pictures_do_not_wait_for_streams(server: Server) -> None:
    clients = [Client(server, SLOW) for _ in range(media.STREAMS)]
    try:
        assert picture(server.get("/api/videos/talk/frame?at=2.2&width=48")).width == 48
    finally:
        for client in clients:
            client.close()
    until(lambda: not children(), 5)


def test_many_at_once_get_their_own_parts(server: Server, talk: bytes) -> None:
    wrong: list[int] = []

    def ask(number: int) -> None:
        first = number * 37
        header = {"range": f"bytes={first}-{first + 999}"}
        with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
            got = client.get("/api/videos/talk/media", headers=header).content
        if got != talk[first : first + 1000]:
            wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
