"""Whose words they are: channels of a track, turns laid over a transcript, names of the user's."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.ingest.speakers import find_turns, with_speakers
from pipeline.media.audio import read_audio
from pipeline.media.child import MediaReader
from pipeline.models.diarisation import load_diariser
from pipeline.types import LEVEL_SECONDS, SAMPLE_RATE, Diariser, Levels, Segment, Turn, Word
from tests.command import Footnote
from tests.voice import voice

NOTHING = np.zeros(0, np.float32)

# (start, end, channel): the left one begins, the right one answers twice.
CALL = ((0.5, 4.0, 0), (4.5, 7.0, 1), (7.5, 9.0, 0), (9.2, 12.0, 1))


def call(
    turns: Sequence[tuple[float, float, int]] = CALL, leak: float = 0.1
) -> NDArray[np.float32]:
    """(2, samples): each speaker on a channel of their own, `leak` of it on the other."""
    sound = np.zeros((2, round((turns[-1][1] + 0.5) * SAMPLE_RATE)), np.float32)
    for number, (start, end, channel) in enumerate(turns):
        spoken = voice(end - start, seed=number)
        first = round(start * SAMPLE_RATE)
        sound[channel, first : first + len(spoken)] += spoken
        sound[1 - channel, first : first + len(spoken)] += leak * spoken
    return sound


def write(path: Path, sound: NDArray[np.float32]) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(sound))
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((sound.T * 32767).astype("<i2").tobytes())
    return path


def levels_of(tmp_path: Path, sound: NDArray[np.float32]) -> Levels:
    path = write(tmp_path / "call.wav", sound)
    return read_audio(path, tmp_path / "call.f32", levels=True).levels


def turns_of(levels: Levels, name: str = "") -> list[Turn]:
    return load_diariser(name).turns(NOTHING, levels)


# ---------------------------------------------------------------- channels


def test_levels_are_on_the_clock(tmp_path: Path) -> None:
    levels = levels_of(tmp_path, call(leak=0.0))
    assert len(levels) == pytest.approx(12.5 / LEVEL_SECONDS, abs=1)
    for start, end, channel in CALL:
        inside = levels[round((start + 0.1) / LEVEL_SECONDS) : round((end - 0.1) / LEVEL_SECONDS)]
        assert inside[:, channel].mean() > 0.02
        assert inside[:, 1 - channel].max() < 1e-3
    assert levels[: round(0.4 / LEVEL_SECONDS)].max() < 1e-3


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_u8", "pcm_f32le", "aac", "libopus", "flac"])
def test_levels_are_the_same_in_every_format(tmp_path: Path, codec: str) -> None:
    import av

    sound = call(leak=0.0)
    path = tmp_path / "call.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=48_000, layout="stereo")
        resampler = av.AudioResampler(stream.codec_context.format.name, "stereo", 48_000)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), "fltp", "stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        fifo = av.AudioFifo()
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts = None
            fifo.write(part)
        size = stream.codec_context.frame_size or 1024
        while part := fifo.read(size) or fifo.read(0, partial=True):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    levels = read_audio(path, tmp_path / "x.f32", levels=True).levels
    middles = [(round((a + b) / 2 / LEVEL_SECONDS), channel) for a, b, channel in CALL]
    for at, channel in middles:
        near = levels[at - 4 : at + 4].mean(axis=0)
        assert near[channel] == pytest.approx(0.09, rel=0.7)
        assert near[1 - channel] < 0.1 * near[channel]


def test_a_track_with_one_channel_has_no_levels(tmp_path: Path) -> None:
    assert levels_of(tmp_path, call()[:1]).shape == (0, 0)
    path = write(tmp_path / "call.wav", call())
    assert read_audio(path, tmp_path / "x.f32").levels.shape == (0, 0), "nobody asked"
    with MediaReader() as reader:
        assert reader.read_audio(path, tmp_path / "y.f32", levels=True).levels.shape[1] == 2


@pytest.mark.parametrize("leak", [0.0, 0.1, 0.25])
def test_who_has_a_channel_has_the_word(tmp_path: Path, leak: float) -> None:
    turns = turns_of(levels_of(tmp_path, call(leak=leak)))
    assert [turn.speaker for turn in turns] == ["left", "right", "left", "right"]
    times = [(turn.start, turn.end) for turn in turns]
    np.testing.assert_allclose(times, [(a, b) for a, b, _ in CALL], atol=0.2)


def test_channels_that_do_not_take_turns_tell_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    one = call()[0]
    music = random.normal(0, 0.1, (2, 12 * SAMPLE_RATE)).astype(np.float32)
    pan = np.linspace(0.2, 1.8, 12 * SAMPLE_RATE)  # half of the time one side is twice as loud
    swept = music * np.stack([pan, pan[::-1]])
    one_side = np.stack([one, 0.1 * one])
    for sound in (np.stack([one, one]), music, swept, one_side, np.zeros((2, SAMPLE_RATE))):
        assert turns_of(levels_of(tmp_path, sound.astype(np.float32))) == []
    assert turns_of(levels_of(tmp_path, call()), "none") == []


def test_a_user_who_says_channels_is_believed(tmp_path: Path) -> None:
    """One who hardly speaks is not one whom the channels tell by themselves."""
    quiet = (*((2.0 * at, 2.0 * at + 1.8, 0) for at in range(12)), (24.2, 25.0, 1))
    levels = levels_of(tmp_path, call(quiet))
    assert turns_of(levels) == []
    assert {turn.speaker for turn in turns_of(levels, "channels")} == {"left", "right"}


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=200))
def test_turns_of_channels_are_in_order_and_apart(rows: list[tuple[float, float]]) -> None:
    levels = np.array(rows, np.float32).reshape(-1, 2)
    turns = turns_of(levels, "channels")
    assert all(before.end <= after.start for before, after in pairwise(turns))
    assert all(0 <= turn.start < turn.end <= len(rows) * LEVEL_SECONDS + 1e-9 for turn in turns)


# ---------------------------------------------------------------- every diariser


@pytest.fixture(params=["", "none", "channels", "fake:Anna,Bert"])
def diariser(request: pytest.FixtureRequest) -> Diariser:
    return load_diariser(request.param)


def test_a_diariser_takes_what_there_is(diariser: Diariser) -> None:
    assert diariser.name
    for audio in (NOTHING, voice(3.0)):
        for levels in (np.zeros((0, 0), np.float32), np.zeros((60, 2), np.float32)):
            turns = diariser.turns(audio, levels)
            assert [turn.start for turn in turns] == sorted(turn.start for turn in turns)
            assert all(0 <= turn.start < turn.end <= 3.0 for turn in turns)


def test_names_that_cannot_be_had_say_what_to_do() -> None:
    with pytest.raises(SettingsError, match="unknown diarisation"):
        load_diariser("channel")
    with pytest.raises(ModelUnavailable, match=r"package pyannote\.audio") as caught:
        load_diariser("pyannote:pyannote/speaker-diarization-3.1")
    assert "pip install pyannote.audio" in caught.value.hint


# ---------------------------------------------------------------- over a transcript


def utterance(text: str, start: float = 0.0, step: float = 0.5) -> Segment:
    words = tuple(
        Word(start + at * step, start + (at + 1) * step, word)
        for at, word in enumerate(text.split())
    )
    return Segment("speech", start, words[-1].end, text, language="en", words=words)


def test_a_segment_is_cut_where_the_speaker_changes() -> None:
    segment = utterance("How are you? I am fine.")
    turns = [Turn(0, 1.55, "Anna"), Turn(1.6, 3.0, "Bert")]
    first, second = with_speakers([segment], turns)
    assert (first.speaker, first.text, first.start, first.end) == ("Anna", "How are you?", 0, 1.5)
    assert (second.speaker, second.text) == ("Bert", "I am fine.")
    assert (second.start, second.end) == (1.5, 3.0)
    assert first.words + second.words == segment.words
    assert second.language == "en"


def test_words_between_two_turns_belong_to_who_spoke_before() -> None:
    segment = utterance("one two three four")
    turns = [Turn(0, 0.5, "Anna"), Turn(1.5, 2.0, "Bert")]
    assert [(s.speaker, s.text) for s in with_speakers([segment], turns)] == [
        ("Anna", "one two three"),
        ("Bert", "four"),
    ]


def test_a_word_timed_a_little_off_is_no_turn() -> None:
    segment = utterance("a b c d e", step=0.3)
    turns = [Turn(0, 0.6, "Anna"), Turn(0.6, 0.9, "Bert"), Turn(0.9, 1.5, "Anna")]
    assert [s.speaker for s in with_speakers([segment], turns)] == ["Anna"]


def test_a_segment_whose_words_are_not_in_its_text_stays_whole() -> None:
    segment = Segment("speech", 0, 2, "Nothing alike", words=(Word(0, 1, "x"), Word(1, 2, "y")))
    turns = [Turn(0, 1.2, "Anna"), Turn(1.2, 2, "Bert")]
    assert [(s.speaker, s.text) for s in with_speakers([segment], turns)] == [
        ("Anna", "Nothing alike")
    ]
    without = Segment("speech", 0, 2, "No words")
    assert with_speakers([without], turns)[0].speaker == "Anna"
    assert with_speakers([without], [Turn(5, 6, "Bert")])[0].speaker == ""
    assert with_speakers([without], []) == [without]


steps = st.lists(st.floats(0.05, 2), min_size=1, max_size=12)


@given(steps, steps, st.integers(0, 2**32 - 1))
def test_no_word_is_lost_or_said_twice(gaps: list[float], lengths: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    starts = np.cumsum([0, *gaps]).tolist()
    words = tuple(Word(a, b, f"w{at}") for at, (a, b) in enumerate(pairwise(starts)))
    segment = Segment("speech", 0, starts[-1], " ".join(w.text for w in words), words=words)
    edges = np.cumsum([0, *lengths]).tolist()
    turns = [Turn(a, b, "AB"[random.integers(2)]) for a, b in pairwise(edges)]
    parts = with_speakers([segment], turns)
    assert [word for part in parts for word in part.words] == list(words)
    assert " ".join(part.text for part in parts) == segment.text
    assert parts[0].start == segment.start and parts[-1].end == segment.end
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(parts))


# ---------------------------------------------------------------- names, and the cache


def test_names_go_by_channel_and_by_number() -> None:
    class Says(list[str]):
        name = "says"

        def turns(self, audio: object, levels: object) -> list[Turn]:
            return [Turn(at, at + 1, label) for at, label in enumerate(self)]

    def named(*labels: str, names: Sequence[str] = ("Anna", "Bert")) -> list[str]:
        found = find_turns(Says(labels), NOTHING, NOTHING, names, "x", {}.get, {}.__setitem__)
        return [turn.speaker for turn in found]

    assert named("right", "left") == ["Bert", "Anna"]
    assert named("SPEAKER_01", "SPEAKER_02", "SPEAKER_00") == ["Bert", "SPEAKER_02", "Anna"]
    assert named("right", names=()) == ["right"]
    assert named("Carla") == ["Carla"]


def test_a_diariser_hears_a_sound_once() -> None:
    kept: dict[str, bytes] = {}
    calls: list[int] = []

    class Counts:
        name = "counts"

        def turns(self, audio: object, levels: object) -> list[Turn]:
            calls.append(1)
            return [Turn(0, 1, "left")]

    for content, names in (("a", ()), ("a", ("Anna",)), ("b", ())):
        find_turns(Counts(), NOTHING, NOTHING, names, content, kept.get, kept.__setitem__)
    assert len(calls) == 2, "names are no reason to listen again"


def spoken(footnote: Footnote) -> list[dict[str, Any]]:
    segments = footnote.json("show", "call")["segments"]
    return [segment for segment in segments if segment["source"] == "speech"]


def test_a_call_is_added_with_its_speakers(
    footnote: Footnote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_SPEECH_MODEL", "fake:" + " ".join(f"w{i}" for i in range(48)))
    monkeypatch.setenv("FOOTNOTE_SPEECH_DETECTOR", "fake:loudness")
    write(tmp_path / "call.wav", call())
    first = footnote.json("add", tmp_path / "call.wav")
    segments = spoken(footnote)
    assert [s["speaker"] for s in segments] == ["left", "right", "left", "right"]
    np.testing.assert_allclose([s["start"] for s in segments], [0.5, 4.25, 7.25, 9.1], atol=0.6)

    monkeypatch.setenv("FOOTNOTE_SPEAKERS", "Anna, Bert")
    again = footnote.json("add", tmp_path / "call.wav")
    assert [s["speaker"] for s in spoken(footnote)][:2] == ["Anna", "Bert"]
    assert again["videos"][0]["stages"]["speech"]["model_calls"] == 0
    assert first["videos"][0]["stages"]["frames"] == again["videos"][0]["stages"]["frames"]
    assert "Bert: w" in footnote.run("show", "call").out

    monkeypatch.setenv("FOOTNOTE_DIARISATION", "pyannote:some/model")
    pending = footnote.json("add", tmp_path / "call.wav")["videos"][0]["stages"]["speech"]
    assert pending["status"] == "pending"
    assert "pyannote.audio" in pending["reason"]
    assert footnote.json("show", "call")["segments"], "what was heard before stays"
