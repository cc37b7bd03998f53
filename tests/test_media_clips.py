"""A clip begins and ends where it says, copied or encoded, with its sound in step."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import MediaError, UsageError
from pipeline.media.child import MediaReader
from pipeline.media.clips import Cut, cut
from pipeline.media.film import CONTAINERS
from pipeline.media.footage import footage_of, sound_between
from pipeline.media.loudness import LoudnessMeter
from tests import clips

SIZE = (64, 48)
FPS = 25.0


def grey(time: float) -> clips.Image:
    """A picture whose brightness tells its time, in steps of a frame."""
    level = 20 + round(time * FPS) % 100 * 2
    return clips.colour(level, level, level, SIZE)


def time_of(picture: np.ndarray) -> float:
    """The time that `grey` drew, within 4 s."""
    return (float(picture.mean()) - 20) / 2 / FPS


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3.6 s in which the picture tells the time and a tone sounds from 2.0 to 2.4 s."""
    return clips.write(
        tmp_path_factory.mktemp("clips") / "talk.mp4",
        clips.at_rate(FPS, 3.6, grey),
        tracks=[clips.Track([clips.Tone(2.0, 2.4)], end=3.6)],
    )


def shown(path: Path) -> list[tuple[float, float]]:
    """(when a player shows it, the time that is drawn) of every picture."""
    with av.open(str(path)) as container:
        return [
            (float(f.pts * f.time_base), time_of(f.to_ndarray(format="rgb24")))
            for f in container.decode(video=0)
        ]


def tone(path: Path) -> tuple[float, float]:
    """From when to when the sound of a file is not silent."""
    samples = np.concatenate(list(sound_between(path, 0, 9, 48_000, "mono")), axis=1)[0]
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    return loud[0] / 48_000, loud[-1] / 48_000


def test_an_exact_clip_is_the_interval_with_its_sound_in_step(talk: Path, tmp_path: Path) -> None:
    done = cut(talk, 1.5, 2.7, tmp_path / "clip.mp4", exact=True)
    assert not done.copied
    assert (done.begins, done.ends) == (1.5, 2.7)
    pictures = shown(tmp_path / "clip.mp4")
    assert pictures[0][0] == 0
    # 1.5 s lies within the frame of 1.48 s.
    assert pictures[0][1] == pytest.approx(1.48, abs=0.02)
    for at, drawn in pictures[1:]:
        assert drawn == pytest.approx(at + 1.5, abs=0.025)
    assert pictures[-1][0] == pytest.approx(2.68 - 1.5, abs=0.001)
    begin, end = tone(tmp_path / "clip.mp4")
    assert begin == pytest.approx(0.5, abs=0.01)
    assert end == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_copy_plays_from_the_second_by_its_edit_list(
    talk: Path, tmp_path: Path, suffix: str
) -> None:
    done = cut(talk, 1.5, 2.7, tmp_path / f"clip{suffix}")
    assert done.copied
    assert done.stored_from == 0.0, "the only key frame"
    assert done.begins == 1.5
    pictures = shown(tmp_path / f"clip{suffix}")
    for at, drawn in pictures:
        assert drawn == pytest.approx(at + 1.5, abs=0.045)
    assert tone(tmp_path / f"clip{suffix}")[0] == pytest.approx(0.5, abs=0.03)


def test_a_copy_without_an_edit_list_says_where_it_begins(talk: Path, tmp_path: Path) -> None:
    done = cut(talk, 1.5, 2.7, tmp_path / "clip.mkv")
    assert done.copied
    assert done.begins == done.stored_from == 0.0
    assert shown(tmp_path / "clip.mkv")[0][1] == pytest.approx(0, abs=0.02)
    assert tone(tmp_path / "clip.mkv")[0] == pytest.approx(2.0, abs=0.03)


def test_pictures_that_lean_on_later_ones_are_copied_whole(tmp_path: Path) -> None:
    """Matroska and B-frames: packets are not in the order of showing, and lack decoding times."""
    source = with_b_frames(tmp_path / "film.mkv")
    done = cut(source, 1.0, 2.0, tmp_path / "clip.mp4")
    assert done.copied and done.note == ""
    pictures = shown(tmp_path / "clip.mp4")
    assert [at for at, _ in pictures] == sorted(at for at, _ in pictures)
    assert all(drawn == pytest.approx(at + 1.0, abs=0.045) for at, drawn in pictures)
    assert 2.0 <= done.ends < 2.3
    assert len(pictures) >= 25


