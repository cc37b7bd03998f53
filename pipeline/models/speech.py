"""Speech to timed text, and where there is speech at all.

    whisper:SIZE            openai-whisper, a size or a .pt file
    faster-whisper:SIZE     CTranslate2, a size or a folder
    fake:TEXT               TEXT, spread over whatever is not silent

Detectors: `silero` (the one faster-whisper carries, without torch), `fake:loudness`.

A transcriber is given a stretch of speech of at most about 30 s: Whisper's window, and what a
killed run can lose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.errors import SettingsError
from pipeline.models.registry import load_named
from pipeline.models.whispers import FasterWhisperTranscriber, WhisperTranscriber
from pipeline.settings import Settings
from pipeline.types import SAMPLE_RATE, Audio, Segment, SpeechDetector, Transcriber, Word

# Quieter than this everywhere is silence to the fakes.
_SILENT = 1e-3


def load_transcriber(name: str, settings: Settings | None = None) -> Transcriber:
    """The transcriber called "provider:model".

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a model that is
    not here and cannot be fetched.
    """
    loaders: dict[str, Callable[[str], Transcriber]] = {
        "whisper:SIZE": WhisperTranscriber,
        "faster-whisper:SIZE": FasterWhisperTranscriber,
        "fake:TEXT": FakeTranscriber,
    }
    return load_named("speech_model", name, loaders)


def load_speech_detector(name: str, settings: Settings | None = None) -> SpeechDetector:
    """The detector called `name`. Raises `SettingsError` for a name that is not known."""
    loaders: dict[str, Callable[[str], SpeechDetector]] = {
        "silero": lambda _: SileroDetector(),
        "fake:loudness": _fake_detector,
    }
    return load_named("speech_detector", name, loaders)


# ---------------------------------------------------------------- detectors


class SileroDetector:
    """Silero VAD v6 through ONNX Runtime: hundreds of times as fast as the audio."""

    name = "silero-v6 from .35"

    def __init__(self) -> None:
        from faster_whisper.vad import VadOptions, get_speech_timestamps

        # With its own threshold of .5 it finds a quarter less speech in a noisy radio recording,
        # and what it leaves out is lost; with .35 noise and made music are still no speech.
        self._options = VadOptions(threshold=0.35, min_silence_duration_ms=400, speech_pad_ms=120)
        self._find = get_speech_timestamps

    def detect(self, audio: Audio) -> list[tuple[float, float]]:
        """(start, end) of speech in seconds, ascending and disjoint."""
        if not len(audio):
            return []
        found = self._find(np.ascontiguousarray(audio, np.float32), self._options)
        spans = [(one["start"] / SAMPLE_RATE, one["end"] / SAMPLE_RATE) for one in found]
        return [(start, end) for start, end in spans if start < end]


# ---------------------------------------------------------------- fakes


class FakeTranscriber:
    """TEXT as one segment over the audio, its words evenly spread; nothing where it is silent."""

    def __init__(self, text: str) -> None:
        self.name = f"fake:{text}"
        self._words = text.split()

    def transcribe(
        self, audio: Audio, language: str = "", terms: Sequence[str] = ()
    ) -> list[Segment]:
        """One segment, or none."""
        if not len(audio) or float(np.abs(audio).max()) < _SILENT:
            return []
        duration = len(audio) / SAMPLE_RATE
        step = duration / len(self._words)
        words = tuple(Word(at * step, (at + 1) * step, word) for at, word in enumerate(self._words))
        text = " ".join(self._words)
        return [Segment("speech", 0.0, duration, text, language=language or "en", words=words)]


class LoudnessDetector:
    """Calls every half second speech that is not silent."""

    name = "fake:loudness"
    _step = SAMPLE_RATE // 2

    def detect(self, audio: Audio) -> list[tuple[float, float]]:
        """(start, end) in seconds, ascending and disjoint."""
        spans: list[tuple[float, float]] = []
        for first in range(0, len(audio), self._step):
            block = audio[first : first + self._step]
            if float(np.abs(block).max()) < _SILENT:
                continue
            start, end = first / SAMPLE_RATE, (first + len(block)) / SAMPLE_RATE
            if spans and spans[-1][1] == start:
                start = spans.pop()[0]
            spans.append((start, end))
        return spans


def _fake_detector(script: str) -> SpeechDetector:
    if script != "loudness":
        raise SettingsError(f"fake:{script} is no speech detector", "write it as fake:loudness")
    return LoudnessDetector()
