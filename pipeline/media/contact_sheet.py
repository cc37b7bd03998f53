"""Contact sheets: frames of several moments in one picture, each under its number.

A pure function from pictures to a picture. A sheet is as wide as vision models look at anyway,
so that nobody makes it smaller afterwards and its numbers stay legible.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.types import Image

SHEET_WIDTH = 1024
COLUMNS = 2
FRAMES = 2  # per moment, side by side
_GAP, _BAR = 4, 26  # pixels between frames; height of the bar that holds the number
_TILE = (SHEET_WIDTH // COLUMNS - (FRAMES + 1) * _GAP) // FRAMES, 140  # width, height
_CELL_WIDTH = SHEET_WIDTH // COLUMNS
_CELL_HEIGHT = _BAR + _TILE[1] + _GAP


def contact_sheet(cells: Sequence[tuple[int, Sequence[Image]]]) -> Image:
    """One picture of `cells`, (number, frames in order of time), row by row, two to a row.

    At most `FRAMES` frames of a cell are shown: its first, its last, and what lies evenly
    between. Frames keep their proportions. Ten cells are 1024 x 850 pixels. There must be one.
    """
    if not cells:
        raise ValueError("a contact sheet of nothing")
    rows = -(-len(cells) // COLUMNS)
    sheet = np.zeros((rows * _CELL_HEIGHT, SHEET_WIDTH, 3), np.uint8)
    for place, (number, frames) in enumerate(cells):
        top, left = place // COLUMNS * _CELL_HEIGHT, place % COLUMNS * _CELL_WIDTH
        cell = sheet[top : top + _CELL_HEIGHT, left : left + _CELL_WIDTH]
        _write_number(cell, number)
        for column, frame in enumerate(spread(frames, FRAMES)):
            _put(cell, frame, _GAP + column * (_TILE[0] + _GAP))
    return sheet


def spread(frames: Sequence[Image], most: int) -> list[Image]:
    """At most `most` of them, evenly, the first and the last included."""
    if len(frames) <= most:
        return list(frames)
    places = np.linspace(0, len(frames) - 1, most).round().astype(int)
    return [frames[place] for place in places]


def _write_number(cell: Image, number: int) -> None:
    import cv2

    cell[:_BAR] = 255
    # OpenCV wants a block of its own to draw on, not a view.
    bar = np.ascontiguousarray(cell[:_BAR])
    cv2.putText(bar, f"[{number}]", (_GAP, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2)
    cell[:_BAR] = bar


def _put(cell: Image, frame: Image, left: int) -> None:
    """The frame, scaled to fit its tile, in the middle of it."""
    import cv2

    height, width = frame.shape[:2]
    scale = min(_TILE[0] / width, _TILE[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(frame), size, interpolation=method)
    top, left = _BAR + (_TILE[1] - size[1]) // 2, left + (_TILE[0] - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
