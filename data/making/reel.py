"""A silent film of 1974: title cards and drawn scenes in sepia, four by three."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from making.coast import hill, waves
from making.paint import Canvas, gradient, still
from making.story import Picture

WIDTH, HEIGHT = 640, 480
BLACK, DARK, MIDDLE, LIGHT, CREAM = "#17110b", "#3a2d1f", "#6e5a42", "#a48f70", "#efe3c8"


def card(lines: Sequence[str], size: float = 29) -> Picture:
    """White words on black in a thin frame, as between the scenes of a silent film."""

    def draw() -> Canvas:
        canvas = Canvas(WIDTH, HEIGHT, BLACK)
        canvas.box(24, 24, 616, 456, None, 12, LIGHT, 2)
        canvas.box(34, 34, 606, 446, None, 8, MIDDLE, 1)
        top = 240 - (len(lines) - 1) * 26
        for number, line in enumerate(lines):
            canvas.text(320, top + number * 52, line, size, CREAM, "mm")
        return canvas

    return still(draw)


def _storm(seconds: float, lamp: str, wave: float = 0.0) -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, gradient(WIDTH, HEIGHT, (DARK, MIDDLE)))
    for number in range(7):
        x = (number * 110 + seconds * 60) % 760 - 60
        canvas.disc(x, 60 + number % 3 * 34, 80, 26, fill="#2c2116")
    hill(canvas, 380, 760, 400, 280, BLACK)
    canvas.shape([(520, 292), (552, 292), (546, 190), (526, 190)], LIGHT)
    canvas.box(524, 168, 548, 190, lamp)
    canvas.shape([(520, 168), (552, 168), (536, 152)], BLACK)
    waves(canvas, 340, "#554431", 18, 210, -seconds * 2.4)
    if wave:
        crest = 360 - 250 * wave
        canvas.shape(
            [(300, 480), (380, crest + 60), (470, crest), (560, crest + 90), (640, 480)], "#7c6850"
        )
        canvas.shape([(440, crest + 30), (470, crest), (520, crest + 46)], CREAM)
    waves(canvas, 385, DARK, 22, 260, seconds * 2.8)
    waves(canvas, 425, BLACK, 16, 180, -seconds * 3.1)
    return canvas


def rising(seconds: float, _speaker: str) -> Image.Image:
    """Dark clouds race over a lighthouse; its lamp is lit."""
    return _storm(seconds, CREAM).image()


def lamp_out(seconds: float, _speaker: str) -> Image.Image:
    """A huge wave climbs the tower and the lamp goes dark."""
    wave = max(0.0, math.sin(min(1.0, seconds / 4) * math.pi))
    return _storm(seconds, CREAM if seconds < 2 else BLACK, wave).image()


def _flame(canvas: Canvas, x: float, y: float, seconds: float, phase: float) -> None:
    sway = 6 * math.sin(seconds * 7 + phase)
    tall = 46 + 10 * math.sin(seconds * 5 + phase * 2)
    canvas.box(x - 14, y - 4, x + 14, y + 30, "#4b3a27", 4)
    canvas.shape([(x - 15, y), (x + 15, y), (x + 6 + sway, y - tall)], CREAM)
    canvas.shape([(x - 8, y), (x + 8, y), (x + sway, y - tall * 0.6)], LIGHT)


def fires(seconds: float, _speaker: str) -> Image.Image:
    """Three barrels burn on a cliff while small boats row in below."""
    canvas = Canvas(WIDTH, HEIGHT, gradient(WIDTH, HEIGHT, (BLACK, DARK)))
    waves(canvas, 330, "#4b3b2a", 8, 200, seconds)
    for boat in range(3):
        x = 40 + boat * 90 + seconds * 14
        y = 346 + boat * 22 + 4 * math.sin(seconds * 2 + boat)
        canvas.shape([(x - 30, y), (x + 30, y), (x + 20, y + 14), (x - 20, y + 14)], LIGHT)
        canvas.line([(x, y), (x, y - 40)], LIGHT, 3)
    waves(canvas, 410, "#33271a", 9, 160, -seconds)
    canvas.shape([(330, 480), (380, 230), (640, 210), (640, 480)], BLACK)
    for number, x in enumerate((420, 500, 580)):
        _flame(canvas, x, 200, seconds, number * 1.7)
    return canvas.image()
