"""Frames at given times, and the quick pass over key frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from pipeline.errors import MediaError
from pipeline.media.frames import frames_at, key_frames, picture_name, save_frames_at, write_picture
from tests import clips


def shade(level: int) -> clips.Image:
    return clips.colour(level, level, level)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames at 0, 0.1, 0.5, 2 and from 2.1 to 4 s; all timestamps from 5 s on."""
    times = (0.0, 0.1, 0.5, 2.0, *np.arange(2.1, 4.05, 0.1))
    pictures = [(time, shade(40 * min(number, 4) + 30)) for number, time in enumerate(times)]
    return clips.write(
        tmp_path_factory.mktemp("frames") / "uneven.mkv", pictures, fps=10, offset=5.0
    )


def test_the_frame_of_a_time_is_the_one_on_screen(uneven: Path) -> None:
    found = frames_at(uneven, [2.05, 0.09, 0.1, 0.49, 1.99, 99.0, -1.0])
    assert [round(time, 3) for time, _ in found] == [0.0, 0.0, 0.1, 0.1, 0.5, 2.0, 4.0]
    levels = [int(image.mean()) for _, image in found]
    assert levels == pytest.approx([30, 30, 70, 70, 110, 150, 190], abs=3)


def test_a_time_rounded_to_milliseconds_still_means_its_frame(tmp_path: Path) -> None:
    pictures = [(number / 30, shade(20 + 2 * number)) for number in range(90)]
    path = clips.write(tmp_path / "x.mp4", pictures, fps=30)
    times = [round(number / 30, 3) for number in range(90)]
    found = [time for time, _ in frames_at(path, times)]
    assert found == pytest.approx([number / 30 for number in range(90)], abs=1e-4)


def test_frames_can_be_kept_as_files(uneven: Path, tmp_path: Path) -> None:
    (time, path), *rest = save_frames_at(uneven, [0.2, 2.0], tmp_path / "new" / "folder")
    assert (round(time, 3), path.name) == (0.1, "000000.100.jpg")
    with Pillow.open(path) as image:
        assert image.size == clips.SIZE
    assert len(rest) == 1


def test_key_frames_are_the_files_own(tmp_path: Path) -> None:
    path = clips.write(
        tmp_path / "x.mp4", clips.scenes(*((1.0, clips.texture(n)) for n in range(4)))
    )
    times = [time for time, _ in key_frames(path)]
    every = [time for time, _ in frames_at(path, np.arange(0, 4, 0.04))]
    assert times[0] == 0.0
    assert set(np.round(times, 3)) <= set(np.round(every, 3))
    assert len(times) < len(every) / 3
    assert len(list(key_frames(path, spacing=10.0))) == 1


def test_a_file_without_pictures_is_an_error(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "x.mp4", tracks=[clips.Track(end=1.0)])
    with pytest.raises(MediaError, match="no video"):
        frames_at(path, [0.0])


def test_names_sort_by_time_and_writing_leaves_no_drafts(tmp_path: Path) -> None:
    names = [picture_name(time) for time in (0.0, 9.999, 12.345, 36_000.5)]
    assert names == sorted(names)
    assert names[2] == "000012.345.jpg"
    path = write_picture(tmp_path, 12.345, clips.colour(200, 20, 20))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    with Pillow.open(path) as image:
        red, green, _ = np.asarray(image)[90, 160]
    assert red > 150 > green, "red is red"
