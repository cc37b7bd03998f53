"""The balloon launch and the night sky guide."""

from __future__ import annotations

import math

from PIL import Image

from making.coast import sky, stars, waves
from making.paint import (
    CORAL,
    GOLD,
    GREY,
    INK,
    LEAF,
    NIGHT,
    PAPER,
    SEA,
    TEAL,
    WHITE,
    Canvas,
    Colour,
    bullets,
    slide,
    still,
)

WIDTH, HEIGHT = 960, 540
RED = "#d7322e"


def _balloon(canvas: Canvas, x: float, y: float, s: float) -> None:
    canvas.line([(x, y + 50 * s), (x + 6 * s, y + 120 * s), (x, y + 170 * s)], INK, 2)
    canvas.box(x - 14 * s, y + 170 * s, x + 14 * s, y + 192 * s, WHITE, 3, INK, 2)
    canvas.shape([(x - 9 * s, y + 64 * s), (x + 9 * s, y + 64 * s), (x, y + 46 * s)], RED)
    canvas.disc(x, y, 46 * s, 54 * s, fill=RED)
    canvas.disc(x - 16 * s, y - 20 * s, 10 * s, 15 * s, fill="#f08a80")


def _launch_title() -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, sky("#bfe0ea", "#f2f7f2"))
    canvas.box(0, 470, 960, 540, LEAF)
    _balloon(canvas, 770, 180, 1.5)
    canvas.text(60, 130, "Launching Marigold", 54, TEAL, bold=True)
    canvas.text(62, 195, "Weather balloon handbook, part 1", 28, INK)
    canvas.text(62, 240, "Idris Fenwick, 6 June 2024", 26, CORAL)
    return canvas


def _call_first() -> Canvas:
    canvas = slide("Before you start")
    bullets(canvas, ("Coast guard desk, Port Ambry", "Telephone 0555 0147", "No call, no launch"))
    canvas.box(640, 180, 860, 400, TEAL, 24)
    canvas.disc(750, 300, 64, fill=PAPER)
    for number in range(10):
        angle = 2 * math.pi * number / 10
        canvas.disc(750 + 44 * math.cos(angle), 300 + 44 * math.sin(angle), 9, fill=TEAL)
    canvas.box(610, 140, 890, 190, INK, 24)
    return canvas


def windsock(seconds: float, _speaker: str) -> Image.Image:
    """A striped windsock lifts and falls on its pole."""
    canvas = Canvas(WIDTH, HEIGHT, sky("#bfe0ea", "#f2f7f2"))
    canvas.box(0, 460, 960, 540, LEAF)
    canvas.box(296, 130, 306, 470, GREY)
    lift = 0.55 + 0.25 * math.sin(seconds * 0.9)
    x, y = 306.0, 150.0
    for piece in range(6):
        angle = (1 - lift) * 1.2 + piece * 0.05 * math.sin(seconds * 3 + piece)
        nx, ny = x + 58 * math.cos(angle), y + 58 * math.sin(angle)
        wide, thin = 34 - piece * 3, 31 - piece * 3
        canvas.shape(
            [(x, y - wide), (nx, ny - thin), (nx, ny + thin), (x, y + wide)],
            CORAL if piece % 2 == 0 else WHITE,
        )
        x, y = nx, ny
    canvas.text(560, 110, "Wind limit", 34, TEAL, bold=True)
    canvas.text(560, 160, "18 knots", 40, CORAL, bold=True)
    return canvas.image()


def _gloves() -> Canvas:
    canvas = slide("Hands", accent=CORAL)
    bullets(
        canvas, ("Cotton gloves, always", "Rings and watches off", "No rubber gloves: they stick")
    )
    for x, flip in ((660, 1), (830, -1)):
        for finger in range(4):
            left = x - 48 + finger * 26
            canvas.box(left, 190 + abs(finger - 1.5) * 14, left + 22, 320, PAPER, 11, GREY, 2)
        thumb = x + flip * 62
        canvas.box(thumb - 12, 290, thumb + 12, 370, PAPER, 12, GREY, 2)
        canvas.box(x - 52, 290, x + 52, 410, PAPER, 22, GREY, 2)
        canvas.box(x - 48, 280, x + 48, 330, PAPER, 10)
        canvas.box(x - 52, 400, x + 52, 424, CORAL, 6)
    return canvas


