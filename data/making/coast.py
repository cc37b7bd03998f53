"""The island and the sea around it: the moving scenes of the visitor tour."""

from __future__ import annotations

import functools
import itertools
import math

from PIL import Image

from making.paint import (
    CORAL,
    GOLD,
    INK,
    LEAF,
    NIGHT,
    PAPER,
    SAND,
    SEA,
    TEAL,
    WHITE,
    Canvas,
    Colour,
    Point,
    gradient,
    still,
)

WIDTH, HEIGHT = 960, 540


def waves(
    canvas: Canvas, top: float, fill: Colour, height: float, length: float, phase: float
) -> None:
    """Water from a wavy line down to the bottom of the picture."""
    crest: list[Point] = [
        (x, top + height * math.sin(2 * math.pi * x / length + phase))
        for x in range(0, canvas.width + 9, 8)
    ]
    canvas.shape([*crest, (canvas.width, canvas.height), (0, canvas.height)], fill)


def lighthouse(canvas: Canvas, x: float, foot: float, scale: float, lamp: Colour) -> None:
    s = scale
    tower = [(x - 15 * s, foot), (x + 15 * s, foot), (x + 10 * s, foot - 92 * s)]
    canvas.shape([*tower, (x - 10 * s, foot - 92 * s)], PAPER)
    for low, high in ((18, 36), (54, 72)):
        left, right = 15 - low * 5 / 92, 15 - high * 5 / 92
        stripe = [(x - left * s, foot - low * s), (x + left * s, foot - low * s)]
        stripe += [(x + right * s, foot - high * s), (x - right * s, foot - high * s)]
        canvas.shape(stripe, CORAL)
    canvas.box(x - 14 * s, foot - 97 * s, x + 14 * s, foot - 92 * s, INK)
    canvas.box(x - 8 * s, foot - 113 * s, x + 8 * s, foot - 97 * s, lamp)
    canvas.shape(
        [(x - 11 * s, foot - 113 * s), (x + 11 * s, foot - 113 * s), (x, foot - 126 * s)], INK
    )


def ferry(canvas: Canvas, x: float, y: float, scale: float) -> None:
    s = scale
    hull = [(x - 70 * s, y - 20 * s), (x + 78 * s, y - 20 * s), (x + 58 * s, y + 12 * s)]
    canvas.shape([*hull, (x - 60 * s, y + 12 * s)], CORAL)
    canvas.box(x - 46 * s, y - 48 * s, x + 34 * s, y - 20 * s, PAPER, 4 * s)
    for window in range(4):
        left = x + (-40 + window * 18) * s
        canvas.box(left, y - 42 * s, left + 11 * s, y - 31 * s, SEA, 2 * s)
    canvas.box(x - 20 * s, y - 68 * s, x - 2 * s, y - 48 * s, GOLD)
    canvas.box(x - 20 * s, y - 70 * s, x - 2 * s, y - 64 * s, INK)


def hill(canvas: Canvas, left: float, right: float, foot: float, top: float, fill: Colour) -> None:
    span = right - left
    ridge = [
        (left + span * i / 40, foot - (foot - top) * math.sin(math.pi * i / 40) ** 0.7)
        for i in range(41)
    ]
    canvas.shape(ridge, fill)


@functools.cache
def sky(*colours: str) -> Image.Image:
    return gradient(WIDTH, HEIGHT, colours)


def bay(seconds: float, _speaker: str) -> Image.Image:
    """A red ferry crosses towards a green island with a striped lighthouse."""
    canvas = Canvas(WIDTH, HEIGHT, sky("#a9d6e5", "#e8f4f5", "#fdf3df"))
    canvas.disc(160, 110, 46, fill="#ffe9a8")
    canvas.disc(160, 110, 36, fill=GOLD)
    for x, y, size in ((330, 90, 1.0), (560, 60, 0.8)):
        for dx, radius in ((-34, 20), (0, 28), (36, 18)):
            drift = x + seconds * 2 + dx * size
            canvas.disc(drift, y, radius * size * 1.5, radius * size * 0.8, fill=WHITE)
    waves(canvas, 330, "#8cc7d1", 3, 240, seconds * 0.7)
    hill(canvas, 560, 990, 345, 225, "#88b584")
    hill(canvas, 640, 1100, 350, 250, LEAF)
    lighthouse(canvas, 690, 262, 1.1, GOLD)
    for x, y in ((770, 318), (810, 312), (850, 320)):
        canvas.box(x, y - 18, x + 26, y, PAPER)
        canvas.shape([(x - 4, y - 18), (x + 30, y - 18), (x + 13, y - 32)], TEAL)
    waves(canvas, 360, SEA, 5, 200, -seconds)
    ferry(canvas, 60 + seconds * 26, 398 + 3 * math.sin(seconds * 1.6), 1.0)
    waves(canvas, 412, "#4a97a7", 6, 170, seconds * 1.2)
    waves(canvas, 470, "#3c8494", 7, 230, -seconds * 0.9)
    return canvas.image()


