"""Narration: espeak-ng's own library, called through ctypes because the command gives no times.

The library reports where each word begins in the audio it makes, so the sample library's
word-level subtitles hold true times instead of guesses.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 22_050  # samples per second, what espeak-ng makes
_SYNCHRONOUS, _UTF8, _WORD_EVENT = 2, 1, 1
_SPEED, _PITCH = 1, 3
_QUIET = 250  # of 32768: what lies under it at either end is not speech yet, or no longer


@dataclass(frozen=True, slots=True)
class Voice:
    """One speaker: an espeak-ng voice with a variant, words per minute, and pitch (0 to 99)."""

    speaker: str
    name: str
    speed: int = 158
    pitch: int = 50


@dataclass(frozen=True, slots=True)
class Spoken:
    """Audio of one utterance without silence around it; `words` are seconds from its start."""

    samples: NDArray[np.int16]  # (n,) mono at RATE
    words: tuple[tuple[str, float], ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


class _Identifier(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """`espeak_EVENT` of espeak-ng's speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identifier),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Narrator:
    """Speaks in any voice. One process should hold one: the library keeps global state."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libespeak-ng.so.1")
        except OSError as error:
            raise SystemExit(f"espeak-ng is needed to make the sample videos: {error}") from error
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, 0)
        if rate != RATE:
            raise SystemExit(f"espeak-ng makes {rate} samples per second, not {RATE}")
        self._sound: list[bytes] = []
        self._events: list[tuple[int, int]] = []  # (character, milliseconds) of each word
        self._callback = _CALLBACK(self._receive)  # kept: the library holds only a pointer
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, wave: object, count: int, events: ctypes.Array[_Event]) -> int:
        position = 0
        while events[position].type != 0:
            event = events[position]
            if event.type == _WORD_EVENT:
                self._events.append((event.text_position - 1, event.audio_position))
            position += 1
        if wave and count:
            self._sound.append(ctypes.string_at(wave, 2 * count))
        return 0

    def speak(self, text: str, voice: Voice) -> Spoken:
        """Say `text`, which must be ASCII so that bytes and characters are counted alike."""
        data = text.encode("ascii") + b"\0"
        if self._library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise SystemExit(f"espeak-ng has no voice {voice.name!r}")
        self._library.espeak_SetParameter(_SPEED, voice.speed, 0)
        self._library.espeak_SetParameter(_PITCH, voice.pitch, 0)
        self._sound.clear()
        self._events.clear()
        self._library.espeak_Synth(data, len(data), 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        samples = np.frombuffer(b"".join(self._sound), np.int16)
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _QUIET)
        first, last = int(loud[0]), int(loud[-1]) + 1
        return Spoken(samples[first:last], self._words(text, first / RATE, (last - first) / RATE))

    def _words(self, text: str, cut: float, seconds: float) -> tuple[tuple[str, float], ...]:
        """Written words with the second at which each begins, in an audio cut by `cut`.

        A number is several spoken words: its first one counts. A few pairs ("I am") are spoken
        as one word: the second of them begins in between, in proportion to the letters.
        """
        known = {0: 0.0}  # character at which a written word begins -> second
        places = _places(text)
        for character, milliseconds in self._events:
            begin = max(place for place, _ in places if place <= max(0, character))
            known.setdefault(begin, min(max(0.0, milliseconds / 1000 - cut), seconds))
        known[len(text)] = seconds
        at = sorted(known)
        times = [known[character] for character in at]
        return tuple((word, float(np.interp(place, at, times))) for place, word in places)


def _places(text: str) -> list[tuple[int, str]]:
    """Written words with the character at which each begins."""
    return [(found.start(), found.group()) for found in re.finditer(r"\S+", text)]