def gauge(seconds: float, _speaker: str) -> Image.Image:
    """The needle of a round gauge climbs to a green mark and stops."""
    canvas = slide("Filling")
    x, y, r = 640, 320, 170
    canvas.disc(x, y, r, fill=PAPER, outline=INK, width=6)
    canvas.arc(x, y, r - 16, 150, 390, GREY, 8)
    canvas.arc(x, y, r - 16, 312, 330, LEAF, 16)
    angle = math.radians(150 + 171 * min(1.0, seconds / 8))
    canvas.line([(x, y), (x + 130 * math.cos(angle), y + 130 * math.sin(angle))], CORAL, 7)
    canvas.disc(x, y, 14, fill=INK)
    canvas.text(x, y + 80, "LIFT", 24, INK, "mm")
    canvas.text(x, y + 116, "grams", 20, GREY, "mm")
    canvas.text(70, 180, "Green line:", 28, INK)
    canvas.text(70, 232, "1450 grams", 40, LEAF, bold=True)
    canvas.text(70, 300, "Gas: helium", 27, INK)
    return canvas.image()


def _knot() -> Canvas:
    canvas = slide("Tying off")
    bullets(canvas, ("Waxed cord", "Twice, fold, once more", "Box on ten metres of line"))
    canvas.disc(700, 190, 120, 110, fill=RED)
    canvas.shape([(676, 290), (724, 290), (712, 360), (688, 360)], RED)
    for y in (322, 334):
        canvas.box(676, y, 724, y + 8, "#d9c59a", 4)
    canvas.line([(700, 360), (708, 410), (694, 450), (700, 480)], "#b59f6e", 5)
    canvas.box(664, 474, 736, 520, WHITE, 4, INK, 3)
    return canvas


def crossing(seconds: float, _speaker: str) -> Image.Image:
    """A red balloon rises out of the left corner and crosses the sky above the sea."""
    canvas = Canvas(WIDTH, HEIGHT, sky("#8ec9e0", "#dff0f3", "#fdf1dc"))
    for x, y in ((250, 130), (640, 80), (840, 190)):
        for dx, radius in ((-34, 26), (0, 38), (38, 24)):
            canvas.disc(x + dx - seconds * 3, y, radius * 1.4, radius * 0.7, fill=WHITE)
    waves(canvas, 430, SEA, 5, 220, seconds)
    waves(canvas, 470, "#3c8494", 6, 180, -seconds)
    canvas.shape([(0, 540), (0, 440), (150, 470), (230, 540)], LEAF)
    _balloon(canvas, 90 + seconds * 50, 330 - seconds * 26, 1.1 - seconds * 0.045)
    return canvas.image()


def parachute(seconds: float, _speaker: str) -> Image.Image:
    """A small white box sinks under an orange parachute."""
    canvas = Canvas(WIDTH, HEIGHT, sky("#bfe0ea", "#f2f7f2"))
    canvas.box(0, 480, 960, 540, LEAF)
    x, y = 480 + 40 * math.sin(seconds * 0.8), 90 + seconds * 17
    canopy = [
        (
            x + 100 * math.cos(math.pi + math.pi * i / 20),
            y + 76 * math.sin(math.pi + math.pi * i / 20),
        )
        for i in range(21)
    ]
    for end in (-96, -40, 40, 96):
        canvas.line([(x + end, y), (x, y + 110)], INK, 2)
    canvas.shape(canopy, "#f08a24")
    canvas.box(x - 22, y + 108, x + 22, y + 142, WHITE, 4, INK, 3)
    return canvas.image()


