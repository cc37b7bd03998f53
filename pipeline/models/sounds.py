"""What a stretch of sound is: music, applause, barking, an alarm.

    transformers:MODEL      audio classification (AST, wav2vec 2 ...), a name on the hub or a folder
    fake:pitch              low tones are "Hum", middle ones "Music", high ones "Alarm"
    fake:LABEL              always LABEL

Fakes hear nothing in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.errors import ModelUnavailable
from pipeline.models.registry import load_named
from pipeline.settings import Settings
from pipeline.types import SAMPLE_RATE, Audio, SoundClassifier

# AudioSet was labelled on 10 s (Gemmeke et al. 2017); half of that tells when a sound begins.
_SECONDS = 5.0
_LEAST_SCORE = 0.05
_SILENT = 1e-3
# Labels of AudioSet: what has both gives every sound a probability of its own.
_INDEPENDENT = {"Speech", "Music"}


def load_sound_classifier(name: str, settings: Settings | None = None) -> SoundClassifier:
    """The classifier called "provider:model".

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a package or a
    model that is not here and cannot be fetched.
    """
    loaders: dict[str, Callable[[str], SoundClassifier]] = {
        "transformers:MODEL": TransformersSoundClassifier,
        "fake:SCRIPT": FakeSoundClassifier,
    }
    return load_named("sound_model", name, loaders)


class TransformersSoundClassifier:
    """An audio-classification model; its labels are its own."""

    seconds = _SECONDS

    def __init__(self, model: str) -> None:
        from pipeline.models.weights import hub_folder, quiet_transformers, unusable

        self.name = f"transformers:{model}"
        folder = str(hub_folder(model))
        with unusable(f"the sound model {model}"):
            import torch
            from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

            quiet_transformers()
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
            self._extract: Any = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
            loaded: Any = AutoModelForAudioClassification.from_pretrained(
                folder, local_files_only=True
            )
        if self._extract.sampling_rate != SAMPLE_RATE:
            raise ModelUnavailable(
                f"the sound model {model} listens at {self._extract.sampling_rate} Hz, and sound is"
                f" read at {SAMPLE_RATE} Hz",
                "choose one for 16 kHz, such as MIT/ast-finetuned-audioset-10-10-0.4593",
            )
        self._model = loaded.to(self._device).eval()
        config = self._model.config
        self._labels = [str(config.id2label[at]) for at in range(config.num_labels)]
        self._independent = (
            config.problem_type == "multi_label_classification" or set(self._labels) >= _INDEPENDENT
        )

    def classify(self, windows: Sequence[Audio]) -> list[Mapping[str, float]]:
        """Per window, label -> probability of at least a twentieth. One batch."""
        import torch

        if not windows:
            return []
        sounds = [np.array(window, np.float32) for window in windows]
        inputs = self._extract(
            sounds, sampling_rate=SAMPLE_RATE, return_tensors="pt", padding=True
        ).to(self._device)
        with torch.inference_mode():
            logits = self._model(**inputs).logits.float()
        scores = torch.sigmoid(logits) if self._independent else torch.softmax(logits, dim=-1)
        return [self._named(row) for row in scores.cpu().numpy().astype(np.float64)]

    def _named(self, scores: Any) -> dict[str, float]:
        return {
            self._labels[at]: float(scores[at]) for at in np.flatnonzero(scores >= _LEAST_SCORE)
        }


class FakeSoundClassifier:
    """Says LABEL, or names how high the strongest tone is; nothing in silence."""

    seconds = 2.0

    def __init__(self, script: str) -> None:
        self.name = f"fake:{script}"
        self._script = script

    def classify(self, windows: Sequence[Audio]) -> list[Mapping[str, float]]:
        """One label at most; its score is the share of the window that is not silent."""
        return [self._one(np.asarray(window)) for window in windows]

    def _one(self, window: Audio) -> dict[str, float]:
        loud = np.abs(window) > _SILENT
        if not loud.any():
            return {}
        label = self._script if self._script != "pitch" else _pitch(window)
        return {label: float(np.convolve(loud, np.ones(161), "same").astype(bool).mean())}


def _pitch(window: Audio) -> str:
    strongest = float(np.abs(np.fft.rfft(window))[1:].argmax() + 1) * SAMPLE_RATE / len(window)
    return "Hum" if strongest < 300 else "Music" if strongest < 1000 else "Alarm"
