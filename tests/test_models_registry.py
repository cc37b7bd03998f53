"""Names of models: every role says what it knows, and fakes come through the same door."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.models.embedding import load_embedder
from pipeline.models.language import load_language_model
from pipeline.models.registry import cache_folder
from pipeline.models.screen import load_screen_reader
from pipeline.models.speech import load_speech_detector, load_transcriber
from pipeline.models.vision import load_captioner

LOADERS = {
    "embedding_model": (load_embedder, ("onnx:", "onnx-int8:", "sentence-transformers:")),
    "language_model": (load_language_model, ("openai:", "huggingface:")),
    "caption_model": (load_captioner, ("openai:", "transformers:")),
    "speech_model": (load_transcriber, ("whisper:", "faster-whisper:")),
    "speech_detector": (load_speech_detector, ("silero",)),
    "screen_reader": (load_screen_reader, ("rapidocr",)),
}


@pytest.mark.parametrize("role", LOADERS)
@pytest.mark.parametrize("name", ["nosuch:thing", "nosuch", ""])
def test_an_unknown_provider_names_the_known_ones(role: str, name: str) -> None:
    load, providers = LOADERS[role]
    with pytest.raises(SettingsError) as caught:
        load(name)
    assert role in caught.value.message and repr(name) in caught.value.message
    for provider in (*providers, "fake:"):
        assert provider in caught.value.hint


@pytest.mark.parametrize("role", LOADERS)
def test_a_name_that_lacks_its_model_says_how_to_write_it(role: str) -> None:
    load, _ = LOADERS[role]
    with pytest.raises(SettingsError) as caught:
        load("fake:")
    assert "fake:" in caught.value.hint and caught.value.exit_code == 2


def test_a_model_after_a_provider_that_takes_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="rapidocr"):
        load_screen_reader("rapidocr:large")


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (load_embedder, "onnx:all-mpnet-base-v2"),
        (load_embedder, "fake:many"),
        (load_embedder, "fake:0"),
        (load_transcriber, "whisper:gigantic"),
        (load_speech_detector, "fake:ears"),
    ],
)
def test_a_model_that_cannot_exist_is_a_settings_error_with_a_hint(load, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(name)
    assert caught.value.hint


def test_the_cache_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "footnote"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == Path.home() / ".cache" / "footnote"
