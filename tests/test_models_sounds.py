"""Sound classifiers: tiny checkpoints through the real loading code, and the fake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models.sounds import load_sound_classifier
from pipeline.types import SAMPLE_RATE, Audio, SoundClassifier
from tests import checkpoints
from tests.voice import voice

SILENCE = np.zeros(2 * SAMPLE_RATE, np.float32)


def tone(hertz: float, seconds: float = 2.0) -> Audio:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(0.5 * np.sin(2 * np.pi * hertz * times), np.float32)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("sounds")
    return {
        "fake": "fake:pitch",
        "ast": f"transformers:{checkpoints.ast_classifier(folder)}",
        "wav2vec2": f"transformers:{checkpoints.wav2vec2_classifier(folder)}",
    }


@pytest.fixture(scope="module")
def loaded(names: dict[str, str]) -> dict[str, SoundClassifier]:
    return {kind: load_sound_classifier(name) for kind, name in names.items()}


@pytest.fixture(params=["fake", "ast", "wav2vec2"])
def classifier(
    request: pytest.FixtureRequest, loaded: dict[str, SoundClassifier]
) -> SoundClassifier:
    return loaded[request.param]


def test_every_window_gets_scores_in_order(classifier: SoundClassifier) -> None:
    windows = [tone(100), tone(500), voice(2.0), tone(500)]
    scores = classifier.classify(windows)
    assert len(scores) == 4
    assert all(0 < score <= 1 for one in scores for score in one.values())
    alone = classifier.classify(windows[1:2])[0]
    assert scores[1] == pytest.approx(alone, abs=1e-4), "what stands beside it changes nothing"
    assert scores[3] == pytest.approx(scores[1], abs=1e-4)
    assert scores[0] != pytest.approx(scores[1], abs=1e-6), "it listens"


def test_windows_may_be_of_several_lengths_and_read_only(classifier: SoundClassifier) -> None:
    short, long = tone(500, 0.7), tone(500, classifier.seconds)
    short.flags.writeable = False
    assert len(classifier.classify([short, long])) == 2
    assert classifier.classify([]) == []
    assert classifier.seconds > 0


def test_the_name_is_the_one_asked_for(
    names: dict[str, str], loaded: dict[str, SoundClassifier]
) -> None:
    assert {kind: classifier.name for kind, classifier in loaded.items()} == names


def test_sounds_of_audioset_are_independent_and_others_exclude_each_other(
    loaded: dict[str, SoundClassifier], tmp_path: Path
) -> None:
    """Random weights are near zero: a half for each sound, or equal parts of one."""
    (audioset,) = loaded["ast"].classify([tone(500)])
    assert set(audioset) <= set(checkpoints.SOUNDS)
    assert sum(audioset.values()) > 1.4
    (either,) = loaded["wav2vec2"].classify([tone(500)])
    assert sum(either.values()) == pytest.approx(1.0)
    others = checkpoints.ast_classifier(tmp_path, ("yes", "no", "stop"))
    (one,) = load_sound_classifier(f"transformers:{others}").classify([tone(500)])
    assert sum(one.values()) == pytest.approx(1.0)


def test_the_fake_tells_pitches_and_hears_nothing_in_silence() -> None:
    fake = load_sound_classifier("fake:pitch")
    heard = fake.classify([tone(100), tone(500), tone(3000), SILENCE])
    assert [list(one) for one in heard] == [["Hum"], ["Music"], ["Alarm"], []]
    half = np.concatenate([tone(500, 1.0), SILENCE[:SAMPLE_RATE]])
    assert fake.classify([half])[0]["Music"] == pytest.approx(0.5, abs=0.02)
    assert load_sound_classifier("fake:Bark").classify([tone(100)]) == [{"Bark": pytest.approx(1)}]


def test_what_cannot_be_had_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown sound_model"):
        load_sound_classifier("ast:tiny")
    with pytest.raises(ModelUnavailable, match="no model folder"):
        load_sound_classifier(f"transformers:{tmp_path / 'none'}")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_sound_classifier(f"transformers:{tmp_path}")
    with pytest.raises(ModelUnavailable, match="HF_HUB_OFFLINE"):
        load_sound_classifier("transformers:someone/sounds")
    high = checkpoints.wav2vec2_classifier(tmp_path, 48_000)
    with pytest.raises(ModelUnavailable, match="listens at 48000 Hz"):
        load_sound_classifier(f"transformers:{high}")
