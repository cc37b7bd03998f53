"""The slides of the two Tide House talks: one set of drawings, two sets of figures."""

from __future__ import annotations

import math
from collections.abc import Mapping

from PIL import Image

from making.paint import (
    CORAL,
    GOLD,
    GREY,
    INK,
    LEAF,
    PAPER,
    SEA,
    TEAL,
    WHITE,
    Canvas,
    bullets,
    slide,
    still,
)
from making.story import Picture

TIN = "#c9d2d3"


def _glasshouse(canvas: Canvas, x: float, y: float, s: float) -> None:
    roof = [(x, y - 90 * s), (x + 150 * s, y - 170 * s), (x + 300 * s, y - 90 * s)]
    canvas.shape([*roof, (x + 300 * s, y), (x, y)], "#e3f1ec")
    for plant in range(5):
        left = x + (30 + plant * 60) * s
        canvas.line([(left, y), (left, y - 54 * s)], LEAF, 5 * s)
        for leaf, side in ((-40, -1), (-28, 1), (-54, 1), (-50, -1)):
            canvas.disc(left + side * 11 * s, y + leaf * s, 11 * s, 6 * s, fill=LEAF)
        canvas.disc(left + 9 * s, y - 36 * s, 6 * s, fill=CORAL if plant % 2 else GOLD)
    canvas.line([*roof, (x + 300 * s, y), (x, y), (x, y - 90 * s)], TEAL, 5 * s)
    for bar in (75, 150, 225):
        top = y - (130 if bar != 150 else 170) * s
        canvas.line([(x + bar * s, top), (x + bar * s, y)], TEAL, 2 * s)
    canvas.line([(x, y - 90 * s), (x + 300 * s, y - 90 * s)], TEAL, 2 * s)


def title(edition: str, date: str) -> Picture:
    def draw() -> Canvas:
        canvas = Canvas(960, 540, "#eef5ec")
        _glasshouse(canvas, 560, 480, 1.15)
        canvas.box(0, 478, 960, 540, "#b9d3a8")
        canvas.text(60, 110, "The Tide House", 58, TEAL, bold=True)
        canvas.text(62, 172, edition, 29, INK)
        canvas.text(62, 250, "Yuki Sandoval, botanist", 28, INK)
        canvas.text(62, 296, date, 26, CORAL)
        return canvas

    return still(draw)


def pipework(degrees: int, pumps: str) -> Picture:
    """Warm water moves as dots from the sea through the exchanger, and back cooler."""

    def picture(seconds: float, _speaker: str) -> Image.Image:
        canvas = slide("How the sea warms the beds")
        canvas.box(60, 330, 330, 500, SEA, 14)
        canvas.text(195, 420, "Sea", 30, WHITE, "mm", bold=True)
        canvas.box(420, 300, 620, 430, PAPER, 12, TEAL, 4)
        canvas.text(520, 346, "Heat exchanger", 22, TEAL, "mm")
        canvas.text(520, 388, f"takes {degrees} degrees", 22, CORAL, "mm")
        canvas.box(700, 230, 900, 300, "#7a5a3a", 10)
        canvas.text(800, 265, "Warm soil", 24, WHITE, "mm")
        for plant in range(6):
            canvas.disc(722 + plant * 31, 218, 13, 16, fill=LEAF)
        canvas.line([(330, 360), (420, 360)], GREY, 20)
        canvas.line([(330, 460), (520, 460), (520, 430)], GREY, 20)
        canvas.line([(620, 365), (800, 365), (800, 300)], GREY, 20)
        for dot in range(4):
            along = (seconds * 0.5 + dot / 4) % 1
            canvas.disc(330 + 90 * along, 360, 6, fill="#ffb59e")
            canvas.disc(520 - 190 * along, 460, 6, fill="#bfe6f2")
            reach = 245 * along
            x, y = (620 + reach, 365) if reach < 180 else (800, 365 - (reach - 180))
            canvas.disc(x, y, 6, fill="#ffb59e")
        canvas.text(70, 170, f"Pump: {pumps}", 27, INK)
        canvas.text(70, 220, "Fuel burned: none", 27, INK)
        canvas.arc(880, 130, 34, seconds * 90 % 360, seconds * 90 % 360 + 270, GOLD, 8)
        return canvas.image()

    return picture


