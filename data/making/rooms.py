"""Indoors: the council meeting as a video call, and the harbour radio studio."""

from __future__ import annotations

import math

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
    Colour,
    bullets,
    slide,
    still,
)
from making.story import Picture

WIDTH, HEIGHT = 960, 540

# Name, role, skin, hair, shirt, wall
PEOPLE: tuple[tuple[str, str, Colour, Colour, Colour, Colour], ...] = (
    ("Maren Oduya", "director", "#8d5a3b", "#2a1d18", GOLD, "#dfe9e6"),
    ("Piet Halloran", "engineer", "#efc4a0", "#c98a3c", TEAL, "#efe4d2"),
    ("Bram Teller", "skipper", "#e5b48d", "#9b9b9b", "#2d4373", "#d9e6ee"),
    ("Nell Ashgrove", "archivist", "#f2d0b4", "#7b3f27", LEAF, "#eadfe8"),
)


def _face(
    canvas: Canvas, x: float, y: float, looks: tuple[Colour, Colour, Colour], mouth: float
) -> None:
    skin, hair, shirt = looks
    canvas.disc(x, y + 92, 74, 44, fill=shirt)
    canvas.disc(x, y - 8, 50, 52, fill=hair)
    canvas.disc(x, y + 4, 40, 46, fill=skin)
    canvas.shape([(x - 40, y - 12), (x + 40, y - 12), (x + 30, y - 42), (x - 30, y - 42)], hair)
    for side in (-15, 15):
        canvas.disc(x + side, y, 4, fill=INK)
    canvas.disc(x, y + 26, 12, 2 + 6 * mouth, fill="#8f3b3b")


def call(topic: str) -> Picture:
    """Four people in a video call; whoever speaks has a gold frame and a moving mouth."""

    def picture(seconds: float, speaker: str) -> Image.Image:
        canvas = Canvas(WIDTH, HEIGHT, "#26343c")
        canvas.text(30, 34, topic, 26, WHITE)
        canvas.disc(920, 34, 9, fill=CORAL)
        for number, (name, role, skin, hair, shirt, wall) in enumerate(PEOPLE):
            left, top = 26 + (number % 2) * 458, 66 + (number // 2) * 232
            speaks = name == speaker
            edge = GOLD if speaks else "#26343c"
            canvas.box(left, top, left + 450, top + 222, wall, 12, edge, 6)
            mouth = abs(math.sin(seconds * 9)) if speaks else 0.0
            _face(canvas, left + 225, top + 84, (skin, hair, shirt), mouth)
            canvas.box(left + 12, top + 180, left + 250, top + 212, (38, 52, 60, 225), 8)
            canvas.text(left + 24, top + 196, f"{name}, {role}", 20, WHITE)
        return canvas.image()

    return picture


def _agenda() -> Canvas:
    canvas = slide("Station council")
    canvas.text(70, 150, "3 September 2024, agenda", 27, CORAL)
    bullets(canvas, ("Ferry repair", "Breakwater", "Archive room"), y=220, step=66, size=30)
    canvas.box(640, 180, 860, 440, PAPER, 8, GREY, 3)
    for row in range(6):
        canvas.box(670, 220 + row * 34, 830 - (row % 3) * 30, 228 + row * 34, "#cfd6d8", 3)
    canvas.box(690, 165, 810, 195, GREY, 6)
    return canvas


def _quote() -> Canvas:
    canvas = slide("Breakwater: two ways", accent=CORAL)
    for left, title, lines, colour in (
        (64, "Concrete", ("62,000 crowns", "7 weeks", "Guarantee 25 years"), CORAL),
        (500, "Quarry stone", ("a third less", "12 weeks", "Guarantee 40 years"), LEAF),
    ):
        canvas.box(left, 150, left + 396, 440, PAPER, 16, colour, 4)
        canvas.text(left + 198, 196, title, 32, colour, "mm", bold=True)
        for row, line in enumerate(lines):
            canvas.text(left + 198, 268 + row * 58, line, 28, INK, "mm")
    return canvas


def _onair() -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, "#3a2f3f")
    canvas.text(480, 84, "HARBOUR RADIO", 58, GOLD, "mm", bold=True)
    canvas.text(480, 144, "94.6 FM", 36, WHITE, "mm")
    canvas.box(230, 200, 730, 440, "#8a5a3c", 26)
    canvas.box(260, 230, 500, 410, "#5c3a26", 14)
    for row in range(6):
        for column in range(8):
            canvas.disc(282 + column * 28, 254 + row * 27, 7, fill="#2e1c12")
    canvas.disc(616, 290, 54, fill=PAPER)
    canvas.line([(616, 290), (648, 258)], CORAL, 5)
    for knob in (572, 660):
        canvas.disc(knob, 390, 20, fill=GOLD)
    canvas.line([(690, 200), (780, 120)], GREY, 5)
    canvas.text(480, 490, "Monday 21 October 2024", 27, WHITE, "mm")
    return canvas


