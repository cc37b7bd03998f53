"""What a file says about itself, and what is said of a file that is no video."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from pipeline.errors import MediaError
from pipeline.media import language
from pipeline.media.container import Clock, check_file
from pipeline.media.probe import Chapter, clockwise, display_size, probe
from tests import clips

RED = clips.colour(200, 30, 30)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with everything a container can hold."""
    return clips.write(
        tmp_path_factory.mktemp("probe") / "rich.mp4",
        clips.scenes((3.0, RED), fps=25),
        tracks=[
            clips.Track(end=3.0, language="ger", default=False),
            clips.Track(end=3.0, language="eng", default=True),
        ],
        subtitles=[clips.Subtitles([(0.5, 1.0, "hello")], language="fre")],
        chapters=[(0, 1.5, "First  part"), (1.5, 3, "Second")],
        metadata={"title": "A rich clip", "date": "20240305"},
        cover=clips.colour(0, 0, 255, (64, 64)),
    )


def test_everything_a_container_says_is_found(rich: Path) -> None:
    info = probe(rich)
    assert info.duration == pytest.approx(3.0, abs=0.05)
    assert info.start_time == pytest.approx(0.0, abs=0.001)
    assert (info.title, info.date) == ("A rich clip", "2024-03-05")
    assert info.chapters == (Chapter(0.0, 1.5, "First part"), Chapter(1.5, 3.0, "Second"))
    assert [(s.codec, s.language) for s in info.subtitles] == [("mov_text", "fr")]
    assert [(s.language, s.default, s.rate) for s in info.audio] == [
        ("de", False, 48_000),
        ("en", True, 48_000),
    ]


def test_cover_art_is_not_the_video(rich: Path) -> None:
    video = probe(rich).video
    assert video is not None
    assert (video.codec, video.width, video.height, video.fps) == ("h264", 320, 180, 25.0)


def test_a_file_of_cover_art_and_sound_has_no_video(tmp_path: Path) -> None:
    song = clips.write(tmp_path / "song.mp4", tracks=[clips.Track(end=1.0)], cover=RED)
    info = probe(song)
    assert info.video is None
    assert len(info.audio) == 1


@pytest.mark.parametrize(
    ("rotation", "size"), [(90, (180, 320)), (180, (320, 180)), (270, (180, 320))]
)
def test_size_is_what_a_viewer_sees(tmp_path: Path, rotation: int, size: tuple[int, int]) -> None:
    path = clips.write(tmp_path / "phone.mp4", clips.scenes((0.4, RED)), rotation=rotation)
    video = probe(path).video
    assert video is not None
    assert video.rotation == rotation
    assert (video.width, video.height) == size


def test_the_clock_starts_where_the_container_does(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "late.ts", clips.scenes((1.0, RED)), offset=20.0)
    assert probe(path).start_time == pytest.approx(20.0, abs=0.001)
    path = clips.write(
        tmp_path / "late.mkv",
        clips.scenes((2.0, RED)),
        offset=20.0,
        chapters=[(20.0, 21.0, "one"), (21.0, 22.0, "two")],
    )
    info = probe(path)
    assert [(c.start, c.end) for c in info.chapters] == [(0.0, 1.0), (1.0, 2.0)]
    assert info.duration == pytest.approx(2.0, abs=0.05), "counted from zero on the clock"


@pytest.mark.parametrize(
    ("tag", "date"),
    [
        ("2024-03-05T12:00:00+02:00", "2024-03-05T10:00:00Z"),
        ("2024-03-05", "2024-03-05"),
        ("2019", "2019"),
        ("1904-01-01T00:00:00Z", ""),
        ("yesterday", ""),
    ],
)
def test_dates_are_iso_in_utc(tmp_path: Path, tag: str, date: str) -> None:
    path = clips.write(tmp_path / "x.mkv", clips.scenes((0.2, RED)), metadata={"DATE": tag})
    assert probe(path).date == date


@pytest.mark.parametrize(
    "name",
    ["-dash.mp4", "a: colon.mp4", "sp ace (and) ünï 視頻 'quote' #1?.mp4", "UPPER.MP4", "%20.mp4"],
)
def test_any_file_name_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    clips.write(tmp_path / "x.mp4", clips.scenes((0.2, RED))).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(name).video is not None


def test_a_name_that_is_no_unicode_will_do(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/na\xffme.mp4"
    try:
        os.rename(clips.write(tmp_path / "x.mp4", clips.scenes((0.2, RED))), path)
    except OSError:
        pytest.skip("this file system wants Unicode")
    assert probe(os.fsdecode(path)).video is not None


# ---------------------------------------------------------------- files that are no video

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:26ba\nsize 255990476\n"
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://127.0.0.1:9/secret.ts\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (LFS, "git-lfs pointer"),
        (b"this is not a video\n" * 100, "text file"),
        ("kein Vidéo, 動画ではない\n".encode() * 400, "text file"),
        (PLAYLIST, "text file"),
        (b"\0\0\0\x1cftypmp42\0\0\0\0", "only 16 bytes"),
        (bytes(range(256)) * 64, "damaged or not a media file"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 12 + b"moov....encv....sinf" * 300, "encrypted"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "talk.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError) as raised:
        probe(path)
    assert says in raised.value.message
    assert "talk.mp4" in raised.value.message
    assert "\n" not in raised.value.message


def test_a_picture_is_not_a_video(tmp_path: Path) -> None:
    Pillow.fromarray(RED).save(tmp_path / "photo.png")
    (tmp_path / "photo.png").rename(tmp_path / "photo.mp4")
    with pytest.raises(MediaError, match="picture"):
        probe(tmp_path / "photo.mp4")


def test_missing_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="folder"):
        check_file(tmp_path)
    with pytest.raises(MediaError, match="No such file"):
        check_file(tmp_path / "gone.mp4")


# ---------------------------------------------------------------- small parts


@pytest.mark.parametrize(
    ("code", "normal"),
    [("eng", "en"), ("en-US", "en"), ("pt_BR", "pt"), ("ger", "de"), ("und", ""), (None, "")],
)
def test_language_codes(code: str | None, normal: str) -> None:
    assert language.normal(code) == normal


def test_pixels_that_are_not_square_are_made_square() -> None:
    assert display_size(720, 576, 64 / 45) == (1024, 576)
    assert display_size(568, 320, 640 / 639) == (568, 320), "rounding of an encoder"
    assert display_size(320, 180, None) == (320, 180)
    assert display_size(320, 180, 900.0) == (320, 180), "damage"


def test_rotation_counts_clockwise() -> None:
    assert [clockwise(r) for r in (0, -90, 90, 180, -180)] == [0, 90, 270, 180, 180]


class _Stream:
    time_base = 1 / 1000


@pytest.mark.parametrize("claimed", [0.0, 10.0])
def test_the_clock_never_goes_back(claimed: float) -> None:
    clock = Clock(_Stream(), 0.0, claimed)
    stamps = [0, 40, None, 30, 160, 9_000_000_000, 200, 240]
    times = [clock.place(stamp, 0.04) for stamp in stamps]
    assert times == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28])
    assert clock.end == pytest.approx(0.32)
    assert np.all(np.diff(times) > 0)
    assert clock.repaired == 5
