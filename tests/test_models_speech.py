"""Both Whispers through their real loading code, and the detectors."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable
from pipeline.models import whispers
from pipeline.models.speech import load_speech_detector, load_transcriber
from pipeline.models.whispers import Heard, prompt_of, segments
from pipeline.types import SAMPLE_RATE, Audio, SpeechDetector, Transcriber
from tests import checkpoints
from tests.voice import voice

ROOT = Path(__file__).resolve().parent.parent
SILENCE = np.zeros(2 * SAMPLE_RATE, np.float32)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("whisper")
    return {
        "fake": f"fake:{checkpoints.SAID}",
        "whisper": f"whisper:{checkpoints.whisper_checkpoint(folder)}",
        "faster-whisper": f"faster-whisper:{checkpoints.faster_whisper_checkpoint(folder)}",
    }


@pytest.fixture(scope="module")
def loaded(names: dict[str, str]) -> dict[str, Transcriber]:
    return {kind: load_transcriber(name) for kind, name in names.items()}


@pytest.fixture(params=["fake", "whisper", "faster-whisper"])
def transcriber(request: pytest.FixtureRequest, loaded: dict[str, Transcriber]) -> Transcriber:
    return loaded[request.param]


def test_what_is_said_comes_back_with_the_times_of_its_words(transcriber: Transcriber) -> None:
    (segment,) = transcriber.transcribe(voice(4.0))
    assert (segment.source, segment.text) == ("speech", checkpoints.SAID)
    assert segment.language == "en"
    assert [word.text for word in segment.words] == checkpoints.SAID.split()
    assert 0 <= segment.start < segment.end <= 4.0
    for word in segment.words:
        assert segment.start <= word.start < word.end <= segment.end
        assert 0 <= word.probability <= 1 and type(word.probability) is float
    starts = [word.start for word in segment.words]
    assert starts == sorted(starts)


def test_text_beyond_the_audio_was_never_said(transcriber: Transcriber) -> None:
    """The made Whispers speak for two seconds, whatever they hear."""
    for segment in transcriber.transcribe(voice(0.7)):
        assert segment.end <= 0.7 + 1e-9
        assert all(word.end <= 0.7 + 1e-9 for word in segment.words)
        assert segment.text == " ".join(word.text for word in segment.words)


def test_the_language_that_is_given_is_the_one_that_comes_back(transcriber: Transcriber) -> None:
    (segment,) = transcriber.transcribe(voice(3.0), "de")
    assert segment.language == "de"


def test_no_audio_has_no_text(transcriber: Transcriber) -> None:
    assert transcriber.transcribe(np.zeros(0, np.float32)) == []


def test_the_audio_is_left_as_it_is(transcriber: Transcriber) -> None:
    audio = voice(1.5)
    audio.flags.writeable = False
    before = audio.copy()
    transcriber.transcribe(audio)
    np.testing.assert_array_equal(audio, before)


def test_the_name_is_the_one_asked_for(
    names: dict[str, str], loaded: dict[str, Transcriber]
) -> None:
    assert {kind: transcriber.name for kind, transcriber in loaded.items()} == names


def test_a_whisper_that_guesses_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whispers, "_TEMPERATURES", (0.0,))
    monkeypatch.setattr(whispers, "_HALLUCINATION_SILENCE", None)
    unsure = load_transcriber(f"whisper:{checkpoints.whisper_checkpoint(tmp_path, 1.6)}")
    found = unsure.transcribe(voice(4.0), "en")
    assert found and all("low_confidence" in segment.flags for segment in found)


def test_the_fake_hears_nothing_in_silence() -> None:
    assert load_transcriber("fake:hello there").transcribe(SILENCE) == []


# ---------------------------------------------------------------- names to expect


def test_the_prompt_is_terms_in_order_and_no_longer_than_is_read() -> None:
    assert prompt_of((), len) is None
    assert prompt_of(["Anna Kowalska", "Taproot"], len) == "Anna Kowalska, Taproot."
    long = prompt_of([f"term{at}" for at in range(100)], len)
    assert long is not None and long.startswith("term0, term1, ") and long.endswith(".")
    assert 180 < len(long) <= 200


@pytest.mark.parametrize("kind", ["whisper", "faster-whisper"])
def test_terms_are_what_whisper_takes_for_said_before(
    kind: str, loaded: dict[str, Transcriber], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted with the model's own tokenizer, and given to its own transcription."""
    import whisper
    from faster_whisper import WhisperModel

    given: list[str | None] = []
    for owner in (whisper, WhisperModel):
        original = owner.transcribe

        def spied(*args: Any, original: Any = original, **more: Any) -> Any:
            given.append(more["initial_prompt"])
            return original(*args, **{**more, "initial_prompt": None})

        monkeypatch.setattr(owner, "transcribe", spied)
    terms = ["Anna Kowalska", *(f"Zyzzogeton{at}" for at in range(200))]
    for some in (terms, ()):
        (segment,) = loaded[kind].transcribe(voice(4.0), "en", some)
        assert segment.text == checkpoints.SAID
    prompt, none = given
    assert none is None
    assert prompt is not None and prompt.startswith("Anna Kowalska, Zyzzogeton0, ")
    assert 10 < prompt.count("Zyzzogeton") < 60, "no more than Whisper reads"