def harvest(kilograms: Mapping[str, int]) -> Picture:
    def draw() -> Canvas:
        canvas = slide("Harvest per week", accent=LEAF)
        canvas.line([(300, 140), (300, 480)], GREY, 3)
        for number, (crop, weight) in enumerate(kilograms.items()):
            y = 185 + number * 84
            canvas.text(280, y, crop, 27, INK, "rm")
            canvas.box(
                303, y - 24, 303 + weight * 13, y + 24, (LEAF, GOLD, CORAL, SEA)[number % 4], 6
            )
            canvas.text(320 + weight * 13, y, f"{weight} kg", 27, INK)
        return canvas

    return still(draw)


def money(cost: str, diesel: str) -> Picture:
    def draw() -> Canvas:
        canvas = slide("What it cost, what it saves", accent=CORAL)
        for left, name, figure, colour in (
            (70, "Build cost", cost, CORAL),
            (510, "Diesel saved per year", diesel, LEAF),
        ):
            canvas.box(left, 170, left + 400, 400, PAPER, 18, colour, 4)
            canvas.text(left + 200, 230, name, 28, INK, "mm")
            canvas.text(left + 200, 316, figure, 44, colour, "mm", bold=True)
        canvas.text(70, 460, "Paid for by the station and the island co-operative", 24, INK)
        return canvas

    return still(draw)


def valve(code: str, days: int) -> Picture:
    def draw() -> Canvas:
        canvas = slide("Care of the inlet valve")
        lines = ("Seaward gate shut", "Wait five minutes", "Brass collar off", "Brush the basket")
        bullets(canvas, lines, y=170)
        canvas.text(70, 430, f"Part {code}", 30, CORAL, bold=True)
        canvas.text(70, 480, f"Rinse every {days} days", 27, INK)
        canvas.box(500, 270, 920, 340, TIN, 6)
        canvas.disc(710, 305, 84, fill="#b98d3c")
        canvas.disc(710, 305, 62, fill="#d8b45f")
        for spoke in range(6):
            angle = math.pi * spoke / 6
            dx, dy = 56 * math.cos(angle), 56 * math.sin(angle)
            canvas.line([(710 - dx, 305 - dy), (710 + dx, 305 + dy)], "#8c6a24", 4)
        canvas.box(700, 160, 720, 226, TIN)
        canvas.disc(710, 156, 46, 14, fill=CORAL)
        for strand in range(3):
            x = 530 + strand * 26
            canvas.line([(x, 345), (x + 10, 390), (x - 6, 440)], "#4f7f4b", 7)
        return canvas

    return still(draw)


def _orchid(canvas: Canvas, x: float, y: float, petals: str) -> None:
    canvas.line([(x, y), (x - 12, y + 90), (x + 4, y + 190)], LEAF, 7)
    for petal in range(5):
        angle = 2 * math.pi * petal / 5 - math.pi / 2
        canvas.disc(x + 42 * math.cos(angle), y + 42 * math.sin(angle), 30, fill=petals)
    canvas.disc(x, y, 17, fill=GOLD)


def _mushroom(canvas: Canvas, x: float, y: float, s: float) -> None:
    canvas.box(x - 18 * s, y, x + 18 * s, y + 90 * s, "#f1e4cf", 12 * s)
    cap = [(x + 80 * s * math.cos(a), y - 66 * s * math.sin(a)) for a in _half_circle()]
    canvas.shape([*cap, (x - 80 * s, y + 14 * s), (x + 80 * s, y + 14 * s)], "#b5653f")
    for dx, dy in ((-34, -18), (6, -40), (38, -14)):
        canvas.disc(x + dx * s, y + dy * s, 10 * s, 8 * s, fill=PAPER)


def _half_circle() -> list[float]:
    return [math.pi * step / 20 for step in range(21)]


def next_steps(lines: tuple[str, ...], flower: bool) -> Picture:
    def draw() -> Canvas:
        canvas = slide("What comes next", accent=LEAF)
        bullets(canvas, lines, y=180, step=66)
        if flower:
            for x, y in ((720, 220), (840, 260)):
                _orchid(canvas, x, y, "#e7c5e0")
        else:
            _mushroom(canvas, 720, 300, 1.2)
            _mushroom(canvas, 860, 370, 0.8)
        return canvas

    return still(draw)