def _title() -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, sky("#a9d6e5", "#e8f4f5", "#fdf3df"))
    hill(canvas, 560, 1040, 470, 330, LEAF)
    lighthouse(canvas, 760, 352, 1.5, GOLD)
    waves(canvas, 450, SEA, 5, 220, 0.4)
    waves(canvas, 490, "#3c8494", 6, 180, 1.2)
    canvas.text(70, 150, "Welcome to Sorrel Holm", 56, TEAL, bold=True)
    canvas.text(72, 215, "Field station visitor tour", 32, INK)
    canvas.text(72, 262, "12 May 2024", 26, CORAL)
    return canvas


def _seal(canvas: Canvas, x: float, y: float) -> None:
    fur = "#9aa7ad"
    canvas.disc(x, y, 86, 34, fill=fur)
    canvas.shape([(x - 70, y + 4), (x - 122, y - 26), (x - 118, y + 18)], fur)
    canvas.disc(x + 74, y - 30, 34, 31, fill=fur)
    canvas.disc(x + 92, y - 38, 5, fill=INK)
    canvas.disc(x + 106, y - 26, 6, 4, fill=INK)
    for lift in (-6, 0, 6):
        canvas.line([(x + 98, y - 22), (x + 124, y - 22 + lift)], INK, 1)
    canvas.shape([(x + 20, y + 18), (x + 66, y + 44), (x + 4, y + 36)], "#84939a")
    for dx, dy in ((-30, -12), (-6, -18), (-48, 2), (12, -4)):
        canvas.disc(x + dx, y + dy, 5, 3, fill="#84939a")


def _jetty() -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, sky("#bcdfe6", "#e9f3f1"))
    waves(canvas, 230, "#7fbecb", 4, 200, 0)
    waves(canvas, 300, SEA, 5, 260, 1)
    canvas.shape([(0, 430), (960, 430), (960, 540), (0, 540)], "#b98d5f")
    for x in range(-40, 1000, 74):
        canvas.line([(x, 430), (x - 26, 540)], "#96704a", 4)
    canvas.box(0, 422, 960, 434, "#a67d53")
    for x in (160, 400):
        canvas.box(x - 9, 240, x + 9, 432, "#7a5a3a")
    canvas.box(92, 130, 468, 320, PAPER, 10, TEAL, 5)
    canvas.text(280, 178, "JETTY LIMIT", 34, TEAL, "mm", bold=True)
    canvas.text(280, 228, "12 PERSONS", 40, CORAL, "mm", bold=True)
    canvas.text(280, 282, "Carts give way to seals", 25, INK, "mm")
    _seal(canvas, 690, 428)
    return canvas


def _map() -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, "#b9dde4")
    canvas.text(50, 56, "Island map", 40, TEAL, bold=True)
    shore = [
        (
            500 + (330 + 26 * math.sin(3 * a + 0.6) + 14 * math.sin(7 * a)) * math.cos(a),
            300 + (178 + 20 * math.sin(4 * a) + 8 * math.sin(9 * a)) * math.sin(a),
        )
        for a in (math.radians(degree) for degree in range(0, 360, 3))
    ]
    canvas.shape(shore, "#dfe9c8")
    canvas.line([*shore, shore[0]], "#8fae86", 5)
    path = [(276, 396), (370, 330), (500, 345), (585, 255), (540, 165)]
    for a, b in itertools.pairwise(path):
        for dash in range(0, 10, 2):
            ends = (dash / 10, dash / 10 + 0.1)
            canvas.line(
                [(a[0] + (b[0] - a[0]) * k, a[1] + (b[1] - a[1]) * k) for k in ends], CORAL, 4
            )
    pins = (
        (276, 396, "Jetty", TEAL, "lm"),
        (370, 330, "Gannet House", TEAL, "rm"),
        (500, 345, "Tide House", LEAF, "lm"),
        (690, 330, "Old Cyclops", NIGHT, "lm"),
        (585, 255, "Balloon Shed", GOLD, "lm"),
        (540, 165, "Red Bothy", CORAL, "lm"),
    )
    for x, y, name, colour, anchor in pins:
        canvas.disc(x, y, 9, fill=colour, outline=WHITE)
        canvas.text(x + (18 if anchor == "lm" else -18), y, name, 20, INK, anchor)
    canvas.box(40, 100, 190, 186, PAPER, 8)
    canvas.text(115, 126, "North path", 20, INK, "mm")
    canvas.text(115, 158, "1.4 km", 26, CORAL, "mm", bold=True)
    canvas.box(720, 456, 930, 516, PAPER, 8)
    canvas.text(825, 486, "Radio: channel 68", 22, TEAL, "mm")
    return canvas


