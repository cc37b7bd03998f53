"""Sound is on the clock: what is heard at t is sample t x 16,000."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.media.audio import Sound, read_audio
from pipeline.types import SAMPLE_RATE, Audio
from tests import clips
from tests.clips import Tone, Track

PICTURE = clips.colour(90, 90, 90)
CLOSE = 0.02  # seconds


def heard(sound: Sound) -> list[tuple[float, float]]:
    """(start, end) of what is not silence, gaps of under 50 ms closed."""
    loud = np.flatnonzero(np.abs(sound.samples()[:]) > 0.05)
    breaks = np.flatnonzero(np.diff(loud) > 0.05 * SAMPLE_RATE)
    starts, ends = loud[[0, *(breaks + 1)]], loud[[*breaks, -1]]
    return [(a / SAMPLE_RATE, b / SAMPLE_RATE) for a, b in zip(starts, ends, strict=True)]


def pitch(samples: Audio) -> float:
    """The strongest frequency, in hertz."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * SAMPLE_RATE / len(samples))


def make(path: Path, *tracks: Track, seconds: float = 6.0, offset: float = 0.0) -> Path:
    return clips.write(path, clips.scenes((seconds, PICTURE)), tracks=tracks, offset=offset)


@pytest.mark.parametrize("codec", ["aac", "libopus", "libmp3lame", "pcm_s16le"])
def test_a_tone_is_heard_when_it_sounds(tmp_path: Path, codec: str) -> None:
    track = Track([Tone(1.5, 2.0), Tone(4.0, 4.25, 880)], end=6.0, codec=codec)
    sound = read_audio(make(tmp_path / "x.mkv", track), tmp_path / "x.f32")
    assert np.ravel(heard(sound)) == pytest.approx([1.5, 2.0, 4.0, 4.25], abs=CLOSE)
    assert sound.duration == pytest.approx(6.0, abs=0.05)
    samples = sound.samples()[:]
    assert samples.dtype == np.float32
    assert 0.4 < np.abs(samples).max() <= 0.6
    assert pitch(samples[round(1.6 * SAMPLE_RATE) : round(1.9 * SAMPLE_RATE)]) == pytest.approx(
        440, abs=5
    )


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.ts"])
@pytest.mark.parametrize("offset", [0.0, 20.0])
def test_the_clock_is_the_players_whatever_the_container(
    tmp_path: Path, name: str, offset: float
) -> None:
    track = Track([Tone(2.0, 2.5)], end=5.0)
    path = make(tmp_path / name, track, offset=offset)
    (start, end), *rest = heard(read_audio(path, tmp_path / "x.f32"))
    # Where the timestamps begin with the priming of the audio coder, so does the player.
    early = 1024 / 48_000 if name == "x.ts" or (name == "x.mp4" and offset) else 0.0
    assert (start, end) == pytest.approx((2.0 + early, 2.5 + early), abs=CLOSE)
    assert rest == []


def test_a_track_that_begins_late_is_preceded_by_silence(tmp_path: Path) -> None:
    track = Track([Tone(3.0, 3.5)], start=2.5, end=6.0)
    sound = read_audio(make(tmp_path / "x.mkv", track), tmp_path / "x.f32")
    assert heard(sound)[0] == pytest.approx((3.0, 3.5), abs=CLOSE)
    assert not sound.samples()[: int(2.4 * SAMPLE_RATE)].any()


def test_a_hole_is_silence_and_what_follows_is_in_place(tmp_path: Path) -> None:
    track = Track([Tone(0.5, 1.0), Tone(4.0, 4.5)], end=6.0, holes=[(1.5, 3.5)], codec="pcm_s16le")
    sound = read_audio(make(tmp_path / "x.mkv", track), tmp_path / "x.f32")
    assert np.ravel(heard(sound)) == pytest.approx([0.5, 1.0, 4.0, 4.5], abs=CLOSE)


@pytest.mark.parametrize(
    ("wish", "hertz"),
    [({}, 880), ({"language": "de"}, 330), ({"language": "ja"}, 880), ({"stream": 3}, 1760)],
)
def test_the_track_is_the_one_a_viewer_hears_or_asks_for(
    tmp_path: Path, wish: dict[str, object], hertz: float
) -> None:
    tracks = [
        Track([Tone(0, 3, 330)], end=3.0, language="ger", default=False),
        Track([Tone(0, 3, 880)], end=3.0, language="eng", default=True),
        Track([Tone(0, 3, 1760)], end=3.0, language="fre", default=False),
    ]
    path = make(tmp_path / "x.mkv", *tracks, seconds=3.0)
    sound = read_audio(path, tmp_path / "x.f32", **wish)  # type: ignore[arg-type]
    assert pitch(sound.samples()[SAMPLE_RATE : 2 * SAMPLE_RATE]) == pytest.approx(hertz, abs=5)


def test_only_the_samples_that_are_asked_for_are_read(tmp_path: Path) -> None:
    sound = read_audio(make(tmp_path / "x.mp4", Track([Tone(0.5, 2.0)], end=2.0)), tmp_path / "x")
    assert (tmp_path / "x").stat().st_size == sound.count * 2
    samples, every = sound.samples(), sound.samples()[:]
    assert len(samples) == len(every) == sound.count
    part = samples[16_000:16_400]
    assert part.shape == (400,)
    assert np.array_equal(part, every[16_000:16_400])
    assert np.array_equal(samples[sound.count - 10 : sound.count + 10], every[-10:])
    assert not len(samples[sound.count + 5 : sound.count + 10])


def test_damage_costs_sound_and_not_its_place(tmp_path: Path) -> None:
    track = Track([Tone(5.0, 5.5)], end=6.0)
    whole = clips.write(tmp_path / "x.mkv", tracks=[track])
    bad = clips.flipped(whole, tmp_path / "bad.mkv", 5, seed=3)
    (start, end) = heard(read_audio(bad, tmp_path / "x.f32"))[-1]
    assert (start, end) == pytest.approx((5.0, 5.5), abs=0.05)


def test_progress_is_told_in_seconds(tmp_path: Path) -> None:
    seen: list[float] = []
    path = clips.write(tmp_path / "x.mkv", tracks=[Track(end=35.0)])
    read_audio(path, tmp_path / "x.f32", progress=seen.append)
    assert seen == pytest.approx([10.0, 20.0, 30.0], abs=0.2)


def test_a_file_without_sound_is_an_error(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "silent.mp4", clips.scenes((1.0, PICTURE)))
    with pytest.raises(MediaError, match=r"silent\.mp4 has no sound"):
        read_audio(path, tmp_path / "x.f32")


def test_streams_strung_together_are_heard_through(tmp_path: Path) -> None:
    """A recorder was restarted, and its timestamps begin anew."""
    parts = [
        make(tmp_path / f"{n}.ts", Track([Tone(1.0, 1.5)], end=3.0), seconds=3.0) for n in (1, 2)
    ]
    path = tmp_path / "x.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    sound = read_audio(path, tmp_path / "x.f32")
    assert np.ravel(heard(sound)) == pytest.approx([1.0, 1.5, 4.0, 4.5], abs=0.1)