def _label() -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, "#d9e6e2")
    canvas.box(110, 60, 850, 480, PAPER, 16, CORAL, 6)
    canvas.text(480, 125, "FOUND ME?", 52, CORAL, "mm", bold=True)
    canvas.text(480, 205, "I am not dangerous.", 30, INK, "mm")
    canvas.text(480, 265, "Please post me to Box 19, Port Ambry", 30, INK, "mm")
    canvas.text(480, 345, "Serial RS9-0412", 34, TEAL, "mm", bold=True)
    canvas.text(480, 420, "Battery lasts 6 hours", 26, INK, "mm")
    return canvas


def _dome(canvas: Canvas, opening: float) -> None:
    half = [math.pi + math.pi * step / 30 for step in range(31)]
    canvas.shape([(700 + 150 * math.cos(a), 400 + 150 * math.sin(a)) for a in half], "#c6cedb")
    canvas.box(550, 400, 850, 500, "#8d98ac")
    wide = 34 * opening
    canvas.shape(
        [(700 - wide, 258), (700 + wide, 258), (700 + wide, 400), (700 - wide, 400)], NIGHT
    )
    if opening > 0.6:
        canvas.shape([(690, 400), (724, 400), (750, 236), (722, 230)], GOLD)


def dome(seconds: float, _speaker: str) -> Image.Image:
    """A telescope dome opens under the stars."""
    canvas = Canvas(WIDTH, HEIGHT, sky(NIGHT, "#1c2a50", "#33406b"))
    stars(canvas, 90, 440)
    canvas.shape([(0, 540), (0, 500), (480, 470), (960, 500), (960, 540)], "#1b2b2b")
    _dome(canvas, min(1.0, seconds / 4))
    canvas.box(36, 86, 520, 266, "#1c2a50", 16)
    canvas.text(60, 130, "Night sky guide", 50, "#f4ecd0", bold=True)
    canvas.text(62, 190, "Visitors' evening at Old Cyclops", 28, WHITE)
    canvas.text(62, 235, "5 October 2024", 26, GOLD)
    return canvas.image()


def _night_slide(title: str, lines: tuple[str, ...]) -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, NIGHT)
    stars(canvas, 40, 540)
    canvas.box(40, 122, 640, 380, "#1c2a50", 16)
    canvas.text(60, 66, title, 40, "#f4ecd0", bold=True)
    bullets(canvas, lines, x=66, y=176, step=74, size=26, fill=WHITE, dot=GOLD)
    return canvas


def _telescope() -> Canvas:
    lines = ("Mirror: 41 cm across", "Built in 1936 in a bakery", "On the island since 1998")
    canvas = _night_slide("The telescope", lines)
    canvas.shape([(700, 400), (740, 420), (880, 220), (820, 190)], GOLD)
    canvas.line([(770, 330), (730, 480)], GREY, 8)
    canvas.line([(770, 330), (840, 480)], GREY, 8)
    return canvas


def comet(seconds: float, _speaker: str) -> Image.Image:
    """A comet with a pale tail drifts down to the right."""
    lines = ("Comet Vasquel: from 23:10", "Where: low in the east", "Saturn: due south at midnight")
    canvas = _night_slide("Tonight", lines)
    x, y = 720 + seconds * 6, 150 + seconds * 10
    for step in range(14):
        canvas.disc(x - step * 4, y - step * 9, 13 - step * 0.85, fill=(190, 215, 255, 120))
    canvas.disc(x, y, 11, fill=WHITE)
    return canvas.image()


def _dome_rules() -> Canvas:
    lines = ("Red torches only", "Eight people at a time", "No hot drinks near the mirror")
    canvas = _night_slide("In the dome", lines)
    canvas.box(740, 240, 800, 420, GREY, 10)
    canvas.shape([(726, 240), (814, 240), (836, 190), (704, 190)], GREY)
    canvas.disc(770, 190, 66, 16, fill=RED)
    glow: Colour = "#5b1f2c"
    canvas.shape([(706, 184), (834, 184), (880, 60), (660, 60)], glow)
    return canvas


launch_title, call_first, gloves = still(_launch_title), still(_call_first), still(_gloves)
knot, label = still(_knot), still(_label)
telescope, dome_rules = still(_telescope), still(_dome_rules)