def _rules() -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, SAND)
    canvas.box(0, 0, 22, 540, CORAL)
    canvas.text(64, 66, "House rules", 40, CORAL, bold=True)
    rows = (
        ("Boots", "off at the front door"),
        ("Shower", "four minutes, no longer"),
        ("Lights", "out or curtained after 22:30"),
        ("Peelings", "into the green bin"),
        ("Dishes", "see the rota by the stove"),
    )
    for number, (name, rule) in enumerate(rows):
        y = 150 + number * 72
        canvas.box(64, y - 28, 600, y + 28, PAPER, 10)
        canvas.text(86, y, name, 26, TEAL, bold=True)
        canvas.text(230, y, rule, 26, INK)
    canvas.disc(770, 300, 120, fill="#d9ecef")
    canvas.shape([(770, 200), (712, 320), (828, 320)], SEA)
    canvas.disc(770, 326, 60, fill=SEA)
    canvas.arc(756, 330, 34, 100, 190, WHITE, 6)
    return canvas


@functools.cache
def _stars(count: int) -> tuple[tuple[float, float, float], ...]:
    """Fixed stars: a low-discrepancy spread, so that no random numbers are needed."""
    return tuple(
        (i * 0.754877666 % 1, i * 0.569840291 % 1, 0.8 + (i * 0.381966 % 1) * 1.6)
        for i in range(1, count + 1)
    )


def stars(canvas: Canvas, count: int, bottom: float) -> None:
    for x, y, size in _stars(count):
        canvas.disc(x * canvas.width, y * bottom, size, fill="#e9eefc")


def dusk(seconds: float, _speaker: str) -> Image.Image:
    """The lighthouse at night; its beam goes round in twelve seconds."""
    canvas = Canvas(WIDTH, HEIGHT, sky(NIGHT, "#2b3a67", "#7a6a8f"))
    stars(canvas, 70, 330)
    angle = 2 * math.pi * seconds / 12
    reach, spread = 1100 * math.cos(angle), 90 + 60 * abs(math.sin(angle))
    x, y = 420, 176
    canvas.shape([(x, y), (x + reach, y - spread), (x + reach, y + spread)], (255, 236, 170, 110))
    hill(canvas, 120, 760, 430, 300, "#2c4a45")
    lighthouse(canvas, 420, 324, 1.4, "#fff3bf")
    waves(canvas, 420, "#24476a", 5, 220, seconds * 0.8)
    waves(canvas, 470, "#1b3757", 6, 180, -seconds)
    return canvas.image()


def _goodbye() -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, "#e5f0ee")
    canvas.text(70, 90, "Enjoy your stay", 46, TEAL, bold=True)
    canvas.text(70, 190, "Front desk open 09:00 to 11:00", 28, INK)
    canvas.text(70, 250, "Wi-Fi network: gannet-guest", 28, INK)
    canvas.text(70, 310, "Password: puffin-parade-47", 28, CORAL)
    canvas.box(0, 470, 960, 540, LEAF)
    _puffin(canvas, 760, 400)
    _puffin(canvas, 640, 430)
    return canvas


def _puffin(canvas: Canvas, x: float, y: float) -> None:
    canvas.disc(x, y, 44, 70, fill=INK)
    canvas.disc(x + 10, y + 14, 32, 52, fill=WHITE)
    canvas.disc(x + 4, y - 72, 34, fill=INK)
    canvas.disc(x + 12, y - 70, 24, fill=WHITE)
    canvas.disc(x + 14, y - 76, 5, fill=INK)
    canvas.shape([(x + 30, y - 88), (x + 72, y - 66), (x + 32, y - 52)], CORAL)
    canvas.shape([(x + 30, y - 88), (x + 44, y - 81), (x + 42, y - 56), (x + 32, y - 52)], GOLD)
    for dx in (-14, 16):
        canvas.box(x + dx - 9, y + 66, x + dx + 11, y + 76, CORAL, 4)


title, jetty, island_map = still(_title), still(_jetty), still(_map)
rules, goodbye = still(_rules), still(_goodbye)
