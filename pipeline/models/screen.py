"""A frame to the lines of text on it.

rapidocr      PP-OCR models through ONNX Runtime; the wheel carries them
fake:TEXT     TEXT, one line per "|", on every frame that is not of one colour
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.models.reading_order import reading_order
from pipeline.models.registry import load_named, physical_cores
from pipeline.settings import Settings
from pipeline.types import Image, ScreenReader, TextLine

# Text is looked for in a frame of at most this side: on screencasts as much is found as in the
# full frame, in two thirds of the time; small frames are not enlarged, which saves four fifths.
_DETECTION_SIDE = 1280
# Letters are read from at most this side: more pixels than 1080p add time and no text.
_READING_SIDE = 1920
_LEAST_CONFIDENCE = 0.6
# Less contrast than this, of 255, is a fade or a blank.
_LEAST_CONTRAST = 16


def load_screen_reader(name: str, settings: Settings | None = None) -> ScreenReader:
    """The screen reader called `name`. Raises `SettingsError` for a name that is not known."""
    loaders: dict[str, Callable[[str], ScreenReader]] = {
        "rapidocr": lambda _: RapidReader(),
        "fake:TEXT": FakeReader,
    }
    return load_named("screen_reader", name, loaders)


class RapidReader:
    """RapidOCR; 0.5 s to load, about 1 s for a full HD frame on two cores. Thread-safe."""

    name = "rapidocr"

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        self._read = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,  # text upside down
                "Global.max_side_len": _READING_SIDE,
                "Global.text_score": _LEAST_CONFIDENCE,
                "Det.limit_type": "max",
                "Det.limit_side_len": _DETECTION_SIDE,
                "EngineConfig.onnxruntime.intra_op_num_threads": physical_cores(),
            }
        )
        self._lock = threading.Lock()  # it keeps a call's options on itself

    def read(self, image: Image) -> list[TextLine]:
        """Lines in reading order, boxes in pixels of `image`; NFKC text."""
        if int(image.max()) - int(image.min()) < _LEAST_CONTRAST:
            return []
        with self._lock:
            found = self._read(np.ascontiguousarray(image[:, :, ::-1]))  # it expects BGR
        if found.txts is None or found.boxes is None:
            return []
        boxes = [
            _line(text, corners, score)
            for text, corners, score in zip(found.txts, found.boxes, found.scores, strict=True)
        ]
        return reading_order([box for box in boxes if _is_text(box.text)])


def _line(text: str, corners: Any, score: float) -> TextLine:
    (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
    words = " ".join(unicodedata.normalize("NFKC", text).split())
    return TextLine(words, (float(left), float(top), float(right), float(bottom)), float(score))


def _is_text(text: str) -> bool:
    """Icons are read as single letters and signs, even with high confidence."""
    return sum(map(str.isalnum, text)) > 1 or text.isdigit()


class FakeReader:
    """The same lines on every frame that shows anything."""

    def __init__(self, text: str) -> None:
        self.name = f"fake:{text}"
        self._lines = [line.strip() for line in text.split("|")]

    def read(self, image: Image) -> list[TextLine]:
        """Lines from top to bottom, over the width of the frame."""
        if int(image.max()) - int(image.min()) < _LEAST_CONTRAST:
            return []
        height, width = image.shape[:2]
        row = height / len(self._lines)
        return [
            TextLine(text, (0.0, at * row, float(width), (at + 1) * row), 1.0)
            for at, text in enumerate(self._lines)
        ]