def with_b_frames(path: Path) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"bf": "3", "b-adapt": "0", "g": "20", "crf": "5"}
        for number in range(75):
            frame = av.VideoFrame.from_ndarray(grey(number / FPS), "rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def test_a_codec_that_the_container_does_not_take_is_encoded_and_said(tmp_path: Path) -> None:
    source = clips.write(tmp_path / "v.webm", clips.at_rate(FPS, 2.0, grey), codec="libvpx")
    done = cut(source, 0.5, 1.0, tmp_path / "clip.mp4")
    assert not done.copied
    assert done.note == "not copied: vp8 does not go into .mp4"
    assert done.video_codec == "libx264"
    assert shown(tmp_path / "clip.mp4")[0][1] == pytest.approx(0.48, abs=0.03)


def test_variable_frame_rate_keeps_the_time_of_every_picture(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.52, 1.0, 1.08, 1.6, 2.0]
    source = clips.write(tmp_path / "vfr.mp4", [(time, grey(time)) for time in times])
    cut(source, 0.5, 1.9, tmp_path / "clip.mp4", exact=True)
    pictures = shown(tmp_path / "clip.mp4")
    assert [at for at, _ in pictures] == pytest.approx([0, 0.02, 0.5, 0.58, 1.1], abs=0.001)
    drawn = [time for _, time in pictures]
    assert drawn == pytest.approx([0.04, 0.52, 1.0, 1.08, 1.6], abs=0.025)


def test_the_last_picture_stands_until_the_end(tmp_path: Path) -> None:
    source = clips.write(tmp_path / "s.mp4", [(0.0, grey(0)), (1.0, grey(1)), (3.0, grey(3))])
    cut(source, 0.5, 2.5, tmp_path / "clip.mp4", exact=True)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.duration == pytest.approx(2_000_000, abs=1000)


@pytest.mark.parametrize("exact", [True, False])
def test_a_turned_video_stays_upright(tmp_path: Path, exact: bool) -> None:
    wide = clips.colour(200, 30, 30, (64, 48)).copy()
    wide[:, :16] = (30, 30, 200)  # the left edge; the phone turns it clockwise to the top
    source = clips.write(
        tmp_path / "phone.mp4", clips.at_rate(FPS, 1.0, lambda _: wide), rotation=90
    )
    cut(source, 0.2, 0.8, tmp_path / "clip.mp4", exact=exact)
    facts = footage_of(tmp_path / "clip.mp4")
    assert (facts.width, facts.height) == (48, 64)
    from pipeline.media.frames import frames_at

    ((_, picture),) = frames_at(tmp_path / "clip.mp4", [0.3])
    assert picture[4, 24, 2] > 150 and picture[4, 24, 0] < 100, "blue above"
    assert picture[50, 24, 0] > 150 and picture[50, 24, 2] < 100, "red below"


def test_odd_sizes_become_even(tmp_path: Path) -> None:
    odd = clips.colour(90, 160, 40, (65, 49))
    source = clips.write(tmp_path / "odd.mkv", clips.at_rate(5, 1.0, lambda _: odd), codec="ffv1")
    done = cut(source, 0.0, 1.0, tmp_path / "clip.mp4", exact=True)
    facts = footage_of(tmp_path / "clip.mp4")
    assert (facts.width, facts.height) == (64, 48)
    assert done.sound_codec == ""


@pytest.mark.parametrize("suffix", [".m4a", ".mp3", ".wav", ".flac", ".ogg", ".mp4", ".mkv"])
def test_a_file_of_sound_is_cut_too(tmp_path: Path, suffix: str) -> None:
    track = clips.Track([clips.Tone(2.0, 2.4)], end=4.0)
    source = clips.write(tmp_path / "radio.m4a", tracks=[track])
    done = cut(source, 1.5, 3.0, tmp_path / f"clip{suffix}", exact=suffix == ".mkv")
    assert done.video_codec == ""
    assert tone(tmp_path / f"clip{suffix}")[0] == pytest.approx(2.0 - done.begins, abs=0.05)
    if suffix in (".wav", ".flac"):
        count = sum(part.shape[1] for part in decoded(tmp_path / f"clip{suffix}"))
        assert count == 72_000, "exact to the sample where nothing is lost by it"


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        packed = not container.streams.audio[0].codec_context.format.is_planar
    return [f.reshape(1, -1) for f in frames] if packed else frames


def test_sound_alone_is_taken_out_of_a_video(talk: Path, tmp_path: Path) -> None:
    done = cut(talk, 1.5, 2.7, tmp_path / "clip.m4a")
    assert done.copied and done.video_codec == ""
    assert tone(tmp_path / "clip.m4a")[0] == pytest.approx(0.5, abs=0.03)


def test_a_track_that_begins_late_is_silent_before(tmp_path: Path) -> None:
    late = clips.Track([clips.Tone(1.0, 1.5)], start=1.0, end=2.0)
    source = clips.write(tmp_path / "late.mp4", clips.at_rate(FPS, 2.0, grey), tracks=[late])
    cut(source, 0.5, 1.8, tmp_path / "clip.mp4", exact=True)
    assert tone(tmp_path / "clip.mp4")[0] == pytest.approx(0.5, abs=0.03)


def test_a_copy_whose_key_frame_is_damaged_is_encoded_and_said(tmp_path: Path) -> None:
    source = with_b_frames(tmp_path / "film.mp4")
    with av.open(str(source)) as container:
        keys = [p for p in container.demux(video=0) if p.size and p.is_keyframe]
        place, size = next((p.pos, p.size) for p in keys if p.pts * p.time_base > 0.5)
    data = bytearray(source.read_bytes())
    data[place + 4 : place + size] = b"\xff" * (size - 4)
    source.write_bytes(data)
    done = cut(source, 1.0, 2.0, tmp_path / "clip.mp4")
    assert not done.copied
    assert done.note == "not copied: the key frame before it is none"


def test_nothing_is_left_where_it_fails(talk: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is written as"):
        cut(talk, 0, 1, tmp_path / "clip.xyz")
    silent = clips.write(tmp_path / "silent.mp4", clips.at_rate(FPS, 1.0, grey))
    with pytest.raises(UsageError, match=r"silent\.mp4 has no sound for \.mp3"):
        cut(silent, 0, 1, tmp_path / "clip.mp3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["silent.mp4"]


def test_it_runs_in_the_child_that_reads_hostile_files(talk: Path, tmp_path: Path) -> None:
    with MediaReader(timeout=60) as reader:
        done: Cut = reader.run(cut, str(talk), 0.5, 1.0, str(tmp_path / "c.mp4"), exact=True)
        assert done.bytes == (tmp_path / "c.mp4").stat().st_size
        (tmp_path / "bad.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"\xff" * 5000)
        with pytest.raises(MediaError, match=r"bad\.mp4"):
            reader.run(cut, str(tmp_path / "bad.mp4"), 0.5, 1.0, str(tmp_path / "d.mp4"))


def test_every_container_has_an_encoder_in_this_build() -> None:
    from pipeline.media.film import encoder_of

    for form in CONTAINERS.values():
        assert encoder_of(form.sound)
        assert not form.video or encoder_of(form.video)


def test_loudness_is_that_of_the_standard() -> None:
    """ITU-R BS.1770-4: a sine of 997 Hz at full scale in one channel is -3.01 LUFS."""
    seconds = np.arange(48_000 * 2) / 48_000
    sine = np.sin(2 * np.pi * 997 * seconds)[None].astype(np.float32)
    assert measured(sine) == pytest.approx(-3.01, abs=0.05)
    assert measured(0.1 * np.repeat(sine, 2, axis=0)) == pytest.approx(-20.0, abs=0.05)
    with_pauses = np.concatenate((0.1 * sine, np.zeros_like(sine), np.zeros_like(sine)), axis=1)
    assert measured(with_pauses) == pytest.approx(-23.01, abs=0.5), "silence does not count"
    assert measured(np.zeros_like(sine)) == -math.inf


def measured(samples: np.ndarray) -> float:
    meter = LoudnessMeter(48_000)
    for first in range(0, samples.shape[1], 5000):
        meter.take(samples[:, first : first + 5000])
    return meter.loudness()


def test_gain_brings_quiet_speech_up_without_clipping() -> None:
    sine = np.sin(2 * np.pi * 997 * np.arange(96_000) / 48_000)[None].astype(np.float32)
    quiet, loud, spiky = LoudnessMeter(48_000), LoudnessMeter(48_000), LoudnessMeter(48_000)
    quiet.take(0.05 * sine)
    loud.take(0.9 * sine)
    peak = 0.02 * sine
    peak[0, 1000] = 0.5
    spiky.take(peak)
    assert 0.05 * quiet.gain() == pytest.approx(10 ** ((-16 + 3.01) / 20), rel=0.02)
    assert loud.gain() < 1
    assert spiky.gain() * 0.5 <= 0.9
    assert LoudnessMeter(48_000).gain() == 1.0