# ---------------------------------------------------------------- from Whisper's words to segments


def heard(start: float, end: float, text: str = " hm", **more: object) -> Heard:
    values = {"words": (), "avg_logprob": -0.2, "no_speech_prob": 0.0, "compression_ratio": 1.0}
    return Heard(start, end, text, **{**values, **more})


@pytest.mark.parametrize(
    ("more", "flags"),
    [
        ({}, ()),
        ({"avg_logprob": -1.4}, ("low_confidence",)),
        ({"no_speech_prob": 0.9}, ("no_speech",)),
        ({"compression_ratio": 3.0, "avg_logprob": -2}, ("low_confidence", "repetition")),
    ],
)
def test_doubt_is_flagged_and_not_hidden(more: dict[str, object], flags: tuple[str, ...]) -> None:
    (segment,) = segments([heard(0, 1, **more)], 5.0, "en")
    assert segment.flags == flags


def test_words_in_the_padding_are_cut_from_the_text() -> None:
    words = ((0.0, 1.0, " Thank", 0.9), (1.0, 1.9, " you", 0.9), (2.4, 3.0, " for", 0.9))
    (segment,) = segments([heard(0, 3, " Thank you for", words=words)], 2.0, "en")
    assert (segment.text, segment.end) == ("Thank you", 1.9)


times = st.floats(-1, 40, allow_nan=False)
spoken = st.builds(
    lambda start, end, words: heard(start, end, " x y", words=tuple(words)),
    times,
    times,
    st.lists(st.tuples(times, times, st.sampled_from([" x", " ", "y"]), st.floats(0, 1))),
)


@given(st.lists(spoken, max_size=6), st.floats(0.1, 30))
def test_whatever_whisper_says_lies_within_the_audio(found: list[Heard], duration: float) -> None:
    for segment in segments(found, duration, "en"):
        assert 0 <= segment.start < segment.end <= duration
        assert segment.text.strip() == segment.text != ""
        for word in segment.words:
            assert 0 <= word.start < word.end <= duration


# ---------------------------------------------------------------- models that are not there


def test_a_checkpoint_that_is_missing_or_broken_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no Whisper checkpoint"):
        load_transcriber(f"whisper:{tmp_path / 'none.pt'}")
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"not a checkpoint")
    with pytest.raises(ModelUnavailable) as caught:
        load_transcriber(f"whisper:{broken}")
    assert "broken.pt" in caught.value.message and "\n" not in caught.value.message
    with pytest.raises(ModelUnavailable):
        load_transcriber(f"faster-whisper:{tmp_path}")


@pytest.fixture
def no_downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Empty caches, and the switch that forbids to fill them."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.mark.parametrize("name", ["whisper:tiny", "faster-whisper:tiny"])
def test_a_size_that_is_not_here_is_never_fetched_behind_the_switch(
    name: str, no_downloads: Path
) -> None:
    with pytest.raises(ModelUnavailable, match="HF_HUB_OFFLINE forbids downloads") as caught:
        load_transcriber(name)
    assert caught.value.hint
    assert not any(path.is_file() for path in no_downloads.rglob("*"))


