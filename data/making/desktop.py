"""A silent screen recording: a settings dialog and a terminal, drawn at 1280 by 720."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from making.paint import CORAL, INK, TEAL, WHITE, Canvas
from making.story import Picture

WIDTH, HEIGHT = 1280, 720
GROUND, BAR, FIELD = "#4f7d8c", "#e6e9ea", "#ffffff"
CHARACTERS_PER_SECOND = 14
_BEFORE = 0.5  # seconds before the first letter


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled field of the dialog. `marked` is what the pointer has just changed."""

    label: str
    value: str
    marked: bool = False


def _pointer(canvas: Canvas, x: float, y: float) -> None:
    canvas.shape([(x, y), (x + 22, y + 24), (x + 10, y + 25), (x, y + 35)], WHITE)
    canvas.shape([(x + 2, y + 5), (x + 17, y + 22), (x + 9, y + 22), (x + 2, y + 30)], INK)


def dialog(
    tab: str, rows: Sequence[Row], button: str, begin: tuple[int, int], end: tuple[int, int]
) -> Picture:
    """A window with tabs and fields; the pointer glides from `begin` to `end` in two seconds."""

    def picture(seconds: float, _speaker: str) -> Image.Image:
        canvas = Canvas(WIDTH, HEIGHT, GROUND)
        canvas.box(190, 60, 1090, 660, "#f5f6f6", 12)
        canvas.box(190, 60, 1090, 116, BAR, 12)
        canvas.text(640, 88, "Tide Logger TL-40: Settings", 26, INK, "mm")
        for number, name in enumerate(("General", "Network", "Alarm")):
            left = 220 + number * 170
            chosen = name == tab
            canvas.box(left, 132, left + 160, 176, TEAL if chosen else BAR, 8)
            canvas.text(left + 80, 154, name, 24, WHITE if chosen else INK, "mm")
        for number, row in enumerate(rows):
            y = 238 + number * 84
            canvas.text(230, y, row.label, 26, INK)
            edge = CORAL if row.marked else "#c3cbce"
            canvas.box(560, y - 28, 1050, y + 28, FIELD, 8, edge, 3 if row.marked else 2)
            canvas.text(580, y, row.value, 26, INK)
        canvas.box(880, 590, 1050, 636, TEAL, 8)
        canvas.text(965, 613, button, 24, WHITE, "mm")
        along = min(1.0, seconds / 2)
        _pointer(canvas, *(b + (e - b) * along for b, e in zip(begin, end, strict=True)))
        return canvas.image()

    return picture


def terminal(above: Sequence[str], command: str) -> Picture:
    """A terminal in which `command` is being typed under the lines that are there."""

    def picture(seconds: float, _speaker: str) -> Image.Image:
        canvas = Canvas(WIDTH, HEIGHT, GROUND)
        canvas.box(90, 50, 1190, 670, "#1d2730", 12)
        canvas.box(90, 50, 1190, 98, "#33414c", 12)
        for number, colour in enumerate((CORAL, "#e9b44c", "#6ba368")):
            canvas.disc(124 + number * 30, 74, 9, fill=colour)
        canvas.text(640, 74, "duty@sorrel", 22, "#cfd8dd", "mm")
        typed = int(max(0.0, seconds - _BEFORE) * CHARACTERS_PER_SECOND)
        for number, line in enumerate([*above, "$ " + command[:typed] + "|"]):
            colour = "#ff9d8a" if line.startswith("error") else "#dfe7ea"
            if line.startswith("$"):
                colour = "#f3d9a4"
            canvas.text(126, 140 + number * 46, line, 27, colour)
        return canvas.image()

    return picture


def typing_seconds(command: str) -> float:
    """How long `terminal` types at `command`, with a breath before and after."""
    return _BEFORE + len(command) / CHARACTERS_PER_SECOND + 0.4
