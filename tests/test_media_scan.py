"""One pass over the pictures: shots, key frames, still stretches, and the true duration."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from pipeline.errors import MediaError
from pipeline.media.frames import KeyFrame, StillRun
from pipeline.media.picture import Picture
from pipeline.media.scan import Scan, scan_video
from pipeline.media.shots import Kept, KeyFrameChooser
from tests import clips

FRAME = 1 / 25
A, B, C = (clips.texture(seed) for seed in (1, 2, 3))
BLACK = clips.colour(0, 0, 0)


def starts(scan: Scan) -> list[float]:
    return [shot.start for shot in scan.shots]


def spans(runs: Sequence[StillRun]) -> list[tuple[float, float]]:
    return [(run.start, run.end) for run in runs]


def near(times: Sequence[float]) -> object:
    """Equal to within a frame and a bit: codecs round."""
    return pytest.approx(times, abs=FRAME / 2)


def pixels(path: Path) -> NDArray[np.int64]:
    with Pillow.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(np.int64)


# ---------------------------------------------------------------- duration


def test_the_duration_includes_the_last_frame(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.mp4", clips.scenes((2.0, A)))
    scan = scan_video(path, tmp_path)
    assert scan.duration == pytest.approx(2.0, abs=0.001)
    assert scan.frames == 50
    assert scan.problems == ()


def test_sound_that_goes_on_counts(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.mp4", clips.scenes((2.0, A)), tracks=[clips.Track(end=5.0)])
    scan = scan_video(path, tmp_path)
    assert scan.duration == pytest.approx(5.0, abs=0.03)
    assert scan.video_end == pytest.approx(2.0, abs=0.001)
    assert scan.shots[-1].end == scan.video_end


def test_sound_alone_has_a_duration_and_no_shots(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.mp4", tracks=[clips.Track(end=3.0)])
    scan = scan_video(path, tmp_path)
    assert scan.duration == pytest.approx(3.0, abs=0.03)
    assert (scan.shots, scan.stills) == ((), ())


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts"])
def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path, extension: str) -> None:
    whole = clips.footage(tmp_path / f"whole.{extension}", seconds=6.0, size=(320, 180))
    part = clips.truncated(whole, tmp_path / f"part.{extension}", 0.6)
    scan = scan_video(part, tmp_path)
    assert 2.5 < scan.duration < 4.5
    assert scan.shots[-1].end <= scan.duration
    if extension != "ts":  # a transport stream's header promises nothing
        claimed = f"the header says 6.0 s but only {scan.duration:.1f} s could be decoded"
        assert scan.problems[0] == claimed


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_cost_pictures_not_the_file(tmp_path: Path, seed: int) -> None:
    whole = clips.footage(tmp_path / "whole.mkv", seconds=4.0, size=(320, 180))
    scan = scan_video(clips.flipped(whole, tmp_path / "bad.mkv", 60, seed=seed), tmp_path)
    assert scan.duration > 1.0
    assert all(0 <= shot.start < shot.end <= scan.duration for shot in scan.shots)
    assert all(0 <= run.start < run.end <= scan.duration for run in scan.stills)


def test_a_file_of_which_nothing_is_left_is_an_error(tmp_path: Path) -> None:
    whole = clips.write(tmp_path / "whole.mp4", clips.scenes((4.0, A)))
    data = whole.read_bytes()
    (tmp_path / "head.mp4").write_bytes(data[: data.index(b"mdat") + 8])
    with pytest.raises(MediaError, match=r"head\.mp4: no picture and no sound .* says 4\.0 s"):
        scan_video(tmp_path / "head.mp4", tmp_path)


# ---------------------------------------------------------------- shots


def test_cuts_are_found_to_the_frame(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.mp4", clips.scenes((2.0, A), (1.6, B), (2.44, C)))
    scan = scan_video(path, tmp_path)
    assert starts(scan) == near([0.0, 2.0, 3.6])
    assert all(one.end == other.start for one, other in pairwise(scan.shots))
    assert scan.shots[-1].end == pytest.approx(6.04, abs=0.001)


def test_cuts_in_a_moving_picture_are_found_and_nothing_else(tmp_path: Path) -> None:
    scan = scan_video(clips.footage(tmp_path / "x.mp4", seconds=9.0), tmp_path)
    assert starts(scan) == near([0.0, 3.0, 6.0])
    assert all(shot.motion > 0.005 and not shot.still for shot in scan.shots)


def test_cuts_between_scenes_of_one_brightness_are_found(tmp_path: Path) -> None:
    red, green = clips.colour(180, 40, 40), clips.colour(30, 112, 60)
    path = clips.write(tmp_path / "x.mp4", clips.scenes((2.0, red), (2.0, green)))
    assert starts(scan_video(path, tmp_path)) == near([0.0, 2.0])


def test_times_come_from_timestamps_where_the_rate_varies(tmp_path: Path) -> None:
    """Half of the frames are far apart; a count of frames would put the cut at 1.6 s."""
    times = [*np.arange(0, 1, 1 / 30), *np.arange(1, 4, 1 / 5), *np.arange(4, 6, 1 / 30)]
    path = clips.write(tmp_path / "x.mkv", [(t, A if t < 4 else B) for t in times], fps=30)
    scan = scan_video(path, tmp_path)
    assert starts(scan) == near([0.0, 4.0])
    assert scan.duration == pytest.approx(6.0, abs=0.04)


def test_the_clock_begins_at_zero_whatever_the_container_says(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.ts", clips.scenes((2.0, A), (2.0, B)), offset=20.0)
    scan = scan_video(path, tmp_path)
    assert starts(scan) == near([0.0, 2.0])
    assert scan.duration == pytest.approx(4.0, abs=0.05)


def test_streams_strung_together_are_read_through(tmp_path: Path) -> None:
    """A recorder was restarted: timestamps begin anew, and the pictures are of another size."""
    parts = [
        clips.write(tmp_path / "a.ts", clips.scenes((3.0, A))),
        clips.write(tmp_path / "b.ts", clips.scenes((2.0, clips.texture(2, (640, 480))))),
    ]
    path = tmp_path / "x.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    scan = scan_video(path, tmp_path)
    assert scan.duration == pytest.approx(5.0, abs=0.2)
    assert starts(scan) == [0.0, pytest.approx(3.0, abs=0.1)]
    assert [shot.key_frames[0].width for shot in scan.shots] == [320, 640]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_flash_is_no_cut(tmp_path: Path, frames: int) -> None:
    flash = (frames * FRAME, clips.colour(255, 255, 255))
    path = clips.write(tmp_path / "x.mp4", clips.scenes((2.0, A), flash, (2.0, A)))
    assert starts(scan_video(path, tmp_path)) == [0.0]


def test_one_slide_dissolving_into_another_begins_a_shot(tmp_path: Path) -> None:
    one, other = clips.slide("Costs", "a", size=(320, 180)), A // 4 + 180

    def draw(time: float) -> clips.Image:
        share = min(1.0, max(0.0, (time - 3.0) / 0.6))
        return (one * (1 - share) + other * share).astype(np.uint8)

    path = clips.write(tmp_path / "x.mp4", clips.at_rate(25, 7.0, draw))
    scan = scan_video(path, tmp_path)
    assert len(scan.shots) == 2
    assert 3.0 <= scan.shots[1].start <= 3.7


# ---------------------------------------------------------------- key frames


def test_a_still_shot_has_one_key_frame_in_a_file_named_by_its_time(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.mp4", clips.scenes((4.0, A), (4.0, B)))
    scan = scan_video(path, tmp_path / "pictures")
    for shot, image in zip(scan.shots, (A, B), strict=True):
        (key,) = shot.key_frames
        assert shot.start <= key.time < shot.end
        assert key.path == tmp_path / "pictures" / f"{key.time:010.3f}.jpg"
        seen = pixels(key.path)
        assert (key.width, key.height) == (320, 180) == (seen.shape[1], seen.shape[0])
        assert np.abs(seen - image).mean() < 8
    assert not list((tmp_path / "pictures").glob(".*")), "no drafts are left"


def test_a_picture_seen_before_is_said_to_be(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.mp4", clips.scenes((2.0, A), (2.0, B), (2.0, A)))
    first, second, third = (s.key_frames[0] for s in scan_video(path, tmp_path).shots)
    assert (first.same_as, second.same_as) == (None, None)
    assert third.same_as == first.time
    assert third.hash == first.hash != second.hash


def test_a_shot_that_changes_has_several_up_to_the_limit(tmp_path: Path) -> None:
    wide = clips.texture(7, (320 * 6, 180))
    path = clips.write(
        tmp_path / "x.mp4", clips.at_rate(25, 14.0, lambda t: clips.pan(wide, t, speed=110))
    )
    for most in (1, 2, 3):
        (shot,) = scan_video(path, tmp_path, key_frames_per_shot=most).shots
        times = [key.time for key in shot.key_frames]
        assert len(times) == most
        assert times == sorted(times)


def with_somebody(path: Path, seconds: float, there: Callable[[float], bool]) -> list[KeyFrame]:
    """Key frames of a fixed camera; who is `there` moves twice a second, and never the same."""
    moved = [clips.texture(seed, (90, 90)) for seed in range(10, 10 + round(2 * seconds))]

    def draw(time: float) -> clips.Image:
        image = A.copy()
        if there(time):
            image[60:150, 120:210] = moved[int(time * 2)]
        return image

    clips.write(path, clips.at_rate(10, seconds, draw), fps=10)
    (shot,) = scan_video(path, path.with_suffix("")).shots
    return list(shot.key_frames)


def test_novelty_is_the_share_of_a_picture_that_was_not_shown_before(tmp_path: Path) -> None:
    part = A.copy()
    part[:90, :160] = B[:90, :160]  # a quarter of it
    parts = [(2.0, picture) for picture in (A, B, A, C, part)]
    path = clips.write(tmp_path / "x.mp4", clips.scenes(*parts, fps=10), fps=10)
    shots = scan_video(path, tmp_path).shots
    first, other, back, third, mixed = (shot.key_frames[0].novelty for shot in shots)
    assert first == 1.0, "nothing was shown before"
    assert other > 0.5 and third > 0.5
    assert back == pytest.approx(0.0, abs=0.02)
    assert 0.1 < mixed < 0.3


def test_who_always_moves_is_no_news_and_who_comes_rarely_is(tmp_path: Path) -> None:
    fidgeting = with_somebody(tmp_path / "talk.mp4", 60.0, lambda time: True)
    watching = with_somebody(tmp_path / "door.mp4", 60.0, lambda time: time % 20 >= 15)
    assert fidgeting[0].novelty == watching[0].novelty == 1.0
    seen = [key.novelty for key in watching[1:] if key.time % 20 >= 15]
    assert seen and max(seen) > 0.08
    rest = [key.novelty for key in fidgeting[1:]]
    assert len(rest) >= 4 and max(rest) < 0.5 * max(seen)
    # On the whole what is always the same costs no look, which begins at 0.035.
    assert sum(novelty < 0.035 for novelty in rest) > len(rest) / 2


def test_a_long_shot_has_more_key_frames_than_the_limit(tmp_path: Path) -> None:
    """One for eight seconds: a screen recording is one shot for an hour."""
    wide = clips.texture(7, (320 * 9, 180))
    path = clips.write(
        tmp_path / "x.mp4", clips.at_rate(10, 51.0, lambda t: clips.pan(wide, t, speed=50)), fps=10
    )
    (shot,) = scan_video(path, tmp_path, key_frames_per_shot=2).shots
    times = [key.time for key in shot.key_frames]
    assert len(times) == 6 and times == sorted(times)
    still = clips.write(tmp_path / "still.mp4", clips.scenes((51.0, A), fps=10), fps=10)
    assert len(scan_video(still, tmp_path / "still").shots[0].key_frames) == 1


def test_key_frames_of_an_hour_that_never_rests_are_chosen_in_seconds(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (1200, 36, 64), np.uint8)
    kept = [
        Kept(3.0 * n, 3.0 * n, 3.0 * n + 3, True, tmp_path, 640, 360, small[n], 1.0)
        for n in range(1200)
    ]
    began = time.perf_counter()
    assert len(KeyFrameChooser(3).choose(kept)) == 450
    assert time.perf_counter() - began < 30, "not the square of it"


def test_key_frames_are_the_longest_and_then_the_most_unlike(tmp_path: Path) -> None:
    def kept(at: float, level: int, seconds: float = 1.0, sharp: float = 1.0) -> Kept:
        small = np.full((36, 64), level, np.uint8)
        return Kept(at, at, at + seconds, True, tmp_path, 640, 360, small, sharp)

    pictures = [kept(0, 100), kept(1, 110, 3), kept(4, 112), kept(5, 200), kept(6, 30)]

    def chosen(most: int) -> list[float]:
        return [key.time for key in KeyFrameChooser(most).choose(pictures)]

    assert [chosen(most) for most in (1, 2, 3, 4)] == [[1], [1, 5], [1, 5, 6], [1, 5, 6]]
    alike = [kept(0, 100, sharp=1.0), kept(1, 100, sharp=2.0), kept(2, 100, sharp=2.0)]
    (key,) = KeyFrameChooser(3).choose(alike)
    assert key.time == 1, "of those that stood as long the sharpest, of those the first"
    assert KeyFrameChooser(3).choose([]) == ()


def test_black_is_no_key_frame(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.mp4", clips.scenes((2.0, BLACK), (2.0, A), (2.0, BLACK)))
    scan = scan_video(path, tmp_path)
    assert starts(scan) == near([0.0, 2.0, 4.0])
    assert [shot.black for shot in scan.shots] == [True, False, True]
    assert scan.shots[0].brightness < 0.1 < scan.shots[1].brightness
    assert spans(scan.stills) == [pytest.approx((2.0, 4.0), abs=FRAME / 2)]


def test_pictures_are_turned_as_a_viewer_sees_them(tmp_path: Path) -> None:
    """A phone held upright: what the sensor has on its left is up."""
    image = np.hstack(
        [clips.colour(220, 30, 30, (160, 180)), clips.colour(30, 30, 220, (160, 180))]
    )
    path = clips.write(tmp_path / "x.mp4", clips.scenes((1.0, image)), rotation=90)
    key = scan_video(path, tmp_path).shots[0].key_frames[0]
    seen = pixels(key.path)
    assert (key.width, key.height) == (180, 320)
    assert seen[40, 90, 0] > 150 > seen[40, 90, 2], "red above"
    assert seen[280, 90, 2] > 150 > seen[280, 90, 0], "blue below"


# ---------------------------------------------------------------- still stretches


def test_a_slide_stands_from_its_first_frame_to_its_last(tmp_path: Path) -> None:
    pages = [clips.slide(*(clips.words(9 * page + line) for line in range(7))) for page in range(3)]
    parts = ((3.24, pages[0]), (4.12, pages[1]), (2.64, pages[2]))
    path = clips.write(tmp_path / "x.mp4", clips.scenes(*parts))
    runs = scan_video(path, tmp_path).stills
    wanted = [(0.0, 3.24), (3.24, 7.36), (7.36, 10.0)]
    assert [time for span in spans(runs) for time in span] == near([t for s in wanted for t in s])
    for run, page in zip(runs, pages, strict=True):
        assert run.start <= run.time < run.end
        assert not run.moving
        seen = pixels(run.path)
        assert np.abs(seen - page).mean() < 4


def test_one_line_more_is_another_stretch(tmp_path: Path) -> None:
    lines = [clips.words(seed) for seed in range(3)]
    parts = [(3.0, clips.slide(*lines[: count + 1], size=(1280, 720))) for count in range(3)]
    path = clips.write(tmp_path / "x.mp4", clips.scenes(*parts))
    assert [run.start for run in scan_video(path, tmp_path).stills] == near([0.0, 3.0, 6.0])


def test_a_pointer_that_moves_is_not(tmp_path: Path) -> None:
    page = clips.slide(*(clips.words(line) for line in range(6)), size=(1280, 720))

    def draw(time: float) -> clips.Image:
        image = page.copy()
        x, y = int(100 + 80 * time), int(500 + 20 * time)
        image[y : y + 20, x : x + 12] = (40, 40, 40)
        return image

    path = clips.write(tmp_path / "x.mp4", clips.at_rate(25, 8.0, draw))
    assert len(scan_video(path, tmp_path).stills) == 1


def test_text_that_scrolls_gives_several_pictures(tmp_path: Path) -> None:
    runs = scan_video(clips.scrolling(tmp_path / "x.mp4", seconds=12.0), tmp_path).stills
    assert 4 <= len(runs) <= 6
    assert all(one.end <= other.start for one, other in pairwise(runs))


@pytest.mark.parametrize("speed", [60, 20, 6])
def test_footage_gives_a_picture_every_three_seconds_at_most(tmp_path: Path, speed: float) -> None:
    wide = clips.texture(5, (2000, 180))
    path = clips.write(
        tmp_path / "x.mp4", clips.at_rate(25, 12.0, lambda t: clips.pan(wide, t, speed=speed))
    )
    assert 2 <= len(scan_video(path, tmp_path).stills) <= 4


def test_text_that_is_typed_gives_a_picture_every_three_seconds_at_most(tmp_path: Path) -> None:
    text = " ".join(clips.words(seed) for seed in range(4))

    def draw(time: float) -> clips.Image:
        typed = text[: int(time * 8)]
        lines = (typed[at : at + 30] for at in range(0, len(typed), 30))
        return clips.slide(*lines, size=(1280, 720))

    path = clips.write(tmp_path / "x.mp4", clips.at_rate(10, 12.0, draw), fps=10)
    runs = scan_video(path, tmp_path).stills
    assert 3 <= len(runs) <= 5


def test_a_speaker_in_the_corner_does_not_disturb_the_slide(tmp_path: Path) -> None:
    """Twenty seconds of two slides, with a picture in a corner that never rests."""
    pages = [clips.slide(*(clips.words(9 * page + line) for line in range(6))) for page in range(2)]
    wide = clips.texture(6, (1200, 90))

    def draw(time: float) -> clips.Image:
        image = pages[int(time >= 12)].copy()
        image[-90:, -140:] = clips.pan(wide, time, (140, 90), speed=90)
        return image

    path = clips.write(tmp_path / "x.mp4", clips.at_rate(10, 20.0, draw), fps=10)
    runs = scan_video(path, tmp_path).stills
    assert len(runs) <= 7, "not one for every second of motion"
    assert any(run.start == pytest.approx(12.0, abs=0.11) for run in runs), "the new slide is seen"


def test_a_picture_held_without_frames_stands_all_the_while(tmp_path: Path) -> None:
    """A screen recorder writes a frame when something changes, and none for six seconds."""
    one, other = (clips.slide(*(clips.words(9 * n + line) for line in range(6))) for n in range(2))
    times = [*np.arange(0, 1, 0.1), *np.arange(7, 9, 0.1)]
    path = clips.write(tmp_path / "x.mkv", [(t, one if t < 7 else other) for t in times], fps=10)
    runs = scan_video(path, tmp_path).stills
    assert [time for span in spans(runs) for time in span] == near([0.0, 7.0, 7.0, 9.0])


# ---------------------------------------------------------------- the pass


def test_two_passes_find_and_write_the_same(tmp_path: Path) -> None:
    path = clips.footage(tmp_path / "x.mp4", seconds=6.0, size=(320, 180))
    one, other = (scan_video(path, tmp_path / name) for name in ("one", "other"))
    assert starts(one) == starts(other)
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}


def test_progress_goes_up_to_the_end(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.mp4", clips.scenes((4.0, A)))
    seen: list[float] = []
    scan_video(path, tmp_path, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(4.0, abs=0.5)


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (4, 400)])
def test_tiny_pictures_do_no_harm(tmp_path: Path, size: tuple[int, int]) -> None:
    image = clips.colour(120, 130, 90, size)
    scan = scan_video(clips.write(tmp_path / "x.mkv", clips.scenes((1.0, image))), tmp_path)
    assert len(scan.shots) == 1


@pytest.mark.parametrize(
    "form",
    ["yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuva420p", "rgb24", "bgr0", "gray", "nv12"],
)
def test_pictures_of_any_format_are_seen_alike(form: str) -> None:
    image = clips.texture(4, (640, 360))
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    usual, other = (Picture(0.0, frame.reformat(format=name)) for name in ("yuv420p", form))
    # Full range is not limited range: that much may differ, and the colour of grey.
    level = 14 if form in ("yuvj420p", "gray") else 3
    planes = 1 if form == "gray" else 3
    for one, two in zip(usual.tiny()[:planes], other.tiny()[:planes], strict=True):
        assert np.abs(one.astype(int) - two).mean() < level
    assert np.abs(usual.thumb().astype(int) - other.thumb()).mean() < level