def test_a_size_in_whispers_cache_is_used(
    no_downloads: Path, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import whisper

    data = Path(names["whisper"].removeprefix("whisper:")).read_bytes()
    url = f"https://models.invalid/{hashlib.sha256(data).hexdigest()}/tiny.pt"
    monkeypatch.setitem(whisper._MODELS, "tiny", url)
    monkeypatch.setitem(whisper._ALIGNMENT_HEADS, "tiny", _two_heads())
    file = no_downloads / "whisper" / "tiny.pt"
    file.parent.mkdir()
    file.write_bytes(data)
    (segment,) = load_transcriber("whisper:tiny").transcribe(voice(4.0))
    assert segment.text == checkpoints.SAID
    file.write_bytes(data[:-1])
    with pytest.raises(ModelUnavailable, match="damaged") as caught:
        load_transcriber("whisper:tiny")
    assert caught.value.hint == f"rm '{file}'"


def _two_heads() -> bytes:
    """Alignment heads as whisper writes them: a mask of (layers, heads)."""
    import base64
    import gzip

    return base64.b85encode(gzip.compress(np.ones(4, bool).tobytes()))


# ---------------------------------------------------------------- detectors


@pytest.fixture(params=["silero", "fake:loudness"])
def detector(request: pytest.FixtureRequest) -> SpeechDetector:
    return load_speech_detector(request.param)


def test_speech_is_found_where_it_is(detector: SpeechDetector) -> None:
    audio = np.concatenate([SILENCE, voice(3.0), SILENCE, voice(2.0, seed=1), SILENCE])
    spans = detector.detect(audio)
    np.testing.assert_allclose(spans, [(2.0, 5.0), (7.0, 9.0)], atol=0.35)


@pytest.mark.parametrize("audio", [SILENCE, SILENCE[:0], SILENCE[:7]], ids=["2s", "none", "7"])
def test_silence_is_not_speech(detector: SpeechDetector, audio: Audio) -> None:
    assert detector.detect(audio) == []


def _noise(power: float, seconds: float) -> Audio:
    """Noise whose energy falls with frequency to the `power`: 0 white, 1 pink, 2 brown."""
    random, count = np.random.default_rng(0), round(seconds * SAMPLE_RATE)
    spectrum = random.normal(size=count // 2 + 1) + 1j * random.normal(size=count // 2 + 1)
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (power / 2)
    spectrum[0] = 0
    return _loud(np.fft.irfft(spectrum, count))


def _loud(sound: NDArray[np.float64]) -> Audio:
    return (sound / np.abs(sound).max() * 0.5).astype(np.float32)


def _chord(seconds: float) -> Audio:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = [np.sin(2 * np.pi * hz * k * times) / k for hz in (220, 277, 330) for k in (1, 2, 3)]
    return _loud(np.sum(tones, axis=0))


def _tune(seconds: float) -> Audio:
    """Four plucked notes a second over a drum."""
    random, step = np.random.default_rng(0), SAMPLE_RATE // 4
    times = np.arange(step) / SAMPLE_RATE
    notes = []
    for _ in range(round(4 * seconds)):
        hertz = 220 * 2 ** (random.integers(0, 24) / 12)
        pluck = np.sum([np.sin(2 * np.pi * hertz * k * times) / k for k in range(1, 6)], axis=0)
        drum = 2 * np.sin(2 * np.pi * 60 * times) * np.exp(-20 * times)
        hiss = random.normal(0, 0.6, step) * np.exp(-30 * times)
        notes.append(pluck * np.exp(-4 * times) + drum + hiss)
    return _loud(np.concatenate(notes))


SOUNDS = {
    "silence": np.zeros(20 * SAMPLE_RATE, np.float32),
    "hum": _loud(np.sin(2 * np.pi * 50 * np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE)),
    "tone": _loud(np.sin(2 * np.pi * 440 * np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE)),
    "white noise": _noise(0, 20),
    "faint white noise": 0.02 * _noise(0, 20),
    "pink noise": _noise(1, 20),
    "brown noise": _noise(2, 20),
    "chord": _chord(20),
    "tune": _tune(20),
}


@pytest.mark.parametrize("kind", SOUNDS)
def test_silero_takes_no_noise_and_no_music_for_speech(kind: str) -> None:
    assert load_speech_detector("silero").detect(SOUNDS[kind]) == []


@pytest.mark.parametrize("kind", ["pink noise", "chord"])
def test_silero_hears_a_voice_over_other_sound(kind: str) -> None:
    """A voice twice as loud as what else is heard, from 5 s to 9 s."""
    sound = 0.25 * SOUNDS[kind]
    sound[5 * SAMPLE_RATE : 9 * SAMPLE_RATE] += 0.5 * voice(4.0)
    found = load_speech_detector("silero").detect(sound)
    covered = sum(min(end, 9.0) - max(start, 5.0) for start, end in found)
    assert covered > 3.0
    assert all(4.3 < start < end < 9.7 for start, end in found)


def test_detecting_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from pipeline.models.speech import load_speech_detector\n"
        "load_speech_detector('silero').detect(np.zeros(16000, np.float32))\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
