"""A small drawing surface: lines, boxes, text and one chart's axes, with nothing but Pillow.

Coordinates are in points from the upper left. Everything is drawn three times as large and made
smaller at the end, which smooths the edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

DRAWN, KEPT = 3, 2  # pixels a point while drawing, and in the file

INK, SOFT, GRID, PAPER = "#1b1f24", "#6a737d", "#e4e7eb", "#ffffff"

Point = tuple[float, float]


@cache
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * DRAWN)


class Canvas:
    """A white picture of `width` x `height` points."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        size = (round(width * DRAWN), round(height * DRAWN))
        self._image = Image.new("RGB", size, PAPER)
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def save(self, path: Path) -> None:
        size = (round(self.width * KEPT), round(self.height * KEPT))
        self._image.resize(size, Image.Resampling.LANCZOS).save(path, optimize=True)

    def text(
        self,
        at: Point,
        text: str,
        size: float = 11,
        color: str = INK,
        anchor: str = "la",
        bold: bool = False,
    ) -> None:
        """`anchor` as Pillow's: l, m, r and a, m, s. Bold is the same face with a thin outline."""
        stroke = round(0.25 * DRAWN) if bold else 0
        self._draw.text(
            _scaled(at), text, color, _font(size), anchor, stroke_width=stroke, stroke_fill=color
        )

    def text_width(self, text: str, size: float = 11) -> float:
        return float(self._draw.textlength(text, _font(size))) / DRAWN

    def line(self, points: Sequence[Point], color: str = INK, width: float = 1.0) -> None:
        scaled = [_scaled(point) for point in points]
        self._draw.line(scaled, color, max(1, round(width * DRAWN)), joint="curve")

    def box(self, corner: Point, opposite: Point, color: str) -> None:
        self._draw.rectangle((*_scaled(corner), *_scaled(opposite)), fill=color)

    def area(self, points: Sequence[Point], color: str) -> None:
        self._draw.polygon([_scaled(point) for point in points], fill=color)

    def dot(self, at: Point, radius: float, color: str, edge: str = PAPER) -> None:
        x, y = _scaled(at)
        r = radius * DRAWN
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=color, outline=edge, width=DRAWN)


def _scaled(point: Point) -> Point:
    return point[0] * DRAWN, point[1] * DRAWN


@dataclass(frozen=True, slots=True)
class Axes:
    """A chart's frame: where on the canvas a value lies. `log` is of the x axis."""

    left: float
    top: float
    right: float
    bottom: float
    x: tuple[float, float]
    y: tuple[float, float] = (0.0, 1.0)
    log: bool = False

    def at(self, x: float, y: float) -> Point:
        return self.across(x), self.bottom - self._share(y, self.y) * (self.bottom - self.top)

    def across(self, x: float) -> float:
        low, high = self.x
        if self.log:
            x, low, high = math.log(x), math.log(low), math.log(high)
        return self.left + self._share(x, (low, high)) * (self.right - self.left)

    @staticmethod
    def _share(value: float, limits: tuple[float, float]) -> float:
        low, high = limits
        return (value - low) / (high - low)


def x_ticks(
    canvas: Canvas, axes: Axes, values: Sequence[float], name: Callable[[float], str]
) -> None:
    """Vertical grid lines with a name under each."""
    for value in values:
        x = axes.across(value)
        canvas.line([(x, axes.top), (x, axes.bottom)], GRID, 0.7)
        canvas.text((x, axes.bottom + 4), name(value), 9, SOFT, "ma")


def y_ticks(
    canvas: Canvas, axes: Axes, values: Sequence[float], name: Callable[[float], str]
) -> None:
    """Horizontal grid lines with a name left of each."""
    for value in values:
        _, y = axes.at(axes.x[0], value)
        canvas.line([(axes.left, y), (axes.right, y)], GRID, 0.7)
        canvas.text((axes.left - 6, y), name(value), 9, SOFT, "rm")


def round_steps(low: float, high: float, most: int = 6) -> list[float]:
    """Round values from `low` to `high`, at most `most` of them."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * n for n in (1, 2, 5, 10, 20) if span / (power * n) <= most - 1)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(n * step, 10) for n in range(first, last + 1)]


def legend(canvas: Canvas, at: Point, entries: Sequence[tuple[str, str]], width: float) -> float:
    """Coloured marks with names, in rows of at most `width`; the y under the last row."""
    x, y = at
    for name, color in entries:
        wide = 22 + canvas.text_width(name, 10.5) + 20
        if x + wide > at[0] + width:
            x, y = at[0], y + 18
        canvas.box((x, y - 2), (x + 16, y + 2), color)
        canvas.text((x + 22, y), name, 10.5, INK, "lm")
        x += wide
    return y + 18
