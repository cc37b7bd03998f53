"""Who has the word when: by the channels of the track, by a model, or as a fake says.

    none                nobody is told apart
    channels            each channel of a stereo track is one speaker, "left" and "right"
    pyannote:MODEL      pyannote.audio's pipeline, a name on the hub or a folder
    fake:ANNA,BERT      they take turns, two seconds each

Without a name the channels are asked too, and believed only where they tell two speakers apart.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable
from pipeline.models.registry import load_named
from pipeline.settings import Settings
from pipeline.types import LEVEL_SECONDS, SAMPLE_RATE, Diariser, Levels, Samples, Turn

LEFT, RIGHT = "left", "right"

_LOUDER = 2.0  # one channel over the other, 6 dB: voices leak into the other microphone
_SILENT = 1e-3  # of full scale
_BELOW = 0.05  # of the loud parts (their 95th percentile) is nobody speaking
# Shares of what is loud: in call recordings one channel is louder nearly always (the rest is both
# at once), in music and film hardly ever.
_TOLD = 0.75
_EACH = 0.05
_SHORTEST = 0.25  # seconds of a turn
_PAUSE = 1.0  # seconds without the other that a speaker may be silent in a turn
_FAKE_TURN = 2.0


def load_diariser(name: str, settings: Settings | None = None) -> Diariser:
    """The diariser called "provider:model", "" for channels that are asked with caution.

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a package or a
    model that is not here.
    """
    if not name:
        return ChannelDiariser(cautious=True)
    loaders: dict[str, Callable[[str], Diariser]] = {
        "none": lambda _: NoDiariser(),
        "channels": lambda _: ChannelDiariser(cautious=False),
        "pyannote:MODEL": PyannoteDiariser,
        "fake:NAMES": FakeDiariser,
    }
    return load_named("diarisation", name, loaders)


# ---------------------------------------------------------------- by channel


class ChannelDiariser:
    """The louder channel has the word; `cautious` says nothing unless two clearly take turns."""

    def __init__(self, cautious: bool) -> None:
        self.name = "channels" if not cautious else "channels, where they tell"
        self._cautious = cautious

    def turns(self, audio: Samples, levels: Levels) -> list[Turn]:
        """Disjoint turns of "left" and "right" by start; none without two channels."""
        if levels.ndim != 2 or levels.shape[1] != 2 or not len(levels):
            return []
        sides = louder_side(levels)
        if self._cautious and not _tells_two_apart(levels, sides):
            return []
        return _turns_of(sides)


def louder_side(levels: Levels) -> NDArray[np.int8]:
    """(n,) -1 where the left channel is clearly louder, 1 the right, 0 neither or silence."""
    left, right = levels[:, 0], levels[:, 1]
    side = np.zeros(len(levels), np.int8)
    side[left > _LOUDER * right] = -1
    side[right > _LOUDER * left] = 1
    side[~_loud(levels)] = 0
    return side


def _loud(levels: Levels) -> NDArray[np.bool_]:
    louder = levels.max(axis=1)
    return np.asarray(louder > max(_SILENT, _BELOW * float(np.percentile(louder, 95))))


def _tells_two_apart(levels: Levels, sides: NDArray[np.int8]) -> bool:
    loud = max(1, int(_loud(levels).sum()))
    left, right = int((sides < 0).sum()) / loud, int((sides > 0).sum()) / loud
    return min(left, right) >= _EACH and left + right >= _TOLD


def _turns_of(sides: NDArray[np.int8]) -> list[Turn]:
    """Stretches of one side, over pauses and what is said at once."""
    edges = [0, *(np.flatnonzero(np.diff(sides)) + 1).tolist(), len(sides)]
    runs = [(a, b, int(sides[a])) for a, b in pairwise(edges) if sides[a]]
    joined: list[tuple[int, int, int]] = []
    for start, end, side in runs:
        if (end - start) * LEVEL_SECONDS < _SHORTEST and not _same(joined, start, side):
            continue  # a click, or a letter that leaks
        if _same(joined, start, side):
            joined[-1] = (joined[-1][0], end, side)
        else:
            joined.append((start, end, side))
    return [
        Turn(start * LEVEL_SECONDS, end * LEVEL_SECONDS, LEFT if side < 0 else RIGHT)
        for start, end, side in joined
    ]


def _same(joined: list[tuple[int, int, int]], start: int, side: int) -> bool:
    return (
        bool(joined) and joined[-1][2] == side and (start - joined[-1][1]) * LEVEL_SECONDS <= _PAUSE
    )


# ---------------------------------------------------------------- by a model


class PyannoteDiariser:
    """pyannote.audio, which is not among Footnote's requirements: its models need a licence to be
    accepted on the hub."""

    def __init__(self, model: str) -> None:
        from pipeline.models.weights import unusable

        self.name = f"pyannote:{model}"
        try:
            from pyannote.audio import Pipeline  # type: ignore[import-not-found]
        except ImportError as error:
            raise ModelUnavailable(
                "diarisation by pyannote needs the package pyannote.audio, which is not installed",
                "pip install pyannote.audio; or set FOOTNOTE_DIARISATION=channels",
            ) from error
        with unusable(f"the diarisation model {model}"):
            self._pipeline: Any = Pipeline.from_pretrained(model)
        if self._pipeline is None:  # so it says that the licence was not accepted
            raise ModelUnavailable(
                f"the diarisation model {model} cannot be fetched",
                "accept its licence on the hub, then hf auth login",
            )

    def turns(self, audio: Samples, levels: Levels) -> list[Turn]:
        """Turns by start, which may overlap where two speak at once. Reads all of `audio`."""
        import torch

        waveform = torch.from_numpy(np.array(audio[0 : len(audio)], np.float32)[None])
        sound = {"waveform": waveform, "sample_rate": SAMPLE_RATE}
        found = self._pipeline(sound)
        found = getattr(found, "speaker_diarization", found)  # from version 4 on
        return [
            Turn(max(0.0, float(span.start)), float(span.end), str(speaker))
            for span, _, speaker in found.itertracks(yield_label=True)
            if span.end > max(0.0, span.start)
        ]


# ---------------------------------------------------------------- none, and a fake


class NoDiariser:
    """For those who want no speakers."""

    name = "none"

    def turns(self, audio: Samples, levels: Levels) -> list[Turn]:
        """None."""
        return []


class FakeDiariser:
    """The speakers it is given take turns of two seconds, whatever is heard."""

    def __init__(self, names: str) -> None:
        self.name = f"fake:{names}"
        self._names = [name.strip() for name in names.split(",")]

    def turns(self, audio: Samples, levels: Levels) -> list[Turn]:
        """Turns without a gap over all of `audio`."""
        duration = len(audio) / SAMPLE_RATE
        starts = np.arange(0.0, duration, _FAKE_TURN).tolist()
        return [
            Turn(start, min(start + _FAKE_TURN, duration), self._names[at % len(self._names)])
            for at, start in enumerate(starts)
        ]