def _card(kicker: str, headline: str, ground: Colour) -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, ground)
    canvas.box(0, 400, 960, 540, "#3a2f3f")
    canvas.text(50, 442, kicker, 24, GOLD)
    canvas.text(50, 490, headline, 36, WHITE, bold=True)
    return canvas


def _ferry_news() -> Canvas:
    canvas = _card("ISLAND NEWS", "Ferry: late, again", "#cfe3ea")
    canvas.box(120, 330, 840, 352, GREY)
    for x in (220, 400, 580, 740):
        canvas.shape([(x - 16, 330), (x + 16, 330), (x + 6, 280), (x - 6, 280)], "#7a5a3a")
    hull = [(200, 210), (780, 210), (720, 284), (250, 284)]
    canvas.shape(hull, CORAL)
    canvas.box(300, 140, 620, 210, PAPER, 8)
    for window in range(6):
        canvas.box(320 + window * 50, 158, 352 + window * 50, 186, SEA, 4)
    canvas.box(430, 84, 500, 140, GOLD)
    canvas.disc(790, 250, 34, outline="#7a5a3a", width=8)
    return canvas


def _wall_news() -> Canvas:
    canvas = _card("ISLAND NEWS", "Masons start on the breakwater", "#cfe3ea")
    canvas.box(0, 330, 960, 400, SEA)
    for row in range(4):
        for column in range(7 - row):
            left = 170 + column * 92 + row * 46
            tone = ("#9aa3a0", "#aab3af", "#8d9793")[(row + column) % 3]
            canvas.box(left, 318 - row * 54, left + 86, 366 - row * 54, tone, 8)
    return canvas


def _school_news() -> Canvas:
    canvas = _card("SCHOOL NEWS", "Ambry Hill pupils find a box", "#dcebd3")
    canvas.box(0, 330, 960, 400, "#7fae72")
    for bush in range(12):
        canvas.disc(40 + bush * 84, 318, 62, 50, fill=LEAF if bush % 2 else "#5b9456")
    canvas.box(420, 210, 540, 300, WHITE, 8, INK, 4)
    canvas.line([(480, 210), (430, 120), (380, 150)], INK, 3)
    canvas.shape([(330, 160), (440, 110), (470, 190)], "#f08a24")
    canvas.box(720, 210, 790, 300, "#f4b24a", 10)
    canvas.box(714, 192, 796, 214, GREY, 6)
    return canvas


def _weather() -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, "#31435e")
    canvas.text(60, 70, "Tomorrow", 44, GOLD, bold=True)
    rows = (("Wind", "south-west, force 8"), ("Sea", "rough"), ("High", "9 degrees"))
    for number, (name, value) in enumerate(rows):
        canvas.text(62, 160 + number * 64, name, 27, "#a9bdd6")
        canvas.text(200, 160 + number * 64, value, 30, WHITE)
    canvas.box(560, 60, 900, 480, "#40557a", 16)
    canvas.text(730, 110, "Port Ambry tides", 28, GOLD, "mm")
    tides = (("High", "05:52"), ("Low", "11:58"), ("High", "18:17"))
    for number, (name, time) in enumerate(tides):
        canvas.text(610, 190 + number * 90, name, 28, "#c7d5e8")
        canvas.text(850, 190 + number * 90, time, 34, WHITE, "rm")
    for x in (110, 220, 330):
        canvas.arc(x, 420, 40, 190, 350, "#a9bdd6", 6)
    return canvas


agenda, quote, onair = still(_agenda), still(_quote), still(_onair)
ferry_news, wall_news = still(_ferry_news), still(_wall_news)
school_news, weather = still(_school_news), still(_weather)
