"""How loud a piece of sound is, as a listener hears it: ITU-R BS.1770-4.

Power is weighted by how sensitive the ear is to its frequency (K-weighting), averaged in blocks of
400 ms, and quiet blocks are left out of the mean, so that pauses do not make a speaker louder. The
weighting is applied to each block's spectrum, which needs no recursive filter.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipeline.media.footage import Samples

TARGET = -16.0  # LUFS, usual for speech on the web and in podcasts
_PEAK = 0.89  # -1 dBFS: no sample is made louder than that
_MOST_GAIN = 20.0  # dB; more would bring up nothing but noise
_BLOCK = 0.4  # seconds
_STEP = 0.1
_ABSOLUTE_GATE = -70.0  # LUFS, below which there is silence
_RELATIVE_GATE = -10.0  # LU below the mean of what is above the absolute gate


class LoudnessMeter:
    """Takes sound piece by piece; memory grows by ten numbers a second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._rest: Samples | None = None
        self._powers: list[float] = []
        self._peak = 0.0

    def take(self, samples: Samples) -> None:
        """(channels, n) in [-1, 1]."""
        self._peak = max(self._peak, float(np.abs(samples).max(initial=0.0)))
        joined = samples if self._rest is None else np.concatenate((self._rest, samples), axis=1)
        size, step = round(_BLOCK * self._rate), round(_STEP * self._rate)
        first = 0
        while first + size <= joined.shape[1]:
            self._powers.append(_weighted_power(joined[:, first : first + size], self._rate))
            first += step
        self._rest = joined[:, first:]

    def loudness(self) -> float:
        """LUFS; -inf for silence and for less than 400 ms."""
        powers = np.array(self._powers)
        loud = powers[powers > _power(_ABSOLUTE_GATE)]
        if not len(loud):
            return -math.inf
        gate = _power(_lufs(float(loud.mean())) + _RELATIVE_GATE)
        return _lufs(float(loud[loud > gate].mean()))

    def gain(self, target: float = TARGET) -> float:
        """What to multiply the samples by to be as loud as `target`, without clipping."""
        loudness = self.loudness()
        if not math.isfinite(loudness) or not self._peak:
            return 1.0
        wanted = min(target - loudness, _MOST_GAIN)
        return min(float(10 ** (wanted / 20)), max(_PEAK / self._peak, 0.01))


def _lufs(power: float) -> float:
    return -0.691 + 10 * math.log10(power)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _weighted_power(block: Samples, rate: int) -> float:
    """Mean power of a block after K-weighting, summed over its channels."""
    count = block.shape[1]
    spectrum: NDArray[np.float64] = np.abs(np.fft.rfft(block, axis=1)) ** 2 * _weights(count, rate)
    spectrum[:, 1 : count // 2 + count % 2] *= 2  # the negative frequencies
    return float(spectrum.sum()) / float(count) ** 2


@cache
def _weights(count: int, rate: int) -> NDArray[np.float64]:
    """|H(f)|^2 of the two filters of BS.1770-4, section 2.1, at the frequencies of a block.

    Their coefficients are given for 48 kHz; as functions of frequency they hold for any rate.
    """
    frequency = np.minimum(np.fft.rfftfreq(count, 1 / rate), 24_000)
    turn = np.exp(-2j * np.pi * frequency / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * turn + 1.19839281085285 * turn**2) / (
        1 - 1.69065929318241 * turn + 0.73248077421585 * turn**2
    )
    high_pass = (1 - 2 * turn + turn**2) / (
        1 - 1.99004745483398 * turn + 0.99007225036621 * turn**2
    )
    weights: NDArray[np.float64] = np.abs(shelf * high_pass) ** 2
    return weights
