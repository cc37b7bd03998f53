"""Something like a voice: pulses through the resonances of vowels, one syllable after another.

(Klatt 1980, "Software for a cascade/parallel formant synthesizer".) It says nothing, and voice
activity detectors take it for speech.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))
_BANDWIDTHS = (80, 100, 120)
_GAINS = (1.0, 0.6, 0.3)
_SYLLABLE = 0.18


def voice(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """(samples,) mono float32 at 16 kHz, peak 0.5."""
    random = np.random.default_rng(seed)
    count = int(seconds * RATE)
    times = np.arange(count) / RATE
    pitch = 120 + 15 * np.sin(2 * np.pi * 2.3 * times) + 10 * np.sin(2 * np.pi * 0.7 * times)
    pulses = np.zeros(count)
    pulses[np.flatnonzero(np.diff(np.floor(np.cumsum(pitch) / RATE)) > 0)] = 1
    step = int(_SYLLABLE * RATE)
    syllables = [_syllable(pulses[first : first + step], random) for first in range(0, count, step)]
    sound = np.concatenate(syllables)
    return (sound / np.abs(sound).max() * 0.5).astype(np.float32)


def _syllable(pulses: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    vowel = _VOWELS[random.integers(len(_VOWELS))]
    formants = zip(vowel, _BANDWIDTHS, _GAINS, strict=True)
    sound = np.sum([gain * _resonate(pulses, hz, width) for hz, width, gain in formants], axis=0)
    sound *= np.sin(np.linspace(0, np.pi, len(sound))) ** 0.5
    burst = min(int(0.03 * RATE), len(sound))
    sound[:burst] += random.normal(0, 0.15, burst)
    return sound


def _resonate(pulses: NDArray[np.float64], hz: float, width: float) -> NDArray[np.float64]:
    """A two-pole resonance at `hz`, `width` Hz wide."""
    decay = np.exp(-np.pi * width / RATE)
    turn = 2 * decay * np.cos(2 * np.pi * hz / RATE)
    out = [0.0, 0.0]
    for pulse in pulses.tolist():
        out.append(pulse + turn * out[-1] - decay * decay * out[-2])
    return np.array(out[2:])
